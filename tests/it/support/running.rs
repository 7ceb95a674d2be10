//! A bake under way, and how it ended.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// After how long a silent bake is taken to hang.
const PATIENCE: Duration = Duration::from_secs(100);

/// How a run ended.
pub(crate) struct Outcome {
    /// Exit code; 128 and more for signals.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Fails the test unless bake ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The only image id in the artifact lines.
    #[track_caller]
    pub(crate) fn image(&self) -> String {
        match self.images().as_slice() {
            [image] => image.clone(),
            _ => panic!("not one image:\n{}", self.stdout),
        }
    }

    /// The image ids in the artifact lines.
    pub(crate) fn images(&self) -> Vec<String> {
        let lines = self.stdout.lines().filter_map(|line| line.split_once(": ami-"));
        let artifacts = lines.filter(|(region, _)| region.ends_with(|c: char| c.is_ascii_digit()));
        artifacts.map(|(_, id)| format!("ami-{id}")).collect()
    }

    /// The first image hash in the artifact lines.
    #[track_caller]
    pub(crate) fn hash(&self) -> String {
        self.stdout
            .lines()
            .find_map(|line| line.strip_prefix("image hash: "))
            .unwrap_or_else(|| panic!("no hash in {}", self.stdout))
            .to_owned()
    }

    /// The lines of a build, without its name.
    pub(crate) fn lines_of(&self, build: &str) -> Vec<&str> {
        let prefix = format!("==> {build}:");
        let lines = self.stdout.lines().filter_map(|line| line.strip_prefix(&prefix));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
    }

    /// Whether an existing image was taken.
    pub(crate) fn reused(&self) -> bool {
        self.stdout.contains("AMIs were reused")
    }
}

/// A bake that runs, with its output so far.
pub(crate) struct Running {
    child: Option<Child>,
    started: Instant,
    seen: String,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it; standard output is read meanwhile, and so is standard error if it is piped.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("start bake");
        let out = child.stdout.take().expect("piped");
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.map(|line| send.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        let stderr = child.stderr.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut text = Vec::new();
                pipe.read_to_end(&mut text).expect("read standard error");
                String::from_utf8(text).expect("UTF-8")
            })
        });
        Self { child: Some(child), started: Instant::now(), seen: String::new(), lines, stderr }
    }

    /// The next line; `None` at the end.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen += &line;
                self.seen.push('\n');
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("bake hangs:\n{}", self.seen),
        }
    }

    /// Reads until a line holds `text`; fails the test when bake ends before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("bake ended before `{text}`:\n{}", self.seen)
    }

    /// Reads until a line has a word that begins with `start`, and returns the word.
    #[track_caller]
    pub(crate) fn wait_for_word(&mut self, start: &str) -> String {
        let line = self.wait_for(start);
        let word = line.split_whitespace().find(|word| word.starts_with(start));
        word.expect("a word of its own").to_owned()
    }

    /// The process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("not finished"))
    }

    /// Sends a signal to bake itself, not to what it started.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("send signal");
    }

    /// Sends a signal to bake and what it started, as a terminal does. Bake must lead its group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).expect("send signal");
    }

    /// Reads the rest and waits.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        while self.line().is_some() {}
        let status = self.child.take().expect("not finished").wait().expect("wait for bake");
        let stderr = self.stderr.take().map(|reading| reading.join().expect("read"));
        Outcome {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: std::mem::take(&mut self.seen),
            stderr: stderr.unwrap_or_default(),
            elapsed: self.started.elapsed(),
        }
    }
}

impl Drop for Running {
    /// A test that fails leaves no bake.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
