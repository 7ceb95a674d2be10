//! Where downloads land on this machine: nothing is written outside of one directory, whatever
//! the far side sends.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use super::super::super::CommunicatorError;

/// What the far side may not give: the bits above permissions.
const KEPT_BITS: u32 = 0o777;

/// What is wrong with something that arrived.
pub(super) type Refusal = String;

/// Why nothing landed.
#[derive(Debug)]
pub(super) enum Mishap {
    /// This machine says no.
    Here(CommunicatorError),
    /// The far side sends what is not taken, or not all that it should.
    There(Refusal),
}

impl Mishap {
    /// This machine says no to something at a path.
    pub(super) fn at(path: &Path, source: io::Error) -> Self {
        Self::Here(CommunicatorError::Write { path: path.into(), source })
    }
}

/// A file that has arrived and is not in its place yet.
pub(super) struct Arrived {
    temporary: NamedTempFile,
    place: PathBuf,
    mode: u32,
}

impl Arrived {
    /// A file for one that is called `name` there. See the table at
    /// [`Communicator::download`](crate::communicator::Communicator::download).
    pub(super) fn new(
        destination: &Path,
        into_directory: bool,
        name: &str,
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
        fs::create_dir_all(folder).map_err(|source| Mishap::at(folder, source))?;
        let temporary = tempfile::Builder::new()
            .prefix(".bake-")
            .tempfile_in(folder)
            .map_err(|source| Mishap::at(folder, source))?;
        Ok(Self { temporary, place, mode })
    }

    /// Where its bytes go.
    pub(super) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Where it will be.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Puts it in its place, all at once.
    pub(super) fn keep(self) -> Result<(), CommunicatorError> {
        let Self { temporary, place, mode } = self;
        let failed = |source| CommunicatorError::Write { path: place.clone(), source };
        let permissions = Permissions::from_mode(mode & KEPT_BITS);
        temporary.as_file().set_permissions(permissions).map_err(failed)?;
        temporary.persist(&place).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// A directory that things land in.
pub(super) struct Landing {
    root: PathBuf,
    /// Directories of which we know that they are no links.
    known: HashSet<PathBuf>,
    modes: Vec<(PathBuf, u32)>,
    links: Vec<(PathBuf, PathBuf)>,
}

impl Landing {
    /// The directory `name` in `destination`; `destination` itself without a name.
    pub(super) fn new(destination: &Path, name: &str) -> Result<Self, Mishap> {
        let mut root = destination.to_path_buf();
        if !name.is_empty() {
            root.push(plain(Path::new(name))?);
        }
        fs::create_dir_all(&root).map_err(|source| Mishap::at(&root, source))?;
        Ok(Self { root, known: HashSet::new(), modes: Vec::new(), links: Vec::new() })
    }

    /// A path of the far side as one below the root.
    fn inside(path: &Path) -> Result<PathBuf, Mishap> {
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

    /// Makes sure that a directory below the root is there, and that no link stands in the way.
    fn make(&mut self, inside: &Path) -> Result<PathBuf, Mishap> {
        let mut path = self.root.clone();
        for part in inside.components() {
            path.push(part);
            if self.known.contains(&path) {
                continue;
            }
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => {
                    let text = "something that is not a directory is in the way";
                    return Err(Mishap::at(&path, io::Error::other(text)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&path).map_err(|source| Mishap::at(&path, source))?;
                }
                Err(source) => return Err(Mishap::at(&path, source)),
            }
            self.known.insert(path.clone());
        }
        Ok(path)
    }

    /// A directory.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), Mishap> {
        let made = self.make(&Self::inside(path)?)?;
        self.modes.push((made, mode));
        Ok(())
    }

    /// An empty file to be written. What is there by its name is replaced.
    pub(super) fn file(&mut self, path: &Path, mode: u32) -> Result<(File, PathBuf), Mishap> {
        let path = self.vacant(path)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| {
                file.set_permissions(Permissions::from_mode(mode & KEPT_BITS))?;
                Ok(file)
            })
            .map_err(|source| Mishap::at(&path, source))?;
        Ok((file, path))
    }

    /// Another name for a file that has landed.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), Mishap> {
        let inside = Self::inside(target)?;
        let parent = inside.parent().unwrap_or(Path::new(""));
        let file = self.make(parent)?.join(inside.file_name().unwrap_or_default());
        if !fs::symlink_metadata(&file).is_ok_and(|metadata| metadata.is_file()) {
            let text = format!("it sends `{}` for a file that it has not sent", path.display());
            return Err(Mishap::There(text));
        }
        let path = self.vacant(path)?;
        fs::hard_link(&file, &path).map_err(|source| Mishap::at(&path, source))
    }

    /// A symbolic link; it is made at the end, so that nothing is written through it. One that
    /// leads out is not made: then the answer is no.
    pub(super) fn symlink(&mut self, path: &Path, target: &Path) -> Result<bool, Mishap> {
        let inside = Self::inside(path)?;
        let stays = stays_inside(&inside, target);
        if stays {
            self.links.push((inside, target.to_path_buf()));
        }
        Ok(stays)
    }

    /// The path where something new goes.
    fn vacant(&mut self, path: &Path) -> Result<PathBuf, Mishap> {
        let inside = Self::inside(path)?;
        let Some(name) = inside.file_name() else {
            return Err(Mishap::There("it sends a file without a name".into()));
        };
        let path = self.make(inside.parent().unwrap_or(Path::new("")))?.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Mishap::at(&path, error)),
            Ok(()) | Err(_) => Ok(path),
        }
    }

    /// Makes the links, and sets the modes of directories now that all is in them.
    pub(super) fn finish(mut self) -> Result<(), Mishap> {
        for (inside, target) in std::mem::take(&mut self.links) {
            let path = self.vacant(&inside)?;
            symlink(&target, &path).map_err(|source| Mishap::at(&path, source))?;
        }
        for (path, mode) in self.modes.into_iter().rev() {
            // Whoever builds must be able to remove it again.
            let mode = (mode & KEPT_BITS) | 0o700;
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .map_err(|source| Mishap::at(&path, source))?;
        }
        Ok(())
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
        let mut landing = Landing::new(folder.path(), "in").unwrap();
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
            assert!(Landing::new(folder.path(), name).is_err(), "{name}");
            assert!(Arrived::new(folder.path(), true, name, 0o644).is_err(), "{name}");
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
        let mut landing = Landing::new(folder.path(), "in").unwrap();
        assert!(refused(landing.file(Path::new("d/x"), 0o644)).contains("in the way"));
        // A link that is there is replaced, not followed.
        landing.file(Path::new("f"), 0o644).unwrap();
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        assert!(!inside.join("f").is_symlink());
        // One that arrives is made when all else is done.
        assert!(landing.symlink(Path::new("later"), Path::new("sub")).unwrap());
        landing.file(Path::new("later/x"), 0o644).unwrap();
        assert!(landing.finish().is_err());
    }

    #[test]
    fn modes_and_links_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let mut landing = Landing::new(folder.path(), "in").unwrap();
        landing.directory(Path::new("./a"), 0o2555).unwrap();
        landing.file(Path::new("a/f"), 0o4750).unwrap();
        landing.hard_link(Path::new("a/g"), Path::new("./a/f")).unwrap();
        assert!(landing.symlink(Path::new("a/b"), Path::new("../c")).unwrap());
        landing.finish().unwrap();
        let mode =
            |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("in/a"), mode("in/a/f"), mode("in/a/g")), (0o755, 0o750, 0o750));
        assert_eq!(fs::read_link(folder.path().join("in/a/b")).unwrap(), Path::new("../c"));
    }
}
