//! Why an instance could not be reached or used.

use std::path::PathBuf;
use std::time::Duration;

/// An error of a communicator. [`hints`](CommunicatorError::hints) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommunicatorError {
    /// The communicator is `none`.
    #[error("the communicator is `none`: there is no way to {wanted}")]
    NoWay {
        /// What was wanted: `run commands`, `upload files`.
        wanted: &'static str,
    },
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// A private key cannot be read.
    #[error("the private key cannot be used: {reason}")]
    Key {
        /// What is wrong with it.
        reason: String,
    },
    /// It was never possible to log in.
    #[error(transparent)]
    Connect(#[from] Box<ConnectError>),
    /// The connection ended while it was needed.
    #[error("the connection to {address} was lost: {reason}")]
    Lost {
        /// Host and port.
        address: String,
        /// As far as it is known.
        reason: String,
    },
    /// The far side did not do what a connected client may expect.
    #[error("the SSH server refused to {wanted}: {reason}")]
    Refused {
        /// What was asked for.
        wanted: &'static str,
        /// The server's words, or ours.
        reason: String,
    },
    /// An upload failed on the far side.
    #[error("cannot upload to `{destination}`: {reason}")]
    Upload {
        /// As the template says it.
        destination: String,
        /// What the far side said.
        reason: String,
    },
    /// A download failed on the far side.
    #[error("cannot download `{remote}`: {reason}")]
    Download {
        /// As the template says it.
        remote: String,
        /// What the far side said.
        reason: String,
    },
    /// A local file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The far side takes no more bytes.
    #[error("the command took no byte of its input for {} s after {sent} bytes", idle.as_secs())]
    Stalled {
        /// How long nothing moved.
        idle: Duration,
        /// Bytes sent until then.
        sent: u64,
    },
    /// A local file is not what it was when the plan was made.
    #[error("`{}` has changed since the build was planned", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A local file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How far an attempt to connect came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectStage {
    /// No address was known.
    Address,
    /// The host name had no address.
    Resolve,
    /// No TCP connection.
    Tcp,
    /// TCP connected, but no SSH server answered.
    Banner,
    /// An SSH server answered, but the handshake did not complete.
    KeyExchange,
    /// The server's key is not the expected one.
    HostKey,
    /// The server refused every way to log in.
    Authentication,
}

/// Why it was never possible to log in.
#[derive(Debug)]
pub struct ConnectError {
    /// Host and port; empty when none was known.
    pub address: String,
    /// The stage that never worked: the furthest that any attempt came to.
    pub stage: ConnectStage,
    /// What went wrong there the last time.
    pub last: String,
    /// Attempts in all.
    pub attempts: u32,
    /// Attempts at which the server refused to log in.
    pub refusals: u32,
    /// Time since the first attempt.
    pub elapsed: Duration,
    /// The user who wanted to log in.
    pub username: String,
    /// Ways that were tried, such as `publickey (ssh-ed25519)`.
    pub tried: Vec<String>,
    /// Ways that the server says it takes.
    pub offered: Vec<String>,
}

impl std::error::Error for ConnectError {}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, last, .. } = self;
        match self.stage {
            ConnectStage::Address => write!(f, "no address to connect to: {last}")?,
            ConnectStage::Resolve => write!(f, "`{address}` has no address: {last}")?,
            ConnectStage::Tcp => write!(f, "no TCP connection to {address}: {last}")?,
            ConnectStage::Banner => write!(f, "no SSH server answers at {address}: {last}")?,
            ConnectStage::KeyExchange => {
                write!(f, "the SSH handshake with {address} failed: {last}")?;
            }
            ConnectStage::HostKey => write!(f, "{address} is not the expected host: {last}")?,
            ConnectStage::Authentication => {
                write!(f, "{address} does not let user `{}` log in: {last}", self.username)?;
                if !self.tried.is_empty() {
                    write!(f, "; tried {}", self.tried.join(", "))?;
                }
                if !self.offered.is_empty() {
                    write!(f, "; the server takes {}", self.offered.join(", "))?;
                }
            }
        }
        if self.attempts > 0 {
            let (attempts, seconds) = (self.attempts, self.elapsed.as_secs_f64());
            let plural = if attempts == 1 { "" } else { "s" };
            write!(f, " ({attempts} attempt{plural} in {seconds:.1} s)")?;
        }
        Ok(())
    }
}

impl CommunicatorError {
    /// What to do next; may be empty.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Connect(error) => error.hints(),
            Self::NoWay { .. } => {
                vec!["set `communicator = \"ssh\"`, or remove the provisioners".into()]
            }
            Self::Upload { reason, destination } => upload_hints(reason, destination),
            Self::Download { reason, .. } => download_hints(reason),
            Self::Changed { .. } => {
                vec!["leave the files alone while the build runs, and run it again".into()]
            }
            Self::Key { .. } => vec![
                "give an unencrypted OpenSSH, PKCS#1, PKCS#8 or SEC1 private key".into(),
            ],
            Self::Stalled { .. } => {
                vec!["look at the instance's disk and memory: the receiving process is stuck".into()]
            }
            Self::Lost { .. } => vec![
                "if a script restarts the machine or sshd on purpose, set `expect_disconnect = true` on it".into(),
            ],
            Self::Cancelled | Self::Refused { .. } | Self::Read { .. } | Self::Write { .. } => {
                Vec::new()
            }
        }
    }
}

impl ConnectError {
    fn hints(&self) -> Vec<String> {
        let hint = match self.stage {
            ConnectStage::Address => {
                "set `ssh_host`, or choose with `ssh_interface` an address that the instance has"
                    .into()
            }
            ConnectStage::Resolve => "check the host name and this machine's name server".into(),
            ConnectStage::Tcp => format!(
                "check that the security group and the network let this machine reach {}, and that sshd runs on the instance",
                self.address
            ),
            ConnectStage::Banner => format!(
                "check that it is an SSH server that listens at {} and `ssh_port` is right",
                self.address
            ),
            ConnectStage::KeyExchange => {
                "check that client and server have algorithms in common".into()
            }
            ConnectStage::HostKey => "somebody may stand between; nothing was sent".into(),
            ConnectStage::Authentication => format!(
                "check `ssh_username` (`{}` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with",
                self.username
            ),
        };
        vec![hint]
    }
}

fn download_hints(reason: &str) -> Vec<String> {
    let has = |text: &str| reason.to_ascii_lowercase().contains(text);
    if has("permission denied") {
        vec![
            "the login user may not read it: copy it in a shell provisioner with `sudo`, and download the copy".into(),
        ]
    } else if has("leads out of what is downloaded") {
        vec!["download what the link points to by its own path".into()]
    } else {
        Vec::new()
    }
}

fn upload_hints(reason: &str, destination: &str) -> Vec<String> {
    let has = |text: &str| reason.to_ascii_lowercase().contains(text);
    if has("cannot be given to") {
        vec![
            "`owner` and `group` take root: log in as root, or let the login user run `sudo` without a password".into(),
        ]
    } else if has("permission denied") || has("operation not permitted") {
        vec![
            "upload to a directory that the login user may write, such as `/tmp`, and move it from there in a shell provisioner with `sudo mv`".into(),
        ]
    } else if has("no space left") || has("disk quota") {
        vec![
            "the file system of the destination is full: give the instance a larger volume, or upload elsewhere".into(),
        ]
    } else if has("is a directory") {
        vec![format!("write `{destination}/` to put the file into that directory")]
    } else if has("no byte was taken") {
        vec!["look at the instance's disk and memory: the receiving process is stuck".into()]
    } else if has("read-only file system") {
        vec!["the destination lies on a read-only file system".into()]
    } else {
        Vec::new()
    }
}
