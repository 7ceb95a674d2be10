//! Both programs, with the same input.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::support::Workspace;

/// Packer with bounds on its time and memory, as it is a program that we do not know.
const BOUNDED: &str = "ulimit -v 4000000; exec timeout 30 packer \"$@\"";

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) succeeded: bool,
    /// Standard output of a success, without the last line's end.
    pub(super) text: String,
    /// Everything that was printed, for whoever reads a failure.
    pub(super) all: String,
}

/// Packer and bake in a directory of their own.
pub(super) struct Programs {
    workspace: Workspace,
}

impl Programs {
    /// # Panics
    /// Packer is not installed, or another version.
    pub(super) fn new() -> Self {
        let programs = Self { workspace: Workspace::new() };
        let version = programs.packer(&["version"], "");
        assert!(
            version.all.contains("1.6.6"),
            "Debian's package `packer` (1.6.6) is needed: {}",
            version.all
        );
        programs
    }

    pub(super) fn packer(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", BOUNDED, "packer"]).args(arguments);
        command.env("CHECKPOINT_DISABLE", "1");
        self.run(command, input)
    }

    pub(super) fn bake(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command.args(arguments);
        self.run(command, input)
    }

    fn run(&self, mut command: Command, input: &str) -> Said {
        let mut child = command
            .current_dir(self.workspace.path())
            .env("HOME", self.workspace.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start");
        // A program that does not read its input may be gone by now.
        drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
        let Output { status, stdout, stderr } = child.wait_with_output().expect("wait");
        let text = String::from_utf8_lossy(&stdout).trim_end_matches('\n').to_owned();
        let all = format!("{text}\n{}", String::from_utf8_lossy(&stderr));
        // The legacy console of 1.6.6 ends well whatever it says.
        let succeeded = status.success() && !text.contains(": Interpolation error");
        Said { succeeded, text: if succeeded { text } else { String::new() }, all }
    }
}

/// Does something with each of `inputs`, on a few threads; results are in order.
pub(super) fn for_each<T: Sync, R: Send>(inputs: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let left = Mutex::new(inputs.iter().enumerate());
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let work = || {
            let next = || left.lock().expect("no panic holds it").next();
            std::iter::from_fn(next).map(|(index, one)| (index, act(one))).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|one| one.join().expect("no panic")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A path as an argument.
pub(super) fn argument(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
