//! Runs bake with a home of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::repository;

/// A temporary home, store and state directory.
pub(crate) struct Workspace {
    directory: TempDir,
}

/// How a run ended.
pub(crate) struct Outcome {
    /// Exit code; 128 and more for signals.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
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
        let lines: Vec<_> =
            self.stdout.lines().filter_map(|line| line.strip_prefix("us-east-1: ")).collect();
        assert_eq!(lines.len(), 1, "{}", self.stdout);
        lines[0].to_owned()
    }

    /// The image hash in the artifact lines.
    #[track_caller]
    pub(crate) fn hash(&self) -> String {
        self.stdout
            .lines()
            .find_map(|line| line.strip_prefix("image hash: "))
            .unwrap_or_else(|| panic!("no hash in {}", self.stdout))
            .to_owned()
    }

    /// What the instance printed, without prefixes.
    pub(crate) fn output_of(&self, build: &str) -> Vec<&str> {
        let prefix = format!("==> {build}: ");
        self.stdout.lines().filter_map(|line| line.strip_prefix(&prefix)).collect()
    }
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("temporary directory") }
    }

    /// Where templates of a test go.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The sandbox store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("data/bake/sandbox")
    }

    /// Writes a file, with its directories.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make directories");
        fs::write(&path, text).expect("write file");
        path
    }

    /// bake, in the repository's directory, with nothing of this machine's settings.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command
            .args(arguments)
            .current_dir(repository())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path().join("home"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs bake to its end.
    pub(crate) fn bake<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        finished(self.command(arguments).spawn().expect("start bake"))
    }

    /// Builds a template in the sandbox.
    pub(crate) fn build(&self, template: &Path) -> Outcome {
        self.bake([OsStr::new("build"), OsStr::new("--sandbox"), template.as_os_str()])
    }

    /// Fails the test if a process or a mount of this workspace is left.
    #[track_caller]
    pub(crate) fn assert_nothing_runs(&self) {
        let store = self.store();
        let store = store.to_str().expect("UTF-8 path");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        assert!(!mounts.contains(store), "a mount is left:\n{mounts}");
        for process in processes() {
            let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let mounts = String::from_utf8_lossy(&read("mountinfo")).into_owned();
            assert!(
                !command.contains(store) && !mounts.contains(store),
                "a process is left: {} {command}",
                process.display()
            );
        }
        let instances = fs::read_dir(self.path().join("data/bake/sandbox/instances"));
        let left: Vec<_> =
            instances.into_iter().flatten().flatten().map(|one| one.path()).collect();
        assert!(left.is_empty(), "directories of instances are left: {left:?}");
    }
}

/// Directories in `/proc` of the processes that run now.
fn processes() -> Vec<PathBuf> {
    fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .and_then(OsStr::to_str)
                .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .collect()
}

/// Waits for a process and takes its output.
pub(crate) fn finished(child: Child) -> Outcome {
    let output = child.wait_with_output().expect("wait for bake");
    let code = output.status.code().unwrap_or_else(|| {
        128 + std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or_default()
    });
    Outcome {
        code,
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A bake that runs, with its output so far.
pub(crate) struct Running {
    child: Child,
    seen: String,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("start bake");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, seen: String::new(), lines }
    }

    /// Reads until a line holds `text`; fails the test when bake ends before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("read output");
            self.seen += &line;
            assert!(read > 0, "bake ended before `{text}`:\n{}", self.seen);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads until a line has a word that begins with `start`, and returns the word.
    #[track_caller]
    pub(crate) fn wait_for_word(&mut self, start: &str) -> String {
        let line = self.wait_for(start);
        let word = line.split_whitespace().find(|word| word.starts_with(start));
        word.expect("a word of its own").to_owned()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        let process = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(process, signal).expect("send signal");
    }

    /// Reads the rest and waits.
    pub(crate) fn finish(mut self) -> Outcome {
        let mut line = String::new();
        while self.lines.read_line(&mut line).expect("read output") > 0 {
            self.seen += &line;
            line.clear();
        }
        let mut outcome = finished(self.child);
        outcome.stdout = self.seen;
        outcome
    }
}
