//! What a script on the far side tells.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::digests::Digests;
use super::fetch::PORTION;
use super::packing::Packing;
use super::shell::Tool;
use crate::communicator::{Chunk, Exit};
use crate::event::Stream;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// How long a line of the far side may be; the rest of it is not looked at. A path in a list of
/// digests may have each byte escaped.
const LINE: usize = 12 << 10;

/// How long a digest is; what is longer is none.
const HEX: usize = 64;

/// How many names an error tells.
const NAMES: usize = 3;

/// What a script of ours starts its own words with, as login shells and tools say things, too.
pub(crate) struct Mark(String);

impl Mark {
    /// One that nobody has seen.
    pub(crate) fn new() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// 16 hexadecimal digits.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The words of a line that the script said.
    pub(crate) fn words<'l>(&self, line: &'l str) -> Option<&'l str> {
        line.split_once(&self.0)?.1.strip_prefix(':')
    }
}

/// What the far side can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ready {
    /// What it computes SHA-256 with.
    pub(crate) tool: Option<Tool>,
    /// What it can unpack.
    pub(crate) packings: Vec<Packing>,
}

/// All that a script has told.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What it found when it started; nothing when it did not start.
    pub(crate) ready: Option<Ready>,
    /// Whether the name was appended to the destination.
    pub(crate) appended: bool,
    /// Whether the file, or the directory of the tree, was not there before.
    pub(crate) made: bool,
    /// Digests that it told one by one, at most [`PORTION`]; empty where it could not compute one.
    pub(crate) single: Vec<String>,
    /// Digests that it told as a list.
    pub(crate) digests: Digests,
    /// Whether it came to its end.
    pub(crate) done: bool,
    /// Whether there is no `tar`.
    pub(crate) no_tar: bool,
    /// What others said.
    pub(crate) complaints: String,
}

impl Said {
    /// The one digest that it told.
    pub(crate) fn digest(&self) -> Option<&String> {
        self.single.first().filter(|digest| !digest.is_empty())
    }

    /// What was said by something that is not our script.
    pub(crate) fn instead(self) -> String {
        if self.complaints.is_empty() { "it says nothing".into() } else { self.complaints }
    }

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
            Some("made") => self.made = true,
            Some("digest") if self.single.len() < PORTION => {
                let digest = words.next().filter(|digest| digest.len() <= HEX).unwrap_or_default();
                self.single.push(digest.to_owned());
            }
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
pub(crate) struct Listener<'a> {
    mark: &'a Mark,
    said: Said,
    line: Vec<u8>,
    /// Whether lines of a list come.
    lists: bool,
    checks: &'a AtomicBool,
}

impl<'a> Listener<'a> {
    /// Sets `checks` once the far side says that it computes digests.
    pub(crate) fn new(mark: &'a Mark, checks: &'a AtomicBool) -> Self {
        Self { mark, said: Said::default(), line: Vec::new(), lists: false, checks }
    }

    /// Bytes of standard error.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_of_line();
            } else if self.line.len() < LINE {
                self.line.push(byte);
            }
        }
    }

    fn end_of_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        match self.mark.words(&line) {
            Some("list") => self.lists = true,
            Some("end") => self.lists = false,
            Some(words) => self.said.words(words),
            None if self.lists => self.said.digests.line(&bytes),
            None => self.said.complaint(&line),
        }
        if self.said.ready.as_ref().is_some_and(|ready| ready.tool.is_some()) {
            self.checks.store(true, Ordering::Relaxed);
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(mut self) -> Said {
        self.end_of_line();
        self.said
    }
}

/// Takes in everything that a script says that has no output of its own.
pub(crate) async fn listen(
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

/// What is wrong with how a command ended that should have told that it is done; `doing` is what it
/// was there for. `None` when the connection was lost.
pub(super) fn wrong(exit: &Exit, complaints: &str, doing: &str) -> Option<String> {
    // What a shell makes of a command that was killed.
    let killed = |code: u32| code.checked_sub(128).filter(|signal| (1..=64).contains(signal));
    Some(match exit {
        Exit::Disconnected { .. } => return None,
        Exit::Signal(signal) => format!("the {doing} command was killed by SIG{signal}"),
        Exit::Code(code) => match (killed(*code), complaints) {
            (Some(signal), "") => format!("the {doing} command was killed by signal {signal}"),
            (Some(signal), said) => {
                format!("the {doing} command was killed by signal {signal}: {said}")
            }
            (None, "") => format!("the {doing} command ended with status {code}"),
            (None, said) => said.to_owned(),
        },
    })
}

/// Names in a sentence: some of them when there are many.
pub(super) fn enumerated(names: &[String]) -> String {
    let (first, rest) = names.split_at(names.len().min(NAMES));
    let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
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
        listener.take(
            format!("{0}:appended\n{0}:digest abc\n{0}:digest \n{0}:done", mark.text()).as_bytes(),
        );
        let said = listener.end();
        let ready = said.ready.clone().unwrap();
        assert_eq!((ready.tool, said.appended), (Some(Tool::OpenSsl), true));
        assert_eq!(ready.packings, [Packing::Zstd, Packing::Gzip]);
        assert_eq!((&*said.single, said.done), (&["abc".to_owned(), String::new()][..], true));
        assert_eq!(said.digest().unwrap(), "abc");
        assert_eq!(said.complaints, "Welcome!; tar: x: Cannot");
    }

    #[test]
    fn a_list_of_digests_is_no_complaint() {
        let (mark, checks) = (Mark::new(), AtomicBool::new(false));
        let mut listener = Listener::new(&mark, &checks);
        let hex = crate::plan::Digest::of(b"x").hex();
        let text = mark.text();
        listener.take(format!("a\n{text}:list\n{hex}  ./x\nz\n{text}:end\nb\n").as_bytes());
        let said = listener.end();
        assert!(said.digests.of("x".as_ref()).is_some());
        assert_eq!(said.complaints, "a; b");
    }

    #[test]
    fn digests_without_end_are_not_kept() {
        let (mark, checks) = (Mark::new(), AtomicBool::new(false));
        let mut listener = Listener::new(&mark, &checks);
        listener.take(format!("{}:digest {}\n", mark.text(), "0".repeat(65)).as_bytes());
        for _ in 0..2 * PORTION {
            listener.take(format!("{}:digest 00\n", mark.text()).as_bytes());
        }
        let said = listener.end();
        assert_eq!((said.single.len(), said.digest()), (PORTION, None));
    }

    #[test]
    fn what_went_wrong_is_said() {
        let said = |exit, complaints| wrong(&exit, complaints, "sending").unwrap();
        assert_eq!(said(Exit::Code(2), ""), "the sending command ended with status 2");
        assert_eq!(said(Exit::Code(2), "x"), "x");
        assert_eq!(said(Exit::Code(137), "x"), "the sending command was killed by signal 9: x");
        assert_eq!(
            said(Exit::Signal("KILL".into()), ""),
            "the sending command was killed by SIGKILL"
        );
        assert!(wrong(&Exit::Disconnected { reason: "x".into() }, "", "").is_none());
    }

    #[test]
    fn a_few_names_stand_for_many() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(enumerated(&names[..2]), "`a`, `b`");
        assert_eq!(enumerated(&names), "`a`, `b`, `c` and 2 more");
    }
}
