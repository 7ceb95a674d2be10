//! Digests of large files that were computed before.
//!
//! To hash a gigabyte takes most of a second, and the same file is hashed for each source that
//! uses it, by `validate`, and by the next build. What was computed is therefore remembered under
//! the file's identity: device, inode, size, and the times of the last change of its bytes and of
//! its inode, to the nanosecond. Nobody can set the latter back. A file that changed less than
//! [`SETTLED`] ago may change again without a difference in its times, and is not remembered.
//!
//! What is remembered saves time and decides nothing alone: the bytes that are sent to an instance
//! are compared with the digest of the plan, so a digest that does not fit is an error there
//! (`identity.md`, BuildKit trap: metadata only as a cache that is itself verified).

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Digest;

/// Smaller files are hashed faster than looked up.
const LARGE: u64 = 1 << 20;

/// How old a change must be: more than the steps of any clock of a file system (FAT has 2 s).
const SETTLED: Duration = Duration::from_secs(3);

/// How many digests are kept; half of them go when there are more.
const KEPT: usize = 1000;

/// Digests in a directory, one small file each, so that processes need not wait for each other.
#[derive(Debug)]
pub struct DigestCache {
    directory: PathBuf,
}

/// What tells one state of a file from all others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    name: String,
    size: u64,
}

impl DigestCache {
    /// A cache in a directory, which is made when there is something to keep.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The state of an open file as it can be remembered; `None` if it is too small or too new.
    pub(super) fn state(file: &File) -> Option<State> {
        let metadata = file.metadata().ok().filter(|metadata| metadata.len() >= LARGE)?;
        #[expect(clippy::disallowed_methods, reason = "the age of a change is not part of a plan")]
        let now = SystemTime::now();
        is_settled(&metadata, now).then(|| State::of(&metadata))
    }

    /// The digest of a file in this state, when it is known.
    pub(super) fn find(&self, state: &State) -> Option<Digest> {
        let text = fs::read_to_string(self.directory.join(&state.name)).ok()?;
        Digest::from_hex(text.strip_suffix('\n')?)
    }

    /// Keeps the digest of a file that was in `state` before it was read, if it still is.
    pub(super) fn keep(&self, state: State, file: &File, digest: &Digest) {
        if Self::state(file).as_ref() != Some(&state) {
            return;
        }
        if let Err(error) = self.write(&state, digest) {
            tracing::debug!(%error, directory = %self.directory.display(), "a digest is not kept");
        }
    }

    fn write(&self, state: &State, digest: &Digest) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        writeln!(file, "{}", digest.hex())?;
        file.persist(self.directory.join(&state.name))?;
        self.prune()
    }

    /// Removes the older half when there are too many.
    fn prune(&self) -> io::Result<()> {
        let found = fs::read_dir(&self.directory)?.collect::<io::Result<Vec<_>>>()?;
        if found.len() <= KEPT {
            return Ok(());
        }
        let age = |entry: &fs::DirEntry| entry.metadata().and_then(|known| known.modified()).ok();
        let mut found: Vec<_> = found.iter().map(|entry| (age(entry), entry.path())).collect();
        found.sort();
        let (old, _) = found.split_at(found.len() / 2);
        old.iter().try_for_each(|(_, path)| gone(path))
    }
}

/// Removes a file that another process may have removed meanwhile.
fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl State {
    fn of(file: &Metadata) -> Self {
        let numbers = [
            i128::from(file.dev()),
            i128::from(file.ino()),
            i128::from(file.len()),
            i128::from(file.mtime()),
            i128::from(file.mtime_nsec()),
            i128::from(file.ctime()),
            i128::from(file.ctime_nsec()),
        ];
        let name = numbers.map(|number| format!("{number:x}")).join("-");
        Self { name, size: file.len() }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// Whether the last change lies far enough back.
fn is_settled(file: &Metadata, now: SystemTime) -> bool {
    let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return false };
    let latest = file.mtime().max(file.ctime());
    let Ok(latest) = u64::try_from(latest) else { return false };
    now.as_secs().checked_sub(latest).is_some_and(|age| age >= SETTLED.as_secs())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A large file whose last change seems to lie in the past: its state, and the time that seems
    /// to be now.
    fn large(folder: &Path, byte: u8) -> (File, SystemTime) {
        let path = folder.join("large");
        fs::write(&path, vec![byte; LARGE as usize]).unwrap();
        let file = File::open(&path).unwrap();
        let changed = file.metadata().unwrap().modified().unwrap();
        (file, changed + SETTLED + Duration::from_secs(1))
    }

    fn named(name: &str) -> State {
        State { name: name.into(), size: LARGE }
    }

    #[test]
    fn a_digest_is_found_by_the_state_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(folder.path().join("new/digests"));
        let (file, _) = large(folder.path(), 1);
        let state = State::of(&file.metadata().unwrap());
        assert!(cache.find(&state).is_none());
        cache.write(&state, &Digest::of(b"one")).unwrap();
        assert_eq!(cache.find(&state), Some(Digest::of(b"one")));
        assert_eq!(
            fs::metadata(folder.path().join("new/digests")).unwrap().permissions().mode() & 0o777,
            0o700
        );
        // Bytes, or the mode, are another state.
        file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
        let other = State::of(&file.metadata().unwrap());
        assert_ne!(other, state);
        assert!(cache.find(&other).is_none());
    }

    #[test]
    fn what_is_new_or_small_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (file, later) = large(folder.path(), 1);
        let metadata = file.metadata().unwrap();
        assert!(is_settled(&metadata, later));
        assert!(!is_settled(&metadata, metadata.modified().unwrap()));
        assert!(!is_settled(&metadata, SystemTime::UNIX_EPOCH));
        assert_eq!(DigestCache::state(&file), None);
    }

    #[test]
    fn a_file_that_changed_while_it_was_read_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(folder.path().join("digests"));
        let (file, _) = large(folder.path(), 1);
        cache.keep(named("of another time"), &file, &Digest::of(b"x"));
        assert!(!folder.path().join("digests").exists());
    }

    #[test]
    fn what_is_garbled_counts_as_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(folder.path().to_path_buf());
        let state = named("1-2-3");
        let whole = format!("{}\n", Digest::of(b"x").hex());
        for text in ["", "\n", "abc\n", whole.trim_end(), &whole[1..], &format!("{whole}\n")] {
            fs::write(folder.path().join("1-2-3"), text).unwrap();
            assert_eq!(cache.find(&state), None, "{text:?}");
        }
    }

    #[test]
    fn the_older_half_goes_when_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(folder.path().to_path_buf());
        for number in 0..KEPT {
            let file = File::create(folder.path().join(format!("old-{number}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64)).unwrap();
        }
        cache.write(&named("new"), &Digest::of(b"x")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT / 2 + 1);
        assert!(folder.path().join("new").exists());
        assert!(!folder.path().join("old-0").exists());
    }
}
