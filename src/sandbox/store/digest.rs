//! The digest of a file tree.
//!
//! SHA-256 over a listing in the order of the paths' bytes. Each field is
//! preceded by its length, so no two trees have the same listing. Times are
//! not part of it: the same steps on another day give the same layer.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::tree;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::{Digest, MachineError};

/// Separates this use of SHA-256 from others, and versions the listing.
const DOMAIN: &[u8] = b"bake file tree 1\n";
/// What is read of a file at once.
const CHUNK: usize = 256 << 10;

/// `sha256:` and the hexadecimal digest of the tree below `root`.
pub(super) fn of_tree(root: &Path) -> Result<Digest, MachineError> {
    let mut listing = Listing {
        hash: Sha256::new_with_prefix(DOMAIN),
        links: HashMap::new(),
        buffer: vec![0; CHUNK],
    };
    listing.directory(root, Path::new(""))?;
    let digest = listing.hash.finalize();
    Ok(digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

struct Listing {
    hash: Sha256,
    /// The first name of files with several, by inode.
    links: HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
}

impl Listing {
    fn directory(&mut self, path: &Path, name: &Path) -> Result<(), MachineError> {
        let metadata = fs::symlink_metadata(path).tried_on("look at", path)?;
        self.entry(path, name, &metadata, b'd').tried_on("read", path)?;
        for entry in tree::sorted(path).tried_on("list", path)? {
            let (path, name) = (entry.path(), name.join(entry.file_name()));
            let metadata = fs::symlink_metadata(&path).tried_on("look at", &path)?;
            if metadata.is_dir() {
                self.directory(&path, &name)?;
            } else {
                self.leaf(&path, &name, &metadata).tried_on("read", &path)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, path: &Path, name: &Path, metadata: &Metadata) -> io::Result<()> {
        let kind = metadata.file_type();
        if kind.is_file() && metadata.nlink() > 1 {
            let key = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&key).cloned() {
                self.field(name.as_os_str().as_bytes());
                self.field(b"h");
                self.field(first.as_os_str().as_bytes());
                return Ok(());
            }
            self.links.insert(key, name.to_owned());
        }
        if kind.is_symlink() {
            self.entry(path, name, metadata, b'l')?;
            let target = fs::read_link(path)?;
            self.field(target.as_os_str().as_bytes());
        } else if kind.is_file() {
            self.entry(path, name, metadata, b'f')?;
            self.content(path, metadata.size())?;
        } else {
            let letter = if kind.is_char_device() {
                b'c'
            } else if kind.is_block_device() {
                b'b'
            } else {
                b'p'
            };
            self.entry(path, name, metadata, letter)?;
            self.field(&metadata.rdev().to_be_bytes());
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &Path,
        name: &Path,
        metadata: &Metadata,
        letter: u8,
    ) -> io::Result<()> {
        self.field(name.as_os_str().as_bytes());
        self.field(&[letter]);
        // A link's own mode means nothing.
        let mode = if letter == b'l' { 0 } else { metadata.mode() & 0o7777 };
        for number in [mode, metadata.uid(), metadata.gid()] {
            self.field(&number.to_be_bytes());
        }
        let attributes = tree::extended_attributes(path)?;
        self.field(&(attributes.len() as u64).to_be_bytes());
        for (name, value) in attributes {
            self.field(name.as_bytes());
            self.field(&value);
        }
        Ok(())
    }

    fn content(&mut self, path: &Path, size: u64) -> io::Result<()> {
        self.hash.update(size.to_be_bytes());
        let mut file = File::open(path)?;
        let mut left = size;
        while left > 0 {
            let count = file.read(&mut self.buffer)?;
            let Some(bytes) = self.buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            self.hash.update(bytes);
            left = left.saturating_sub(count as u64);
        }
        Ok(())
    }

    fn field(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tree_with(change: impl FnOnce(&Path)) -> String {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["a", "a.b"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("a/file"), "content").unwrap();
        fs::write(root.path().join("a.b/other"), "content").unwrap();
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        change(root.path());
        of_tree(root.path()).unwrap()
    }

    #[test]
    fn everything_but_times_counts() {
        let plain = tree_with(|_| {});
        assert_eq!(plain.len(), "sha256:".len() + 64);
        assert_eq!(plain, tree_with(|_| {}), "the same content, at another time");
        let changes: [fn(&Path); 7] = [
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
        ];
        let mut seen = vec![plain];
        for change in changes {
            let digest = tree_with(change);
            assert!(!seen.contains(&digest), "change {} does not count", seen.len());
            seen.push(digest);
        }
    }
}
