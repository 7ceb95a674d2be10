//! Fetching files: through the output of one PowerShell.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::time::{Duration, interval};

use super::communicator::WinRm;
use super::powershell::{LINE, send};
use super::upload::one_line;
use crate::communicator::{Chunk, CommunicatorError, Download, DownloadReport, Exit, Stdin};
use crate::event::Stream;
use crate::plan::Digest;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;
/// The mode of files; Windows has none.
const MODE: u32 = 0o644;

/// Fetches files as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(super) async fn download(
    winrm: &WinRm,
    download: &Download,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<DownloadReport, CommunicatorError> {
    let failed =
        |reason: String| CommunicatorError::Download { remote: download.source.clone(), reason };
    if download.source.is_empty() {
        return Err(failed("the source is empty".to_owned()));
    }
    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    let (sender, pieces) = mpsc::channel::<Vec<u8>>(16);
    let got = Arc::new(AtomicU64::new(0));
    let (wanted, count) = (download.clone(), got.clone());
    let landing = tokio::task::spawn_blocking(move || Landing::new(&wanted, count).land(pieces));
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
        one_line(&said)
    };
    let telling = async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            progress(got.load(Ordering::Relaxed));
        }
    };
    let command = send();
    let pattern = format!("{}\n", BASE64_STANDARD.encode(&download.source)).into_bytes();
    let running = winrm.run(&command, Stdin::Bytes(pattern.into()), output);
    let both = async { tokio::join!(running, sorting) };
    let (exit, said) = tokio::select! {
        both = both => both,
        () = telling => return Err(failed("interrupted".to_owned())),
    };
    let landed = landing.await.unwrap_or_else(|error| Err(io::Error::other(error.to_string())));
    match exit?.or_lost()? {
        Exit::Code(0) => {}
        Exit::Code(code) if said.is_empty() => {
            return Err(failed(format!("PowerShell ended with status {code}")));
        }
        _ => return Err(failed(said)),
    }
    let report = landed.map_err(|error| failed(error.to_string()))?;
    progress(report.bytes);
    Ok(report)
}

/// Files that arrive.
struct Landing<'a> {
    download: &'a Download,
    got: Arc<AtomicU64>,
    /// Whether the one file becomes the destination itself.
    to_name: bool,
    open: Option<Open>,
    report: DownloadReport,
    /// Whether all has arrived.
    complete: bool,
}

/// A file under way: beside its place, until it is whole.
struct Open {
    file: NamedTempFile,
    target: PathBuf,
    hasher: Sha256,
}

impl<'a> Landing<'a> {
    fn new(download: &'a Download, got: Arc<AtomicU64>) -> Self {
        let report = DownloadReport { bytes: 0, files: 0 };
        Self { download, got, to_name: false, open: None, report, complete: false }
    }

    fn land(mut self, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<DownloadReport> {
        let mut rest = Vec::new();
        while let Some(piece) = pieces.blocking_recv() {
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                rest.extend_from_slice(part);
                if rest.ends_with(b"\n") {
                    self.line(&rest)?;
                    rest.clear();
                } else if rest.len() > LINE {
                    return Err(odd());
                }
            }
        }
        if self.complete { Ok(self.report) } else { Err(io::Error::other("not all of it arrived")) }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line = std::str::from_utf8(line).map_err(|_| odd())?;
        let line = line.trim_start_matches('\u{feff}').trim();
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" => Ok(()),
            "K" => self.begin(argument == "file"),
            "d" => {
                let target = self.place(argument)?;
                fs::create_dir_all(target)
            }
            "f" => self.start(argument),
            "+" => self.push(argument),
            "." => self.finish(argument),
            "E" => {
                self.complete = true;
                Ok(())
            }
            _ => Err(odd()),
        }
    }

    fn begin(&mut self, one_file: bool) -> io::Result<()> {
        let root = &self.download.destination;
        self.to_name = one_file && !self.download.into_directory && !root.is_dir();
        if self.to_name { make_parent(root) } else { fs::create_dir_all(root) }
    }

    /// Where a name of the far side's goes.
    fn place(&self, encoded: &str) -> io::Result<PathBuf> {
        let name = BASE64_STANDARD.decode(encoded).map_err(|_| odd())?;
        let name = String::from_utf8(name).map_err(|_| odd())?;
        if self.to_name {
            return Ok(self.download.destination.clone());
        }
        inside(&self.download.destination, Path::new(&name))
    }

    fn start(&mut self, encoded: &str) -> io::Result<()> {
        let target = self.place(encoded)?;
        make_parent(&target)?;
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        self.open = Some(Open { file, target, hasher: Sha256::new() });
        Ok(())
    }

    fn push(&mut self, encoded: &str) -> io::Result<()> {
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| odd())?;
        let open = self.open.as_mut().ok_or_else(odd)?;
        open.file.write_all(&bytes)?;
        open.hasher.update(&bytes);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.report.bytes += length;
        self.got.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    fn finish(&mut self, digest: &str) -> io::Result<()> {
        let Open { file, target, hasher } = self.open.take().ok_or_else(odd)?;
        if Digest::from_hasher(hasher).hex() != digest {
            return Err(io::Error::other("the digest of what arrived differs"));
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(MODE))?;
        file.persist(target).map_err(|error| error.error)?;
        self.report.files += 1;
        Ok(())
    }
}

fn odd() -> io::Error {
    io::Error::other("the instance sends something else than files")
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::create_dir_all(parent),
        None => Ok(()),
    }
}

/// The place of an entry; an error when it would be outside of the root, also by a link.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let refused = || io::Error::other(format!("the instance names `{}`", path.display()));
    let mut target = root.to_owned();
    for part in path.components() {
        if target != root && fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink()) {
            return Err(refused());
        }
        let Component::Normal(name) = part else { return Err(refused()) };
        target.push(name);
    }
    if target == root { Err(refused()) } else { Ok(target) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn land(directory: &Path, lines: &str) -> io::Result<DownloadReport> {
        let destination = directory.join("to");
        let download = Download { source: "x".into(), destination, into_directory: true };
        let (sender, pieces) = mpsc::channel(1000);
        for piece in lines.as_bytes().chunks(7) {
            sender.try_send(piece.to_vec()).unwrap();
        }
        drop(sender);
        Landing::new(&download, Arc::default()).land(pieces)
    }

    fn name(text: &str) -> String {
        BASE64_STANDARD.encode(text)
    }

    #[test]
    fn nothing_lands_outside() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x", "", "."] {
            let result = land(directory.path(), &format!("K other\r\nd {}\r\nE\r\n", name(path)));
            assert!(result.is_err(), "{path}");
        }
        fs::create_dir_all(directory.path().join("to")).unwrap();
        std::os::unix::fs::symlink("/tmp", directory.path().join("to/link")).unwrap();
        let through = format!("K other\nf {}\n", name("link/bake-was-here"));
        assert!(land(directory.path(), &through).is_err());
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"hi").hex();
        let begin = format!("\u{feff}K other\r\nf {}\r\n+ aGk=\r\n", name("a/b"));
        let wrong = Digest::of(b"ho").hex();
        assert!(land(directory.path(), &format!("{begin}. {wrong}\r\nE\r\n")).is_err());
        assert!(land(directory.path(), &begin).is_err());
        assert!(!directory.path().join("to/a/b").exists());
        let report = land(directory.path(), &format!("{begin}. {digest}\r\nE\r\n")).unwrap();
        assert_eq!(report, DownloadReport { bytes: 2, files: 1 });
        assert_eq!(fs::read(directory.path().join("to/a/b")).unwrap(), b"hi");
        assert_eq!(fs::read_dir(directory.path().join("to/a")).unwrap().count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_is_an_error_at_most(lines in "([Kdf+.E]( [A-Za-z0-9=/.]{0,8})?\r?\n){0,12}") {
            let directory = tempfile::tempdir().unwrap();
            drop(land(directory.path(), &lines));
            prop_assert!(fs::read_dir(directory.path()).unwrap().count() <= 1);
        }
    }
}
