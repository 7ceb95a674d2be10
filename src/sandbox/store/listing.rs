//! Lists of what directories of the store hold.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::tree;
use crate::content::{Entry, FileTree, Node, escape};
use crate::plan::Digest;
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

/// What is read of a file at once.
const CHUNK: usize = 256 << 10;

/// The attribute by which an empty file is a whiteout, where devices cannot be made.
const WHITEOUT: &str = "user.overlay.whiteout";

/// Lists the tree below `root`, with the digests of all files.
pub(super) fn of_directory(root: &Path) -> Result<FileTree, MachineError> {
    let mut lister =
        Lister { tree: FileTree::default(), links: HashMap::new(), buffer: vec![0; CHUNK] };
    lister.directory(root, "")?;
    Ok(lister.tree)
}

struct Lister {
    tree: FileTree,
    /// The first name of files with several, and their digest, by inode.
    links: HashMap<(u64, u64), (String, Digest)>,
    buffer: Vec<u8>,
}

impl Lister {
    fn directory(&mut self, path: &Path, name: &str) -> Result<(), MachineError> {
        let metadata = fs::symlink_metadata(path).tried_on("look at", path)?;
        let entry = self.entry(path, name, &metadata).tried_on("read", path)?;
        self.tree.entries.insert(name.to_owned(), entry);
        for child in tree::sorted(path).tried_on("list", path)? {
            let path = child.path();
            let name = below(name, child.file_name().as_bytes());
            let metadata = fs::symlink_metadata(&path).tried_on("look at", &path)?;
            if metadata.is_dir() {
                self.directory(&path, &name)?;
            } else {
                let entry = self.entry(&path, &name, &metadata).tried_on("read", &path)?;
                self.tree.entries.insert(name, entry);
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str, metadata: &Metadata) -> io::Result<Entry> {
        let attributes = attributes(path)?;
        if is_whiteout(metadata) || attributes.contains_key(WHITEOUT) {
            let (attributes, node) = (BTreeMap::new(), Node::Removed);
            return Ok(Entry { node, mode: 0, uid: 0, gid: 0, attributes, modified: 0 });
        }
        let kind = metadata.file_type();
        let device = metadata.rdev();
        let node = if kind.is_dir() {
            Node::Directory
        } else if kind.is_symlink() {
            Node::Symlink { target: escape(fs::read_link(path)?.as_os_str().as_bytes()) }
        } else if kind.is_file() {
            self.file(path, name, metadata)?
        } else if kind.is_char_device() {
            Node::CharacterDevice { device }
        } else if kind.is_block_device() {
            Node::BlockDevice { device }
        } else {
            Node::Fifo
        };
        // A link's own mode means nothing.
        let mode = if kind.is_symlink() { 0 } else { metadata.mode() & 0o7777 };
        let modified = modified(metadata);
        Ok(Entry { node, mode, uid: metadata.uid(), gid: metadata.gid(), attributes, modified })
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &Metadata) -> io::Result<Node> {
        let size = metadata.size();
        let key = (metadata.dev(), metadata.ino());
        if let Some((first, digest)) = self.links.get(&key) {
            return Ok(Node::File { size, digest: *digest, link: Some(first.clone()) });
        }
        let digest = self.digest(path, size)?;
        if metadata.nlink() > 1 {
            self.links.insert(key, (name.to_owned(), digest));
        }
        Ok(Node::File { size, digest, link: None })
    }

    fn digest(&mut self, path: &Path, size: u64) -> io::Result<Digest> {
        let mut hash = Sha256::new();
        let mut file = File::open(path)?;
        let mut left = size;
        while left > 0 {
            let count = file.read(&mut self.buffer)?;
            let Some(bytes) = self.buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            hash.update(bytes);
            left = left.saturating_sub(count as u64);
        }
        Ok(Digest::from_hasher(hash))
    }
}

/// The path of something in a directory, both relative to the root.
pub(super) fn below(directory: &str, name: &[u8]) -> String {
    let name = escape(name);
    if directory.is_empty() { name } else { format!("{directory}/{name}") }
}

/// Whether it is overlayfs's sign that something was removed.
pub(super) fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// When it was changed last, in nanoseconds since 1970.
pub(super) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

fn attributes(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let found = tree::extended_attributes(path)?;
    Ok(found.into_iter().map(|(name, value)| (escape(name.as_bytes()), escape(&value))).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tree_with(change: impl FnOnce(&Path)) -> Digest {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["a", "a.b"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("a/file"), "content").unwrap();
        fs::write(root.path().join("a.b/other"), "content").unwrap();
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        change(root.path());
        of_directory(root.path()).unwrap().layer_digest()
    }

    #[test]
    fn everything_but_times_counts() {
        let plain = tree_with(|_| {});
        assert_eq!(plain, tree_with(|_| {}), "the same content, at another time");
        let changes: [fn(&Path); 8] = [
            |root| fs::write(root.join("a/file"), "c0ntent").unwrap(),
            |root| {
                fs::set_permissions(root.join("a/file"), fs::Permissions::from_mode(0o600))
                    .unwrap();
            },
            |root| fs::rename(root.join("a/file"), root.join("a/renamed")).unwrap(),
            |root| {
                fs::remove_file(root.join("link")).unwrap();
                std::os::unix::fs::symlink("b", root.join("link")).unwrap();
            },
            |root| fs::create_dir(root.join("empty")).unwrap(),
            |root| {
                fs::remove_file(root.join("a.b/other")).unwrap();
                fs::hard_link(root.join("a/file"), root.join("a.b/other")).unwrap();
            },
            |root| {
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::lsetxattr(root.join("a"), "user.overlay.opaque", b"y", flags).unwrap();
            },
            |root| {
                let flags = rustix::fs::XattrFlags::empty();
                let name = "user.overlay.whiteout";
                rustix::fs::lsetxattr(root.join("a/file"), name, b"y", flags).unwrap();
            },
        ];
        let mut seen = vec![plain];
        for change in changes {
            let digest = tree_with(change);
            assert!(!seen.contains(&digest), "change {} does not count", seen.len());
            seen.push(digest);
        }
    }

    #[test]
    fn names_that_are_no_text_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xff\n");
        fs::write(root.path().join(name), "x").unwrap();
        let tree = of_directory(root.path()).unwrap();
        let entry = tree.entries.get(r"\xff\x0a").unwrap();
        assert_eq!(entry.digest(), Some(Digest::of(b"x")));
    }
}
