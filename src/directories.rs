//! Where bake keeps things of the user, by the XDG base directory specification.

use std::path::PathBuf;

/// What must not get lost: `$XDG_STATE_HOME/bake`, by default in `~/.local/state`.
pub fn state() -> Option<PathBuf> {
    of("XDG_STATE_HOME", ".local/state")
}

/// What the user made: `$XDG_DATA_HOME/bake`, by default in `~/.local/share`.
pub fn data() -> Option<PathBuf> {
    of("XDG_DATA_HOME", ".local/share")
}

/// What can be made again: `$XDG_CACHE_HOME/bake`, by default in `~/.cache`.
pub fn cache() -> Option<PathBuf> {
    of("XDG_CACHE_HOME", ".cache")
}

/// The specification says to ignore a relative path.
fn of(variable: &str, below_home: &str) -> Option<PathBuf> {
    let base = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(below_home)))?;
    Some(base.join("bake"))
}
