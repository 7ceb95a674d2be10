//! What a machine has written so far, to tell later who wrote what.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::layer::LEFT_OUT;
use super::{Store, listing};
use crate::content::{Entry, Node};
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

/// What changes with each write to a path. Of directories only their own attributes: what happens
/// in them is told by what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    size: u64,
    changed: (i64, i64),
    modified: i64,
}

impl Stamp {
    /// Whether a regular file is still as it was when the stamp was made, as far as its entry in a
    /// later list tells.
    pub fn fits(&self, entry: &Entry) -> bool {
        match &entry.node {
            Node::File { size, .. } => (*size, entry.modified) == (self.size, self.modified),
            _ => true,
        }
    }
}

/// Stamps of all that a machine has written, by path as in a
/// [`FileTree`](crate::content::FileTree).
pub type Stamps = BTreeMap<String, Stamp>;

impl Store {
    /// Looks at what the machine of an instance has written so far, while it runs. Only what an
    /// image would hold.
    ///
    /// # Errors
    ///
    /// When there is no such machine, or its files cannot be read.
    pub fn stamps(&self, instance: &str) -> Result<Stamps, MachineError> {
        let upper = self.instances().join(instance).join("upper");
        let mut stamps = Stamps::new();
        fs::symlink_metadata(&upper).tried_on("look at", &upper)?;
        walk(&upper, "", &mut stamps)?;
        Ok(stamps)
    }
}

fn walk(path: &Path, name: &str, stamps: &mut Stamps) -> Result<(), MachineError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        // The machine goes on meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).tried_on("list", path),
    };
    for entry in entries {
        let entry = entry.tried_on("list", path)?;
        let child = entry.file_name();
        if name.is_empty() && LEFT_OUT.iter().any(|left_out| child == *left_out) {
            continue;
        }
        let path = entry.path();
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).tried_on("look at", &path),
        };
        let name = listing::below(name, child.as_bytes());
        stamps.insert(name.clone(), stamp(&metadata));
        if metadata.is_dir() {
            walk(&path, &name, stamps)?;
        }
    }
    Ok(())
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    let owner = (metadata.uid(), metadata.gid());
    let plain = Stamp {
        inode: metadata.ino(),
        mode: metadata.mode(),
        owner,
        size: 0,
        changed: (0, 0),
        modified: 0,
    };
    if listing::is_whiteout(metadata) {
        // All share one inode, which changes with each new one.
        Stamp { inode: 0, ..plain }
    } else if metadata.is_dir() {
        plain
    } else {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Stamp { size: metadata.size(), changed, modified: listing::modified(metadata), ..plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_show_and_looks_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        assert!(store.stamps("i-1").is_err());
        let upper = store.instances().join("i-1/upper");
        fs::create_dir_all(upper.join("etc")).unwrap();
        fs::create_dir_all(upper.join("tmp/x")).unwrap();
        fs::write(upper.join("etc/a"), "1").unwrap();
        let first = store.stamps("i-1").unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["etc", "etc/a"]);
        fs::read(upper.join("etc/a")).unwrap();
        assert_eq!(store.stamps("i-1").unwrap(), first);
        fs::write(upper.join("etc/a"), "22").unwrap();
        fs::write(upper.join("etc/b"), "").unwrap();
        let second = store.stamps("i-1").unwrap();
        assert_eq!(first["etc"], second["etc"]);
        assert_ne!(first["etc/a"], second["etc/a"]);
        assert!(second.contains_key("etc/b"));
    }
}
