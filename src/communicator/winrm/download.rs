//! Fetching files: through the output of one PowerShell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::mpsc;
use tokio::time::{Duration, interval};

use super::communicator::WinRm;
use super::powershell::{LINE, send};
use super::upload::one_line;
use crate::communicator::plain_landing::{PlainLanding, odd};
use crate::communicator::stream::Mishap;
use crate::communicator::stream::receive::told;
use crate::communicator::{Chunk, CommunicatorError, Download, DownloadReport, Exit, Stdin};
use crate::event::Stream;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

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
    let lines = Lines::new(download.clone(), got.clone());
    let landing = tokio::task::spawn_blocking(move || lines.land(pieces));
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
    let landed = landing.await.map_err(|error| failed(error.to_string()))?;
    match exit?.or_lost()? {
        Exit::Code(0) => {}
        Exit::Code(code) if said.is_empty() => {
            return Err(failed(format!("PowerShell ended with status {code}")));
        }
        _ => return Err(failed(said)),
    }
    let landed = landed.map_err(|error| told(download, error))?;
    let finished = tokio::task::spawn_blocking(move || landed.finish()).await;
    let report = finished
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| told(download, error))?;
    progress(report.bytes);
    Ok(report)
}

/// The lines that arrive.
struct Lines {
    download: Download,
    got: Arc<AtomicU64>,
    landing: Option<PlainLanding>,
    /// Whether all has arrived.
    complete: bool,
}

impl Lines {
    fn new(download: Download, got: Arc<AtomicU64>) -> Self {
        Self { download, got, landing: None, complete: false }
    }

    /// All of them; what they make is not in its place yet.
    fn land(mut self, mut pieces: mpsc::Receiver<Vec<u8>>) -> Result<PlainLanding, Mishap> {
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
        match self.landing.filter(|_| self.complete) {
            Some(landing) => Ok(landing),
            None => Err(Mishap::There("not all of it arrived".to_owned())),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Mishap> {
        let line = std::str::from_utf8(line).map_err(|_| odd())?;
        let line = line.trim_start_matches('\u{feff}').trim();
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        if word == "K" {
            self.landing = Some(PlainLanding::new(&self.download, argument == "file")?);
            return Ok(());
        }
        if word.is_empty() {
            return Ok(());
        }
        let landing = self.landing.as_mut().ok_or_else(odd)?;
        match word {
            "d" => landing.directory(&name(argument)?),
            "f" => landing.begin(&name(argument)?),
            "+" => {
                let bytes = BASE64_STANDARD.decode(argument).map_err(|_| odd())?;
                self.got.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                landing.write(&bytes)
            }
            "." => landing.end(argument),
            "E" => {
                self.complete = true;
                Ok(())
            }
            _ => Err(odd()),
        }
    }
}

/// A name of the far side's.
fn name(encoded: &str) -> Result<String, Mishap> {
    let name = BASE64_STANDARD.decode(encoded).map_err(|_| odd())?;
    String::from_utf8(name).map_err(|_| odd())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::Digest;

    fn land(directory: &Path, lines: &str) -> Result<DownloadReport, Mishap> {
        let destination = directory.join("to");
        let download = Download { source: "x".into(), destination, into_directory: true };
        let (sender, pieces) = mpsc::channel(1000);
        for piece in lines.as_bytes().chunks(7) {
            sender.try_send(piece.to_vec()).unwrap();
        }
        drop(sender);
        Lines::new(download, Arc::default()).land(pieces)?.finish()
    }

    fn encoded(text: &str) -> String {
        BASE64_STANDARD.encode(text)
    }

    #[test]
    fn nothing_lands_outside() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x"] {
            let result =
                land(directory.path(), &format!("K other\r\nd {}\r\nE\r\n", encoded(path)));
            assert!(result.is_err(), "{path}");
        }
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"hi").hex();
        let begin = format!("\u{feff}K other\r\nf {}\r\n+ aGk=\r\n", encoded("a/b"));
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
