//! Sending files: all of them through the input of one PowerShell, checked on arrival.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, interval};

use super::communicator::WinRm;
use super::powershell::{PIECE, receive};
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin, Upload, UploadReport};
use crate::event::Stream;
use crate::plan::{Content, Digest, Entry, Tree};

/// Lines that may wait.
const WAITING: usize = 8;
/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says. Windows has no
/// permission bits; links are made as links, which takes an administrator.
pub(super) async fn upload(
    winrm: &WinRm,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    let (sender, lines) = mpsc::channel(WAITING);
    let sent = Arc::new(AtomicU64::new(0));
    let (wanted, count) = (upload.clone(), sent.clone());
    let making = tokio::task::spawn_blocking(move || {
        match (Lines { sender, sent: count }).write(&wanted) {
            Err(Stop::Failed(error)) => Err(error),
            // The far side has its own story to tell.
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
        }
    });
    let stdin = Stdin::Stream(Arc::new(Mutex::new(lines)));
    let (output, chunks) = mpsc::channel(16);
    let command = receive();
    let telling = async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            progress(sent.load(Ordering::Relaxed));
        }
    };
    let both =
        async { tokio::join!(winrm.run(&command, stdin, output), listen(chunks, COMPLAINTS)) };
    let (exit, (said, complaints)) = tokio::select! {
        both = both => both,
        () = telling => return Err(failed(upload, "interrupted")),
    };
    let made = making
        .await
        .unwrap_or_else(|error| Err(failed(upload, &format!("making the stream failed: {error}"))));
    // A file that cannot be read is why the far side did not get what it waited for.
    made?;
    match exit? {
        Exit::Code(0) if said.contains("done") => {}
        Exit::Code(code) if complaints.is_empty() => {
            let reason = format!("PowerShell ended with status {code} before all had arrived");
            return Err(failed(upload, &reason));
        }
        Exit::Code(_) => return Err(failed(upload, &complaints)),
        Exit::Signal(signal) => {
            return Err(failed(upload, &format!("PowerShell was killed by {signal}")));
        }
        exit @ Exit::Disconnected { .. } => {
            exit.or_lost()?;
        }
    }
    let report = UploadReport { bytes: upload.tree.size(), files: upload.tree.files() };
    progress(report.bytes);
    Ok(report)
}

/// Both streams of a command, each up to a length, and the second one in one line.
pub(super) async fn listen(mut chunks: mpsc::Receiver<Chunk>, most: usize) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = chunks.recv().await {
        let kept = if chunk.stream == Stream::Stdout { &mut out } else { &mut err };
        let room = most.saturating_sub(kept.len());
        kept.extend(chunk.bytes.into_iter().take(room));
    }
    (String::from_utf8_lossy(&out).into_owned(), one_line(&err))
}

/// What was said, in one line.
pub(super) fn one_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

fn failed(upload: &Upload, reason: &str) -> CommunicatorError {
    CommunicatorError::Upload { destination: upload.destination.clone(), reason: reason.into() }
}

/// Why no more lines are made.
enum Stop {
    /// Nobody reads them any more.
    Unwanted,
    Failed(CommunicatorError),
}

/// The lines that the far side reads.
struct Lines {
    sender: mpsc::Sender<Vec<u8>>,
    /// Bytes of files so far.
    sent: Arc<AtomicU64>,
}

impl Lines {
    fn write(&self, upload: &Upload) -> Result<(), Stop> {
        let Upload { tree, name, destination, contents_only } = upload;
        if let Some(Entry::File { size, digest, content, .. }) = tree.single_file() {
            self.line('F', &[destination, name])?;
            self.file(content, *size, *digest)?;
        } else {
            let appended = if *contents_only { "" } else { name };
            self.line('D', &[destination, appended])?;
            self.tree(tree)?;
        }
        self.line('E', &[])
    }

    /// Everything below the root; links last, when there is what they point to.
    fn tree(&self, tree: &Tree) -> Result<(), Stop> {
        for (path, entry) in tree.entries.iter().filter(|(path, _)| !path.is_empty()) {
            match entry {
                Entry::Directory { .. } => self.line('d', &[path])?,
                Entry::File { size, digest, content, .. } => {
                    self.line('f', &[path])?;
                    self.file(content, *size, *digest)?;
                }
                Entry::Symlink { .. } => {}
            }
        }
        for (path, entry) in &tree.entries {
            if let Entry::Symlink { target } = entry {
                self.line('l', &[path, target])?;
            }
        }
        Ok(())
    }

    /// Exactly the bytes that the plan names; anything else is an error.
    fn file(&self, content: &Content, size: u64, digest: Digest) -> Result<(), Stop> {
        let (mut source, path): (Box<dyn Read>, PathBuf) = match content {
            Content::Bytes(bytes) => (Box::new(io::Cursor::new(bytes.clone())), PathBuf::new()),
            Content::File(path) => {
                let file = File::open(path).map_err(|source| unreadable(path.clone(), source))?;
                (Box::new(BufReader::new(file)), path.clone())
            }
        };
        let changed = || Stop::Failed(CommunicatorError::Changed { path: path.clone() });
        let mut hasher = Sha256::new();
        let mut read = 0;
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let most = u64::try_from(PIECE).unwrap_or(u64::MAX);
            (&mut source)
                .take(most)
                .read_to_end(&mut piece)
                .map_err(|source| unreadable(path.clone(), source))?;
            if piece.is_empty() {
                break;
            }
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            read += length;
            if read > size {
                return Err(changed());
            }
            hasher.update(&piece);
            self.send(format!("+ {}\n", BASE64_STANDARD.encode(&piece)))?;
            self.sent.fetch_add(length, Ordering::Relaxed);
        }
        if read != size || Digest::from_hasher(hasher) != digest {
            return Err(changed());
        }
        self.send(format!(". {}\n", digest.hex()))
    }

    /// A word and its arguments.
    fn line(&self, word: char, arguments: &[&str]) -> Result<(), Stop> {
        let mut line = String::from(word);
        for argument in arguments {
            line.push(' ');
            line.push_str(&BASE64_STANDARD.encode(argument));
        }
        line.push('\n');
        self.send(line)
    }

    fn send(&self, line: String) -> Result<(), Stop> {
        self.sender.blocking_send(line.into_bytes()).map_err(|_| Stop::Unwanted)
    }
}

fn unreadable(path: PathBuf, source: io::Error) -> Stop {
    Stop::Failed(CommunicatorError::Read { path, source })
}
