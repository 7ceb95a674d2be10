//! Lists of digests, as the far side's tools write them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::plan::Digest;

/// How much of a list is kept, in bytes: what comes after is not compared. It bounds the memory
/// that a far side can make us use.
const MOST: usize = 32 << 20;

/// Digests of files by their paths below a directory.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    files: BTreeMap<PathBuf, Digest>,
    bytes: usize,
}

impl Digests {
    /// Takes in a line. What is none is passed over: tools that do not escape line ends write
    /// names that hold one over several lines.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.bytes += line.len();
        if self.bytes <= MOST
            && let Some((path, digest)) = read(line)
        {
            self.files.insert(path, digest);
        }
    }

    /// The digest of a file.
    pub(crate) fn of(&self, path: &Path) -> Option<&Digest> {
        self.files.get(path)
    }

    /// All paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Takes in another list, which is right where both tell of a file. Of files that are new no
    /// more is kept than in one list.
    pub(crate) fn extend(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        let has_room = self.bytes <= MOST;
        for (path, digest) in other.files {
            if has_room || self.files.contains_key(&path) {
                self.files.insert(path, digest);
            }
        }
    }

    /// Tells nothing of a file any more.
    pub(super) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Whether nothing was told.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// The digest, a blank, a blank or a star, the name. GNU's tools and openssl put a backslash before
/// all that when the name has line ends or backslashes, and write these with a backslash.
fn read(line: &[u8]) -> Option<(PathBuf, Digest)> {
    let (is_escaped, line) = match line {
        [b'\\', rest @ ..] => (true, rest),
        line => (false, line),
    };
    let (digest, rest) = line.split_at_checked(64)?;
    let digest = Digest::from_hex(std::str::from_utf8(digest).ok()?)?;
    let [b' ', b' ' | b'*', name @ ..] = rest else { return None };
    // All names that we ask for begin so; without any, tools read their input and name that.
    if !name.starts_with(b"./") {
        return None;
    }
    let name = if is_escaped { unescaped(name)? } else { name.to_vec() };
    let path = PathBuf::from(OsString::from_vec(name));
    Some((path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path), digest))
}

fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_all_tools_are_read() {
        let digest = Digest::of(b"x");
        let hex = digest.hex();
        for (line, path) in [
            (format!("{hex}  ./a b"), &b"a b"[..]),
            (format!("{hex} *./a/b"), b"a/b"),
            (format!("\\{hex}  ./a\\nb\\\\"), b"a\nb\\"),
            // busybox escapes nothing.
            (format!("{hex}  ./a\\nb"), b"a\\nb"),
        ] {
            let mut digests = Digests::default();
            digests.line(line.as_bytes());
            assert_eq!(digests.of(Path::new(OsStr::from_bytes(path))), Some(&digest), "{line}");
        }
        let mut digests = Digests::default();
        for line in [
            "",
            "x",
            &hex,
            &format!("{hex} x"),
            &format!("{hex}  -"),
            &format!("\\{hex}  a\\"),
            "sha256sum: x",
        ] {
            digests.line(line.as_bytes());
        }
        assert!(digests.is_empty());
    }

    #[test]
    fn a_list_without_end_is_not_kept() {
        let mut digests = Digests::default();
        let long = vec![b'x'; MOST + 1];
        digests.line(&long);
        digests.line(format!("{}  ./a", Digest::of(b"x").hex()).as_bytes());
        assert!(digests.is_empty());
    }

    #[test]
    fn lists_together_are_not_longer_than_one() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let line = |name: &str, text: &str| format!("{}  ./{name}", digest(text).hex());
        let (mut one, mut other) = (Digests::default(), Digests::default());
        one.line(line("a", "old").as_bytes());
        one.bytes = MOST;
        other.line(line("a", "new").as_bytes());
        other.line(line("b", "b").as_bytes());
        one.extend(other);
        assert_eq!(one.of("a".as_ref()), Some(&digest("new")));
        assert_eq!(one.of("b".as_ref()), None);
    }

    proptest! {
        #[test]
        fn escaped_names_are_read_back(name in "[a\\\\\n\r]{0,12}") {
            let escaped =
                name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            prop_assert_eq!(unescaped(escaped.as_bytes()), Some(name.into_bytes()));
        }
    }
}
