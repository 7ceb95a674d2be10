//! A machine's process 1: mounts, first boot, reaping, power.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use super::first_boot::{self, UserData};
use super::lifeline::{Lifeline, inherited};
use super::{mounts, namespace};
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::protocol::{
    Boot, EXIT_ASKED, EXIT_POWEROFF, EXIT_REBOOT, Guest, NO_LOGIN, SAY_LOADED, SAY_MAP, SAY_MAPPED,
    SAY_READY, SAY_STOP, role,
};

/// How long processes may take to end after SIGTERM before they are killed.
const GRACE: Duration = Duration::from_secs(3);

/// The environment of what init starts itself.
pub(super) const BOOT_ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    // Tells systemctl that no systemd runs: `enable` works on the files, and
    // `start` says that it is ignored instead of failing.
    ("SYSTEMD_OFFLINE", "1"),
];

/// Runs the role; returns the status that tells the stage how the machine ended.
pub(in crate::sandbox::machine) fn main(settings: &Path) -> i32 {
    let Ok(mut lifeline) = Lifeline::from_stdin() else { return 1 };
    match boot(settings) {
        Ok(booted) => run(booted, lifeline).unwrap_or(1),
        Err(error) => {
            lifeline.say_error(&error);
            1
        }
    }
}

struct Booted {
    guest: Guest,
    console: File,
    sshd: StdUnixStream,
}

fn boot(settings: &Path) -> Result<Booted, MachineError> {
    let boot = Boot::read(settings).tried_on("read", settings)?;
    let mut console =
        File::from(inherited(rustix::stdio::stderr()).tried(|| "open the console".to_owned())?);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Before the root changes, while the libraries that bake was built with
    // can be found; the process goes with us into the new root.
    let (_child, sshd) = start_sshd().tried(|| "start the SSH server".to_owned())?;
    let root = mounts::build(&boot)?;
    let mut loaded = [0; SAY_LOADED.len() + 1];
    (&sshd).read_exact(&mut loaded).tried(|| "start the SSH server".to_owned())?;
    mounts::enter(&root)?;
    seal(&sshd).tried(|| "lock the mounts".to_owned())?;
    rustix::system::sethostname(boot.hostname.as_bytes())
        .tried(|| format!("set the host name `{}`", boot.hostname))?;
    drop(writeln!(console, "bake: booting {}", boot.hostname));
    if boot.guest.first_boot {
        first_boot::set_up(&boot.guest, &mut console);
    }
    Ok(Booted { guest: boot.guest, console, sshd })
}

/// Goes with the SSH server where the mounts are locked.
fn seal(mut sshd: &StdUnixStream) -> io::Result<()> {
    namespace::enter_inner()?;
    writeln!(sshd, "{SAY_MAP}")?;
    let mut mapped = [0; SAY_MAPPED.len() + 1];
    sshd.read_exact(&mut mapped)
}

/// Starts the server with the listening socket (this process's standard
/// output) as its own, and a socket for settings and readiness as its input.
fn start_sshd() -> io::Result<(Child, StdUnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    let child = Command::new("/proc/self/exe")
        .arg(role::SSHD)
        .env_clear()
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()?;
    Ok((child, ours))
}

fn run(booted: Booted, lifeline: Lifeline) -> io::Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(booted, lifeline))
}

async fn serve(mut booted: Booted, lifeline: Lifeline) -> io::Result<i32> {
    let mut children = signal(SignalKind::child())?;
    let mut requests = PowerRequests::listen()?;
    let lifeline = lifeline.into_stream();
    lifeline.set_nonblocking(true)?;
    let (from_bake, mut to_bake) = UnixStream::from_std(lifeline)?.into_split();
    let mut from_bake = BufReader::new(from_bake).lines();

    booted.sshd.set_nonblocking(true)?;
    let (from_sshd, mut to_sshd) = UnixStream::from_std(booted.sshd)?.into_split();
    let mut from_sshd = BufReader::new(from_sshd).lines();
    to_sshd.write_all(&serde_json::to_vec(&booted.guest)?).await?;
    to_sshd.write_all(b"\n").await?;

    let mut user_data = None;
    loop {
        tokio::select! {
            _ = children.recv() => {
                let ended = reap();
                if user_data.is_some_and(|script| ended.contains(&script)) {
                    finish(&mut booted.console);
                }
            }
            line = from_sshd.next_line() => match line {
                Ok(Some(line)) => {
                    let ready = line == SAY_READY;
                    to_bake.write_all(format!("{line}\n").as_bytes()).await?;
                    if ready {
                        if booted.guest.first_boot {
                            user_data = start_user_data(&booted.guest, &mut booted.console);
                        }
                        if user_data.is_none() {
                            finish(&mut booted.console);
                        }
                    }
                }
                // A machine that cannot be reached is of no use.
                Ok(None) | Err(_) => {
                    drop(writeln!(booted.console, "bake: the SSH server ended"));
                    return Ok(1);
                }
            },
            line = from_bake.next_line() => match line {
                Ok(Some(line)) if line == SAY_STOP => {
                    end_all(&mut children, &mut from_bake).await;
                    return Ok(EXIT_ASKED);
                }
                Ok(Some(_)) => {}
                // bake is gone: everything dies with this process.
                Ok(None) | Err(_) => return Ok(EXIT_ASKED),
            },
            request = requests.next() => {
                let (word, status) = match request {
                    Power::Off => ("powering off", EXIT_POWEROFF),
                    Power::Reboot => ("rebooting", EXIT_REBOOT),
                };
                drop(writeln!(booted.console, "bake: {word}"));
                end_all(&mut children, &mut from_bake).await;
                return Ok(status);
            }
        }
    }
}

/// Collects every child that ended, ours and adopted ones.
fn reap() -> Vec<Pid> {
    std::iter::from_fn(|| rustix::process::wait(WaitOptions::NOHANG).ok().flatten())
        .map(|(process, _)| process)
        .collect()
}

fn finish(console: &mut File) {
    if let Err(error) = first_boot::finish() {
        drop(writeln!(console, "bake: cannot tell that the boot has finished: {error}"));
    }
}

/// SIGTERM to all, then waits until none is left, the grace is over or bake is
/// gone. What then remains is killed by the kernel when process 1 exits.
async fn end_all(
    children: &mut tokio::signal::unix::Signal,
    from_bake: &mut tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
) {
    // Best effort: log-ins are about to end anyway.
    drop(std::fs::write(NO_LOGIN, "System is going down.\n"));
    // kill(-1): all processes of this pid namespace but this one.
    // Interactive shells ignore SIGTERM but not SIGHUP; stopped processes have to go on first.
    for signal in [Signal::TERM, Signal::HUP, Signal::CONT] {
        // ESRCH: there is no other process.
        let _: Result<(), _> = rustix::process::kill_process_group(Pid::INIT, signal);
    }
    let all_ended = async {
        loop {
            reap();
            if rustix::process::wait(WaitOptions::NOHANG).is_err() {
                return; // ECHILD: orphans become children, so none is left
            }
            children.recv().await;
        }
    };
    tokio::select! {
        () = all_ended => {}
        () = tokio::time::sleep(GRACE) => {}
        _ = from_bake.next_line() => {}
    }
}

/// Runs user data if it is a script; returns its process.
fn start_user_data(guest: &Guest, console: &mut File) -> Option<Pid> {
    let encoded = guest.user_data.as_ref()?;
    let bytes = match base64::engine::general_purpose::STANDARD.decode(encoded) {
        Ok(bytes) => bytes,
        Err(error) => {
            drop(writeln!(console, "bake: user data is not base64: {error}"));
            return None;
        }
    };
    match first_boot::classify(bytes) {
        UserData::None => None,
        UserData::Unsupported(what) => {
            drop(writeln!(console, "bake: user data is {what}; the sandbox does not run it"));
            None
        }
        UserData::Script(script) => match first_boot::start_script(&script, console) {
            Ok(child) => {
                drop(writeln!(console, "bake: user data runs as process {}", child.id()));
                Pid::from_raw(child.id().cast_signed())
            }
            Err(error) => {
                drop(writeln!(console, "bake: cannot run user data: {error}"));
                None
            }
        },
    }
}

/// What a guest asks of its init.
#[derive(Clone, Copy)]
enum Power {
    Off,
    Reboot,
}

/// The signals by which power commands talk to an init: systemd's own numbers
/// (which bake's stand-ins for shutdown(8) use) and busybox's.
struct PowerRequests {
    off: [tokio::signal::unix::Signal; 4],
    reboot: [tokio::signal::unix::Signal; 3],
}

/// `SIGRTMIN` as the C library of the guest's programs counts it.
const REAL_TIME: i32 = 34;

impl PowerRequests {
    fn listen() -> io::Result<Self> {
        let on = |number| signal(SignalKind::from_raw(number));
        Ok(Self {
            off: [
                on(REAL_TIME + 3)?,
                on(REAL_TIME + 4)?,
                on(Signal::USR1.as_raw())?,
                on(Signal::USR2.as_raw())?,
            ],
            reboot: [on(REAL_TIME + 5)?, on(Signal::INT.as_raw())?, on(Signal::TERM.as_raw())?],
        })
    }

    async fn next(&mut self) -> Power {
        let [a, b, c, d] = &mut self.off;
        let [e, f, g] = &mut self.reboot;
        tokio::select! {
            _ = a.recv() => Power::Off,
            _ = b.recv() => Power::Off,
            _ = c.recv() => Power::Off,
            _ = d.recv() => Power::Off,
            _ = e.recv() => Power::Reboot,
            _ = f.recv() => Power::Reboot,
            _ = g.recv() => Power::Reboot,
        }
    }
}
