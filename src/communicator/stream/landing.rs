//! Where downloads land on this machine: nothing is written outside of one directory, whatever
//! the far side sends, and nothing is in its place before all has arrived.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempDir};

use super::digests::Digests;
use crate::communicator::{CommunicatorError, DownloadReport};
use crate::plan::Digest;

/// How the names of what is not in its place yet begin.
const PREFIX: &str = ".bake-";

/// What the far side may not give: the bits above permissions.
const KEPT_BITS: u32 = 0o777;

/// What is wrong with something that arrived.
pub(crate) type Refusal = String;

/// Why nothing landed.
#[derive(Debug)]
pub(crate) enum Mishap {
    /// This machine says no.
    Here(CommunicatorError),
    /// The far side sends what is not taken, or not all that it should.
    There(Refusal),
}

impl Mishap {
    /// This machine says no to something at a path.
    pub(crate) fn at(path: &Path, source: io::Error) -> Self {
        Self::Here(CommunicatorError::Write { path: path.into(), source })
    }
}

/// Directories that were made for something: those that are empty go again unless they are kept.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a directory and those above it that are missing.
    fn new(path: &Path) -> Result<Self, Mishap> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing = path.ancestors().take_while(is_missing).map(Path::to_path_buf).collect();
        let made = Self(missing);
        fs::create_dir_all(path).map_err(|source| Mishap::at(path, source))?;
        Ok(made)
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            drop(fs::remove_dir(path));
        }
    }
}

/// What a file is that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Of the bytes.
    pub(crate) digest: Digest,
}

/// A file that has arrived and is not in its place yet.
pub(crate) struct Arrived {
    // In the order in which they must go.
    temporary: NamedTempFile,
    made: Made,
    place: PathBuf,
    mode: u32,
}

impl Arrived {
    /// A file for one that is called `name` there. See the table at
    /// [`Communicator::download`](crate::communicator::Communicator::download).
    pub(crate) fn new(
        destination: &Path,
        into_directory: bool,
        name: &OsStr,
        mode: u32,
    ) -> Result<Self, Mishap> {
        let place = if into_directory || destination.is_dir() {
            destination.join(plain(Path::new(name))?)
        } else {
            destination.to_path_buf()
        };
        if place.is_dir() {
            let source = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Mishap::at(&place, source));
        }
        let folder = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let made = Made::new(folder)?;
        let temporary = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempfile_in(folder)
            .map_err(|source| Mishap::at(folder, source))?;
        Ok(Self { temporary, made, place, mode })
    }

    /// Where its bytes go.
    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Where it will be.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Puts it in its place, all at once.
    pub(crate) fn keep(self) -> Result<(), CommunicatorError> {
        // What is dropped goes from the last to the first.
        let Self { mut made, temporary, place, mode } = self;
        let failed = |source| CommunicatorError::Write { path: place.clone(), source };
        let permissions = Permissions::from_mode(mode & KEPT_BITS);
        temporary.as_file().set_permissions(permissions).map_err(failed)?;
        temporary.persist(&place).map_err(|error| failed(error.error))?;
        made.keep();
        Ok(())
    }
}

/// A file of a tree that has arrived.
struct Member {
    stamp: Stamp,
    /// Whether it is another name of one before.
    is_link: bool,
}

/// A directory that things land in. All is made in a directory beside, on the same file system,
/// until [`finish`](Self::finish) moves it; without that, nothing is left.
pub(crate) struct Landing {
    // In the order in which they must go.
    stage: TempDir,
    made: Made,
    root: PathBuf,
    /// Directories of the stage that are there.
    known: HashSet<PathBuf>,
    /// Of directories that were sent, by their paths below the root.
    modes: BTreeMap<PathBuf, u32>,
    links: Vec<(PathBuf, PathBuf)>,
    members: BTreeMap<PathBuf, Member>,
}

/// One into which several streams go.
pub(crate) type SharedLanding = Arc<Mutex<Landing>>;

/// The landing while nobody else has it.
pub(crate) fn lock(landing: &SharedLanding) -> MutexGuard<'_, Landing> {
    landing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Landing {
    /// The directory `name` in `destination`; `destination` itself without a name.
    pub(crate) fn new(destination: &Path, name: &OsStr) -> Result<Self, Mishap> {
        let mut root = destination.to_path_buf();
        if !name.is_empty() {
            root.push(plain(Path::new(name))?);
        }
        let made = Made::new(&root)?;
        let stage = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&root)
            .map_err(|source| Mishap::at(&root, source))?;
        Ok(Self {
            stage,
            made,
            root,
            known: HashSet::new(),
            modes: BTreeMap::new(),
            links: Vec::new(),
            members: BTreeMap::new(),
        })
    }

    /// For several streams.
    pub(crate) fn shared(self) -> SharedLanding {
        Arc::new(Mutex::new(self))
    }

    /// A path of the far side as one below the root.
    pub(crate) fn inside(path: &Path) -> Result<PathBuf, Mishap> {
        let mut inside = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => inside.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    let text = format!("it sends the path `{}`, which leads out", path.display());
                    return Err(Mishap::There(text));
                }
            }
        }
        Ok(inside)
    }

    /// Makes sure that a directory of the stage is there.
    fn make(&mut self, inside: &Path) -> Result<PathBuf, Mishap> {
        let path = self.stage.path().join(inside);
        if !self.known.contains(inside) {
            fs::create_dir_all(&path).map_err(|source| self.at(inside, source))?;
            self.known.insert(inside.to_path_buf());
        }
        Ok(path)
    }

    /// This machine says no to something that would be below the root.
    fn at(&self, inside: &Path, source: io::Error) -> Mishap {
        Mishap::at(&self.root.join(inside), source)
    }

    /// A directory.
    pub(crate) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), Mishap> {
        let inside = Self::inside(path)?;
        self.make(&inside)?;
        self.modes.insert(inside, mode);
        Ok(())
    }

    /// An empty file to be written, and where it will be. What came by its name is replaced.
    pub(crate) fn file(&mut self, path: &Path, mode: u32) -> Result<(File, PathBuf), Mishap> {
        let (inside, path) = self.vacant(path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| {
                file.set_permissions(Permissions::from_mode(mode & KEPT_BITS))?;
                Ok(file)
            })
            .map_err(|source| self.at(&inside, source))?;
        Ok((file, self.root.join(inside)))
    }

    /// Notes what a file is, once all of it has arrived.
    pub(crate) fn arrived(&mut self, path: &Path, stamp: Stamp) -> Result<(), Mishap> {
        self.members.insert(Self::inside(path)?, Member { stamp, is_link: false });
        Ok(())
    }

    /// Another name for a file that has landed.
    pub(crate) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), Mishap> {
        let target = Self::inside(target)?;
        let Some(member) = self.members.get(&target) else {
            let text = format!("it sends `{}` for a file that it has not sent", path.display());
            return Err(Mishap::There(text));
        };
        let stamp = member.stamp;
        let (inside, path) = self.vacant(path)?;
        fs::hard_link(self.stage.path().join(&target), &path)
            .map_err(|source| self.at(&inside, source))?;
        self.members.insert(inside, Member { stamp, is_link: true });
        Ok(())
    }

    /// A symbolic link; it is made at the end, so that nothing is written through it. One that
    /// leads out is not made: then the answer is no.
    pub(crate) fn symlink(&mut self, path: &Path, target: &Path) -> Result<bool, Mishap> {
        let inside = Self::inside(path)?;
        let stays = stays_inside(&inside, target);
        if stays {
            self.links.push((inside, target.to_path_buf()));
        }
        Ok(stays)
    }

    /// The path below the root where something new goes, and where that is for now.
    fn vacant(&mut self, path: &Path) -> Result<(PathBuf, PathBuf), Mishap> {
        let inside = Self::inside(path)?;
        let Some(name) = inside.file_name() else {
            return Err(Mishap::There("it sends a file without a name".into()));
        };
        let path = self.make(inside.parent().unwrap_or(Path::new("")))?.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.at(&inside, error)),
            Ok(()) | Err(_) => Ok((inside, path)),
        }
    }

    /// The files that have arrived with another digest than the far side tells. Those of which it
    /// tells nothing are not among them.
    pub(crate) fn differing(&self, digests: &Digests) -> Vec<(PathBuf, Stamp)> {
        let differs = |path: &Path, stamp: Stamp| {
            digests.of(path).is_some_and(|digest| *digest != stamp.digest)
        };
        let members = self.members.iter().map(|(path, member)| (path.clone(), member.stamp));
        members.filter(|(path, stamp)| differs(path, *stamp)).collect()
    }

    /// The files of which the far side tells and that have not arrived.
    pub(crate) fn missing(&self, digests: &Digests) -> Vec<PathBuf> {
        let is_missing = |path: &&Path| {
            let inside = Self::inside(path).unwrap_or_default();
            inside == **path && inside.file_name().is_some() && !self.members.contains_key(&inside)
        };
        digests.paths().filter(is_missing).map(Path::to_path_buf).collect()
    }

    /// How many files there are of which the far side tells nothing.
    pub(crate) fn untold(&self, digests: &Digests) -> usize {
        self.members.keys().filter(|path| digests.of(path).is_none()).count()
    }

    /// What has arrived so far.
    pub(crate) fn report(&self) -> DownloadReport {
        let own = || self.members.values().filter(|member| !member.is_link);
        DownloadReport { bytes: own().map(|member| member.stamp.size).sum(), files: own().count() }
    }

    /// Makes the links, sets the modes of directories now that all is in them, and moves all to
    /// where it belongs.
    pub(crate) fn finish(&mut self) -> Result<(), Mishap> {
        let links = std::mem::take(&mut self.links);
        // Before any link is there, as the system would follow it on the way to another.
        for (inside, _) in &links {
            self.make(inside.parent().unwrap_or(Path::new("")))?;
        }
        for (inside, target) in links {
            let (inside, path) = self.vacant(&inside)?;
            symlink(&target, &path).map_err(|source| self.at(&inside, source))?;
        }
        for inside in self.modes.keys().filter(|inside| !inside.as_os_str().is_empty()) {
            self.set_mode(self.stage.path(), inside)?;
        }
        self.merge(Path::new(""))?;
        self.made.keep();
        Ok(())
    }

    /// Sets the mode of a directory as it was sent, if it was.
    fn set_mode(&self, below: &Path, inside: &Path) -> Result<(), Mishap> {
        let Some(mode) = self.modes.get(inside) else { return Ok(()) };
        // Whoever builds must be able to remove it again.
        let permissions = Permissions::from_mode((mode & KEPT_BITS) | 0o700);
        fs::set_permissions(below.join(inside), permissions)
            .map_err(|source| self.at(inside, source))
    }

    /// Moves what is in a directory of the stage. A directory that is not there goes as it is;
    /// no link stands in the way, as each that is met is replaced or refused.
    fn merge(&self, inside: &Path) -> Result<(), Mishap> {
        let failed = |source| self.at(inside, source);
        for entry in fs::read_dir(self.stage.path().join(inside)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let inside = inside.join(entry.file_name());
            let place = self.root.join(&inside);
            let is_directory =
                entry.file_type().map_err(|source| self.at(&inside, source))?.is_dir();
            match fs::symlink_metadata(&place) {
                Ok(there) if is_directory && there.is_dir() => self.merge(&inside)?,
                Ok(_) if is_directory => {
                    let text = "something that is not a directory is in the way";
                    return Err(self.at(&inside, io::Error::other(text)));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.at(&inside, error));
                }
                Ok(_) | Err(_) => {
                    fs::rename(entry.path(), &place).map_err(|source| self.at(&inside, source))?;
                }
            }
        }
        self.set_mode(&self.root, inside)
    }
}

/// A name that is nothing but a name.
fn plain(name: &Path) -> Result<&Path, Mishap> {
    let mut parts = name.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(name),
        _ => Err(Mishap::There(format!("it sends the name `{}`", name.display()))),
    }
}

/// Whether a link leads to something below the root. `..` may only stand at the start: after a
/// name, that might be a link itself, it leads nobody knows where.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut above = link.components().count().saturating_sub(1);
    let mut named = false;
    for part in target.components() {
        match part {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir if named || above == 0 => return false,
            Component::ParentDir => above -= 1,
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(result: Result<T, Mishap>) -> String {
        match result {
            Ok(_) => panic!("it was taken"),
            Err(Mishap::There(text)) => text,
            Err(Mishap::Here(error)) => error.to_string(),
        }
    }

    #[test]
    fn nothing_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut landing = Landing::new(folder.path(), "in".as_ref()).unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "a/.."] {
            assert!(refused(landing.file(Path::new(path), 0o644)).contains("leads out"), "{path}");
            assert!(refused(landing.directory(Path::new(path), 0o755)).contains("leads out"));
            assert!(refused(landing.hard_link(Path::new("x"), Path::new(path))).contains("out"));
            assert!(
                refused(landing.symlink(Path::new(path), Path::new("x"))).contains("leads out")
            );
        }
        assert!(refused(landing.file(Path::new("."), 0o644)).contains("without a name"));
        for (link, target) in
            [("a", "/etc"), ("a", ".."), ("a/b", "../../x"), ("a/b", "c/../../../x"), ("a", "b/..")]
        {
            let stays = landing.symlink(Path::new(link), Path::new(target)).unwrap();
            assert!(!stays, "{link} {target}");
        }
        assert!(refused(landing.hard_link(Path::new("x"), Path::new("y"))).contains("not sent"));
        for name in ["..", "a/b", "/", "."] {
            assert!(Landing::new(folder.path(), name.as_ref()).is_err(), "{name}");
            assert!(Arrived::new(folder.path(), true, name.as_ref(), 0o644).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, inside.join("d")).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        symlink(outside.join("kept"), inside.join("f")).unwrap();
        let landing = || Landing::new(folder.path(), "in".as_ref()).unwrap();
        let mut through = landing();
        through.file(Path::new("d/x"), 0o644).unwrap();
        assert!(refused(through.finish()).contains("in the way"));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        // A link that is there is replaced, not followed.
        let mut over = landing();
        over.file(Path::new("f"), 0o644).unwrap();
        over.finish().unwrap();
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        assert!(!inside.join("f").is_symlink());
        // One that arrives is made when all else is done.
        let mut later = landing();
        assert!(later.symlink(Path::new("later"), Path::new("sub")).unwrap());
        later.file(Path::new("later/x"), 0o644).unwrap();
        assert!(later.finish().is_err());
        // Nor is one made through another.
        fs::write(folder.path().join("target"), "kept").unwrap();
        for links in [[("l", "."), ("l/l/l/x", "../../../out/kept")], [("m", "n/"), ("m/x", "y")]] {
            let mut linked = landing();
            for (link, target) in links {
                assert!(linked.symlink(Path::new(link), Path::new(target)).unwrap(), "{link}");
            }
            assert!(linked.finish().is_err());
            drop(linked);
        }
        assert!(!inside.join("x").is_symlink() && !inside.join("l").exists());
    }

    #[test]
    fn modes_and_links_arrive() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("in/old")).unwrap();
        let mut landing = Landing::new(folder.path(), "in".as_ref()).unwrap();
        landing.directory(Path::new("./"), 0o750).unwrap();
        landing.directory(Path::new("./a"), 0o2555).unwrap();
        landing.directory(Path::new("./old"), 0o711).unwrap();
        landing.file(Path::new("a/f"), 0o4750).unwrap();
        landing.arrived(Path::new("a/f"), stamp(b"")).unwrap();
        landing.hard_link(Path::new("a/g"), Path::new("./a/f")).unwrap();
        assert!(landing.symlink(Path::new("a/b"), Path::new("../c")).unwrap());
        assert_eq!(landing.report(), DownloadReport { bytes: 0, files: 1 });
        assert!(!folder.path().join("in/a").exists());
        landing.finish().unwrap();
        drop(landing);
        let mode =
            |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("in"), mode("in/old")), (0o750, 0o711));
        assert_eq!((mode("in/a"), mode("in/a/f"), mode("in/a/g")), (0o755, 0o750, 0o750));
        assert_eq!(fs::read_link(folder.path().join("in/a/b")).unwrap(), Path::new("../c"));
        assert_eq!(fs::read_dir(folder.path().join("in")).unwrap().count(), 2);
    }

    fn stamp(bytes: &[u8]) -> Stamp {
        Stamp { size: bytes.len() as u64, digest: Digest::of(bytes) }
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (deep, kept) = (folder.path().join("a/b"), folder.path().join("kept"));
        let mut landing = Landing::new(&deep, "c".as_ref()).unwrap();
        landing.file(Path::new("x/y"), 0o644).unwrap();
        let arrived = Arrived::new(&deep.join("d"), true, "f".as_ref(), 0o644).unwrap();
        assert!(deep.exists());
        drop(arrived);
        drop(landing);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // What was there before stays.
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("f"), "old").unwrap();
        let mut landing = Landing::new(folder.path(), "kept".as_ref()).unwrap();
        landing.file(Path::new("f"), 0o644).unwrap();
        drop(landing);
        assert_eq!(fs::read(kept.join("f")).unwrap(), b"old");
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
    }

    #[test]
    fn files_are_compared_with_what_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut landing = Landing::new(folder.path(), "".as_ref()).unwrap();
        for name in ["good", "bad", "untold"] {
            landing.arrived(Path::new(name), stamp(name.as_bytes())).unwrap();
        }
        let mut digests = Digests::default();
        digests.line(format!("{}  ./good", Digest::of(b"good").hex()).as_bytes());
        digests.line(format!("{}  ./bad", Digest::of(b"other").hex()).as_bytes());
        assert_eq!(landing.differing(&digests), [("bad".into(), stamp(b"bad"))]);
        assert_eq!(landing.untold(&digests), 1);
        digests.line(format!("{}  ./d/gone", Digest::of(b"gone").hex()).as_bytes());
        digests.line(format!("{}  ./../out", Digest::of(b"out").hex()).as_bytes());
        digests.line(format!("{}  ./", Digest::of(b"none").hex()).as_bytes());
        assert_eq!(landing.missing(&digests), [PathBuf::from("d/gone")]);
        digests.forget("d/gone".as_ref());
        assert!(landing.missing(&digests).is_empty());
    }
}
