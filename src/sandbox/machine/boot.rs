//! One run of a machine's processes, from bake's side.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::failure::Tried;
use super::protocol::{
    EXIT_ASKED, EXIT_POWEROFF, EXIT_REBOOT, SAY_ERROR, SAY_INIT, SAY_MAP, SAY_MAPPED, SAY_READY,
    SAY_STOP, role,
};
use super::{Ended, MachineError, id_map};

/// Longer than any boot takes; a host that thrashes must not be waited for for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes that run.
#[derive(Debug)]
pub(super) struct Run {
    stage: Child,
    lifeline: UnixStream,
    /// Process 1 of the machine.
    init: Option<OwnedFd>,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Over(Ended),
    /// The guest wants to boot again.
    Reboot,
}

impl Run {
    /// Starts the stage and waits until the SSH server inside accepts.
    pub(super) fn start(
        program: &Path,
        settings: &Path,
        listener: TcpListener,
        console: File,
    ) -> Result<Self, MachineError> {
        let (lifeline, theirs) = UnixStream::pair().tried(|| "make a socket pair".to_owned())?;
        lifeline
            .set_read_timeout(Some(PATIENCE))
            .tried(|| "set a time limit on a socket".to_owned())?;
        let stage = Command::new(program)
            .arg(role::STAGE)
            .arg(settings)
            .env_clear()
            // Out of the terminal's foreground group: Ctrl-C is bake's to handle.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(listener)))
            .stderr(Stdio::from(console))
            .spawn()
            .tried_on("start", program)?;
        let mut run = Self { stage, lifeline, init: None };
        match run.handshake() {
            Ok(()) => Ok(run),
            Err(error) => {
                run.abandon();
                Err(error)
            }
        }
    }

    fn handshake(&mut self) -> Result<(), MachineError> {
        let reader = self.lifeline.try_clone().tried(|| "copy a socket".to_owned())?;
        let mut lines = BufReader::new(reader).lines();
        let mut ready = false;
        // The stage and process 1 write to the same socket, in any order.
        while !(ready && self.init.is_some()) {
            let line = match lines.next() {
                Some(Ok(line)) => line,
                Some(Err(error)) => {
                    return Err(error).tried(|| "wait for the machine to boot".to_owned());
                }
                None => return Err(MachineError::Other("the machine's processes died".into())),
            };
            if line == SAY_READY {
                ready = true;
            } else if let Some(process) = line.strip_prefix(SAY_INIT) {
                self.init = Some(process_handle(process)?);
            } else if line == SAY_MAP {
                id_map::write(self.stage.id())?;
                writeln!(self.lifeline, "{SAY_MAPPED}")
                    .tried(|| "answer the machine".to_owned())?;
            } else {
                let text = line.strip_prefix(SAY_ERROR).unwrap_or(&line);
                return Err(MachineError::Other(format!("the machine does not boot: {text}")));
            }
        }
        Ok(())
    }

    /// A handle of process 1, by which its namespaces can be entered.
    pub(super) fn init(&self) -> io::Result<OwnedFd> {
        self.init.as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Asks all processes to end; `wait` tells when they have.
    pub(super) fn stop_handle(&self) -> io::Result<Stop> {
        Ok(Stop(self.lifeline.try_clone()?))
    }

    /// Waits until no process is left.
    pub(super) fn wait(mut self) -> Outcome {
        let status = self.stage.wait().ok().and_then(|status| status.code());
        match status {
            Some(EXIT_ASKED) => Outcome::Over(Ended::Asked),
            Some(EXIT_POWEROFF) => Outcome::Over(Ended::PoweredOff),
            Some(EXIT_REBOOT) => Outcome::Reboot,
            _ => Outcome::Over(Ended::Died),
        }
    }

    fn abandon(mut self) {
        // Both ends of the same socket: end of file is the order to die.
        drop(self.lifeline.shutdown(std::net::Shutdown::Both));
        drop(self.stage.wait());
    }
}

/// The process with this number.
fn process_handle(number: &str) -> Result<OwnedFd, MachineError> {
    let process = number.parse().ok().and_then(Pid::from_raw);
    process
        .ok_or(rustix::io::Errno::INVAL)
        .and_then(|process| pidfd_open(process, PidfdFlags::empty()))
        .tried(|| format!("find the machine's first process `{number}`"))
}

/// The means to end a run from elsewhere.
#[derive(Debug)]
pub(super) struct Stop(UnixStream);

impl Stop {
    /// SIGTERM, a moment of grace, SIGKILL.
    pub(super) fn ask(&mut self) {
        // Already over when it cannot be written.
        drop(writeln!(self.0, "{SAY_STOP}"));
    }

    /// SIGKILL for all, now.
    pub(super) fn kill(&self) {
        drop(self.0.shutdown(std::net::Shutdown::Both));
    }
}
