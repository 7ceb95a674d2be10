//! Root file systems from outside: directories and tar archives.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rustix::fs::FileType;
use tar::{Archive, Entry, EntryType};
use tempfile::TempDir;

use super::tree;
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

/// Copies or unpacks `from` into a new, nameless directory below `bases`.
pub(super) fn to_new_directory(bases: &Path, from: &Path) -> Result<TempDir, MachineError> {
    let metadata = fs::metadata(from).tried_on("look at", from)?;
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(bases)
        .tried_on("make a directory in", bases)?;
    if metadata.is_dir() {
        // The copy wants to make its directory itself.
        fs::remove_dir(new.path()).tried_on("make", new.path())?;
        tree::copy(from, new.path(), &[])?;
    } else {
        fs::set_permissions(new.path(), Permissions::from_mode(0o755))
            .tried_on("set mode of", new.path())?;
        unpack(from, new.path())?;
    }
    let is_root = ["bin/sh", "usr/bin/sh", "usr/bin/bash"]
        .iter()
        .any(|shell| new.path().join(shell).symlink_metadata().is_ok());
    if is_root {
        Ok(new)
    } else {
        Err(MachineError::Other(format!(
            "{} is no root file system: it has no bin/sh (an image saved by `docker save` has to \
             be exported first: `docker export`)",
            from.display()
        )))
    }
}

fn unpack(from: &Path, root: &Path) -> Result<(), MachineError> {
    let mut file = File::open(from).tried_on("open", from)?;
    let mut start = [0; 6];
    let length = file.read(&mut start).tried_on("read", from)?;
    file.rewind().tried_on("read", from)?;
    let start = start.get(..length).unwrap_or_default();
    let reader = BufReader::with_capacity(1 << 20, file);
    if start.starts_with(&[0x1f, 0x8b]) {
        entries(MultiGzDecoder::new(reader), root, from)
    } else if let Some(tool) = other_compression(start) {
        Err(MachineError::Other(format!(
            "{} is compressed with {tool}, which is not read; run `{tool} -d -k {}` first",
            from.display(),
            from.display()
        )))
    } else {
        entries(reader, root, from)
    }
}

fn other_compression(start: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 3] =
        [(&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];
    known.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, tool)| *tool)
}

fn entries(reader: impl Read, root: &Path, from: &Path) -> Result<(), MachineError> {
    let mut archive = Archive::new(reader);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(rustix::process::geteuid().is_root());
    archive.set_unpack_xattrs(true);
    archive.set_overwrite(true);
    let mut count = 0usize;
    for entry in archive.entries().tried_on("read", from)? {
        let mut entry = entry.tried_on("read", from)?;
        let name = entry.path().tried_on("read", from)?.into_owned();
        one(&mut entry, &name, root)
            .tried(|| format!("unpack `{}` of {}", name.display(), from.display()))?;
        count += 1;
    }
    if count == 0 {
        return Err(MachineError::Other(format!("{} is an empty archive", from.display())));
    }
    Ok(())
}

fn one<R: Read>(entry: &mut Entry<'_, R>, name: &Path, root: &Path) -> io::Result<()> {
    let relative = inside(name)?;
    let target = root.join(&relative);
    if relative.as_os_str().is_empty() {
        return root_itself(entry, root);
    }
    make_parents(root, &relative)?;
    match entry.header().entry_type() {
        EntryType::Directory => {
            // A later archive member may name a directory again, but not through a link.
            if target.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
                fs::remove_file(&target)?;
            }
            entry.unpack(&target)?;
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            remove_other(&target)?;
            entry.unpack(&target)?;
        }
        EntryType::Symlink => {
            remove_other(&target)?;
            let link = entry.link_name()?.ok_or_else(|| invalid("a link without a target"))?;
            std::os::unix::fs::symlink(link, &target)?;
            own(entry, &target)?;
        }
        EntryType::Link => {
            let link = entry.link_name()?.ok_or_else(|| invalid("a link without a target"))?;
            let link = inside(&link)?;
            check_parents(root, &link)?;
            remove_other(&target)?;
            fs::hard_link(root.join(link), &target)?;
        }
        kind @ (EntryType::Char | EntryType::Block | EntryType::Fifo) => {
            remove_other(&target)?;
            device(entry, kind, &target)?;
        }
        // Headers that describe the next entry are handled by the reader.
        EntryType::XGlobalHeader => {}
        kind => return Err(invalid(&format!("entries of type {kind:?} are not known"))),
    }
    Ok(())
}

fn root_itself<R: Read>(entry: &Entry<'_, R>, root: &Path) -> io::Result<()> {
    own(entry, root)?;
    fs::set_permissions(root, Permissions::from_mode(entry.header().mode()? & 0o7777))
}

fn device<R: Read>(entry: &Entry<'_, R>, kind: EntryType, target: &Path) -> io::Result<()> {
    let header = entry.header();
    // The fields mean nothing for a fifo, and some writers leave them empty.
    let number = match kind {
        EntryType::Fifo => 0,
        _ => rustix::fs::makedev(
            header.device_major()?.unwrap_or(0),
            header.device_minor()?.unwrap_or(0),
        ),
    };
    let kind = match kind {
        EntryType::Char => FileType::CharacterDevice,
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    match tree::node(target, kind, number) {
        Ok(()) => {}
        // Without the right to make devices: a machine has its own /dev anyway.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    }
    own(entry, target)?;
    fs::set_permissions(target, Permissions::from_mode(header.mode()? & 0o7777))
}

fn own<R: Read>(entry: &Entry<'_, R>, target: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let id = |value: u64| u32::try_from(value).map_err(|_| invalid("an id that is too large"));
    lchown(target, Some(id(entry.header().uid()?)?), Some(id(entry.header().gid()?)?))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The path relative to the root it is unpacked into.
fn inside(name: &Path) -> io::Result<PathBuf> {
    let mut relative = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => relative.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                return Err(invalid("the path leads out of the archive (`..`)"));
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err(invalid("the path is absolute"));
            }
        }
    }
    Ok(relative)
}

/// Makes missing directories above a path, after the check.
fn make_parents(root: &Path, relative: &Path) -> io::Result<()> {
    let parent = check_parents(root, relative)?;
    fs::create_dir_all(parent)
}

/// Refuses a path with a link among its directories: it would lead elsewhere.
fn check_parents(root: &Path, relative: &Path) -> io::Result<PathBuf> {
    let mut path = root.to_owned();
    for part in relative.parent().unwrap_or(Path::new("")).components() {
        path.push(part);
        if let Ok(metadata) = path.symlink_metadata()
            && !metadata.is_dir()
        {
            return Err(invalid("a directory of the path is a link or a file"));
        }
    }
    Ok(path)
}

/// Makes room for an entry that comes again; what a link points at stays as it is.
fn remove_other(target: &Path) -> io::Result<()> {
    match target.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(target),
        Ok(_) => fs::remove_file(target),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::sandbox::store::Store;

    fn header(kind: EntryType, size: u64, mode: u32) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        let own = rustix::process::geteuid().as_raw();
        header.set_uid(own.into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        header
    }

    /// An archive with a shell and one more entry, whose name is written as it is.
    fn archive(kind: EntryType, name: &str, link: Option<&str>) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut shell = header(EntryType::Regular, 3, 0o755);
        builder.append_data(&mut shell, "bin/sh", &b"#!\n"[..]).unwrap();
        let mut etc = header(EntryType::Symlink, 0, 0o777);
        builder.append_link(&mut etc, "out", "/etc").unwrap();
        let mut entry = header(kind, 0, 0o644);
        let field = &mut entry.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(link) = link {
            entry.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        entry.set_cksum();
        builder.append(&entry, io::empty()).unwrap();
        builder.into_inner().unwrap()
    }

    fn import(bytes: &[u8]) -> (tempfile::TempDir, Result<crate::sandbox::machine::Base, String>) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let file = directory.path().join("a.tar");
        fs::write(&file, bytes).unwrap();
        let result = store.import("b", &file).map_err(|error| error.to_string());
        assert_eq!(result.is_ok(), store.base("b").is_ok());
        let left = fs::read_dir(store.root().join("bases")).unwrap().count();
        assert_eq!(left, usize::from(result.is_ok()), "nothing half-made stays");
        (directory, result)
    }

    #[test]
    fn entries_that_lead_out_are_refused() {
        for (kind, name, link) in [
            (EntryType::Regular, "../escaped", None),
            (EntryType::Regular, "a/../../escaped", None),
            (EntryType::Regular, "/etc/escaped", None),
            (EntryType::Regular, "out/escaped", None),
            (EntryType::Directory, "out/escaped", None),
            (EntryType::Link, "passwd", Some("../../etc/passwd")),
            (EntryType::Link, "passwd", Some("/etc/passwd")),
            (EntryType::Link, "passwd", Some("out/passwd")),
        ] {
            let (_directory, result) = import(&archive(kind, name, link));
            assert!(result.is_err(), "{name} {link:?}");
        }
        assert!(!Path::new("/etc/escaped").exists());
    }

    #[test]
    fn a_link_may_point_anywhere_and_be_replaced() {
        let (_directory, result) = import(&archive(EntryType::Regular, "out", None));
        let base = result.unwrap();
        assert!(base.path.join("out").symlink_metadata().unwrap().is_file());
        let (_directory, result) = import(&archive(EntryType::Link, "bin/dash", Some("bin/sh")));
        let base = result.unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(base.path.join("bin/dash")).unwrap().nlink(), 2);
        assert_eq!(fs::metadata(base.path.join("bin/sh")).unwrap().mode() & 0o7777, 0o755);
    }

    #[test]
    fn gzip_is_read_and_other_compressions_are_named() {
        let plain = archive(EntryType::Fifo, "pipe", None);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let (_directory, result) = import(&gzip.finish().unwrap());
        assert!(result.is_ok());
        let (_directory, result) = import(b"\xfd7zXZ\0rest");
        assert!(result.unwrap_err().contains("compressed with xz"));
    }

    #[test]
    fn names_are_checked_and_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("bin")).unwrap();
        for name in ["", "host", "../x", "A", ".x", "a/b"] {
            assert!(store.import(name, &root).is_err(), "{name}");
        }
        assert!(store.import("x", &root).unwrap_err().to_string().contains("no bin/sh"));
        fs::write(root.join("bin/sh"), "").unwrap();
        store.import("x", &root).unwrap();
        assert!(store.import("x", &root).unwrap_err().to_string().contains("exists"));
        store.remove_base("x").unwrap();
        assert!(store.remove_base("x").is_err());
    }
}
