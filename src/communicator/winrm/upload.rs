//! Sending files: all of them through the input of one PowerShell, checked on arrival.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, interval};

use super::communicator::WinRm;
use super::powershell::{PIECE, receive};
use crate::communicator::stream::archive::{own_error, write_planned};
use crate::communicator::stream::failed;
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin, Upload, UploadReport};
use crate::event::Stream;
use crate::plan::{Digest, Entry, Tree};

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
        Lines { sender, sent: count }.upload(&wanted).or_else(own_error)
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

/// The lines that the far side reads.
struct Lines {
    sender: mpsc::Sender<Vec<u8>>,
    /// Bytes of files so far.
    sent: Arc<AtomicU64>,
}

impl Lines {
    fn upload(&mut self, upload: &Upload) -> io::Result<()> {
        let Upload { tree, name, destination, contents_only } = upload;
        if let Some(file @ Entry::File { digest, .. }) = tree.single_file() {
            self.line('F', &[destination, name])?;
            self.file(file, digest)?;
        } else {
            let appended = if *contents_only { "" } else { name };
            self.line('D', &[destination, appended])?;
            self.tree(tree)?;
        }
        self.line('E', &[])
    }

    /// Everything below the root; links last, when there is what they point to.
    fn tree(&mut self, tree: &Tree) -> io::Result<()> {
        for (path, entry) in tree.entries.iter().filter(|(path, _)| !path.is_empty()) {
            match entry {
                Entry::Directory { .. } => self.line('d', &[path])?,
                Entry::File { digest, .. } => {
                    self.line('f', &[path])?;
                    self.file(entry, digest)?;
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

    /// The bytes of a file, a line for each piece, and their digest.
    fn file(&mut self, file: &Entry, digest: &Digest) -> io::Result<()> {
        write_planned(file, self)?;
        self.send(format!(". {}\n", digest.hex()))
    }

    /// A word and its arguments.
    fn line(&self, word: char, arguments: &[&str]) -> io::Result<()> {
        let mut line = String::from(word);
        for argument in arguments {
            line.push(' ');
            line.push_str(&BASE64_STANDARD.encode(argument));
        }
        line.push('\n');
        self.send(line)
    }

    fn send(&self, line: String) -> io::Result<()> {
        let sent = self.sender.blocking_send(line.into_bytes());
        sent.map_err(|_unwanted| io::ErrorKind::BrokenPipe.into())
    }
}

/// Takes bytes of files.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (piece, _later) = bytes.split_at(bytes.len().min(PIECE));
        self.send(format!("+ {}\n", BASE64_STANDARD.encode(piece)))?;
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
