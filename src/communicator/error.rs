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
    /// The SSH agent of this machine cannot be used.
    #[error("the SSH agent cannot be used: {reason}")]
    Agent {
        /// What is wrong with it.
        reason: String,
    },
    /// A tunnel cannot be opened.
    #[error("the tunnel `{tunnel}` cannot be opened: {reason}")]
    Tunnel {
        /// As the template says it.
        tunnel: String,
        /// Why.
        reason: String,
    },
    /// It was never possible to log in.
    #[error(transparent)]
    Connect(#[from] Box<ConnectError>),
    /// It was never possible to run a command over WinRM.
    #[error(transparent)]
    WinRm(#[from] Box<super::winrm::WinRmError>),
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
    /// A command of bake's own failed on the far side.
    #[error("cannot {wanted}: {reason}")]
    Failed {
        /// What it was to do.
        wanted: &'static str,
        /// What it said, or how it ended.
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
    /// Session Manager or Run Command did not do it.
    #[error("cannot {wanted} on `{instance}` through Systems Manager: {reason}")]
    Ssm {
        /// What was wanted: `run a command`.
        wanted: &'static str,
        /// The instance's id.
        instance: String,
        /// In a sentence without a full stop.
        reason: String,
        /// What to do next.
        hints: Vec<String>,
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

/// A stop on the way to an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// The instance itself.
    #[default]
    Machine,
    /// A bastion host before it.
    Bastion,
    /// A SOCKS proxy before it.
    Proxy,
    /// The instance, by streams that are not TCP: a session of Session Manager.
    Session,
}

impl Hop {
    /// What goes before the address in a sentence; empty for the instance.
    pub(super) fn before(self) -> &'static str {
        match self {
            Self::Machine | Self::Session => "",
            Self::Bastion => "the bastion host ",
            Self::Proxy => "the proxy ",
        }
    }
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
    /// Which stop on the way failed.
    pub hop: Hop,
    /// Host and port of that stop; empty when none was known.
    pub address: String,
    /// What lies before it, such as `the bastion host gate:22`.
    pub through: Option<String>,
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
        let last = &self.last;
        let address = format!("{}{}", self.hop.before(), self.address);
        let address = match &self.through {
            Some(through) => format!("{address} through {through}"),
            None => address,
        };
        match self.stage {
            ConnectStage::Address => write!(f, "no address to connect to: {last}")?,
            ConnectStage::Resolve => {
                write!(f, "{}`{}` has no address: {last}", self.hop.before(), self.address)?;
            }
            ConnectStage::Tcp if self.hop == Hop::Session => {
                write!(f, "no session to {address}: {last}")?;
            }
            ConnectStage::Tcp => write!(f, "no TCP connection to {address}: {last}")?,
            ConnectStage::Banner if self.hop == Hop::Proxy => {
                write!(f, "no SOCKS 5 proxy answers at {}: {last}", self.address)?;
            }
            ConnectStage::Banner => write!(f, "no SSH server answers at {address}: {last}")?,
            ConnectStage::KeyExchange => {
                write!(f, "the SSH handshake with {address} failed: {last}")?;
            }
            ConnectStage::HostKey => write!(f, "{address} is not the expected host: {last}")?,
            ConnectStage::Authentication => {
                match self.username.as_str() {
                    "" => write!(f, "{address} lets nobody in without a log-in: {last}")?,
                    user => write!(f, "{address} does not let user `{user}` log in: {last}")?,
                }
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
    /// Whether what does not work now may work later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Refused { .. } | Self::Connect(_) | Self::WinRm(_))
    }

    /// What to do next; may be empty.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Connect(error) => error.hints(),
            Self::WinRm(error) => error.hints(),
            Self::NoWay { .. } => {
                vec!["set `communicator = \"ssh\"`, or remove the provisioners".into()]
            }
            Self::Upload { reason, destination } => upload_hints(reason, destination),
            Self::Download { reason, .. } => download_hints(reason),
            Self::Changed { .. } => {
                vec!["leave the files alone while the build runs, and run it again".into()]
            }
            Self::Agent { .. } => vec![
                "start one with `eval $(ssh-agent)`, give it the key with `ssh-add FILE`, and see that `SSH_AUTH_SOCK` reaches bake".into(),
            ],
            Self::Tunnel { .. } => vec![
                "choose another port, or end what listens on it".into(),
            ],
            Self::Key { reason } => vec![key_hint(reason).into()],
            Self::Stalled { .. } => {
                vec!["look at the instance's disk and memory: the receiving process is stuck".into()]
            }
            Self::Lost { .. } => vec![LOST.to_owned()],
            Self::Ssm { hints, .. } => hints.clone(),
            Self::Cancelled
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Read { .. }
            | Self::Write { .. } => Vec::new(),
        }
    }
}

impl ConnectError {
    fn hints(&self) -> Vec<String> {
        let hint = match self.hop {
            // Whoever makes such streams says all there is to say.
            Hop::Session if self.stage <= ConnectStage::Tcp => return Vec::new(),
            Hop::Machine | Hop::Session => self.machine_hint(),
            Hop::Bastion => self.bastion_hint(),
            Hop::Proxy => self.proxy_hint(),
        };
        vec![hint]
    }

    fn machine_hint(&self) -> String {
        match self.stage {
            ConnectStage::Address => {
                "set `ssh_host`, or choose with `ssh_interface` an address that the instance has"
                    .into()
            }
            ConnectStage::Resolve => "check the host name and this machine's name server".into(),
            ConnectStage::Tcp if self.last.contains("forbids TCP forwarding") => {
                "its sshd must allow it: see `AllowTcpForwarding` and `PermitOpen` there".into()
            }
            ConnectStage::Tcp if self.last.contains("rules forbid") => {
                format!("the proxy must allow connections to {}", self.address)
            }
            ConnectStage::Tcp => format!(
                "check that the security group and the network let {} reach {}, and that sshd runs on the instance",
                self.through.as_deref().unwrap_or("this machine"),
                self.address
            ),
            ConnectStage::Banner => format!(
                "check that it is an SSH server that listens at {} and `ssh_port` is right",
                self.address
            ),
            ConnectStage::KeyExchange => {
                "check that client and server have algorithms in common: `ssh_ciphers` and `ssh_key_exchange_algorithms` are what bake offers".into()
            }
            ConnectStage::HostKey => "somebody may stand between; nothing was sent".into(),
            ConnectStage::Authentication => format!(
                "check `ssh_username` (`{}` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with",
                self.username
            ),
        }
    }

    fn bastion_hint(&self) -> String {
        match self.stage {
            ConnectStage::Authentication => {
                "check `ssh_bastion_username` and the bastion host's key, password or agent".into()
            }
            ConnectStage::KeyExchange => {
                "its sshd is too old, or too strict, for what bake offers".into()
            }
            _ => format!(
                "check `ssh_bastion_host` and `ssh_bastion_port`, and that {} reaches {}",
                self.through.as_deref().unwrap_or("this machine"),
                self.address
            ),
        }
    }

    fn proxy_hint(&self) -> String {
        match self.stage {
            ConnectStage::Authentication => {
                "check `ssh_proxy_username` and `ssh_proxy_password`".into()
            }
            _ => {
                "check `ssh_proxy_host` and `ssh_proxy_port`, and that it is a SOCKS 5 proxy".into()
            }
        }
    }
}

/// What to do about a connection that was lost for no reason that we know.
const LOST: &str = "if a script before it restarts the machine or sshd on purpose, set `expect_disconnect = true` on that; else see whether the machine runs, and whether something on the way ends connections";

/// Whether the reason of something is that the connection went away.
fn was_lost(reason: &str) -> bool {
    reason.starts_with("the connection to ") && reason.contains(" was lost")
}

fn key_hint(reason: &str) -> &'static str {
    if reason.contains("passphrase") {
        "give it to an agent with `ssh-add` and set `ssh_agent_auth`, or take the passphrase off a copy with `ssh-keygen -p -f COPY`"
    } else if reason.contains("certificate") {
        "`ssh-keygen -L -f FILE` shows what a certificate is for"
    } else {
        "give an unencrypted OpenSSH, PKCS#1, PKCS#8 or SEC1 private key"
    }
}

fn download_hints(reason: &str) -> Vec<String> {
    let has = |text: &str| reason.to_ascii_lowercase().contains(text);
    if was_lost(reason) {
        vec![LOST.to_owned()]
    } else if has("permission denied") {
        vec![
            "the login user may not read it: copy it in a shell provisioner with `sudo`, and download the copy".into(),
        ]
    } else if has("leads out of what is downloaded") {
        vec!["download what the link points to by its own path".into()]
    } else if has("sha-256") {
        vec!["if something on the instance writes it all the time, stop that first, or copy it in a shell provisioner and download the copy".into()]
    } else {
        Vec::new()
    }
}

fn upload_hints(reason: &str, destination: &str) -> Vec<String> {
    let has = |text: &str| reason.to_ascii_lowercase().contains(text);
    if was_lost(reason) {
        vec![LOST.to_owned()]
    } else if has("no such subsystem") {
        vec![
            "install `tar` in a shell provisioner before, or switch SFTP on in the `sshd_config` of the machine".into(),
        ]
    } else if has("may not run commands") {
        vec!["give the login user a login shell that runs commands".into()]
    } else if has("fetched from the bucket") {
        vec![
            "the instance fetches it with the rights of bake's own credentials: allow them `s3:GetObject` in `ssm_bucket`".into(),
        ]
    } else if has("cannot be given to") {
        vec![
            "`owner` and `group` take root: log in as root, or let the login user run `sudo` without a password".into(),
        ]
    } else if has("permission denied") || has("operation not permitted") {
        vec![
            "upload to a directory that the login user may write, such as `/tmp`, and move it from there in a shell provisioner with `sudo mv`".into(),
        ]
    } else if has("access to the path") {
        vec![
            "the login user may not write there, or the file is read-only: upload to `C:/Windows/Temp`, and move it from there in a `powershell` provisioner with `elevated_user`".into(),
        ]
    } else if has("being used by another process") {
        vec!["end the program on the instance that has the file open".into()]
    } else if has("no space left") || has("disk quota") || has("not enough space on the disk") {
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
