//! Why a step failed.

use std::time::Duration;

use crate::communicator::CommunicatorError;
use crate::diagnostic::{Diagnostics, Span};
use crate::plan::ReadError;
use crate::template::schema::format_go_duration;

/// A step that failed for good, and where the template has it.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct StepFailed {
    /// Why.
    pub error: ProvisionError,
    /// The provisioner block.
    pub place: Span,
}

/// Why a step failed. [`hints`](ProvisionError::hints) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// The options are wrong with what the build knows now.
    #[error("{}", summaries(.0))]
    Options(Diagnostics),
    /// A text cannot be rendered.
    #[error("cannot render `{option}`: {message}")]
    Render {
        /// The option it belongs to.
        option: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Something about the connection or an upload.
    #[error(transparent)]
    Communicator(#[from] CommunicatorError),
    /// A local file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The script could not be put on the instance.
    #[error("cannot put the script at `{path}`: {reason}")]
    Start {
        /// Its path on the instance.
        path: String,
        /// What the instance said.
        reason: String,
    },
    /// A script ended as it should not.
    #[error(
        "Script exited with non-zero exit status: {status}. Allowed exit codes are: {allowed:?}"
    )]
    ExitStatus {
        /// How it ended.
        status: u32,
        /// What is allowed.
        allowed: Vec<u32>,
    },
    /// A script was killed.
    #[error("the script was killed by SIG{signal}")]
    Killed {
        /// The signal's name without `SIG`.
        signal: String,
    },
    /// The connection was lost while a script ran.
    #[error("the connection was lost while the script ran: {reason}")]
    Disconnected {
        /// As far as it is known.
        reason: String,
    },
    /// An instance that restarts did not come back.
    #[error("the instance did not come back from its restart: {reason}")]
    Restart {
        /// What it was like the last time.
        reason: String,
    },
    /// A program of this machine cannot be run.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// Its name or path.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file for a program of this machine cannot be made.
    #[error("cannot make a temporary file: {0}")]
    Temporary(std::io::Error),
    /// Nobody can be asked.
    #[error("nobody can press Enter: there is no terminal ({reason})")]
    NoTerminal {
        /// What the system said.
        reason: std::io::Error,
    },
    /// A step cannot do what it is for.
    #[error("{text}")]
    Unable {
        /// What is wrong, in one sentence.
        text: String,
        /// What to do about it.
        help: String,
    },
    /// It took longer than `timeout` allows.
    #[error("the provisioner was not done after {}", format_go_duration(*limit))]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// Nobody knows how to run this type; the plan should not have let it through.
    #[error("there is no provisioner `{kind}`")]
    Unknown {
        /// Its type.
        kind: String,
    },
}

/// What most often kills a process out of nowhere.
const OUT_OF_MEMORY: &str =
    "the instance may be out of memory: look for `Out of memory` in `dmesg`";

/// A signal as people know it, by its number on Linux.
fn signal_name(number: u32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

fn summaries(found: &Diagnostics) -> String {
    found.iter().map(|one| one.summary.as_str()).collect::<Vec<_>>().join("; ")
}

impl ProvisionError {
    /// What to do next; may be empty.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Communicator(error) => error.hints(),
            Self::Options(found) => found.iter().flat_map(|one| one.help.clone()).collect(),
            Self::Start { reason, .. } if reason.contains("No space left") => vec![
                "make room there in a step before, or set `remote_folder` to a directory on another file system".into(),
            ],
            Self::Start { .. } => vec![
                "set `remote_folder` to a directory that the login user may write".into(),
            ],
            Self::Disconnected { .. } => vec![
                "if the script restarts the machine on purpose, set `expect_disconnect = true`"
                    .into(),
            ],
            Self::ExitStatus { status: 126, .. } => vec![
                "status 126: the script cannot be executed; `remote_folder` may be mounted with `noexec`, or the interpreter after `#!` is missing".into(),
            ],
            Self::ExitStatus { status: 127, .. } => {
                vec!["status 127: a command was not found".into()]
            }
            // A shell says so of what it started.
            Self::ExitStatus { status: status @ 129..=192, .. } => {
                let signal = signal_name(status - 128);
                let text = format!("status {status}: killed by {signal}");
                vec![if *status == 137 { format!("{text}; {OUT_OF_MEMORY}") } else { text }]
            }
            Self::Killed { signal } if signal == "KILL" => vec![OUT_OF_MEMORY.to_owned()],
            Self::Restart { .. } => vec![
                "raise `start_retry_timeout` (`restart_timeout` of `windows-restart`), or look at the console of the instance: it may not boot any more".into(),
            ],
            Self::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                vec!["install it on the machine that bake runs on, or give its path".into()]
            }
            Self::Program { .. } => vec!["check that it may be executed".into()],
            Self::Temporary(_) => vec!["check the directory that `TMPDIR` names, or `/tmp`".into()],
            Self::NoTerminal { .. } => vec![
                "run bake in a terminal, or set `disable = true` on the `breakpoint`".into(),
            ],
            Self::Unable { help, .. } => vec![help.clone()],
            Self::Timeout { .. } => vec!["raise `timeout`, or find out what the step waits for".into()],
            _ => Vec::new(),
        }
    }
}
