//! Files that arrive one after the other from where there are no permission bits: from Windows.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::stream::{Arrived, Landing, Mishap, Stamp};
use super::{Download, DownloadReport};
use crate::plan::Digest;

/// The mode of files.
const FILE: u32 = 0o644;
/// The mode of directories.
const DIRECTORY: u32 = 0o755;

/// Where they land. Nothing is in its place before [`finish`](Self::finish), and without that
/// nothing is left.
pub(super) struct PlainLanding {
    destination: PathBuf,
    into_directory: bool,
    place: Place,
    open: Option<Open>,
    report: DownloadReport,
}

/// What arrives.
enum Place {
    /// One file.
    File(Option<Arrived>),
    /// Anything else, below the destination.
    Directory(Landing),
}

/// A file under way.
struct Open {
    name: PathBuf,
    file: File,
    /// Where it will be.
    place: PathBuf,
    hasher: Sha256,
    size: u64,
}

impl PlainLanding {
    /// For a download that is one file, or is not.
    pub(super) fn new(download: &Download, one_file: bool) -> Result<Self, Mishap> {
        let place = match one_file {
            true => Place::File(None),
            false => Place::Directory(Landing::new(&download.destination, OsStr::new(""))?),
        };
        Ok(Self {
            destination: download.destination.clone(),
            into_directory: download.into_directory,
            place,
            open: None,
            report: DownloadReport { bytes: 0, files: 0 },
        })
    }

    /// A directory.
    pub(super) fn directory(&mut self, path: &str) -> Result<(), Mishap> {
        match &mut self.place {
            Place::Directory(landing) => landing.directory(Path::new(path), DIRECTORY),
            Place::File(_) => Err(odd()),
        }
    }

    /// A file, whose bytes come next.
    pub(super) fn begin(&mut self, path: &str) -> Result<(), Mishap> {
        let name = PathBuf::from(path);
        let (file, place) = match &mut self.place {
            _ if self.open.is_some() => return Err(odd()),
            Place::File(Some(_)) => return Err(odd()),
            Place::File(arrived) => {
                let new =
                    Arrived::new(&self.destination, self.into_directory, name.as_os_str(), FILE)?;
                let new = arrived.insert(new);
                let place = new.place().to_path_buf();
                (new.file().try_clone().map_err(|error| Mishap::at(&place, error))?, place)
            }
            Place::Directory(landing) => landing.file(&name, FILE)?,
        };
        self.open = Some(Open { name, file, place, hasher: Sha256::new(), size: 0 });
        Ok(())
    }

    /// Bytes of the file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Mishap> {
        let open = self.open.as_mut().ok_or_else(odd)?;
        open.file.write_all(bytes).map_err(|error| Mishap::at(&open.place, error))?;
        open.hasher.update(bytes);
        open.size += bytes.len() as u64;
        Ok(())
    }

    /// The end of the file, which must have this digest.
    pub(super) fn end(&mut self, digest: &str) -> Result<(), Mishap> {
        let Open { name, hasher, size, .. } = self.open.take().ok_or_else(odd)?;
        let found = Digest::from_hasher(hasher);
        if found.hex() != digest {
            let text = format!("the digest of what arrived of `{}` differs", name.display());
            return Err(Mishap::There(text));
        }
        if let Place::Directory(landing) = &mut self.place {
            landing.arrived(&name, Stamp { size, digest: found })?;
        }
        self.report.bytes += size;
        self.report.files += 1;
        Ok(())
    }

    /// Puts all of it in its place.
    pub(super) fn finish(self) -> Result<DownloadReport, Mishap> {
        if self.open.is_some() {
            return Err(odd());
        }
        match self.place {
            Place::File(None) => return Err(odd()),
            Place::File(Some(arrived)) => arrived.keep().map_err(Mishap::Here)?,
            Place::Directory(mut landing) => landing.finish()?,
        }
        Ok(self.report)
    }
}

/// What is wrong with something that is no file.
pub(super) fn odd() -> Mishap {
    Mishap::There("the instance sends something else than files".to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn download(destination: &Path) -> Download {
        let destination = destination.to_path_buf();
        Download { source: "x".to_owned(), destination, into_directory: false }
    }

    fn send(landing: &mut PlainLanding, path: &str, text: &str) -> Result<(), Mishap> {
        landing.begin(path)?;
        landing.write(text.as_bytes())?;
        landing.end(&Digest::of(text.as_bytes()).hex())
    }

    #[test]
    fn nothing_is_in_its_place_before_all_has_arrived() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        for one_file in [true, false] {
            let mut landing = PlainLanding::new(&download(&to), one_file).unwrap();
            send(&mut landing, "a", "first").unwrap();
            let there = if one_file { to.clone() } else { to.join("a") };
            assert!(!there.exists());
            assert_eq!(landing.begin("b").is_ok(), !one_file);
            drop(landing);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        let mut landing = PlainLanding::new(&download(&to), false).unwrap();
        landing.directory("d").unwrap();
        send(&mut landing, "d/a", "first").unwrap();
        assert_eq!(landing.finish().unwrap(), DownloadReport { bytes: 5, files: 1 });
        assert_eq!(fs::read(to.join("d/a")).unwrap(), b"first");
        let mut landing = PlainLanding::new(&download(&to), true).unwrap();
        send(&mut landing, "a", "second").unwrap();
        assert_eq!(landing.finish().unwrap(), DownloadReport { bytes: 6, files: 1 });
        assert_eq!(fs::read(to.join("a")).unwrap(), b"second");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (to, outside) = (folder.path().join("to"), folder.path().join("outside"));
        fs::create_dir_all(&to).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, to.join("link")).unwrap();
        let mut landing = PlainLanding::new(&download(&to), false).unwrap();
        send(&mut landing, "link/x", "x").unwrap();
        assert!(landing.finish().is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn what_is_out_of_order_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let landing = |one_file| PlainLanding::new(&download(folder.path()), one_file).unwrap();
        assert!(landing(true).finish().is_err());
        assert!(landing(true).directory("d").is_err());
        assert!(landing(true).write(b"x").is_err() && landing(true).end("").is_err());
        for path in ["", ".", "..", "/x", "a/../../x"] {
            assert!(landing(true).begin(path).is_err() && landing(false).begin(path).is_err());
        }
        let mut open = landing(false);
        open.begin("a").unwrap();
        assert!(open.begin("b").is_err());
        assert!(open.finish().is_err());
    }
}
