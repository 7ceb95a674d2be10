//! Working directories of instances.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::MachineError;
use super::failure::Tried;

/// A directory that is removed with everything in it when it is dropped.
///
/// An exclusive lock on a file in it says that its bake still lives; the
/// kernel lets go of it however the process ends.
#[derive(Debug)]
pub(super) struct WorkingDirectory {
    path: PathBuf,
    _lock: File,
}

/// Directories that every instance has.
const PARTS: [&str; 9] =
    ["upper", "work", "mask", "mask-work", "masked", "layer", "captured", "root", "sys"];

impl WorkingDirectory {
    /// Makes the directory of an instance.
    pub(super) fn create(instances: &Path, id: &str) -> Result<Self, MachineError> {
        let is_name = !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !is_name {
            return Err(MachineError::Other(format!("`{id}` cannot be an instance id")));
        }
        let path = instances.join(id);
        fs::DirBuilder::new().mode(0o700).create(&path).tried_on("make", &path)?;
        let lock = lock(&path).tried_on("lock", &path)?.ok_or_else(|| {
            MachineError::Other(format!("another process has taken {}", path.display()))
        })?;
        let directory = Self { path, _lock: lock };
        for part in PARTS {
            directory.make(part)?;
        }
        Ok(directory)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub(super) fn join(&self, part: impl AsRef<Path>) -> PathBuf {
        self.path.join(part)
    }

    /// A link in it, so that overlayfs gets short names without special characters.
    pub(super) fn link(&self, name: &str, target: &Path) -> Result<(), MachineError> {
        let link = self.join(name);
        symlink(target, &link).tried_on("link", &link)
    }

    /// Makes one of its directories, with the mode of a root directory.
    pub(super) fn make(&self, part: &str) -> Result<PathBuf, MachineError> {
        let path = self.join(part);
        fs::create_dir(&path).tried_on("make", &path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .tried_on("set mode of", &path)?;
        Ok(path)
    }
}

impl Drop for WorkingDirectory {
    fn drop(&mut self) {
        // What cannot be removed now is stale, and removed by the next host.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Takes the lock of a working directory, `None` when another process has it.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file =
        File::options().write(true).create(true).truncate(false).open(directory.join("lock"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The start of names of directories that nobody needs any more.
pub(in crate::sandbox) const STALE: &str = ".stale-";

/// Removes directories whose process is gone. They vanish at once; their
/// content, which may be large, goes in a thread, or at the next call.
pub(super) fn remove_stale(instances: &Path) {
    let mut stale = Vec::new();
    for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name.as_bytes().starts_with(STALE.as_bytes()) {
            stale.push(path);
            continue;
        }
        // Without its lock file it may be one that is being made right now.
        let Ok(true) = path.join("lock").try_exists() else { continue };
        let Ok(Some(_lock)) = lock(&path) else { continue };
        let mut hidden = OsString::from(format!("{STALE}{}-", uuid::Uuid::new_v4().simple()));
        hidden.push(name);
        let hidden = instances.join(hidden);
        if fs::rename(&path, &hidden).is_ok() {
            stale.push(hidden);
        }
    }
    if !stale.is_empty() {
        let remove = move || {
            for path in stale {
                drop(fs::remove_dir_all(path));
            }
        };
        // Without a thread they stay until the next call.
        drop(std::thread::Builder::new().name("clean up".into()).spawn(remove));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_without_a_living_owner_are_stale() {
        let instances = tempfile::tempdir().unwrap();
        let alive = WorkingDirectory::create(instances.path(), "i-alive").unwrap();
        let dead = instances.path().join("i-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        remove_stale(instances.path());
        assert!(alive.path().join("upper").is_dir());
        assert!(!dead.exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }

    #[test]
    fn an_id_cannot_leave_the_directory() {
        let instances = tempfile::tempdir().unwrap();
        for id in ["", "..", "a/b", "a b"] {
            assert!(WorkingDirectory::create(instances.path(), id).is_err(), "{id}");
        }
    }
}
