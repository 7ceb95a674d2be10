//! Programs of a session.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Pid;
use tokio::process::{Child, Command};

use super::identity::Identity;
use super::pty::{self, Master, PtyRequest};

/// Bytes in flight between us and a program, each way; the system's usual limit for users.
const PIPE: usize = 1 << 20;

/// What to run.
#[derive(Clone, Debug)]
pub(super) enum Program {
    /// A login shell.
    Shell,
    /// A command line for the user's shell.
    Command(Vec<u8>),
}

/// A program that runs, with our ends of its streams.
pub(super) struct Running {
    pub(super) child: Child,
    /// Its process and process group (it leads a session).
    pub(super) group: Pid,
    pub(super) streams: Streams,
}

/// Our ends.
pub(super) enum Streams {
    Pipes {
        input: tokio::process::ChildStdin,
        output: tokio::process::ChildStdout,
        errors: tokio::process::ChildStderr,
    },
    Terminal(Master),
}

/// The two ends of the connection that a session came by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

/// Starts a program as the user.
pub(super) fn start(
    identity: &Identity,
    program: &Program,
    terminal: Option<&PtyRequest>,
    requested: &[(String, String)],
    peers: Peers,
) -> io::Result<Running> {
    let user = &identity.user;
    let shell = user.shell.as_os_str();
    let name = Path::new(shell).file_name().unwrap_or(shell);
    let mut command = Command::new(shell);
    match program {
        Program::Shell => {
            // The dash is how a shell knows that it is a login shell.
            let mut login = OsString::from("-");
            login.push(name);
            command.arg0(login);
        }
        Program::Command(line) => {
            command.arg0(name).arg("-c").arg(OsStr::from_bytes(line));
        }
    }
    command.env_clear().envs(environment(identity, requested, peers));
    let home = if user.home.is_dir() { user.home.as_path() } else { Path::new("/") };
    command.current_dir(home);

    let terminal = match terminal {
        Some(request) => {
            let (master, slave, path) = pty::open(request, user.uid)?;
            command.env("SSH_TTY", path).env("TERM", &request.term);
            command
                .stdin(File::from(slave.try_clone()?))
                .stdout(File::from(slave.try_clone()?))
                .stderr(File::from(slave));
            Some(master)
        }
        None => {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        }
    };
    become_user(&mut command, identity.clone(), terminal.is_some());

    let mut child = command.spawn()?;
    // The command keeps our copies of the terminal's end open.
    drop(command);
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()))
        .ok_or_else(|| io::Error::other("the program has no process id"))?;
    let streams = match terminal {
        Some(master) => Streams::Terminal(master),
        None => {
            let missing = || io::Error::other("a pipe to the program is missing");
            let input = child.stdin.take().ok_or_else(missing)?;
            let output = child.stdout.take().ok_or_else(missing)?;
            let errors = child.stderr.take().ok_or_else(missing)?;
            // Fewer wake-ups; a refusal (the user's limit) costs speed only.
            let _: Result<_, _> = rustix::pipe::fcntl_setpipe_size(&input, PIPE);
            let _: Result<_, _> = rustix::pipe::fcntl_setpipe_size(&output, PIPE);
            Streams::Pipes { input, output, errors }
        }
    };
    Ok(Running { child, group, streams })
}

#[expect(unsafe_code, reason = "a new session and another user need code between fork and exec")]
fn become_user(command: &mut Command, identity: Identity, terminal: bool) {
    // SAFETY: the closure runs in the forked child of a process whose other
    // threads may hold locks. It makes system calls only (rustix calls the
    // kernel directly), on values that were made before; it neither allocates
    // nor locks, and an error is passed on without being formatted.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            if terminal {
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            }
            identity.assume()
        });
    }
}

/// The environment that sshd and PAM give a session.
fn environment(
    identity: &Identity,
    requested: &[(String, String)],
    peers: Peers,
) -> Vec<(OsString, OsString)> {
    let user = &identity.user;
    let path = if user.uid == 0 {
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    } else {
        // With the system's directories behind, as in the images of the big distributions.
        "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    };
    let (client, server) = (peers.client, peers.server);
    let mut variables: Vec<(OsString, OsString)> =
        vec![("PATH".into(), path.into()), ("SYSTEMD_OFFLINE".into(), "1".into())];
    for file in ["/etc/default/locale", "/etc/locale.conf", "/etc/environment"] {
        let text = fs::read_to_string(file).unwrap_or_default();
        variables.extend(assignments(&text).map(|(name, value)| (name.into(), value.into())));
    }
    variables.extend(requested.iter().map(|(name, value)| (name.into(), value.into())));
    variables.extend([
        ("HOME".into(), user.home.clone().into()),
        ("USER".into(), user.name.clone().into()),
        ("LOGNAME".into(), user.name.clone().into()),
        ("SHELL".into(), user.shell.clone().into()),
        ("MAIL".into(), format!("/var/mail/{}", user.name).into()),
        (
            "SSH_CLIENT".into(),
            format!("{} {} {}", client.ip(), client.port(), server.port()).into(),
        ),
        (
            "SSH_CONNECTION".into(),
            format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port()).into(),
        ),
    ]);
    variables
}

/// The lines `NAME=value` of a file like `/etc/environment`, quotes taken off, pam_env(8).
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let unquoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        (!name.is_empty() && !name.starts_with('#')).then_some((name.trim(), unquoted))
    })
}

/// A terminal's window size, changed from outside.
pub(super) fn resize(terminal: &OwnedFd, size: rustix::termios::Winsize) {
    // The program may be gone already.
    let _: Result<_, _> = rustix::termios::tcsetwinsize(terminal, size);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_files_are_read_as_pam_does() {
        let text = "# c\nA=1\nexport B=\"two words\"\n  C='x'\nnothing\n=y\nD=\"open\n";
        assert_eq!(
            assignments(text).collect::<Vec<_>>(),
            [("A", "1"), ("B", "two words"), ("C", "x"), ("D", "\"open")]
        );
    }
}
