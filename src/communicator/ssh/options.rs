//! What a connection needs to know.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::{Algorithms, Route, Tunnel};
use crate::template::schema::Secret;

/// Where an SSH server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// An address that is known from the start, in the form that
    /// [`connect`](super::connect) takes.
    pub fn known(host: impl Into<String>, port: u16) -> watch::Receiver<Option<Self>> {
        watch::channel(Some(Self { host: host.into(), port })).1
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A way to prove who we are.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// With any key or certificate of the SSH agent that listens at this socket
    /// (`SSH_AUTH_SOCK`).
    Agent(PathBuf),
    /// With an unencrypted private key: the text of an OpenSSH, PKCS#1, PKCS#8 or SEC1 file.
    Key(Secret),
    /// With a private key, as above, and the certificate for it: the text of an OpenSSH
    /// `…-cert.pub` file.
    Certificate {
        /// The private key.
        key: Secret,
        /// The certificate.
        certificate: String,
    },
    /// With a password: the `password` method, then `keyboard-interactive` with the password as
    /// the answer to every question.
    Password(Secret),
}

/// How files travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileTransfer {
    /// As one stream into a command; by SFTP when the far side has no `tar`.
    #[default]
    Stream,
    /// By SFTP always (`ssh_file_transfer_method = "sftp"`).
    Sftp,
}

/// Settings of a connection. Where it goes comes separately, as it may not be known yet.
#[derive(Clone, Debug)]
pub struct SshOptions {
    /// The user who logs in (`ssh_username`).
    pub username: String,
    /// Ways to log in, in the order in which they are tried.
    pub authentication: Vec<Authentication>,
    /// How long to try in all, from when the address is known (`ssh_timeout`).
    pub timeout: Duration,
    /// After how many refused log-ins to give up; 0 for no limit (`ssh_handshake_attempts`).
    pub handshake_attempts: u32,
    /// After how much silence to ask whether the far side is there (`ssh_keep_alive_interval`).
    /// `None` turns that off.
    pub keep_alive_interval: Option<Duration>,
    /// After how much silence the far side counts as gone.
    pub silence_limit: Duration,
    /// Whether commands get a terminal (`ssh_pty`).
    pub pty: bool,
    /// How files travel (`ssh_file_transfer_method`).
    pub file_transfer: FileTransfer,
    /// The server's key as in an OpenSSH public key file; `None` takes any, as Packer does.
    pub expected_host_key: Option<String>,
    /// How bytes get to the machine (`ssh_bastion_…`, `ssh_proxy_…`).
    pub route: Route,
    /// What is offered to the machine's server. Bastion hosts are offered the default.
    pub algorithms: Algorithms,
    /// How long one read or one write of the connection may take (`ssh_read_write_timeout`).
    pub read_write_timeout: Option<Duration>,
    /// How long to wait once it was possible to connect: then the connection is made again
    /// (`pause_before_connecting`).
    pub pause: Duration,
    /// The socket of an SSH agent that commands on the far side may use; `None` for no agent
    /// (`ssh_disable_agent_forwarding`).
    pub forward_agent: Option<PathBuf>,
    /// Ports of this machine that lead to the far side's network (`ssh_local_tunnels`).
    pub local_tunnels: Vec<Tunnel>,
    /// Ports of the far side that lead to this machine's network (`ssh_remote_tunnels`).
    pub remote_tunnels: Vec<Tunnel>,
}

impl SshOptions {
    /// Packer's defaults for a user.
    pub fn new(username: impl Into<String>, authentication: Vec<Authentication>) -> Self {
        Self {
            username: username.into(),
            authentication,
            timeout: Duration::from_secs(300),
            handshake_attempts: 10,
            keep_alive_interval: Some(Duration::from_secs(5)),
            silence_limit: Duration::from_secs(60),
            pty: false,
            file_transfer: FileTransfer::Stream,
            expected_host_key: None,
            route: Route::Direct,
            algorithms: Algorithms::default(),
            read_write_timeout: None,
            pause: Duration::ZERO,
            forward_agent: None,
            local_tunnels: Vec::new(),
            remote_tunnels: Vec::new(),
        }
    }
}
