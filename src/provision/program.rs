//! Programs of this machine that a step runs, with everything that they start.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::ProvisionError;
use super::output::{WAITING_OUTPUT, tell};
use crate::communicator::{Chunk, Exit};
use crate::event::{Emitter, Stream};

/// What is read from a program at once.
const PIECE: usize = 16 << 10;

/// How long output may follow the end of a program: something that it left running may keep the
/// pipe for ever.
const LINGER: Duration = Duration::from_secs(1);

/// How long a program that was asked to end may take to do so.
const GRACE: Duration = Duration::from_secs(3);

/// Taken while an executable file is written and while a program starts. A process that starts
/// has for a moment all files that are open here, and Linux runs no file that is open for writing.
pub(super) static STARTING: Mutex<()> = Mutex::new(());

/// A program of this machine.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Its name or path.
    pub(super) name: String,
    /// Its arguments; no shell reads them.
    pub(super) arguments: Vec<String>,
    /// Variables beside those of bake's own environment.
    pub(super) environment: BTreeMap<String, String>,
}

impl Program {
    /// Runs it and tells its output.
    pub(super) async fn run_and_tell(&self, emitter: &Emitter) -> Result<Exit, ProvisionError> {
        let (output, chunks) = mpsc::channel(WAITING_OUTPUT);
        let (exit, ()) = tokio::join!(self.run(output), tell(emitter, chunks));
        exit
    }

    /// Runs it to its end; it reads nothing. Dropping the future ends it and all that it started:
    /// they are asked to, and killed when they do not.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(super) async fn run(&self, output: mpsc::Sender<Chunk>) -> Result<Exit, ProvisionError> {
        let failed = |source| ProvisionError::Program { program: self.name.clone(), source };
        let mut command = Command::new(&self.name);
        command
            .args(&self.arguments)
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for bake, which decides what becomes of its steps.
            .process_group(0);
        let mut child = {
            let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
            command.spawn().map_err(failed)?
        };
        let outputs = (child.stdout.take(), child.stderr.take());
        let mut group = Group::of(child);
        let outputs = async {
            tokio::join!(
                pass(outputs.0, Stream::Stdout, &output),
                pass(outputs.1, Stream::Stderr, &output)
            )
        };
        tokio::pin!(outputs);
        let mut drained = false;
        let status = loop {
            tokio::select! {
                status = group.wait() => break status.map_err(failed)?,
                _ = &mut outputs, if !drained => drained = true,
            }
        };
        if !drained {
            // What is left running belongs to whoever started it.
            drop(timeout(LINGER, outputs).await);
        }
        Ok(exit(status))
    }
}

/// Passes output on until it ends.
async fn pass(from: Option<impl AsyncRead + Unpin>, stream: Stream, to: &mpsc::Sender<Chunk>) {
    let Some(mut from) = from else { return };
    let mut bytes = Vec::with_capacity(PIECE);
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        let bytes = std::mem::replace(&mut bytes, Vec::with_capacity(PIECE));
        if to.send(Chunk { stream, bytes }).await.is_err() {
            return;
        }
    }
}

/// How a program ended.
fn exit(status: ExitStatus) -> Exit {
    match (status.code().and_then(|code| u32::try_from(code).ok()), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal_name(signal.unwrap_or_default())),
    }
}

/// A signal's name without `SIG`, as far as programs usually die of it.
fn signal_name(number: i32) -> String {
    let known = [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::ABORT, "ABRT"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::SEGV, "SEGV"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
    ];
    let name = known.iter().find(|(signal, _)| signal.as_raw() == number);
    name.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// A program that leads a process group. Dropping it before it has ended ends the group.
struct Group {
    child: Option<Child>,
    id: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child: Some(child), id }
    }

    /// Waits until the program has ended. What it left running goes on.
    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let Some(child) = &mut self.child else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let status = child.wait().await?;
        self.child = None;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let (Some(mut child), Some(id)) = (self.child.take(), self.id) else { return };
        signal(id, Signal::TERM);
        let last = LastWord(id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                drop(timeout(GRACE, child.wait()).await);
                drop(last);
                drop(child.wait().await);
            }));
        }
    }
}

/// Kills a process group when it is dropped, be it that the runtime ends before the group does.
struct LastWord(Pid);

impl Drop for LastWord {
    fn drop(&mut self) {
        signal(self.0, Signal::KILL);
    }
}

/// A group that is gone needs no signal.
fn signal(group: Pid, signal: Signal) {
    let _: Result<(), _> = kill_process_group(group, signal);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shell(text: &str) -> Program {
        Program {
            name: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), text.to_owned()],
            environment: BTreeMap::from([("WORD".to_owned(), "it's".to_owned())]),
        }
    }

    /// How a program ends and what it prints, in the order of the streams.
    async fn run(program: &Program) -> (Exit, String) {
        let (output, mut chunks) = mpsc::channel(100);
        let exit = program.run(output).await.unwrap();
        let mut printed = [Vec::new(), Vec::new()];
        while let Some(chunk) = chunks.recv().await {
            printed[usize::from(chunk.stream == Stream::Stderr)].extend(chunk.bytes);
        }
        (exit, String::from_utf8(printed.concat()).unwrap())
    }

    #[tokio::test]
    async fn output_and_status_arrive() {
        let (exit, printed) = run(&shell("echo \"$WORD\"; echo no >&2; cat; exit 3")).await;
        assert_eq!((exit, printed.as_str()), (Exit::Code(3), "it's\nno\n"));
        assert_eq!(run(&shell("kill -SEGV $$")).await.0, Exit::Signal("SEGV".to_owned()));
    }

    #[tokio::test]
    async fn a_program_that_is_missing_says_so() {
        let program = Program { name: "/no/such/program".to_owned(), ..shell("") };
        let (output, _chunks) = mpsc::channel(1);
        let error = program.run(output).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot run `/no/such/program`: No such file or directory (os error 2)"
        );
        assert!(!error.hints().is_empty());
    }

    #[tokio::test]
    async fn what_a_program_leaves_running_is_not_waited_for() {
        let start = std::time::Instant::now();
        let (exit, printed) = run(&shell("sleep 20 & echo $!")).await;
        assert_eq!(exit, Exit::Code(0));
        assert!(start.elapsed() < Duration::from_secs(10));
        let left = printed.trim().parse().ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    /// Waits until a process is gone, or a zombie whose parent has not looked yet.
    async fn gone(pid: &str) {
        for _ in 0..500 {
            let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
            if stat.map_or(true, |stat| stat.contains(") Z ")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{pid} still runs");
    }

    #[tokio::test]
    async fn dropping_it_ends_its_children_too() {
        let program = shell("trap '' TERM; sleep 60 & echo $! $$; wait; sleep 60");
        let (output, mut chunks) = mpsc::channel(10);
        let printed = {
            let run = program.run(output);
            tokio::pin!(run);
            tokio::select! {
                _ = &mut run => panic!("it ended"),
                chunk = chunks.recv() => chunk.unwrap().bytes,
            }
        };
        let printed = String::from_utf8(printed).unwrap();
        for pid in printed.split_whitespace() {
            gone(pid).await;
        }
    }
}
