//! How two file trees differ.

use std::collections::BTreeSet;

use super::entry::{Entry, Node};
use super::tree::FileTree;

/// A path at which two trees differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The path, relative and [escaped](super::escape).
    pub path: &'a str,
    /// What lies there in the first tree.
    pub first: Option<&'a Entry>,
    /// What lies there in the second tree.
    pub second: Option<&'a Entry>,
}

/// Paths at which two trees differ, in the order of their bytes. Times and hard links do not count.
/// A directory that only one tree lists is no difference of its own when something in it is one.
pub fn differences<'a>(first: &'a FileTree, second: &'a FileTree) -> Vec<Difference<'a>> {
    let paths: BTreeSet<_> = first.entries.keys().chain(second.entries.keys()).collect();
    let differences = paths.into_iter().map(|path| Difference {
        path,
        first: first.entries.get(path),
        second: second.entries.get(path),
    });
    differences
        .filter(|one| !one.what().is_empty())
        .filter(|one| match (one.first, one.second) {
            (Some(entry), None) => !(entry.node == Node::Directory && first.has_below(one.path)),
            (None, Some(entry)) => !(entry.node == Node::Directory && second.has_below(one.path)),
            _ => true,
        })
        .collect()
}

impl Difference<'_> {
    /// What differs, in a few words each: `bytes`, `mode 644 and 600`. Empty when nothing does.
    pub fn what(&self) -> Vec<String> {
        let (first, second) = match (self.first, self.second) {
            (Some(first), Some(second)) => (first, second),
            (Some(only), None) => return vec![alone(only, "first")],
            (None, Some(only)) => return vec![alone(only, "second")],
            (None, None) => return Vec::new(),
        };
        let mut what = Vec::new();
        match (&first.node, &second.node) {
            (Node::File { digest: a, .. }, Node::File { digest: b, .. }) => {
                if a != b {
                    what.push("bytes".to_owned());
                }
            }
            (Node::Symlink { target: a }, Node::Symlink { target: b }) => {
                if a != b {
                    what.push(format!("target {a} and {b}"));
                }
            }
            (a, b) if a == b => {}
            (a, b) => return vec![format!("{} and {}", word(a), word(b))],
        }
        if first.mode != second.mode {
            what.push(format!("mode {:o} and {:o}", first.mode, second.mode));
        }
        if (first.uid, first.gid) != (second.uid, second.gid) {
            let (a, b) = (first, second);
            what.push(format!("owner {}:{} and {}:{}", a.uid, a.gid, b.uid, b.gid));
        }
        if first.attributes != second.attributes {
            what.push("extended attributes".to_owned());
        }
        what
    }
}

fn alone(entry: &Entry, which: &str) -> String {
    format!("{} only in the {which}", word(&entry.node))
}

fn word(node: &Node) -> &'static str {
    match node {
        Node::Directory => "directory",
        Node::File { .. } => "file",
        Node::Symlink { .. } => "symbolic link",
        Node::CharacterDevice { .. } => "character device",
        Node::BlockDevice { .. } => "block device",
        Node::Fifo => "named pipe",
        Node::Removed => "removed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::{entry, file, tree};
    use super::*;

    fn told(first: &FileTree, second: &FileTree) -> Vec<String> {
        let found = differences(first, second);
        found.iter().map(|one| format!("{}: {}", one.path, one.what().join(", "))).collect()
    }

    #[test]
    fn each_path_is_named_with_what_differs() {
        let first = tree([
            ("a", file("x")),
            ("b", file("x")),
            ("d", entry(Node::Directory)),
            ("d/only", file("x")),
            ("e", entry(Node::Directory)),
            ("g", file("")),
            ("l", entry(Node::Symlink { target: "a".to_owned() })),
            ("r", file("")),
            ("same", file("x")),
        ]);
        let mut changed = file("y");
        (changed.mode, changed.uid) = (0o600, 7);
        let mut named = file("");
        named.attributes.insert("user.x".to_owned(), "y".to_owned());
        let mut later = file("x");
        later.modified = 9;
        let second = tree([
            ("a", changed),
            ("b", entry(Node::Fifo)),
            ("g", named),
            ("l", entry(Node::Symlink { target: "b".to_owned() })),
            ("r", entry(Node::Removed)),
            ("same", later),
        ]);
        insta::assert_snapshot!(told(&first, &second).join("\n"), @"
        a: bytes, mode 644 and 600, owner 0:0 and 7:0
        b: file and named pipe
        d/only: file only in the first
        e: directory only in the first
        g: extended attributes
        l: target a and b
        r: file and removed
        ");
        assert_eq!(told(&first, &first), [""; 0]);
        assert_eq!(told(&second, &first).len(), 7);
    }
}
