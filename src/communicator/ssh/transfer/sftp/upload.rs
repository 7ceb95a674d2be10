//! Sending files by SFTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::io::AsyncWriteExt as _;

use super::super::super::connection::OpenSession;
use super::session::{self, FILES, is_missing, reason};
use crate::communicator::stream::destination::{appended, root_mode};
use crate::communicator::stream::{Load, Packing, archive, failed};
use crate::communicator::{CommunicatorError, Upload};
use crate::plan::Entry;

/// The mode of a directory while things come into it.
const PRIVATE: u32 = 0o700;

/// Sends a file or a tree by SFTP, by the same rules as the stream. What was not there before goes
/// again when it fails: the file, or the directory of the tree with all that came into it.
pub(in super::super) async fn upload(
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), CommunicatorError> {
    let (channel, permit) = session.take();
    let sftp = session::start(channel).await?;
    let (sent, made, modes) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
    let transfer = Transfer { sftp, upload, progress, sent, made, modes };
    let result = match upload.tree.single_file() {
        Some(entry) => transfer.single(entry).await,
        None => transfer.tree().await,
    };
    if result.is_err() {
        transfer.undo().await;
    }
    drop(transfer.sftp.close().await);
    drop(permit);
    result
}

struct Transfer<'a> {
    sftp: SftpSession,
    upload: &'a Upload,
    progress: &'a (dyn Fn(u64) + Send + Sync),
    sent: AtomicU64,
    /// What is made where nothing was, in that order, and whether it is a directory. It is here
    /// before it is made, as what is under way when something else fails is made all the same.
    made: Mutex<Vec<(String, bool)>>,
    /// The modes that directories which were made get at the end.
    modes: Mutex<Vec<(String, u32)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transfer<'_> {
    async fn single(&self, entry: &Entry) -> Result<(), CommunicatorError> {
        let mut path = session::path(&self.upload.destination);
        if path.ends_with('/') {
            path.push_str(&self.upload.name);
        }
        if self.is_directory(&path).await? {
            return Err(failed(self.upload, &format!("{path}: Is a directory")));
        }
        if let Some((parent, _name)) = path.rsplit_once('/')
            && !parent.is_empty()
        {
            self.make_directories(parent).await?;
        }
        let is_new = match self.sftp.symlink_metadata(&path).await {
            Err(error) => is_missing(&error),
            Ok(_) => false,
        };
        self.file(path, entry, is_new).await
    }

    async fn tree(&self) -> Result<(), CommunicatorError> {
        let mut root = session::path(&self.upload.destination);
        let name = appended(self.upload);
        if !name.is_empty() && self.is_directory(&root).await? {
            root = format!("{}/{name}", root.trim_end_matches('/'));
        }
        let is_new = !self.is_directory(&root).await?;
        if is_new {
            self.make_directories(&root).await?;
            self.note(&root, true);
            self.set_mode(&root, PRIVATE).await?;
            lock(&self.modes).push((root.clone(), root_mode(self.upload)));
        }
        let root = if root == "/" { String::new() } else { root };
        let below = || self.upload.tree.entries.iter().filter(|(path, _)| !path.is_empty());
        let deepest = below().map(|(path, _)| path.matches('/').count()).max().unwrap_or(0);
        for depth in 0..=deepest {
            stream::iter(below().filter(|(path, _)| path.matches('/').count() == depth))
                .map(|(path, entry)| (format!("{}/{path}", root.trim_end_matches('/')), entry))
                .map(Ok::<_, CommunicatorError>)
                .try_for_each_concurrent(FILES, |(path, entry)| self.entry(path, entry, is_new))
                .await?;
        }
        // From the deepest on, now that all is in them: they may be closed to their owner, too.
        let modes = std::mem::take(&mut *lock(&self.modes));
        for (path, mode) in modes.into_iter().rev() {
            self.set_mode(&path, mode).await?;
        }
        Ok(())
    }

    /// Sends something. `is_new` is whether it is in a directory that was made for the upload.
    async fn entry(
        &self,
        path: String,
        entry: &Entry,
        is_new: bool,
    ) -> Result<(), CommunicatorError> {
        match entry {
            Entry::File { .. } => self.file(path, entry, is_new).await,
            Entry::Directory { mode } => {
                if self.is_directory(&path).await? {
                    return Ok(());
                }
                if is_new {
                    self.note(&path, true);
                }
                self.make_directory(&path).await?;
                self.set_mode(&path, PRIVATE).await?;
                lock(&self.modes).push((path, *mode));
                Ok(())
            }
            Entry::Symlink { target } => {
                if self.sftp.symlink_metadata(&path).await.is_ok() {
                    self.done(&path, self.sftp.remove_file(&path).await)?;
                }
                if is_new {
                    self.note(&path, false);
                }
                // OpenSSH takes the two the other way round than the draft says, and everybody
                // follows OpenSSH.
                self.done(&path, self.sftp.symlink(target, &path).await)
            }
        }
    }

    fn note(&self, path: &str, is_directory: bool) {
        lock(&self.made).push((path.to_owned(), is_directory));
    }

    /// Removes what was made, as far as it is possible.
    async fn undo(&self) {
        let made = std::mem::take(&mut *lock(&self.made));
        for (path, is_directory) in made.into_iter().rev() {
            let removed = match is_directory {
                true => self.sftp.remove_dir(&path).await,
                false => self.sftp.remove_file(&path).await,
            };
            if let Err(error) = removed {
                tracing::debug!(%error, path, "what arrived could not be removed");
            }
        }
    }

    /// `is_new` is whether it was not there before.
    async fn file(
        &self,
        path: String,
        entry: &Entry,
        is_new: bool,
    ) -> Result<(), CommunicatorError> {
        let Entry::File { mode, size, .. } = entry else { return Ok(()) };
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let private = FileAttributes { permissions: Some(0o600), ..FileAttributes::empty() };
        if is_new {
            self.note(&path, false);
        }
        let opened = self.sftp.open_with_flags_and_attributes(&path, flags, private).await;
        let mut file = self.done(&path, opened)?;
        let mut made = archive::stream(Load::file(entry), Packing::None, Arc::default());
        let mut before = 0;
        while let Some(piece) = made.pieces.recv().await {
            self.done(&path, file.write_all(&piece.bytes).await.map_err(Error::from))?;
            let new = piece.files - before;
            before = piece.files;
            (self.progress)(self.sent.fetch_add(new, Ordering::Relaxed) + new);
        }
        self.done(&path, file.close().await.map_err(Error::from))?;
        made.ended.await.unwrap_or_else(|panicked| {
            Err(failed(self.upload, &format!("reading failed: {panicked}")))
        })?;
        let arrived = self.done(&path, self.sftp.metadata(&path).await)?;
        if let (true, Some(arrived)) = (arrived.file_type().is_file(), arrived.size)
            && arrived != *size
        {
            let reason = format!("{path}: only {arrived} of {size} bytes arrived");
            return Err(failed(self.upload, &reason));
        }
        self.set_mode(&path, *mode).await
    }

    async fn is_directory(&self, path: &str) -> Result<bool, CommunicatorError> {
        match self.sftp.metadata(path).await {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => self.done(path, Err(error)),
        }
    }

    /// Makes a directory and those above it that are missing.
    async fn make_directories(&self, path: &str) -> Result<(), CommunicatorError> {
        let mut missing = Vec::new();
        let mut rest = path.trim_end_matches('/');
        while !rest.is_empty() && !self.is_directory(rest).await? {
            missing.push(rest);
            rest = rest.rsplit_once('/').map_or("", |(parent, _)| parent).trim_end_matches('/');
        }
        for path in missing.into_iter().rev() {
            self.make_directory(path).await?;
        }
        Ok(())
    }

    async fn make_directory(&self, path: &str) -> Result<(), CommunicatorError> {
        self.done(path, self.sftp.create_dir(path).await)
    }

    async fn set_mode(&self, path: &str, mode: u32) -> Result<(), CommunicatorError> {
        let mode = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        self.done(path, self.sftp.set_metadata(path, mode).await)
    }

    fn done<T>(&self, path: &str, result: Result<T, Error>) -> Result<T, CommunicatorError> {
        result.map_err(|error| failed(self.upload, &format!("{path}: {}", reason(&error))))
    }
}
