//! Copies of file trees that keep what a system needs.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, XattrFlags};

use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

/// Copies a directory with owners, modes, links, devices (also overlayfs's
/// whiteouts) and the extended attributes that matter. `left_out` are names
/// of the top level. Sockets are not copied: they mean nothing without the
/// process that listens.
pub(super) fn copy(from: &Path, to: &Path, left_out: &[&str]) -> Result<(), MachineError> {
    let mut copier = Copier { links: HashMap::new() };
    copier.directory(from, to, left_out)
}

struct Copier {
    /// Copies of files that have several names, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copier {
    fn directory(&mut self, from: &Path, to: &Path, left_out: &[&str]) -> Result<(), MachineError> {
        fs::create_dir(to).tried_on("make", to)?;
        for entry in fs::read_dir(from).tried_on("list", from)? {
            let entry = entry.tried_on("list", from)?;
            let name = entry.file_name();
            if left_out.iter().any(|left_out| name == *left_out) {
                continue;
            }
            self.entry(&entry.path(), &to.join(&name))?;
        }
        // Last: a mode may forbid what comes before.
        let metadata = fs::symlink_metadata(from).tried_on("look at", from)?;
        attributes(from, to, &metadata).tried_on("set attributes of", to)
    }

    fn entry(&mut self, from: &Path, to: &Path) -> Result<(), MachineError> {
        let metadata = match fs::symlink_metadata(from) {
            Ok(metadata) => metadata,
            // A running machine may remove files while it is copied.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).tried_on("look at", from),
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            return self.directory(from, to, &[]);
        }
        if kind.is_socket() {
            return Ok(());
        }
        // Whiteouts share one inode, and are cheap to make.
        if metadata.nlink() > 1 && kind.is_file() {
            let key = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&key) {
                return fs::hard_link(first, to).tried_on("link", to);
            }
            self.links.insert(key, to.to_owned());
        }
        if kind.is_symlink() {
            let target = fs::read_link(from).tried_on("read", from)?;
            symlink(target, to).tried_on("link", to)?;
        } else if kind.is_file() {
            file(from, to).tried_on("copy", from)?;
        } else {
            let kind = if kind.is_char_device() {
                FileType::CharacterDevice
            } else if kind.is_block_device() {
                FileType::BlockDevice
            } else {
                FileType::Fifo
            };
            node(to, kind, metadata.rdev()).tried_on("make", to)?;
        }
        attributes(from, to, &metadata).tried_on("set attributes of", to)
    }
}

/// Copies the content, sharing blocks where the file system can.
fn file(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create_new(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    // copy_file_range inside the kernel.
    io::copy(&mut &source, &mut &target)?;
    Ok(())
}

/// Makes a device or a fifo.
pub(super) fn node(path: &Path, kind: FileType, device: u64) -> io::Result<()> {
    Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, Mode::empty(), device)?)
}

/// Owner, extended attributes, mode and time, in the order in which none undoes another.
fn attributes(from: &Path, to: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    for (name, value) in extended_attributes(from)? {
        rustix::fs::lsetxattr(to, name.as_c_str(), &value, XattrFlags::empty())?;
    }
    if !metadata.is_symlink() {
        fs::set_permissions(to, Permissions::from_mode(metadata.mode() & 0o7777))?;
    }
    let time =
        |seconds, nanoseconds| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = rustix::fs::Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec()),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec()),
    };
    Ok(rustix::fs::utimensat(rustix::fs::CWD, to, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The attributes that belong to the content, sorted by name: capabilities,
/// access lists, what users set, and of overlayfs's own only what hides.
pub(super) fn extended_attributes(path: &Path) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let mut names = Vec::with_capacity(512);
    match rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(rustix::io::Errno::RANGE) => {
            names.reserve(64 << 10);
            rustix::fs::llistxattr(path, rustix::buffer::spare_capacity(&mut names))?;
        }
        // A file system without any, or a kind of file that has none.
        Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::PERM) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let mut found = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| matters(name)) {
        let name = CString::new(name).map_err(io::Error::other)?;
        // Linux's limit for one value.
        let mut value = Vec::with_capacity(64 << 10);
        rustix::fs::lgetxattr(path, name.as_c_str(), rustix::buffer::spare_capacity(&mut value))?;
        value.shrink_to_fit();
        found.push((name, value));
    }
    found.sort();
    Ok(found)
}

fn matters(name: &[u8]) -> bool {
    if let Some(overlay) = name.strip_prefix(b"user.overlay.") {
        return matches!(overlay, b"opaque" | b"whiteout");
    }
    name.starts_with(b"user.")
        || name == b"security.capability"
        || name.starts_with(b"system.posix_acl_")
}

/// Entries of a directory in the order of their names' bytes.
pub(super) fn sorted(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by(|a, b| bytes(&a.file_name()).cmp(bytes(&b.file_name())));
    Ok(entries)
}

fn bytes(name: &OsStr) -> &[u8] {
    name.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_links_modes_and_attributes() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        fs::create_dir_all(from.join("sub/tmp")).unwrap();
        fs::create_dir(from.join("tmp")).unwrap();
        fs::write(from.join("tmp/x"), "x").unwrap();
        fs::write(from.join("sub/a"), "content").unwrap();
        fs::set_permissions(from.join("sub/a"), Permissions::from_mode(0o4751)).unwrap();
        fs::hard_link(from.join("sub/a"), from.join("b")).unwrap();
        symlink("/nowhere", from.join("link")).unwrap();
        let set = |name: &str| {
            rustix::fs::lsetxattr(from.join("sub"), name, b"y", XattrFlags::empty()).unwrap();
        };
        for name in ["user.overlay.opaque", "user.overlay.origin", "user.mine"] {
            set(name);
        }

        let to = directory.path().join("to");
        copy(&from, &to, &["tmp"]).unwrap();
        assert!(!to.join("tmp").exists());
        assert!(to.join("sub/tmp").exists());
        let a = fs::metadata(to.join("sub/a")).unwrap();
        assert_eq!(a.mode() & 0o7777, 0o4751);
        assert_eq!(a.ino(), fs::metadata(to.join("b")).unwrap().ino());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
        let names: Vec<_> = extended_attributes(&to.join("sub"))
            .unwrap()
            .into_iter()
            .map(|(name, _)| name.into_string().unwrap())
            .collect();
        assert_eq!(names, ["user.mine", "user.overlay.opaque"]);
        let times = |path: &Path| fs::symlink_metadata(path).unwrap().mtime_nsec();
        assert_eq!(times(&from.join("link")), times(&to.join("link")));
    }
}
