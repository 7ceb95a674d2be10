//! Sending files by SFTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Sends a file or a tree by SFTP, by the same rules as the stream.
pub(in super::super) async fn upload(
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), CommunicatorError> {
    let OpenSession { channel, permit } = session;
    let sftp = session::start(channel).await?;
    let transfer = Transfer { sftp, upload, progress, sent: AtomicU64::new(0) };
    let result = match upload.tree.single_file() {
        Some(entry) => transfer.single(entry).await,
        None => transfer.tree().await,
    };
    drop(transfer.sftp.close().await);
    drop(permit);
    result
}

struct Transfer<'a> {
    sftp: SftpSession,
    upload: &'a Upload,
    progress: &'a (dyn Fn(u64) + Send + Sync),
    sent: AtomicU64,
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
        self.file(path, entry).await
    }

    async fn tree(&self) -> Result<(), CommunicatorError> {
        let mut root = session::path(&self.upload.destination);
        let name = appended(self.upload);
        if !name.is_empty() && self.is_directory(&root).await? {
            root = format!("{}/{name}", root.trim_end_matches('/'));
        }
        if !self.is_directory(&root).await? {
            self.make_directories(&root).await?;
            self.set_mode(&root, root_mode(self.upload)).await?;
        }
        let root = if root == "/" { String::new() } else { root };
        let below = || self.upload.tree.entries.iter().filter(|(path, _)| !path.is_empty());
        let deepest = below().map(|(path, _)| path.matches('/').count()).max().unwrap_or(0);
        for depth in 0..=deepest {
            stream::iter(below().filter(|(path, _)| path.matches('/').count() == depth))
                .map(|(path, entry)| (format!("{}/{path}", root.trim_end_matches('/')), entry))
                .map(Ok::<_, CommunicatorError>)
                .try_for_each_concurrent(FILES, |(path, entry)| self.entry(path, entry))
                .await?;
        }
        Ok(())
    }

    async fn entry(&self, path: String, entry: &Entry) -> Result<(), CommunicatorError> {
        match entry {
            Entry::File { .. } => self.file(path, entry).await,
            Entry::Directory { mode } => {
                if self.is_directory(&path).await? {
                    return Ok(());
                }
                self.make_directory(&path).await?;
                self.set_mode(&path, *mode).await
            }
            Entry::Symlink { target } => {
                if self.sftp.symlink_metadata(&path).await.is_ok() {
                    self.done(&path, self.sftp.remove_file(&path).await)?;
                }
                // OpenSSH takes the two the other way round than the draft says, and everybody
                // follows OpenSSH.
                self.done(&path, self.sftp.symlink(target, &path).await)
            }
        }
    }

    async fn file(&self, path: String, entry: &Entry) -> Result<(), CommunicatorError> {
        let Entry::File { mode, size, .. } = entry else { return Ok(()) };
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let private = FileAttributes { permissions: Some(0o600), ..FileAttributes::empty() };
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
