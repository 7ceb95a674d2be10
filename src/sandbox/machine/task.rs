//! Tasks: programs that run as root in a machine without a log-in, as an agent's do.
//!
//! A task is run by bake's own executable in the role `ENTER`: it joins the
//! namespaces of process 1 and starts the program there. Its standard input is
//! a socket to bake (the task, a request to kill it, how it ended), its
//! standard output the handle of process 1.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::MachineError;
use super::failure::Tried;
use super::protocol::{SAY_KILL, role};

/// A file that a task is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFile {
    /// Where; directories above it are made for root alone.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// What is in it.
    pub content: String,
}

/// A program to run as root, in a process group of its own, without input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Files to write first; one that is there already is replaced.
    pub files: Vec<TaskFile>,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// The file that standard output is added to.
    pub stdout: PathBuf,
    /// The file that standard error is added to.
    pub stderr: PathBuf,
    /// How many bytes of each stream, from the start, are wanted back.
    pub head: usize,
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// The exit code; `None` when a signal ended the program.
    pub code: Option<i32>,
    /// The start of standard output.
    pub stdout: String,
    /// The start of standard error.
    pub stderr: String,
    /// Whether the machine was on its way down.
    pub going_down: bool,
}

/// What a task's process says at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Ended(TaskEnd),
    Failed(String),
}

/// Runs a task in the machine of this process 1. `kill` ends its process group with SIGKILL;
/// dropping the future does, too.
pub(super) async fn run(
    program: &Path,
    init: OwnedFd,
    task: &Task,
    kill: CancellationToken,
) -> Result<TaskEnd, MachineError> {
    let (ours, theirs) = StdUnixStream::pair().tried(|| "make a socket pair".to_owned())?;
    let mut child = tokio::process::Command::new(program)
        .arg(role::ENTER)
        .env_clear()
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(init))
        .stderr(Stdio::null())
        .spawn()
        .tried_on("start", program)?;
    let answer = converse(ours, task, kill).await;
    child.wait().await.tried(|| "wait for a task".to_owned())?;
    match answer.tried(|| "talk to a task".to_owned())? {
        Some(Answer::Ended(end)) => Ok(end),
        Some(Answer::Failed(reason)) => Err(MachineError::Other(reason)),
        None => Err(MachineError::Other("the machine went away".to_owned())),
    }
}

async fn converse(
    socket: StdUnixStream,
    task: &Task,
    kill: CancellationToken,
) -> io::Result<Option<Answer>> {
    socket.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(socket)?;
    let text = serde_json::to_vec(task)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut answer = Vec::new();
    let sent = async {
        socket.write_all(&length.to_be_bytes()).await?;
        socket.write_all(&text).await
    };
    // A task that cannot enter says why and reads nothing.
    drop(sent.await);
    let mut killed = false;
    loop {
        tokio::select! {
            read = socket.read_buf(&mut answer) => match read {
                Ok(0) => break,
                Ok(_) => {}
                // It ended by itself, with the request to kill it unread.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            },
            () = kill.cancelled(), if !killed => {
                killed = true;
                // It has ended already when this cannot be written.
                drop(socket.write_all(SAY_KILL.as_bytes()).await);
            }
        }
    }
    if answer.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&answer)?))
}
