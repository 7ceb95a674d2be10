//! Runs bake with a home of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::repository;
use super::running::{Outcome, Running};

/// A temporary home, store and state directory.
pub(crate) struct Workspace {
    directory: TempDir,
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
    #[track_caller]
    pub(crate) fn bake<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        Running::start(self.command(arguments)).finish()
    }

    /// Builds a template in the sandbox.
    #[track_caller]
    pub(crate) fn build(&self, template: impl AsRef<Path>) -> Outcome {
        self.build_with(&[], template)
    }

    /// Builds a template in the sandbox, with options.
    #[track_caller]
    pub(crate) fn build_with(&self, options: &[&str], template: impl AsRef<Path>) -> Outcome {
        Running::start(self.building(options, template)).finish()
    }

    /// The command that builds a template in the sandbox.
    pub(crate) fn building(&self, options: &[&str], template: impl AsRef<Path>) -> Command {
        let mut command = self.command(["build", "--sandbox"]);
        command.args(options).arg(template.as_ref());
        command
    }

    /// The sandbox's images as `bake sandbox images` lists them, without its heading.
    #[track_caller]
    pub(crate) fn images(&self) -> Vec<String> {
        let listed = self.bake(["sandbox", "images"]).expect(0).stdout;
        listed.lines().skip(1).map(str::to_owned).collect()
    }

    /// Fails the test if a process, a mount or an instance's directory of this workspace is left.
    #[track_caller]
    pub(crate) fn assert_nothing_runs(&self) {
        let mut left = self.running();
        let instances = fs::read_dir(self.store().join("instances"));
        let instances = instances.into_iter().flatten().flatten();
        left.extend(instances.map(|entry| entry.path().display().to_string()));
        assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    }

    /// Processes and mounts of this workspace that there are now, in words.
    pub(crate) fn running(&self) -> Vec<String> {
        let home = self.path().to_str().expect("UTF-8 path");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let mounts = mounts.lines().filter(|line| line.contains(home)).map(str::to_owned);
        let processes = processes().into_iter().filter_map(|process| {
            // One that ends meanwhile reads as empty.
            let read = |name: &str| {
                let bytes = fs::read(process.join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let ours =
                ["cmdline", "environ", "mountinfo"].iter().any(|name| read(name).contains(home));
            ours.then(|| format!("{}: {}", process.display(), read("cmdline")))
        });
        mounts.chain(processes).collect()
    }
}

/// Directories in `/proc` of the processes that run now.
fn processes() -> Vec<PathBuf> {
    let is_process = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.map(|entry| entry.path()).filter(is_process).collect()
}
