//! The role that goes into a machine and runs a task there.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::lifeline::inherited;
use super::namespace;
use crate::sandbox::machine::protocol::NO_LOGIN;
use crate::sandbox::machine::task::{Answer, Task, TaskEnd};

/// Larger than any task.
const MAX_TASK: u32 = 16 << 20;

/// Runs the role.
pub(in crate::sandbox::machine) fn main() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn run() -> io::Result<()> {
    let control = UnixStream::from(inherited(rustix::stdio::stdin())?);
    let init = inherited(rustix::stdio::stdout())?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    drop(null);
    let answer = match namespace::enter(init).and_then(|()| perform(&control)) {
        Ok(end) => Answer::Ended(end),
        Err(error) => Answer::Failed(error.to_string()),
    };
    Ok(serde_json::to_writer(&control, &answer)?)
}

fn perform(mut control: &UnixStream) -> io::Result<TaskEnd> {
    let mut length = [0; 4];
    control.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_TASK {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    control.take(u64::from(length)).read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text)?;

    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    for file in &task.files {
        make_parent(&file.path)?;
        fs::write(&file.path, &file.content)?;
        fs::set_permissions(&file.path, Permissions::from_mode(file.mode))?;
    }
    let mut stdout = Log::open(&task.stdout)?;
    let mut stderr = Log::open(&task.stderr)?;
    let (program, arguments) = task.program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(task.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&task.directory)
        .stdin(Stdio::null())
        .stdout(stdout.file.try_clone()?)
        .stderr(stderr.file.try_clone()?)
        .process_group(0)
        .spawn()
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{program} in {}: {error}", task.directory.display()),
            )
        })?;
    // As the host counts: this process is none of the machine's.
    let process = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::NotFound)?;
    let ended = pidfd_open(process, PidfdFlags::empty())?;
    let mut sources = [PollFd::new(&ended, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
    rustix::event::poll(&mut sources, None)?;
    let [ended_first, _] = &sources;
    if ended_first.revents().is_empty() {
        // Asked to, or bake is gone. Not collected yet, so the number is still its own.
        let _: Result<_, _> = rustix::process::kill_process_group(process, Signal::KILL);
    }
    let status = child.wait()?;
    Ok(TaskEnd {
        code: status.code(),
        stdout: stdout.head(task.head)?,
        stderr: stderr.head(task.head)?,
        going_down: Path::new(NO_LOGIN).exists(),
    })
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => DirBuilder::new().recursive(true).mode(0o700).create(parent),
        None => Ok(()),
    }
}

/// A file that a stream is added to.
struct Log {
    file: File,
    start: u64,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        make_parent(path)?;
        let file = File::options().read(true).append(true).create(true).open(path)?;
        let start = file.metadata()?.len();
        Ok(Self { file, start })
    }

    /// The first bytes that this task wrote, as text.
    fn head(&mut self, bytes: usize) -> io::Result<String> {
        self.file.seek(SeekFrom::Start(self.start))?;
        let mut head = Vec::new();
        (&self.file).take(bytes as u64).read_to_end(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    }
}
