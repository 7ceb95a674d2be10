//! Sending files: one stream, compressed where both sides can, checked on arrival.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, interval};

use super::communicator::Ssm;
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin, Upload, UploadReport, quote};
use crate::event::Stream;
use crate::plan::{Content, Digest, Entry, Tree};

/// Size of the pieces that are sent.
const PIECE: usize = 64 << 10;
/// Pieces that may wait.
const WAITING: usize = 4;
/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;
/// The mode of directories that are made because something lies in them. Those with it that hold
/// something are left out of the archive, so that the mode of one that exists there stays.
const IMPLIED_MODE: u32 = 0o755;

/// Receives one file. Takes destination, name, mode, size, digest, and whether it is compressed.
const FILE: &str = r#"d=$1
case $d in "~") d=$HOME ;; "~/"*) d=$HOME/${d#??} ;; esac
case $d in */) d=$d$2 ;; esac
if [ -d "$d" ]; then echo "$d: Is a directory" >&2; exit 1; fi
case $d in */*) p=${d%/*}; [ -z "$p" ] || [ -d "$p" ] || mkdir -p -- "$p" || exit 1 ;; esac
umask 077
if [ "$6" = z ]; then gzip -dc > "$d"; else cat > "$d"; fi || exit 1
if [ -f "$d" ]; then
  c=$(wc -c < "$d") && [ "$c" -eq "$4" ] || { echo "only $c of $4 bytes arrived" >&2; exit 1; }
  if command -v sha256sum >/dev/null 2>&1; then
    c=$(sha256sum < "$d") && [ "${c%% *}" = "$5" ] || { echo "the digest of what arrived differs" >&2; exit 1; }
  fi
fi
chmod -- "$3" "$d"
"#;

/// Receives an archive. Takes destination, name to append to a directory that exists (or nothing),
/// mode of a directory that is made, and whether it is compressed. Says where it went.
///
/// GNU tar would replace a link to a directory (such as `/lib`) by a directory, and change the
/// modes of directories that exist; it has options against both.
const TREE: &str = r#"d=$1
case $d in "~") d=$HOME ;; "~/"*) d=$HOME/${d#??} ;; esac
command -v tar >/dev/null 2>&1 || { echo "there is no tar on the instance" >&2; exit 127; }
if [ -d "$d" ]; then [ -z "$2" ] || d=${d%/}/$2; fi
umask 022
[ -d "$d" ] || { mkdir -p -- "$d" && chmod -- "$3" "$d"; } || exit 1
cd -- "$d" || exit 1
o="--no-overwrite-dir --keep-directory-symlink"
tar $o --version >/dev/null 2>&1 || o=--no-overwrite-dir
tar $o --version >/dev/null 2>&1 || o=
case $(tar --version 2>&1) in *bsdtar*) o=-P ;; esac
if [ "$4" = z ]; then gzip -dc | tar -x -m -o -p $o -f -; else tar -x -m -o -p $o -f -; fi || exit 1
pwd
"#;

/// Checks the files in a directory against a list. Takes the directory.
const CHECK: &str = r#"cd -- "$1" || exit 1
command -v sha256sum >/dev/null 2>&1 || { cat > /dev/null; exit 0; }
out=$(sha256sum -c - 2>&1) || { printf '%s\n' "$out" | grep -v ': OK$' | head -n 5 >&2; exit 1; }
"#;

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says.
pub(super) async fn upload(
    ssm: &Ssm,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    let compressed = ssm.compresses().await?;
    let form = if compressed { "z" } else { "" };
    if let Some(Entry::File { mode, size, digest, .. }) = upload.tree.single_file() {
        let mode = format!("{mode:04o}");
        let (size, digest) = (size.to_string(), digest.hex());
        let arguments = [&upload.destination, &upload.name, &mode, &size, &digest, form];
        send(ssm, upload, &command(FILE, &arguments), compressed, progress).await?;
    } else {
        let mode = match upload.tree.entries.get("") {
            Some(Entry::Directory { mode }) => format!("{mode:04o}"),
            _ => "0755".to_owned(),
        };
        let appended = if upload.contents_only { "" } else { &upload.name };
        let arguments = [&upload.destination, appended, &mode, form];
        let place = send(ssm, upload, &command(TREE, &arguments), compressed, progress).await?;
        let list = list(&upload.tree);
        if !list.is_empty() {
            let place = place.strip_suffix('\n').unwrap_or(&place);
            let check = command(CHECK, &[place]);
            run(ssm, upload, &check, Stdin::Bytes(list.into_bytes().into())).await?;
        }
    }
    progress(upload.tree.size());
    Ok(UploadReport { bytes: upload.tree.size(), files: upload.tree.files() })
}

/// A script with its arguments.
pub(super) fn command(script: &str, arguments: &[&str]) -> String {
    let words: Vec<_> = arguments.iter().map(|word| quote(word)).collect();
    format!("set -- {}\n{script}", words.join(" "))
}

/// The digests as `sha256sum` reads them. A name that it would write in another way is left out.
fn list(tree: &Tree) -> String {
    let mut list = String::new();
    for (path, entry) in &tree.entries {
        if let Entry::File { digest, .. } = entry
            && !path.contains(['\n', '\r', '\\'])
        {
            list.push_str(&format!("{digest}  ./{path}\n"));
        }
    }
    list
}

/// Sends the stream to a command.
async fn send(
    ssm: &Ssm,
    upload: &Upload,
    command: &str,
    compressed: bool,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<String, CommunicatorError> {
    let (sender, pieces) = mpsc::channel(WAITING);
    let sent = Arc::new(AtomicU64::new(0));
    let (tree, count) = (upload.tree.clone(), sent.clone());
    let making = tokio::task::spawn_blocking(move || {
        let pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
        let mut writer = if compressed {
            Writer::Compressed(GzEncoder::new(pieces, Compression::fast()))
        } else {
            Writer::Plain(pieces)
        };
        let written = match tree.single_file() {
            Some(Entry::File { size, digest, content, .. }) => {
                Checked::open(content, *size, *digest, &count)
                    .and_then(|mut file| io::copy(&mut file, &mut writer).map(|_| ()))
            }
            _ => archive(&tree, &mut writer, &count),
        };
        written.and_then(|()| writer.finish()).or_else(own_error)
    });
    let stdin = Stdin::Stream(Arc::new(Mutex::new(pieces)));
    let telling = async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            progress(sent.load(Ordering::Relaxed));
        }
    };
    let ran = tokio::select! {
        ran = run(ssm, upload, command, stdin) => ran,
        () = telling => return Err(failed(upload, "interrupted")),
    };
    let made = making
        .await
        .unwrap_or_else(|error| Err(failed(upload, &format!("making the stream failed: {error}"))));
    // A file that cannot be read is why the far side did not get what it waited for.
    made.and(ran)
}

/// Runs a command that must succeed; gives its output.
async fn run(
    ssm: &Ssm,
    upload: &Upload,
    command: &str,
    stdin: Stdin,
) -> Result<String, CommunicatorError> {
    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    let listening = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            let kept = if chunk.stream == Stream::Stdout { &mut out } else { &mut err };
            let room = COMPLAINTS.saturating_sub(kept.len());
            kept.extend(chunk.bytes.into_iter().take(room));
        }
        (text(&out), text(&err))
    };
    let (exit, (out, err)) = tokio::join!(ssm.run(command, stdin, output), listening);
    let said = err.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = said.collect::<Vec<_>>().join("; ");
    match exit? {
        Exit::Code(0) => Ok(out),
        Exit::Code(code) if said.is_empty() => {
            Err(failed(upload, &format!("the receiving command ended with status {code}")))
        }
        Exit::Code(_) => Err(failed(upload, &said)),
        Exit::Signal(signal) => {
            Err(failed(upload, &format!("the receiving command was killed by SIG{signal}")))
        }
        Exit::Disconnected { reason } => Err(failed(upload, &reason)),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn failed(upload: &Upload, reason: &str) -> CommunicatorError {
    CommunicatorError::Upload { destination: upload.destination.clone(), reason: reason.into() }
}

/// An error of ours that travelled through `io::Error`, or nothing when the receiver is gone: then
/// the far side has its own story to tell.
fn own_error(error: io::Error) -> Result<(), CommunicatorError> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    match error.downcast::<CommunicatorError>() {
        Ok(error) => Err(error),
        Err(source) => Err(CommunicatorError::Read { path: "the archive".into(), source }),
    }
}

/// Everything below the root, without the root itself.
fn archive(tree: &Tree, writer: &mut Writer, sent: &Arc<AtomicU64>) -> io::Result<()> {
    let holds_something = |directory: &str| {
        let inside = format!("{directory}/");
        tree.entries
            .range(inside.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&inside))
    };
    let mut archive = tar::Builder::new(writer);
    for (path, entry) in tree.entries.iter().filter(|(path, _)| !path.is_empty()) {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        match entry {
            Entry::Directory { mode: IMPLIED_MODE } if holds_something(path) => {}
            Entry::Directory { mode } => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                archive.append_data(&mut header, path, io::empty())?;
            }
            Entry::File { mode, size, digest, content } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(*size);
                let file = Checked::open(content, *size, *digest, sent)?;
                archive.append_data(&mut header, path, file)?;
            }
            Entry::Symlink { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, path, target)?;
            }
        }
    }
    archive.finish()
}

/// Where the stream goes.
enum Writer {
    Plain(Pieces),
    Compressed(GzEncoder<Pieces>),
}

impl Writer {
    /// Sends the rest. Only a stream that was finished has its end, so one that broke off is not
    /// taken for whole on the far side.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut pieces) => pieces.flush(),
            Self::Compressed(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(pieces) => pieces.write(bytes),
            Self::Compressed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects bytes into pieces and hands them to the async side.
struct Pieces {
    sender: mpsc::Sender<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE.saturating_sub(self.buffer.len()));
        let (now, _later) = bytes.split_at(taken);
        self.buffer.extend_from_slice(now);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.sender.blocking_send(bytes).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads exactly the bytes that the plan names; anything else is an error.
struct Checked {
    source: Box<dyn Read + Send>,
    path: std::path::PathBuf,
    left: u64,
    hasher: Sha256,
    digest: Digest,
    sent: Arc<AtomicU64>,
}

impl Checked {
    fn open(
        content: &Content,
        size: u64,
        digest: Digest,
        sent: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let (source, path): (Box<dyn Read + Send>, _) = match content {
            Content::Bytes(bytes) => (Box::new(io::Cursor::new(bytes.clone())), Default::default()),
            Content::File(path) => {
                let file = File::open(path).map_err(|source| {
                    io::Error::other(CommunicatorError::Read { path: path.clone(), source })
                })?;
                (Box::new(BufReader::with_capacity(PIECE, file)), path.clone())
            }
        };
        Ok(Self { source, path, left: size, hasher: Sha256::new(), digest, sent: sent.clone() })
    }

    fn changed(&self) -> io::Error {
        io::Error::other(CommunicatorError::Changed { path: self.path.clone() })
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let grown = self.source.read(&mut [0])? > 0;
            let digest = Digest::from_hasher(std::mem::take(&mut self.hasher));
            return if grown || digest != self.digest { Err(self.changed()) } else { Ok(0) };
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (room, _rest) = buffer.split_at_mut(most);
        let count = self.source.read(room).map_err(|source| {
            io::Error::other(CommunicatorError::Read { path: self.path.clone(), source })
        })?;
        if count == 0 {
            return Err(self.changed());
        }
        self.hasher.update(room.get(..count).unwrap_or_default());
        self.left -= count as u64;
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
