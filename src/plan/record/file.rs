//! Where records are kept.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{LARGEST, Record, RecordError};
use crate::directories;
use crate::plan::Digest;

/// How many records are searched for one by its template hash, which is not in its name.
const SEARCHED: usize = 2000;

/// A record that lies in a directory, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The image hash.
    pub hash: String,
    /// The file.
    pub path: PathBuf,
    /// When it was written last.
    pub written: SystemTime,
}

/// The records that lie in a directory, the one that was written last first. A directory that is not
/// there has none.
///
/// # Errors
/// It cannot be read.
pub fn kept(directory: &Path) -> Result<Vec<Kept>, RecordError> {
    let failed = |source| RecordError::Io { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut all: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hash = name.strip_suffix(".json")?.to_owned();
            Digest::from_hex(&hash)?;
            let written = entry.metadata().ok()?.modified().ok()?;
            Some(Kept { hash, path: entry.path(), written })
        })
        .collect();
    all.sort_by(|one, other| (other.written, &other.hash).cmp(&(one.written, &one.hash)));
    Ok(all)
}

/// `$XDG_STATE_HOME/bake/plans`; `None` where there is no home.
pub fn default_directory() -> Option<PathBuf> {
    Some(directories::state()?.join("plans"))
}

impl Record {
    /// Keeps a record that has an image hash in a directory, which is made for the user alone. What
    /// was kept under the same hash is replaced at once.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), RecordError> {
        let Some(hash) = self.image_hash() else { return Ok(()) };
        let failed = |source| RecordError::Io { path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        // For the user alone from the start.
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        file.write_all(&self.write()).map_err(failed)?;
        file.persist(path(directory, hash)).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// The record of an image hash in a directory; `None` if there is none.
    ///
    /// # Errors
    /// There is one, and it cannot be used.
    pub fn load_from(directory: &Path, hash: &str) -> Result<Option<Self>, RecordError> {
        // Nothing else is a name in there.
        if Digest::from_hex(hash).is_none() {
            return Ok(None);
        }
        let path = path(directory, hash);
        match read(&path) {
            Ok(bytes) => Self::read(&bytes)?.of_image(hash).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RecordError::Io { path, source }),
        }
    }

    /// The record itself, if it is that of an image hash.
    ///
    /// # Errors
    /// It is that of another one, or of none.
    pub fn of_image(self, hash: &str) -> Result<Self, RecordError> {
        match self.image_hash() {
            Some(found) if found == hash => Ok(self),
            found => Err(RecordError::Misplaced { found: found.unwrap_or("none").to_owned() }),
        }
    }

    /// The records whose image hash begins with `prefix`; without any, those whose template hash
    /// does, at most one for each template hash and build: the one that was written last.
    ///
    /// # Errors
    /// A record of such an image hash cannot be used, or the directory cannot be read.
    pub fn find(directory: &Path, prefix: &str) -> Result<Vec<Self>, RecordError> {
        let all = kept(directory)?;
        let named = all.iter().filter(|one| one.hash.starts_with(prefix));
        let named: Vec<_> =
            named.filter_map(|one| Self::load_from(directory, &one.hash).transpose()).collect();
        if !named.is_empty() {
            return named.into_iter().collect();
        }
        let mut found: Vec<Self> = Vec::new();
        for Kept { hash, .. } in all.iter().take(SEARCHED) {
            // One that is garbled is not the one that is meant.
            let Ok(Some(record)) = Self::load_from(directory, hash) else { continue };
            let is_known = |other: &Self| {
                (other.template_hash(), other.build()) == (record.template_hash(), record.build())
            };
            if record.template_hash().starts_with(prefix) && !found.iter().any(is_known) {
                found.push(record);
            }
        }
        Ok(found)
    }
}

fn path(directory: &Path, hash: &str) -> PathBuf {
    directory.join(format!("{hash}.json"))
}

/// Reads a file up to what is surely too much.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
