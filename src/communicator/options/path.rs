//! Paths of keys and certificates.

use std::path::{Path, PathBuf};

/// A path as users write it: `~` is the home directory, relative ones start at `directory`.
pub fn user_path(directory: &Path, path: &str) -> PathBuf {
    let rest = if path == "~" { Some("") } else { path.strip_prefix("~/") };
    if let Some(rest) = rest
        && let Some(home) = std::env::home_dir()
    {
        return home.join(rest);
    }
    directory.join(path)
}
