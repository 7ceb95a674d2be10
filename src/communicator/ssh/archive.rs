//! Turning files into a stream of bytes, checked against their digests on the way.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::communicator::CommunicatorError;
use crate::plan::{Content, Digest, Entry, Tree};

/// Size of the pieces that are sent.
const PIECE: usize = 128 << 10;

/// Pieces that may wait for the network: this and [`PIECE`] bound the memory of an upload.
const WAITING: usize = 4;

/// Some bytes of the stream.
pub(super) struct Piece {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// How many bytes of files have gone into the stream so far.
    pub(super) files: u64,
}

/// A stream that is being made on a thread of its own.
pub(super) struct Stream {
    /// The pieces in order.
    pub(super) pieces: mpsc::Receiver<Piece>,
    /// How the making ended.
    pub(super) ended: tokio::task::JoinHandle<Result<(), CommunicatorError>>,
}

/// What to make of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The bytes of the only file.
    Bare,
    /// A tar archive of everything below the root, without the root itself.
    Tar,
}

/// Starts to make a stream. It stops when nobody takes the pieces any more.
pub(super) fn stream(tree: Tree, form: Form) -> Stream {
    let (sender, pieces) = mpsc::channel(WAITING);
    let ended = tokio::task::spawn_blocking(move || {
        let mut writer = PieceWriter::new(sender);
        let result = match form {
            Form::Bare => bare(&tree, &mut writer),
            Form::Tar => tar(&tree, &mut writer),
        };
        result.and_then(|()| writer.flush()).or_else(own_error)
    });
    Stream { pieces, ended }
}

/// An error of ours that travelled through `io::Error`, or `Ok` when the receiver is gone: then
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

/// The mode of directories that are made because something lies in them: the command that receives
/// an archive sets its umask accordingly. Directories with this mode that hold something are left
/// out of the archive, so no tar can change the mode of one that exists on the far side.
const IMPLIED_MODE: u32 = 0o755;

fn holds_something(tree: &Tree, directory: &str) -> bool {
    let inside = format!("{directory}/");
    tree.entries.range(inside.clone()..).next().is_some_and(|(path, _)| path.starts_with(&inside))
}

fn bare(tree: &Tree, writer: &mut PieceWriter) -> io::Result<()> {
    if let Some(Entry::File { size, digest, content, .. }) = tree.single_file() {
        let mut reader = Checked::open(content, *size, *digest, writer.files.clone())?;
        io::copy(&mut reader, writer)?;
    }
    Ok(())
}

fn tar(tree: &Tree, writer: &mut PieceWriter) -> io::Result<()> {
    let files = writer.files.clone();
    let mut archive = ::tar::Builder::new(writer);
    for (path, entry) in tree.entries.iter().filter(|(path, _)| !path.is_empty()) {
        if let Entry::Directory { mode: IMPLIED_MODE } = entry
            && holds_something(tree, path)
        {
            continue;
        }
        let mut header = ::tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        match entry {
            Entry::Directory { mode } => {
                header.set_entry_type(::tar::EntryType::Directory);
                header.set_mode(*mode);
                header.set_size(0);
                archive.append_data(&mut header, path, io::empty())?;
            }
            Entry::File { mode, size, digest, content } => {
                header.set_entry_type(::tar::EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(*size);
                let reader = Checked::open(content, *size, *digest, files.clone())?;
                archive.append_data(&mut header, path, reader)?;
            }
            Entry::Symlink { target } => {
                header.set_entry_type(::tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                archive.append_link(&mut header, path, target)?;
            }
        }
    }
    archive.finish()
}

/// Collects bytes into pieces and hands them to the async side.
struct PieceWriter {
    sender: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    files: Rc<Cell<u64>>,
}

impl PieceWriter {
    fn new(sender: mpsc::Sender<Piece>) -> Self {
        Self { sender, buffer: Vec::with_capacity(PIECE), files: Rc::default() }
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.buffer.len());
        let (now, _later) = bytes.split_at(taken);
        self.buffer.extend_from_slice(now);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(Piece { bytes, files: self.files.get() })
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Reads exactly the bytes that the plan names; anything else is an error.
pub(super) struct Checked {
    source: Box<dyn Read + Send>,
    path: PathBuf,
    left: u64,
    hasher: Sha256,
    digest: Digest,
    files: Rc<Cell<u64>>,
}

impl Checked {
    fn open(
        content: &Content,
        size: u64,
        digest: Digest,
        files: Rc<Cell<u64>>,
    ) -> io::Result<Self> {
        let (source, path): (Box<dyn Read + Send>, _) = match content {
            Content::Bytes(bytes) => (Box::new(io::Cursor::new(bytes.clone())), PathBuf::new()),
            Content::File(path) => {
                let file = File::open(path).map_err(|source| {
                    io::Error::other(CommunicatorError::Read { path: path.clone(), source })
                })?;
                (Box::new(BufReader::with_capacity(PIECE, file)), path.clone())
            }
        };
        Ok(Self { source, path, left: size, hasher: Sha256::new(), digest, files })
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
        self.files.set(self.files.get() + count as u64);
        Ok(count)
    }
}
