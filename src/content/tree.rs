//! File trees as lists of their paths, and their digests.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::base::Base;
use super::entry::{Entry, Node, OPAQUE};
use crate::plan::Digest;

/// Separates the digest of one layer, with all that overlayfs makes of it, from others, and
/// versions it.
const LAYER: &str = "bake/layer/2\n";
/// The same of what users see.
const CONTENT: &str = "bake/content/1\n";

/// What a file tree holds, by path. Paths are relative, [escaped](super::escape), and the empty one
/// is the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileTree {
    /// In the order of the paths' bytes.
    pub entries: BTreeMap<String, Entry>,
}

impl FileTree {
    /// What is seen of layers that lie on each other, the lowest first. What the layers remove from
    /// the base stays in the list, as [removed](Node::Removed).
    pub fn over<'a>(layers: impl IntoIterator<Item = &'a FileTree>) -> Self {
        let mut seen = Self::default();
        for layer in layers {
            for (path, entry) in &layer.entries {
                seen.put(path, entry);
            }
        }
        seen
    }

    /// Lays an entry of a higher layer over what there is. A layer has a directory before what is
    /// in it.
    fn put(&mut self, path: &str, entry: &Entry) {
        let mut entry = entry.clone();
        if entry.node != Node::Directory || entry.hides_below() {
            self.remove_below(path);
        } else if let Some(hidden) =
            self.entries.get(path).and_then(|old| old.attributes.get(OPAQUE))
        {
            entry.attributes.insert(OPAQUE.to_owned(), hidden.clone());
        }
        self.entries.insert(path.to_owned(), entry);
    }

    fn remove_below(&mut self, path: &str) {
        let below: Vec<_> = self.below(path).cloned().collect();
        for path in below {
            self.entries.remove(&path);
        }
    }

    /// Whether there is anything below a path.
    pub fn has_below(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    fn below(&self, path: &str) -> impl Iterator<Item = &String> {
        let start = if path.is_empty() { String::new() } else { format!("{path}/") };
        let from = self.entries.range(start.clone()..).map(|(path, _)| path);
        from.take_while(move |path| path.starts_with(&start)).filter(|path| !path.is_empty())
    }

    /// The digest of a layer: two layers with the same digest are the same for overlayfs, with their
    /// hard links. Times do not count.
    pub fn layer_digest(&self) -> Digest {
        let mut listing = Listing::new(LAYER);
        for (path, entry) in &self.entries {
            listing.entry(path, entry);
            if let Node::File { link: Some(first), .. } = &entry.node {
                listing.field(first.as_bytes());
            }
        }
        listing.digest()
    }

    /// The digest of what a user sees: paths, kinds, bytes, targets, modes, owners and extended
    /// attributes, over a base. Neither times nor hard links count.
    pub fn content_digest(&self, base: &Base) -> Digest {
        self.digest_over(&base.identity())
    }

    /// The same of a tree that stands on nothing, such as that of a base.
    pub fn tree_digest(&self) -> Digest {
        self.digest_over("nothing")
    }

    fn digest_over(&self, base: &str) -> Digest {
        let mut listing = Listing::new(CONTENT);
        listing.field(base.as_bytes());
        for (path, entry) in &self.entries {
            listing.entry(path, entry);
        }
        listing.digest()
    }
}

/// SHA-256 over fields with their lengths in front, so that no two lists give the same bytes.
struct Listing {
    hash: Sha256,
}

impl Listing {
    fn new(domain: &str) -> Self {
        Self { hash: Sha256::new_with_prefix(domain) }
    }

    fn field(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    fn entry(&mut self, path: &str, entry: &Entry) {
        self.field(path.as_bytes());
        let (kind, detail) = match &entry.node {
            Node::Directory => ("directory", String::new()),
            Node::File { digest, .. } => ("file", digest.hex()),
            Node::Symlink { target } => ("symlink", target.clone()),
            Node::CharacterDevice { device } => ("character-device", device.to_string()),
            Node::BlockDevice { device } => ("block-device", device.to_string()),
            Node::Fifo => ("fifo", String::new()),
            Node::Removed => ("removed", String::new()),
        };
        self.field(kind.as_bytes());
        self.field(detail.as_bytes());
        for number in [entry.mode, entry.uid, entry.gid] {
            self.field(number.to_string().as_bytes());
        }
        self.field(entry.attributes.len().to_string().as_bytes());
        for (name, value) in &entry.attributes {
            self.field(name.as_bytes());
            self.field(value.as_bytes());
        }
    }

    fn digest(self) -> Digest {
        Digest::from_hasher(self.hash)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::content) fn file(text: &str) -> Entry {
        entry(Node::File {
            size: text.len() as u64,
            digest: Digest::of(text.as_bytes()),
            link: None,
        })
    }

    pub(in crate::content) fn entry(node: Node) -> Entry {
        let mode = if node == Node::Directory { 0o755 } else { 0o644 };
        Entry { node, mode, uid: 0, gid: 0, attributes: BTreeMap::new(), modified: 0 }
    }

    pub(in crate::content) fn tree<const N: usize>(entries: [(&str, Entry); N]) -> FileTree {
        FileTree { entries: entries.map(|(path, entry)| (path.to_owned(), entry)).into() }
    }

    fn opaque() -> Entry {
        let mut directory = entry(Node::Directory);
        directory.attributes.insert(OPAQUE.to_owned(), "y".to_owned());
        directory
    }

    #[test]
    fn layers_lie_on_each_other() {
        let lower = tree([
            ("a", entry(Node::Directory)),
            ("a.b", file("beside")),
            ("a/1", file("one")),
            ("a/2", file("two")),
            ("c", entry(Node::Directory)),
            ("c/1", file("one")),
            ("d", opaque()),
            ("d/1", file("one")),
        ]);
        let upper = tree([
            ("a", opaque()),
            ("a/2", file("other")),
            ("c", entry(Node::Removed)),
            ("d", entry(Node::Directory)),
            ("d/2", file("two")),
        ]);
        let seen = FileTree::over([&lower, &upper]);
        let expected = tree([
            ("a", opaque()),
            ("a.b", file("beside")),
            ("a/2", file("other")),
            ("c", entry(Node::Removed)),
            ("d", opaque()),
            ("d/1", file("one")),
            ("d/2", file("two")),
        ]);
        assert_eq!(seen, expected);
        assert!(seen.has_below("a") && seen.has_below("") && !seen.has_below("c"));
        assert!(!tree([("a", file("")), ("a.b", file(""))]).has_below("a"));
        assert_eq!(FileTree::over([&seen]), seen);
    }

    #[test]
    fn everything_but_times_and_links_is_content() {
        let plain = tree([("a", file("x")), ("b", file("x"))]);
        let digest = |change: fn(&mut Entry)| {
            let mut tree = plain.clone();
            tree.entries.values_mut().for_each(change);
            (tree.tree_digest(), tree.layer_digest())
        };
        let same = digest(|_| {});
        assert_eq!(digest(|entry| entry.modified = 7), same);
        let linked = digest(|entry| {
            if let Node::File { link, .. } = &mut entry.node {
                *link = Some("a".to_owned());
            }
        });
        assert_eq!(linked.0, same.0, "no user sees a hard link");
        assert_ne!(linked.1, same.1);
        let changes: [fn(&mut Entry); 6] = [
            |entry| entry.mode = 0o755,
            |entry| entry.uid = 1,
            |entry| entry.gid = 1,
            |entry| entry.node = Node::Fifo,
            |entry| entry.node = Node::Symlink { target: "x".to_owned() },
            |entry| drop(entry.attributes.insert("user.x".to_owned(), "y".to_owned())),
        ];
        let mut seen = vec![same];
        for change in changes {
            let digest = digest(change);
            assert!(seen.iter().all(|other| other.0 != digest.0 && other.1 != digest.1));
            seen.push(digest);
        }
    }

    #[test]
    fn the_base_is_part_of_the_digest_but_for_its_name() {
        let tree = tree([("a", file("x"))]);
        let imported = |name: &str, text: &[u8]| {
            tree.content_digest(&Base::Imported { name: name.to_owned(), tree: Digest::of(text) })
        };
        assert_eq!(imported("a", b"1"), imported("b", b"1"));
        assert_ne!(imported("a", b"1"), imported("a", b"2"));
        let host = |packages| {
            tree.content_digest(&Base::Host { system: "debian 12".to_owned(), packages })
        };
        assert_ne!(host(None), host(Some(Digest::of(b"1"))));
    }

    #[test]
    fn a_list_survives_being_written() {
        let tree = tree([
            ("", entry(Node::Directory)),
            ("d", opaque()),
            ("d/f", file("x")),
            ("l", entry(Node::Symlink { target: "d/f".to_owned() })),
            ("n", entry(Node::CharacterDevice { device: 259 })),
            ("gone", entry(Node::Removed)),
        ]);
        let text = serde_json::to_string(&tree).unwrap();
        assert_eq!(serde_json::from_str::<FileTree>(&text).unwrap(), tree);
        assert!(serde_json::from_str::<FileTree>(&text.replace("\"file\"", "\"fil\"")).is_err());
    }
}
