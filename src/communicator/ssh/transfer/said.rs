//! What a script on the far side tells.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::packing::Packing;
use super::shell::Tool;
use crate::communicator::Chunk;
use crate::event::Stream;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// How long a line of the far side may be; the rest of it is not looked at.
const LINE: usize = 4 << 10;

/// What a script of ours starts its own words with, as login shells and tools say things, too.
pub(super) struct Mark(String);

impl Mark {
    /// One that nobody has seen.
    pub(super) fn new() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// 16 hexadecimal digits.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The words of a line that the script said.
    pub(super) fn words<'l>(&self, line: &'l str) -> Option<&'l str> {
        line.split_once(&self.0)?.1.strip_prefix(':')
    }
}

/// What the far side can do.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    /// What it computes SHA-256 with.
    pub(super) tool: Option<Tool>,
    /// What it can unpack.
    pub(super) packings: Vec<Packing>,
}

/// All that a script has told.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What it found when it started; nothing when it did not start.
    pub(super) ready: Option<Ready>,
    /// Whether the name was appended to the destination.
    pub(super) appended: bool,
    /// The digest of what it has got.
    pub(super) digest: Option<String>,
    /// Whether it came to its end.
    pub(super) done: bool,
    /// Whether there is no `tar`.
    pub(super) no_tar: bool,
    /// What others said.
    pub(super) complaints: String,
}

impl Said {
    fn words(&mut self, words: &str) {
        let mut words = words.split_whitespace();
        match words.next() {
            Some("ready") => {
                let mut ready = Ready::default();
                for word in words {
                    ready.tool = ready.tool.or(Tool::named(word));
                    ready.packings.extend(Packing::named(word));
                }
                self.ready = Some(ready);
            }
            Some("appended") => self.appended = true,
            Some("digest") => self.digest = words.next().map(str::to_owned),
            Some("done") => self.done = true,
            Some("no-tar") => self.no_tar = true,
            _ => {}
        }
    }

    fn complaint(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() || self.complaints.len() >= COMPLAINTS {
            return;
        }
        if !self.complaints.is_empty() {
            self.complaints.push_str("; ");
        }
        self.complaints.push_str(line);
    }
}

/// Takes in what comes from a script.
pub(super) struct Listener<'a> {
    mark: &'a Mark,
    said: Said,
    line: Vec<u8>,
    checks: &'a AtomicBool,
}

impl<'a> Listener<'a> {
    /// Sets `checks` once the far side says that it computes digests.
    pub(super) fn new(mark: &'a Mark, checks: &'a AtomicBool) -> Self {
        Self { mark, said: Said::default(), line: Vec::new(), checks }
    }

    /// Bytes of standard error.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_of_line();
            } else if self.line.len() < LINE {
                self.line.push(byte);
            }
        }
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        match self.mark.words(&line) {
            Some(words) => self.said.words(words),
            None => self.said.complaint(&line),
        }
        if self.said.ready.as_ref().is_some_and(|ready| ready.tool.is_some()) {
            self.checks.store(true, Ordering::Relaxed);
        }
    }

    /// Nothing more comes.
    pub(super) fn end(mut self) -> Said {
        self.end_of_line();
        self.said
    }
}

/// Takes in everything that a script says that has no output of its own.
pub(super) async fn listen(
    mark: &Mark,
    checks: &AtomicBool,
    mut output: mpsc::Receiver<Chunk>,
) -> Said {
    let mut listener = Listener::new(mark, checks);
    while let Some(chunk) = output.recv().await {
        // Standard output is where login shells chat.
        if chunk.stream == Stream::Stderr {
            listener.take(&chunk.bytes);
        }
    }
    listener.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_script_are_told_from_those_of_others() {
        let mark = Mark::new();
        let checks = AtomicBool::new(false);
        let mut listener = Listener::new(&mark, &checks);
        listener.take(format!("Welcome!\nno line end{}:rea", mark.text()).as_bytes());
        assert!(!checks.load(Ordering::Relaxed));
        listener.take(b"dy openssl zstd gzip\ntar: x: Cannot\n\n");
        assert!(checks.load(Ordering::Relaxed));
        listener.take(format!("{0}:appended\n{0}:digest abc\n{0}:done", mark.text()).as_bytes());
        let said = listener.end();
        let ready = said.ready.unwrap();
        assert_eq!((ready.tool, said.appended), (Some(Tool::OpenSsl), true));
        assert_eq!(ready.packings, [Packing::Zstd, Packing::Gzip]);
        assert_eq!((said.digest.as_deref(), said.done), (Some("abc"), true));
        assert_eq!(said.complaints, "Welcome!; tar: x: Cannot");
    }
}
