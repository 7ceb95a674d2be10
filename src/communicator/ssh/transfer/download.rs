//! Fetching files.

use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::super::connection::{Connection, OpenSession};
use super::super::exec;
use super::super::options::FileTransfer;
use super::landing::{Arrived, Landing, Mishap};
use super::packing::Packing;
use super::said::{Listener, Mark, Said};
use super::shell::Call;
use super::way::Way;
use super::{sftp, source};
use crate::communicator::{Chunk, CommunicatorError, Download, DownloadReport, Exit};
use crate::event::Stream;
use crate::plan::Digest;

/// How much a login shell may chat before our own words come.
const CHAT: usize = 64 << 10;

/// Pieces that may wait for this machine's disk.
const WAITING: usize = 16;

/// How much is read at once.
const PIECE: usize = 128 << 10;

/// Attempts at a file that is not the same when it is read twice.
const ATTEMPTS: u32 = 3;

/// Fetches a file or a tree as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(in super::super) async fn download(
    way: &Way<'_>,
    session: OpenSession,
    download: &Download,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    if download.source.is_empty() {
        return Err(failed(download, "the source is empty"));
    }
    if way.method == FileTransfer::Sftp {
        return sftp::download(session, download, progress).await;
    }
    let mut session = Some(session);
    for _ in 0..ATTEMPTS {
        let session = match session.take() {
            Some(session) => session,
            None => way.connection.open_session().await?,
        };
        match stream(way.connection, session, download, None, progress).await? {
            Fetched::Done(report, links) if links.is_empty() => return Ok(report),
            Fetched::Done(report, links) => {
                return follow(way, download, report, links, progress).await;
            }
            Fetched::Differs => {}
            Fetched::No(instead) => {
                tracing::debug!(%instead, "no stream: SFTP");
                let session = way.connection.open_session().await?;
                let fetched = sftp::download(session, download, progress).await;
                return fetched.map_err(|error| match error {
                    CommunicatorError::Refused { .. } => {
                        failed(download, &format!("{instead}; and SFTP: {error}"))
                    }
                    error => error,
                });
            }
        }
    }
    Err(failed(download, "it changes while it is read: its SHA-256 was never that of what arrived"))
}

/// Fetches what links point to that lead out of a tree, as uploads do with such links. The links
/// of what a pattern matches have no directory of their own to start from.
async fn follow(
    way: &Way<'_>,
    download: &Download,
    before: DownloadReport,
    links: Links,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    let refused = |links: &Links| {
        let all: Vec<_> = links.paths.iter().map(|path| format!("`{}`", path.display())).collect();
        let reason = format!("{} leads out of what is downloaded", all.join(", "));
        failed(download, &reason)
    };
    if !links.can_be_followed {
        return Err(refused(&links));
    }
    let session = way.connection.open_session().await?;
    let further = |bytes| progress(before.bytes + bytes);
    match stream(way.connection, session, download, Some(&links), &further).await? {
        Fetched::Done(more, rest) if rest.is_empty() => Ok(DownloadReport {
            bytes: before.bytes + more.bytes,
            files: before.files + more.files,
        }),
        Fetched::Done(_, rest) => Err(refused(&rest)),
        Fetched::Differs => Err(refused(&links)),
        Fetched::No(instead) => Err(failed(download, &instead)),
    }
}

/// Symbolic links that lead out of what was fetched.
#[derive(Default)]
struct Links {
    paths: Vec<PathBuf>,
    /// Whether the far side can send what they point to.
    can_be_followed: bool,
}

impl Links {
    fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// As `xargs -0` takes them.
    fn words(&self) -> Vec<u8> {
        let one = |path: &PathBuf| [b"./", path.as_os_str().as_bytes(), &b"\0"[..]].concat();
        self.paths.iter().flat_map(one).collect()
    }
}

/// How a stream was fetched.
enum Fetched {
    Done(DownloadReport, Links),
    /// The file was not the same when it was read twice.
    Differs,
    /// There is no way to stream; what was found instead.
    No(String),
}

/// What came out of a stream.
enum Unpacked {
    /// One file, which is not in its place yet.
    File(Arrived, Digest, u64),
    /// A tree, or several things.
    Tree(DownloadReport, Links),
}

async fn stream(
    connection: &Connection,
    session: OpenSession,
    download: &Download,
    links: Option<&Links>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Fetched, CommunicatorError> {
    let mark = Mark::new();
    let call = Call { mark: &mark, packing: Packing::None, bytes: u64::MAX };
    let (text, input) = match links {
        None => (source::get(download, call), Vec::new()),
        Some(links) => (source::follow(download, call), links.words()),
    };

    let (sender, pieces) = mpsc::channel(WAITING);
    let count = Arc::new(AtomicU64::new(0));
    let landing = Unpack {
        incoming: Incoming { pieces, piece: Vec::new(), at: 0 },
        mark: format!("{}:", mark.text()),
        destination: download.destination.clone(),
        into_directory: download.into_directory,
        count: count.clone(),
    };
    let unpacked = tokio::task::spawn_blocking(move || landing.run());

    let (output, mut chunks) = mpsc::channel::<Chunk>(WAITING);
    let listen = async {
        let ignored = AtomicBool::new(false);
        let mut listener = Listener::new(&mark, &ignored);
        while let Some(Chunk { stream, bytes }) = chunks.recv().await {
            match stream {
                Stream::Stderr => listener.take(&bytes),
                Stream::Stdout => {
                    // Who unpacks has an error to tell.
                    sender.send(bytes).await.map_err(|_| None)?;
                    progress(count.load(Ordering::Relaxed));
                }
            }
        }
        drop(sender);
        Ok::<Said, Option<CommunicatorError>>(listener.end())
    };
    let input = exec::Input::Bytes(input.into());
    let run =
        async { exec::run(connection, session, &text, false, input, output).await.map_err(Some) };
    let ended = tokio::try_join!(run, listen);
    let unpacked = match unpacked.await {
        Ok(unpacked) => unpacked,
        Err(panicked) => return Err(failed(download, &format!("unpacking failed: {panicked}"))),
    };
    let (exit, said) = match ended {
        Ok(ended) => ended,
        Err(Some(CommunicatorError::Refused { reason, .. })) => return Ok(Fetched::No(reason)),
        Err(Some(error)) => return Err(error),
        Err(None) => {
            let mishap = unpacked.err();
            return Err(mishap.map_or_else(
                || failed(download, "more came than the archive holds"),
                |mishap| told(download, mishap),
            ));
        }
    };
    match exit {
        Exit::Code(_) if said.no_tar => return Ok(Fetched::No("there is no `tar`".into())),
        Exit::Code(_) if said.ready.is_none() => {
            let said = said.complaints;
            let said = if said.is_empty() { "it says nothing".into() } else { said };
            return Ok(Fetched::No(said));
        }
        Exit::Code(0) if said.done => {}
        Exit::Code(code) if said.complaints.is_empty() => {
            return Err(failed(download, &format!("the sending command ended with status {code}")));
        }
        Exit::Code(_) => return Err(failed(download, &said.complaints)),
        Exit::Signal(signal) => {
            return Err(failed(
                download,
                &format!("the sending command was killed by SIG{signal}"),
            ));
        }
        Exit::Disconnected { reason } => {
            return Err(CommunicatorError::Lost { address: connection.name.clone(), reason });
        }
    }
    match unpacked.map_err(|mishap| told(download, mishap))? {
        Unpacked::Tree(report, links) => {
            progress(report.bytes);
            Ok(Fetched::Done(report, links))
        }
        Unpacked::File(arrived, digest, bytes) => {
            match said.digest.as_deref() {
                Some(there) if !there.is_empty() => {
                    if there != digest.hex() {
                        return Ok(Fetched::Differs);
                    }
                }
                _ => tracing::debug!(
                    source = download.source,
                    "the far side cannot compute SHA-256: nothing was compared"
                ),
            }
            arrived.keep()?;
            progress(bytes);
            Ok(Fetched::Done(DownloadReport { bytes, files: 1 }, Links::default()))
        }
    }
}

/// Puts what arrives where it belongs, on a thread of its own.
struct Unpack {
    incoming: Incoming,
    mark: String,
    destination: PathBuf,
    into_directory: bool,
    count: Arc<AtomicU64>,
}

impl Unpack {
    fn run(mut self) -> Result<Unpacked, Mishap> {
        let head = self.head()?;
        let (kind, rest) = head.split_once(' ').unwrap_or((&head, ""));
        match kind {
            "file" => {
                let (mode, name) = rest.split_once(' ').unwrap_or((rest, ""));
                self.file(permissions(mode), name)
            }
            "tree" => self.archive(rest, true),
            "many" => self.archive("", false),
            _ => Err(Mishap::There("it did not say what it sends".into())),
        }
    }

    /// The words of the script before the bytes, without what a login shell said first.
    fn head(&mut self) -> Result<String, Mishap> {
        let mut line = Vec::new();
        for _ in 0..CHAT {
            let mut byte = [0];
            match self.incoming.read(&mut byte) {
                Ok(1..) if byte == *b"\n" => {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    if let Some((_, words)) = text.split_once(&self.mark) {
                        return Ok(words.to_owned());
                    }
                    line.clear();
                }
                Ok(1..) => line.extend(byte),
                Ok(0) | Err(_) => break,
            }
        }
        Err(Mishap::There("it did not say what it sends".into()))
    }

    fn file(mut self, mode: u32, name: &str) -> Result<Unpacked, Mishap> {
        let mut arrived = Arrived::new(&self.destination, self.into_directory, name, mode)?;
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; PIECE];
        loop {
            let count = self.incoming.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                return Ok(Unpacked::File(arrived, Digest::from_hasher(hasher), bytes));
            }
            let piece = buffer.get(..count).unwrap_or_default();
            hasher.update(piece);
            if let Err(source) = arrived.file().write_all(piece) {
                return Err(Mishap::at(arrived.place(), source));
            }
            bytes += count as u64;
            self.count.store(bytes, Ordering::Relaxed);
        }
    }

    fn archive(self, name: &str, can_be_followed: bool) -> Result<Unpacked, Mishap> {
        let broken = |error: io::Error| Mishap::There(format!("its archive is broken: {error}"));
        let mut landing = Landing::new(&self.destination, name)?;
        let mut report = DownloadReport { bytes: 0, files: 0 };
        let mut links = Links { paths: Vec::new(), can_be_followed };
        let mut archive = tar::Archive::new(self.incoming);
        // Several archives may follow each other.
        archive.set_ignore_zeros(true);
        let mut buffer = vec![0; PIECE];
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = entry.path().map_err(broken)?.into_owned();
            let mode = entry.header().mode().map_err(broken)?;
            let target = |entry: &tar::Entry<'_, Incoming>| {
                entry
                    .link_name()
                    .ok()
                    .flatten()
                    .map(std::borrow::Cow::into_owned)
                    .unwrap_or_default()
            };
            match entry.header().entry_type() {
                tar::EntryType::Directory => landing.directory(&path, mode)?,
                tar::EntryType::Symlink => {
                    if !landing.symlink(&path, &target(&entry))? {
                        links.paths.push(path);
                    }
                }
                tar::EntryType::Link => landing.hard_link(&path, &target(&entry))?,
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let (mut file, path) = landing.file(&path, mode)?;
                    report.files += 1;
                    loop {
                        let count = entry.read(&mut buffer).map_err(broken)?;
                        if count == 0 {
                            break;
                        }
                        file.write_all(buffer.get(..count).unwrap_or_default())
                            .map_err(|source| Mishap::at(&path, source))?;
                        report.bytes += count as u64;
                        self.count.store(report.bytes, Ordering::Relaxed);
                    }
                }
                kind => tracing::debug!(?kind, path = %path.display(), "left out of a download"),
            }
        }
        landing.finish()?;
        Ok(Unpacked::Tree(report, links))
    }
}

/// Permission bits as `ls` has them: `-rwxr-x---`.
fn permissions(text: &str) -> u32 {
    text.chars()
        .skip(1)
        .take(9)
        .fold(0, |mode, bit| (mode << 1) | u32::from(!matches!(bit, '-' | 'S' | 'T')))
}

/// What comes from the far side, for a thread that reads.
struct Incoming {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.pieces.blocking_recv() {
                Some(piece) => (self.piece, self.at) = (piece, 0),
                None => return Ok(0),
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let ((to, _), (from, _)) = (buffer.split_at_mut(count), rest.split_at(count));
        to.copy_from_slice(from);
        self.at += count;
        Ok(count)
    }
}

fn told(download: &Download, mishap: Mishap) -> CommunicatorError {
    match mishap {
        Mishap::Here(error) => error,
        Mishap::There(reason) => failed(download, &reason),
    }
}

/// A download that failed for a reason of the far side.
pub(super) fn failed(download: &Download, reason: &str) -> CommunicatorError {
    CommunicatorError::Download { remote: download.source.clone(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_as_ls_writes_them() {
        assert_eq!(permissions("-rwxr-x---"), 0o750);
        assert_eq!(permissions("-rwSr-sr-T."), 0o654);
        assert_eq!(permissions("-rw-r--r--+"), 0o644);
        assert_eq!(permissions(""), 0);
    }
}
