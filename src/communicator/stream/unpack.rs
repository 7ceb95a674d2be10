//! Putting what arrives where it belongs, on a thread of its own.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::landing::{Arrived, Landing, Mishap, SharedLanding, Stamp, lock};
use super::packing::Packing;
use crate::plan::Digest;

/// How much a login shell may chat before our own words come.
const CHAT: usize = 64 << 10;

/// How much is read at once.
const PIECE: usize = 128 << 10;

/// How long the list of what lies in a large directory may be. One that is longer is not kept.
const LIST: u64 = 16 << 20;

/// The largest size of a file that is believed.
const MOST: u64 = 1 << 50;

/// How much may lie between the contents of two files of an archive. Names have at most some KiB.
const BETWEEN: u64 = 1 << 20;

/// How many zeros end an archive (POSIX, pax, "ustar Interchange Format"): two blocks.
const END: u64 = 1024;

/// Where something is to go.
pub(crate) enum Target {
    /// To a destination, as
    /// [`Communicator::download`](crate::communicator::Communicator::download) says.
    New {
        /// The file or directory.
        destination: PathBuf,
        /// Whether it is a directory in any case.
        into_directory: bool,
        /// Of how many bytes the beginning of something large is, and whom to tell when it comes.
        large: Option<(u64, oneshot::Sender<()>)>,
    },
    /// To where the rest of a tree is.
    Tree(SharedLanding),
    /// Into a file from some byte on.
    Range {
        /// The file.
        file: File,
        /// Its path in its place, for errors.
        place: PathBuf,
        /// The first byte.
        start: u64,
        /// How many there must be.
        length: u64,
    },
}

/// What has arrived.
pub(crate) enum Unpacked {
    /// One file, and how many bytes it was told to have.
    File(Arrived, Stamp, u64),
    /// The beginning of a large file that has so many bytes.
    Part(Arrived, u64),
    /// A tree, or several things.
    Tree(Fetched),
    /// What lies in a large directory of this name. Nothing when there is too much to tell.
    List(OsString, Option<Vec<Listed>>),
    /// A range.
    Range,
}

/// A tree that has arrived.
pub(crate) struct Fetched {
    /// Where it is.
    pub(crate) landing: SharedLanding,
    /// Symbolic links that lead out of it, by their paths below it.
    pub(crate) links: Vec<PathBuf>,
    /// Whether it is one directory, and not what a pattern matches.
    pub(crate) is_directory: bool,
}

/// Something that lies in a large directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// `f`, `d`, `l`, or another letter.
    pub(crate) kind: u8,
    /// Permissions.
    pub(crate) mode: u32,
    /// Bytes.
    pub(crate) size: u64,
    /// Below the directory; it begins with `./`.
    pub(crate) path: PathBuf,
}

/// What takes a stream in.
pub(super) struct Unpack {
    /// The stream.
    pub(super) incoming: Incoming,
    /// What the far side starts its own words with.
    pub(super) mark: String,
    /// Where it goes.
    pub(super) target: Target,
    /// How many bytes of files have arrived.
    pub(super) count: Arc<AtomicU64>,
}

impl Unpack {
    /// Takes all of it in.
    pub(super) fn run(self) -> Result<Unpacked, Mishap> {
        let Self { mut incoming, mark, target, count } = self;
        let head = head(&mut incoming, &mark)?;
        let (kind, rest) = word(&head);
        let (packing, rest) = word(rest);
        let packing = Packing::named(&String::from_utf8_lossy(packing)).unwrap_or_default();
        let reader = packing.unpacker(&mut incoming).map_err(broken)?;
        let mut files = Files { reader, count };
        let unpacked = match (kind, target) {
            (b"file" | b"part", Target::New { destination, into_directory, large }) => {
                let (size, rest) = word(rest);
                let (mode, name) = word(rest);
                let mode = permissions(&String::from_utf8_lossy(mode));
                let (name, is_part) = (OsString::from_vec(name.to_vec()), kind == b"part");
                let arrived = Arrived::new(&destination, into_directory, &name, mode)?;
                if is_part {
                    let first = tell(large).ok_or_else(silent)?;
                    files.part(arrived, bytes(size)?, first)?
                } else {
                    files.file(arrived, bytes(size)?)?
                }
            }
            (b"tree" | b"many", Target::New { destination, .. }) => {
                let is_directory = kind == b"tree";
                let name = if is_directory { rest } else { b"" };
                let name = OsString::from_vec(name.to_vec());
                let landing = Landing::new(&destination, &name)?.shared();
                files.archive(landing, is_directory, false)?
            }
            // Of files that are gone by now nothing comes at all.
            (b"tree", Target::Tree(landing)) => files.archive(landing, true, true)?,
            (b"list", Target::New { large, .. }) => {
                tell(large).ok_or_else(silent)?;
                Unpacked::List(OsString::from_vec(rest.to_vec()), files.list()?)
            }
            (b"range", Target::Range { file, place, start, length }) => {
                files.range(&file, &place, start, length)?
            }
            _ => return Err(silent()),
        };
        drop(files);
        // Nothing should be left; if there is something, who sends it must not wait for ever.
        io::copy(&mut incoming, &mut io::sink()).map_err(broken)?;
        Ok(unpacked)
    }
}

/// Tells that something is large; the answer is how many bytes its beginning has.
fn tell(large: Option<(u64, oneshot::Sender<()>)>) -> Option<u64> {
    let (first, tell) = large?;
    // Nobody may want to know.
    _ = tell.send(());
    Some(first)
}

/// Whether all bytes of a part came.
fn enough(came: u64, wanted: u64) -> Result<(), Mishap> {
    if came == wanted {
        return Ok(());
    }
    Err(Mishap::There(format!("{came} bytes came where {wanted} were to come")))
}

/// A size that a file can have.
fn bytes(text: &[u8]) -> Result<u64, Mishap> {
    match number(text, 10)? {
        size if size <= MOST => Ok(size),
        size => Err(Mishap::There(format!("it sends a file of {size} bytes"))),
    }
}

fn broken(error: io::Error) -> Mishap {
    Mishap::There(format!("what it sends is broken: {error}"))
}

fn silent() -> Mishap {
    Mishap::There("it did not say what it sends".into())
}

/// The first word, and what comes after the blank.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

fn number(text: &[u8], radix: u32) -> Result<u64, Mishap> {
    let text = String::from_utf8_lossy(text);
    u64::from_str_radix(&text, radix)
        .map_err(|_| Mishap::There(format!("it sends `{text}` where a number belongs")))
}

/// The words of the script before the bytes, without what a login shell said first.
fn head(incoming: &mut Incoming, mark: &str) -> Result<Vec<u8>, Mishap> {
    let mut line = Vec::new();
    for _ in 0..CHAT {
        let mut byte = [0];
        match incoming.read(&mut byte) {
            Ok(1..) if byte == *b"\n" => {
                let mark = mark.as_bytes();
                if let Some(at) = line.windows(mark.len()).position(|part| part == mark) {
                    return Ok(line.split_off(at + mark.len()));
                }
                line.clear();
            }
            Ok(1..) => line.extend(byte),
            Ok(0) | Err(_) => break,
        }
    }
    Err(silent())
}

/// Files as they come out of a stream.
struct Files<R> {
    reader: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Files<R> {
    fn file(&mut self, mut arrived: Arrived, told: u64) -> Result<Unpacked, Mishap> {
        let place = arrived.place().to_path_buf();
        let stamp = copy(&mut self.reader, arrived.file(), &place, &self.count)?;
        Ok(Unpacked::File(arrived, stamp, told))
    }

    fn part(&mut self, mut arrived: Arrived, size: u64, first: u64) -> Result<Unpacked, Mishap> {
        let place = arrived.place().to_path_buf();
        let stamp = copy(&mut self.reader, arrived.file(), &place, &self.count)?;
        enough(stamp.size, first)?;
        Ok(Unpacked::Part(arrived, size))
    }

    fn range(
        &mut self,
        file: &File,
        place: &Path,
        start: u64,
        length: u64,
    ) -> Result<Unpacked, Mishap> {
        let (mut buffer, mut at) = (vec![0; PIECE], 0);
        // Blocks are sent, and the file may have grown.
        let mut reader = self.reader.by_ref().take(length);
        loop {
            let count = reader.read(&mut buffer).map_err(broken)?;
            if count == 0 {
                let rest = io::copy(&mut self.reader, &mut io::sink());
                rest.map_err(broken)?;
                return enough(at, length).map(|()| Unpacked::Range);
            }
            file.write_all_at(buffer.get(..count).unwrap_or_default(), start + at)
                .map_err(|source| Mishap::at(place, source))?;
            at += count as u64;
            self.count.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    fn archive(
        &mut self,
        landing: SharedLanding,
        is_directory: bool,
        may_be_nothing: bool,
    ) -> Result<Unpacked, Mishap> {
        let mut links = Vec::new();
        let count = &*self.count;
        let place = Rc::<Cell<Place>>::default();
        let mut archive =
            tar::Archive::new(Between { reader: &mut self.reader, place: place.clone() });
        // Several archives may follow each other.
        archive.set_ignore_zeros(true);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            place.set(Place { is_something: true, ..Place::default() });
            let path = entry.path().map_err(broken)?.into_owned();
            refuse_sparse(&mut entry, &path)?;
            let mode = entry.header().mode().map_err(broken)?;
            let kind = entry.header().entry_type();
            let target = || {
                let target = entry.link_name().map_err(broken)?;
                Ok::<_, Mishap>(target.map(Cow::into_owned).unwrap_or_default())
            };
            match kind {
                tar::EntryType::Directory => lock(&landing).directory(&path, mode)?,
                tar::EntryType::Symlink => {
                    let target = target()?;
                    if !lock(&landing).symlink(&path, &target)? {
                        links.push(path);
                    }
                }
                tar::EntryType::Link => {
                    let target = target()?;
                    lock(&landing).hard_link(&path, &target)?;
                }
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let (mut file, there) = lock(&landing).file(&path, mode)?;
                    place.set(Place { is_content: true, ..place.get() });
                    let stamp = copy(&mut entry, &mut file, &there, count)?;
                    place.set(Place { is_content: false, ..place.get() });
                    lock(&landing).arrived(&path, stamp)?;
                }
                kind => tracing::debug!(?kind, path = %path.display(), "left out of a download"),
            }
        }
        let Place { zeros, is_something, .. } = place.get();
        if zeros < END && (is_something || !may_be_nothing) {
            return Err(Mishap::There("what it sends breaks off".into()));
        }
        Ok(Unpacked::Tree(Fetched { landing, links, is_directory }))
    }

    fn list(&mut self) -> Result<Option<Vec<Listed>>, Mishap> {
        let mut text = Vec::new();
        self.reader.by_ref().take(LIST + 1).read_to_end(&mut text).map_err(broken)?;
        if text.len() as u64 > LIST {
            io::copy(&mut self.reader, &mut io::sink()).map_err(broken)?;
            return Ok(None);
        }
        let lines = text.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        lines.map(listed).collect::<Result<_, _>>().map(Some)
    }
}

/// Where the reading of an archive is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Whether what is read is the content of a file.
    is_content: bool,
    /// Bytes that were read since the last member began, without its content.
    spent: u64,
    /// The last of these that are zero.
    zeros: u64,
    /// Whether there was any member.
    is_something: bool,
}

/// Reads an archive, and bounds what lies between the contents of its files: names and headers of
/// any length, which the library keeps in memory. It also sees whether the end of the archive came,
/// which the library does not ask for.
struct Between<R> {
    reader: R,
    place: Rc<Cell<Place>>,
}

impl<R: Read> Read for Between<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let mut place = self.place.get();
        if !place.is_content {
            let read = buffer.get(..count).unwrap_or_default();
            place.spent += count as u64;
            match read.iter().rposition(|byte| *byte != 0) {
                Some(last) => place.zeros = (count - last - 1) as u64,
                None => place.zeros += count as u64,
            }
            self.place.set(place);
            if place.spent > BETWEEN {
                return Err(io::Error::other("the names in it have no end"));
            }
        }
        Ok(count)
    }
}

/// Refuses a member that is written as the parts of a file that are not empty: GNU tar writes those
/// in a way of its own and, as bsdtar does, with extensions of pax (GNU tar manual, "Storing Sparse
/// Files").
fn refuse_sparse(entry: &mut tar::Entry<'_, impl Read>, path: &Path) -> Result<(), Mishap> {
    let is_old = entry.header().entry_type() == tar::EntryType::GNUSparse;
    let mut is_new = false;
    if let Some(extensions) = entry.pax_extensions().map_err(broken)? {
        for one in extensions {
            is_new |= one.map_err(broken)?.key_bytes().starts_with(b"GNU.sparse.");
        }
    }
    if is_old || is_new {
        let name = path.file_name().unwrap_or_default().display();
        let text = format!("it sends `{name}` as a sparse file, which is not taken");
        return Err(Mishap::There(text));
    }
    Ok(())
}

/// Kind, mode, size and path.
fn listed(line: &[u8]) -> Result<Listed, Mishap> {
    let (kind, rest) = word(line);
    let (mode, rest) = word(rest);
    let (size, path) = word(rest);
    let mode = u32::try_from(number(mode, 8)?).unwrap_or_default();
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    let kind = kind.first().copied().unwrap_or_default();
    Ok(Listed { kind, mode, size: bytes(size)?, path })
}

/// Copies to the end, and tells what it was.
fn copy(
    from: &mut impl Read,
    to: &mut File,
    place: &Path,
    count: &AtomicU64,
) -> Result<Stamp, Mishap> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; PIECE];
    loop {
        let length = from.read(&mut buffer).map_err(broken)?;
        if length == 0 {
            return Ok(Stamp { size, digest: Digest::from_hasher(hasher) });
        }
        let piece = buffer.get(..length).unwrap_or_default();
        hasher.update(piece);
        to.write_all(piece).map_err(|source| Mishap::at(place, source))?;
        size += length as u64;
        count.fetch_add(length as u64, Ordering::Relaxed);
    }
}

/// What is in a file of ours; `place` is its path, for errors.
pub(crate) fn stamp(file: &File, place: &Path) -> Result<Stamp, Mishap> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; PIECE];
    loop {
        let length = file.read_at(&mut buffer, size).map_err(|source| Mishap::at(place, source))?;
        if length == 0 {
            return Ok(Stamp { size, digest: Digest::from_hasher(hasher) });
        }
        hasher.update(buffer.get(..length).unwrap_or_default());
        size += length as u64;
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
pub(super) struct Incoming {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Incoming {
    /// What a queue brings.
    pub(super) fn new(pieces: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { pieces, piece: Vec::new(), at: 0 }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream comes to.
    fn unpack(bytes: &[u8], destination: &Path) -> Result<Unpacked, Mishap> {
        let (sender, pieces) = mpsc::channel(bytes.len() + 1);
        for piece in bytes.chunks(7) {
            sender.try_send(piece.to_vec()).unwrap();
        }
        drop(sender);
        let target = Target::New {
            destination: destination.to_path_buf(),
            into_directory: true,
            large: Some((1, oneshot::channel().0)),
        };
        let incoming = Incoming::new(pieces);
        Unpack { incoming, mark: "M:".into(), target, count: Arc::default() }.run()
    }

    fn complaint(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let text = match unpack(bytes, folder.path()) {
            Ok(_) => panic!("it was taken"),
            Err(Mishap::There(text)) => text,
            Err(Mishap::Here(error)) => error.to_string(),
        };
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        text
    }

    #[test]
    fn permissions_are_read_as_ls_writes_them() {
        assert_eq!(permissions("-rwxr-x---"), 0o750);
        assert_eq!(permissions("-rwSr-sr-T."), 0o654);
        assert_eq!(permissions("-rw-r--r--+"), 0o644);
        assert_eq!(permissions(""), 0);
    }

    #[test]
    fn what_a_shell_says_before_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = b"welcome\nno line endM:file none 4 -rw-r----- a b\ntext";
        let Unpacked::File(arrived, stamp, 4) = unpack(bytes, folder.path()).ok().unwrap() else {
            panic!("no file");
        };
        assert_eq!(stamp, Stamp { size: 4, digest: Digest::of(b"text") });
        assert_eq!(arrived.place(), folder.path().join("a b"));
        arrived.keep().unwrap();
        assert_eq!(std::fs::read(folder.path().join("a b")).unwrap(), b"text");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(complaint(b"welcome\n"), "it did not say what it sends");
        assert_eq!(complaint(b"M:other none\nx"), "it did not say what it sends");
        assert_eq!(complaint(b"M:range none\nx"), "it did not say what it sends");
        assert_eq!(complaint(b"M:file none 4 -rw------- ..\nx"), "it sends the name `..`");
        assert!(complaint(b"M:list none a\nf 644 9999999999999999 ./b\0").contains("a file of 9"));
        assert!(complaint(b"M:file gzip 4 -rw------- a\nx").contains("is broken"));
        assert!(complaint(b"M:tree zstd a\nx").contains("is broken"));
        assert!(complaint(&[b"M:tree none a\n", &[7; 512][..]].concat()).contains("is broken"));
        assert!(complaint(b"M:list none a\nf x 1 ./b\0").contains("where a number belongs"));
    }

    #[test]
    fn an_archive_that_breaks_off_leaves_nothing() {
        let mut archive = tar::Builder::new(b"M:tree none a\n".to_vec());
        for name in ["x/one", "two"] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(1000);
            archive.append_data(&mut header, name, &[7; 1000][..]).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        assert!(complaint(bytes.get(..2500).unwrap()).contains("is broken"));
        // Between two files, after both, and in the middle of the end.
        let head = "M:tree none a\n".len();
        for blocks in [0, 3, 6, 7] {
            let cut = bytes.get(..head + blocks * 512).unwrap();
            assert_eq!(complaint(cut), "what it sends breaks off", "{blocks}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(&bytes, folder.path()).is_ok());
    }

    #[test]
    fn names_without_end_are_refused() {
        let long = |length: usize| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(length as u64);
            header.set_cksum();
            let mut archive = tar::Builder::new(b"M:tree none a\n".to_vec());
            archive.append(&header, &*vec![b'x'; length]).unwrap();
            archive.into_inner().unwrap()
        };
        assert!(complaint(&long(2 << 20)).contains("the names in it have no end"));
        // Files may be longer than that.
        let folder = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(b"M:tree none a\n".to_vec());
        for name in ["a", "b"] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(2 << 20);
            archive.append_data(&mut header, name, &*vec![7; 2 << 20]).unwrap();
        }
        assert!(unpack(&archive.into_inner().unwrap(), folder.path()).is_ok());
    }

    #[test]
    fn sparse_files_are_refused() {
        let sparse = |format: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let file = File::create(folder.path().join("s")).unwrap();
            file.write_all_at(b"end", 1 << 20).unwrap();
            let (program, options) = format.split_first().unwrap();
            let output = std::process::Command::new(program)
                .args(options)
                .args(["-cf", "-", "-C"])
                .arg(folder.path())
                .arg("./s")
                .output();
            output.map(|output| [&b"M:tree none a\n"[..], &output.stdout].concat())
        };
        for format in
            [&["tar", "-S"][..], &["tar", "-S", "--format=posix"], &["bsdtar", "--read-sparse"]]
        {
            // The last is not everywhere.
            let Ok(archive) = sparse(format) else { continue };
            let text = "it sends `s` as a sparse file, which is not taken";
            assert_eq!(complaint(&archive), text, "{format:?}");
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for name in ["../x", "/x", "a/../../x"] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(1);
            // The library does not write such names by itself.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            let mut archive = tar::Builder::new(b"M:tree none a\n".to_vec());
            archive.append(&header, &b"x"[..]).unwrap();
            let text = complaint(&archive.into_inner().unwrap());
            assert!(text.contains("leads out"), "{text}");
        }
    }

    #[test]
    fn parts_are_as_long_as_they_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let range = |text: &[u8]| {
            let (sender, pieces) = mpsc::channel(1);
            sender.try_send([b"M:range none\n", text].concat()).unwrap();
            drop(sender);
            let place = folder.path().join("x");
            let file = File::options()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .open(&place)
                .unwrap();
            let target = Target::Range { file, place, start: 2, length: 3 };
            let incoming = Incoming::new(pieces);
            Unpack { incoming, mark: "M:".into(), target, count: Arc::default() }.run()
        };
        assert!(matches!(range(b"ab"), Err(Mishap::There(text)) if text.contains("2 bytes came")));
        // A block is longer when the file has grown.
        assert!(matches!(range(b"abcd"), Ok(Unpacked::Range)));
        assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), b"\0\0abc");

        let part = |text: &[u8]| {
            let (sender, pieces) = mpsc::channel(1);
            sender.try_send(text.to_vec()).unwrap();
            drop(sender);
            let (tell, mut told) = oneshot::channel();
            let destination = folder.path().join("y");
            let target = Target::New { destination, into_directory: false, large: Some((3, tell)) };
            let incoming = Incoming::new(pieces);
            let unpack = Unpack { incoming, mark: "M:".into(), target, count: Arc::default() };
            (unpack.run(), told.try_recv().is_ok())
        };
        let (unpacked, told) = part(b"M:part none 5 -rw------- a\nabc");
        assert!(matches!(unpacked, Ok(Unpacked::Part(_, 5))) && told);
        let (unpacked, _) = part(b"M:part none 5 -rw------- a\nab");
        assert!(matches!(unpacked, Err(Mishap::There(_))));
        let (unpacked, told) = part(b"M:file none 2 -rw------- a\nab");
        assert!(matches!(unpacked, Ok(Unpacked::File(..))) && !told);
    }

    #[test]
    fn lists_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = b"M:list none a\nd 755 40 .\0f 4644 5000000000 ./a b\nc\0l 777 3 ./l\0";
        let Ok(Unpacked::List(name, Some(list))) = unpack(bytes, folder.path()) else {
            panic!("no list");
        };
        assert_eq!((name.to_str(), list.len()), (Some("a"), 3));
        let file =
            Listed { kind: b'f', mode: 0o4644, size: 5_000_000_000, path: "./a b\nc".into() };
        assert_eq!(list.get(1), Some(&file));
    }
}
