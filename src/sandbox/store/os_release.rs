//! os-release(5).

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Which distribution a root file system is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OsRelease {
    pub(super) id: String,
    pub(super) version_id: String,
    pub(super) pretty_name: String,
}

impl OsRelease {
    /// Reads it below `root`; empty when there is none.
    pub(super) fn read(root: &Path) -> Self {
        for path in ["etc/os-release", "usr/lib/os-release"] {
            if let Some(text) = read_inside(root, Path::new(path)) {
                return Self::parse(&text);
            }
        }
        Self::default()
    }

    fn parse(text: &str) -> Self {
        let mut release = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.trim().split_once('=') else { continue };
            let field = match name {
                "ID" => &mut release.id,
                "VERSION_ID" => &mut release.version_id,
                "PRETTY_NAME" => &mut release.pretty_name,
                _ => continue,
            };
            *field = unquote(value);
        }
        release
    }
}

/// A value as a shell would read it: quotes off, backslashes resolved.
fn unquote(value: &str) -> String {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner =
        quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    if quote == Some('\'') {
        return inner.to_owned();
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => text.extend(characters.next()),
            c => text.push(c),
        }
    }
    text
}

/// Reads a file of another root: an absolute link counts from that root.
fn read_inside(root: &Path, path: &Path) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..8 {
        let Ok(target) = fs::read_link(root.join(&path)) else {
            return fs::read_to_string(root.join(&path)).ok();
        };
        let from = if target.is_absolute() { Path::new("") } else { path.parent()? };
        let mut normal = PathBuf::new();
        for component in from.join(target).components() {
            match component {
                Component::ParentDir => drop(normal.pop()),
                Component::Normal(name) => normal.push(name),
                _ => {}
            }
        }
        path = normal;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_does() {
        let text = "# x\nID=\"amzn\"\nVERSION_ID='2023'\nPRETTY_NAME=\"A \\\"B\\\" \\$1\"\nOTHER\n";
        assert_eq!(
            OsRelease::parse(text),
            OsRelease {
                id: "amzn".into(),
                version_id: "2023".into(),
                pretty_name: "A \"B\" $1".into()
            }
        );
    }

    #[test]
    fn a_link_stays_inside_the_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        fs::write(root.path().join("usr/lib/os-release"), "ID=alpine").unwrap();
        let link = root.path().join("etc/os-release");
        for target in
            ["../usr/lib/os-release", "/usr/lib/os-release", "../../../usr/lib/os-release"]
        {
            std::os::unix::fs::symlink(target, &link).unwrap();
            assert_eq!(OsRelease::read(root.path()).id, "alpine", "{target}");
            fs::remove_file(&link).unwrap();
        }
        std::os::unix::fs::symlink("os-release", &link).unwrap();
        assert_eq!(OsRelease::read(root.path()).id, "alpine", "a loop falls through");
    }
}
