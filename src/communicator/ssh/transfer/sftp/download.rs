//! Fetching files by SFTP.

use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::{TryStreamExt as _, stream};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use tokio::io::AsyncReadExt as _;

use super::super::super::connection::OpenSession;
use super::session::{self, FILES, is_missing, reason};
use crate::communicator::stream::receive::{failed, told};
use crate::communicator::stream::{Arrived, Landing, Mishap};
use crate::communicator::{CommunicatorError, Download, DownloadReport};

/// How much is read at once.
const PIECE: usize = 128 << 10;

/// Fetches a file or a tree by SFTP, by the same rules as the stream but for patterns, which need
/// a shell.
pub(in super::super) async fn download(
    session: OpenSession,
    download: &Download,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    let (channel, permit) = session.take();
    let sftp = session::start(channel).await?;
    let transfer =
        Transfer { sftp, download, progress, bytes: AtomicU64::new(0), files: AtomicUsize::new(0) };
    let result = transfer.run().await;
    drop(transfer.sftp.close().await);
    drop(permit);
    result.map(|()| DownloadReport {
        bytes: transfer.bytes.into_inner(),
        files: transfer.files.into_inner(),
    })
}

struct Transfer<'a> {
    sftp: SftpSession,
    download: &'a Download,
    progress: &'a (dyn Fn(u64) + Send + Sync),
    bytes: AtomicU64,
    files: AtomicUsize,
}

impl Transfer<'_> {
    async fn run(&self) -> Result<(), CommunicatorError> {
        let mut source = session::path(&self.download.source);
        while source.len() > 1 && source.ends_with('/') {
            source.pop();
        }
        let metadata = match self.sftp.metadata(&source).await {
            Err(error) if is_missing(&error) && source.contains(['*', '?', '[']) => {
                return Err(failed(self.download, "patterns need a shell, and there is only SFTP"));
            }
            metadata => self.done(&source, metadata)?,
        };
        let mode = metadata.permissions.unwrap_or(0o644);
        if metadata.is_dir() {
            let whole = self.done(&source, self.sftp.canonicalize(&source).await)?;
            let name = match source.rsplit('/').next() {
                Some("." | ".." | "") | None => whole.rsplit('/').next().unwrap_or_default(),
                Some(name) => name,
            };
            return self.tree(&source, name).await;
        }
        if !metadata.file_type().is_file() {
            return Err(failed(self.download, &format!("{source}: not a regular file")));
        }
        let name = source.rsplit('/').next().unwrap_or_default();
        let Download { destination, into_directory, .. } = self.download;
        let mut arrived = Arrived::new(destination, *into_directory, name.as_ref(), mode)
            .map_err(|mishap| self.told(mishap))?;
        let place = arrived.place().to_path_buf();
        self.bytes_of(&source, arrived.file(), &place).await?;
        arrived.keep()
    }

    async fn tree(&self, source: &str, name: &str) -> Result<(), CommunicatorError> {
        let landing = Landing::new(&self.download.destination, name.as_ref());
        let landing = Mutex::new(landing.map_err(|mishap| self.told(mishap))?);
        let with = |act: &mut dyn FnMut(&mut Landing) -> Result<(), Mishap>| {
            let mut landing = landing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            act(&mut landing).map_err(|mishap| self.told(mishap))
        };
        let mut files = Vec::new();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let path = format!("{}/{folder}", source.trim_end_matches('/'));
            for entry in self.done(&path, self.sftp.read_dir(&path).await)? {
                let name = entry.file_name();
                let inside = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let (kind, mode) = (entry.file_type(), entry.metadata().permissions);
                if kind.is_dir() {
                    with(&mut |landing| {
                        landing.directory(Path::new(&inside), mode.unwrap_or(0o755))
                    })?;
                    open.push(inside);
                } else if kind.is_symlink() {
                    let path = entry.path();
                    let target = self.done(&path, self.sftp.read_link(&path).await)?;
                    let mut stays = false;
                    with(&mut |landing| {
                        stays = landing.symlink(Path::new(&inside), Path::new(&target))?;
                        Ok(())
                    })?;
                    if !stays {
                        self.follow(path, inside, &mut files).await?;
                    }
                } else if kind.is_file() {
                    files.push((entry.path(), inside, mode.unwrap_or(0o644)));
                } else {
                    tracing::debug!(path = entry.path(), "left out of a download");
                }
            }
        }
        let with = &with;
        stream::iter(files.into_iter().map(Ok::<_, CommunicatorError>))
            .try_for_each_concurrent(FILES, |(path, inside, mode)| async move {
                let mut made = None;
                with(&mut |landing| {
                    made = Some(landing.file(Path::new(&inside), mode)?);
                    Ok(())
                })?;
                let Some((mut file, place)) = made else { return Ok(()) };
                self.bytes_of(&path, &mut file, &place).await
            })
            .await?;
        let mut landing = landing.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        landing.finish().map_err(|mishap| self.told(mishap))
    }

    /// Takes what a link points to that leads out, when that is a file.
    async fn follow(
        &self,
        path: String,
        inside: String,
        files: &mut Vec<(String, String, u32)>,
    ) -> Result<(), CommunicatorError> {
        match self.sftp.metadata(&path).await {
            Err(error) if is_missing(&error) => {}
            metadata => {
                let metadata = self.done(&path, metadata)?;
                if !metadata.file_type().is_file() {
                    let reason = format!("`{inside}` leads out of what is downloaded");
                    return Err(failed(self.download, &reason));
                }
                files.push((path, inside, metadata.permissions.unwrap_or(0o644)));
            }
        }
        Ok(())
    }

    async fn bytes_of(
        &self,
        path: &str,
        to: &mut std::fs::File,
        place: &Path,
    ) -> Result<(), CommunicatorError> {
        let mut from = self.done(path, self.sftp.open(path).await)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let count = self.done(path, from.read(&mut buffer).await.map_err(Error::from))?;
            if count == 0 {
                break;
            }
            to.write_all(buffer.get(..count).unwrap_or_default())
                .map_err(|source| CommunicatorError::Write { path: place.into(), source })?;
            let before = self.bytes.fetch_add(count as u64, Ordering::Relaxed);
            (self.progress)(before + count as u64);
        }
        self.done(path, from.close().await.map_err(Error::from))?;
        self.files.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn done<T>(&self, path: &str, result: Result<T, Error>) -> Result<T, CommunicatorError> {
        result.map_err(|error| failed(self.download, &format!("{path}: {}", reason(&error))))
    }

    fn told(&self, mishap: Mishap) -> CommunicatorError {
        told(self.download, mishap)
    }
}
