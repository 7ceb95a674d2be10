//! Fetching files: a tar archive of each match, one after the other, compressed where that works.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::GzDecoder;
use tokio::sync::mpsc;
use tokio::time::{Duration, interval};

use super::communicator::Ssm;
use super::upload::command;
use crate::communicator::{Chunk, CommunicatorError, Download, DownloadReport, Exit, Stdin};
use crate::event::Stream;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// Sends archives of what the pattern matches. Takes the pattern, a mark that says that one of them
/// failed, and whether to compress. The first line says how many there are, and of what kind.
const SEND: &str = r#"s=$1 mark=$2 z=$3
case $s in "~") s=$HOME ;; "~/"*) s=$HOME/${s#??} ;; esac
case $s in /) ;; */) s=${s%/} ;; esac
if [ -e "$s" ] || [ -L "$s" ]; then set -- "$s"; else IFS=; set -- $s; unset IFS; fi
if [ ! -e "$1" ] && [ ! -L "$1" ]; then echo "$s: No such file or directory" >&2; exit 1; fi
command -v tar >/dev/null 2>&1 || { echo "there is no tar on the instance" >&2; exit 127; }
k=other; [ -f "$1" ] && [ ! -L "$1" ] && k=file
echo "$# $k"
all() {
  for m; do
    case $m in */*) p=${m%/*} ;; *) p=. ;; esac
    tar -c -f - -C "${p:-/}" -- "${m##*/}" || echo "$mark" >&2
  done
}
if [ "$z" = z ]; then all "$@" | gzip -1 -c; else all "$@"; fi
"#;

/// Fetches files as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(super) async fn download(
    ssm: &Ssm,
    download: &Download,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    const WANTED: &str = "download";
    let failed = |reason: String| ssm.failed(WANTED, format!("`{}`: {reason}", download.source));
    if download.source.is_empty() {
        return Err(failed("the source is empty".to_owned()));
    }
    let compressed = ssm.compresses().await?;
    let mark = format!("bake-failed-{:016x}", rand::random::<u64>());
    let form = if compressed { "z" } else { "" };
    let script = command(SEND, &[&download.source, &mark, form]);

    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    let (sender, pieces) = mpsc::channel::<Vec<u8>>(16);
    let got = Arc::new(AtomicU64::new(0));
    let (wanted, count) = (download.clone(), got.clone());
    let unpacking = tokio::task::spawn_blocking(move || {
        unpack(
            Pieces { receiver: pieces, piece: Vec::new(), taken: 0 },
            compressed,
            &wanted,
            &count,
        )
    });
    let sorting = async {
        let mut said = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            if chunk.stream == Stream::Stdout {
                // When nobody unpacks any more, there is an error to tell, once the rest is read.
                drop(sender.send(chunk.bytes).await);
            } else {
                let room = COMPLAINTS.saturating_sub(said.len());
                said.extend(chunk.bytes.into_iter().take(room));
            }
        }
        drop(sender);
        String::from_utf8_lossy(&said).into_owned()
    };
    let telling = async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            progress(got.load(Ordering::Relaxed));
        }
    };
    let both = async { tokio::join!(ssm.run(&script, Stdin::Empty, output), sorting) };
    let (exit, said) = tokio::select! {
        both = both => both,
        () = telling => return Err(failed("interrupted".to_owned())),
    };
    let unpacked = unpacking.await.unwrap_or_else(|error| Err(io::Error::other(error.to_string())));
    let words = said.lines().filter(|line| *line != mark).collect::<Vec<_>>().join("; ");
    match exit? {
        Exit::Code(0) if !said.contains(&mark) => {}
        Exit::Code(code) if words.is_empty() => {
            return Err(failed(format!("the sending command ended with status {code}")));
        }
        Exit::Code(_) => return Err(failed(words)),
        Exit::Signal(signal) => {
            return Err(failed(format!("the sending command was killed by SIG{signal}")));
        }
        Exit::Disconnected { reason } => return Err(failed(reason)),
    }
    let report = unpacked.map_err(|error| failed(error.to_string()))?;
    progress(report.bytes);
    Ok(report)
}

/// What comes from the async side.
struct Pieces {
    receiver: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    taken: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken >= self.piece.len() {
            let Some(piece) = self.receiver.blocking_recv() else { return Ok(0) };
            (self.piece, self.taken) = (piece, 0);
        }
        let rest = self.piece.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let (room, _) = buffer.split_at_mut(count);
        room.copy_from_slice(rest.get(..count).unwrap_or_default());
        self.taken += count;
        Ok(count)
    }
}

/// Reads the line that comes before the archives.
fn heading(reader: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        if reader.read(&mut byte)? == 0 || line.len() > 100 {
            return Err(io::Error::other("nothing arrived"));
        }
        match byte {
            [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
            [byte] => line.push(byte),
        }
    }
}

/// Unpacks what arrives, and never outside of the destination.
fn unpack(
    mut pieces: Pieces,
    compressed: bool,
    download: &Download,
    got: &AtomicU64,
) -> io::Result<DownloadReport> {
    let heading = heading(&mut pieces)?;
    let to_name = heading == "1 file" && !download.into_directory && !download.destination.is_dir();
    let reader: Box<dyn Read> =
        if compressed { Box::new(GzDecoder::new(pieces)) } else { Box::new(pieces) };
    let mut archive = tar::Archive::new(reader);
    // One archive follows the other.
    archive.set_ignore_zeros(true);
    let root = &download.destination;
    if to_name {
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
    } else {
        fs::create_dir_all(root)?;
    }
    let mut report = DownloadReport { bytes: 0, files: 0 };
    let mut directories = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let target = if to_name { root.clone() } else { inside(root, &path)? };
        let mode = entry.header().mode()? & 0o7777;
        match entry.header().entry_type() {
            tar::EntryType::Directory if !to_name => {
                if !fs::symlink_metadata(&target).is_ok_and(|found| found.is_dir()) {
                    fs::create_dir_all(&target)?;
                }
                directories.insert(target, mode);
            }
            tar::EntryType::Regular | tar::EntryType::GNUSparse => {
                let bytes = save(&mut entry, &target, mode, got)?;
                report.bytes += bytes;
                report.files += 1;
            }
            tar::EntryType::Link if !to_name => {
                let original = entry.link_name()?.unwrap_or_default().into_owned();
                let original = inside(root, &original)?;
                let mut original = File::open(original)?;
                report.bytes += save(&mut original, &target, mode, got)?;
                report.files += 1;
            }
            tar::EntryType::Symlink if !to_name => {
                let to = entry.link_name()?.unwrap_or_default().into_owned();
                make_room(&target)?;
                symlink(to, &target)?;
            }
            other => {
                tracing::debug!(?other, path = %path.display(), "passed over an entry");
            }
        }
    }
    // Last, and from the inside out: a directory may be one that nothing can be written to.
    for (directory, mode) in directories.iter().rev() {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode & 0o777))?;
    }
    if to_name && report.files == 0 {
        return Err(io::Error::other("the file did not arrive"));
    }
    Ok(report)
}

/// The place of an entry; an error when it would be outside of the root, also by a link.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let refused = || io::Error::other(format!("the archive names `{}`", path.display()));
    let mut target = root.to_owned();
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    if parts.peek().is_none() {
        return Err(refused());
    }
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(refused()) };
        target.push(name);
        let is_link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
        if parts.peek().is_some() && is_link {
            return Err(io::Error::other(format!(
                "the archive names `{}`, which lies behind a link",
                path.display()
            )));
        }
    }
    Ok(target)
}

/// Makes the directory of a target, and takes away a link that stands in its place.
fn make_room(target: &Path) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::symlink_metadata(target) {
        Ok(found) if found.is_symlink() => fs::remove_file(target),
        _ => Ok(()),
    }
}

/// Writes a file beside its place and moves it there once it is whole.
fn save(from: &mut impl Read, target: &Path, mode: u32, got: &AtomicU64) -> io::Result<u64> {
    make_room(target)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    let mut bytes = 0;
    let mut space = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut space)?;
        if count == 0 {
            break;
        }
        io::Write::write_all(&mut file, space.get(..count).unwrap_or_default())?;
        bytes += count as u64;
        got.fetch_add(count as u64, Ordering::Relaxed);
    }
    file.as_file().set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(bytes)
}
