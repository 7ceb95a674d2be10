//! Turning files into a stream of bytes, checked against their digests on the way.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::packing::{Packer, Packing};
use crate::communicator::CommunicatorError;
use crate::plan::{Content, Digest, Entry, Tree};

/// Size of the pieces that are sent.
const PIECE: usize = 256 << 10;

/// Pieces that may wait for the network: this and [`PIECE`] bound the memory of an upload.
const WAITING: usize = 4;

/// Some bytes of the stream.
pub(crate) struct Piece {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes of files have gone into the stream so far.
    pub(crate) files: u64,
}

/// A stream that is being made on a thread of its own.
pub(crate) struct Stream {
    /// The pieces in order.
    pub(crate) pieces: mpsc::Receiver<Piece>,
    /// How the making ended.
    pub(crate) ended: tokio::task::JoinHandle<Result<(), CommunicatorError>>,
}

/// What to make a stream of.
#[derive(Debug)]
pub(crate) enum Load {
    /// Nothing.
    Nothing,
    /// Bytes of a file: all of them, or a part whose digest nobody knows.
    Part {
        /// The file.
        file: Entry,
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
    /// A tar archive of everything below the root, without the root itself.
    Archive {
        /// The tree.
        tree: Tree,
        /// The name of a list of the files, which comes first.
        list: Option<String>,
    },
}

impl Load {
    /// A whole file.
    pub(crate) fn file(file: &Entry) -> Self {
        let length = if let Entry::File { size, .. } = file { *size } else { 0 };
        Self::Part { file: file.clone(), start: 0, length }
    }
}

/// Starts to make a stream. It stops when nobody takes the pieces any more.
///
/// Once `checked_there` is set, the far side will tell the digests of what it has got, and those
/// of what is sent are not needed. Until then it is not known, so they are computed.
pub(crate) fn stream(load: Load, packing: Packing, checked_there: Arc<AtomicBool>) -> Stream {
    let (sender, pieces) = mpsc::channel(WAITING);
    let ended = tokio::task::spawn_blocking(move || {
        let check = Check { checked_there, files: Rc::default() };
        let writer = PieceWriter::new(sender, check.files.clone());
        write(load, packing, &check, writer).or_else(own_error)
    });
    Stream { pieces, ended }
}

fn write(load: Load, packing: Packing, check: &Check, writer: PieceWriter) -> io::Result<()> {
    let mut packer = Packer::new(packing, writer)?;
    let packer = match load {
        Load::Nothing => packer,
        Load::Part { file, start, length } => {
            part(&file, start, length, check, &mut packer)?;
            packer
        }
        Load::Archive { tree, list } => tar(&tree, list.as_deref(), check, packer)?,
    };
    packer.finish()?.flush()
}

/// An error of ours that travelled through `io::Error`, or `Ok` when the receiver is gone: then
/// the far side has its own story to tell.
pub(crate) fn own_error(error: io::Error) -> Result<(), CommunicatorError> {
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

/// Whether anything lies in a directory.
pub(crate) fn holds_something(tree: &Tree, directory: &str) -> bool {
    let inside = format!("{directory}/");
    tree.entries.range(inside.clone()..).next().is_some_and(|(path, _)| path.starts_with(&inside))
}

fn part(
    file: &Entry,
    start: u64,
    length: u64,
    check: &Check,
    writer: &mut impl Write,
) -> io::Result<()> {
    let Entry::File { size, digest, content, .. } = file else { return Ok(()) };
    let digest = (start == 0 && length == *size).then_some(*digest);
    let mut reader = Checked::open(content, start, length, digest, check)?;
    let mut buffer = vec![0; PIECE];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        writer.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}

/// The files of a tree by the names that they have on the far side, and their digests. Tools
/// escape line ends, carriage returns and backslashes, each in its own way, so files with these are
/// left out.
fn listed(tree: &Tree) -> impl Iterator<Item = (String, &Digest)> {
    tree.entries.iter().filter_map(|(path, entry)| match entry {
        Entry::File { digest, .. } if is_listed(path) => Some((format!("./{path}"), digest)),
        _ => None,
    })
}

fn is_listed(path: &str) -> bool {
    !path.contains(['\n', '\r', '\\'])
}

/// Whether a list of the files of a tree has anything in it.
pub(crate) fn has_list(tree: &Tree) -> bool {
    listed(tree).next().is_some()
}

/// What the far side computes from a list: the digest of what its tool writes for all files, a
/// `line` for each digest and name.
pub(crate) fn list_digest(tree: &Tree, line: impl Fn(&str, &str) -> String) -> Digest {
    let mut hasher = Sha256::new();
    for (name, digest) in listed(tree) {
        hasher.update(line(&digest.hex(), &name));
    }
    Digest::from_hasher(hasher)
}

fn tar<W: Write>(tree: &Tree, list: Option<&str>, check: &Check, writer: W) -> io::Result<W> {
    let mut archive = ::tar::Builder::new(writer);
    let header = |kind, mode, size| {
        let mut header = ::tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    if let Some(list) = list {
        let names: String = listed(tree).map(|(name, _)| name + "\0").collect();
        let mut header = header(::tar::EntryType::Regular, 0o600, names.len() as u64);
        archive.append_data(&mut header, list, names.as_bytes())?;
    }
    for (path, entry) in tree.entries.iter().filter(|(path, _)| !path.is_empty()) {
        match entry {
            Entry::Directory { mode: IMPLIED_MODE } if holds_something(tree, path) => {}
            Entry::Directory { mode } => {
                let mut header = header(::tar::EntryType::Directory, *mode, 0);
                archive.append_data(&mut header, path, io::empty())?;
            }
            Entry::File { mode, size, digest, content } => {
                let mut header = header(::tar::EntryType::Regular, *mode, *size);
                let mut reader = Checked::open(content, 0, *size, Some(*digest), check)?;
                reader.only_here = list.is_none() || !is_listed(path);
                archive.append_data(&mut header, path, reader)?;
            }
            Entry::Symlink { target } => {
                let mut header = header(::tar::EntryType::Symlink, 0o777, 0);
                archive.append_link(&mut header, path, target)?;
            }
        }
    }
    archive.into_inner()
}

/// Collects bytes into pieces and hands them to the async side.
struct PieceWriter {
    sender: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    files: Rc<Cell<u64>>,
}

impl PieceWriter {
    fn new(sender: mpsc::Sender<Piece>, files: Rc<Cell<u64>>) -> Self {
        Self { sender, buffer: Vec::with_capacity(PIECE), files }
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

/// What all files of a stream share.
struct Check {
    checked_there: Arc<AtomicBool>,
    files: Rc<Cell<u64>>,
}

/// Reads exactly the bytes that the plan names; anything else is an error.
struct Checked<'a> {
    source: Box<dyn Read + Send>,
    path: PathBuf,
    left: u64,
    hasher: Option<(Sha256, Digest)>,
    whole: bool,
    /// Whether the far side does not check this one.
    only_here: bool,
    check: &'a Check,
}

impl<'a> Checked<'a> {
    fn open(
        content: &Content,
        start: u64,
        length: u64,
        digest: Option<Digest>,
        check: &'a Check,
    ) -> io::Result<Self> {
        let (source, path): (Box<dyn Read + Send>, _) = match content {
            Content::Bytes(bytes) => {
                let mut bytes = io::Cursor::new(bytes.clone());
                bytes.set_position(start);
                (Box::new(bytes), PathBuf::new())
            }
            Content::File(path) => {
                let failed = |source| {
                    io::Error::other(CommunicatorError::Read { path: path.clone(), source })
                };
                let mut file = File::open(path).map_err(failed)?;
                if start > 0 {
                    file.seek(SeekFrom::Start(start)).map_err(failed)?;
                }
                // A byte more than there should be, to see whether there is one.
                let buffer = usize::try_from(length + 1).map_or(PIECE, |size| size.min(PIECE));
                (Box::new(BufReader::with_capacity(buffer, file)), path.clone())
            }
        };
        let whole = digest.is_some();
        let hasher = digest.map(|digest| (Sha256::new(), digest));
        Ok(Self { source, path, left: length, hasher, whole, only_here: false, check })
    }

    fn changed(&self) -> io::Error {
        io::Error::other(CommunicatorError::Changed { path: self.path.clone() })
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let grown = self.whole && self.source.read(&mut [0])? > 0;
            let other = self
                .hasher
                .take()
                .is_some_and(|(hasher, digest)| Digest::from_hasher(hasher) != digest);
            self.whole = false;
            return if grown || other { Err(self.changed()) } else { Ok(0) };
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let (room, _rest) = buffer.split_at_mut(most);
        let count = self.source.read(room).map_err(|source| {
            io::Error::other(CommunicatorError::Read { path: self.path.clone(), source })
        })?;
        if count == 0 {
            return Err(self.changed());
        }
        if !self.only_here && self.check.checked_there.load(Ordering::Relaxed) {
            self.hasher = None;
        }
        if let Some((hasher, _)) = &mut self.hasher {
            hasher.update(room.get(..count).unwrap_or_default());
        }
        self.left -= count as u64;
        self.check.files.set(self.check.files.get() + count as u64);
        Ok(count)
    }
}

/// Writes exactly the bytes of a file that the plan names; anything else is an error, which
/// [`own_error`] gets back. What is no file has no bytes.
pub(crate) fn write_planned(file: &Entry, writer: &mut impl Write) -> io::Result<()> {
    let Entry::File { size, .. } = file else { return Ok(()) };
    let check = Check { checked_there: Arc::default(), files: Rc::default() };
    part(file, 0, *size, &check, writer)
}

/// Reads all files of a tree again, and tells the first that is not what was planned.
pub(crate) fn recheck(tree: &Tree) -> Result<(), CommunicatorError> {
    tree.entries
        .values()
        .try_for_each(|entry| write_planned(entry, &mut io::sink()).or_else(own_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tools_escape_are_in_no_list() {
        let file = Tree::of_bytes(*b"x", 0o644).entries.remove("").expect("a file");
        for name in ["a\rb", "a\nb", "a\\b"] {
            assert!(
                !has_list(&Tree { entries: [(name.to_owned(), file.clone())].into() }),
                "{name:?}"
            );
        }
        assert!(has_list(&Tree { entries: [("a b".to_owned(), file)].into() }));
    }
}
