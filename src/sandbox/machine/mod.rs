//! Machines: userlands that run on this host.
//!
//! [`Host`] is the border between the endpoint (EC2's words) and the userlands
//! (namespaces, mounts, processes). The endpoint only uses this trait, so that
//! its tests run without root; `userland` implements it.

mod address;
mod boot;
pub(in crate::sandbox) mod directory;
pub(in crate::sandbox) mod failure;
mod guest;
mod id_map;
mod mask;
mod protocol;
mod reentry;
mod shim;
mod ssh;
mod support;
mod task;
pub mod userland;

pub use reentry::reentry;
pub use task::{Task, TaskEnd, TaskFile};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The digest of a layer or of a base: `sha256:` and 64 hexadecimal digits.
pub type Digest = String;

/// The file system that a machine starts from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RootFs {
    /// Name of the base in the store; `host` is this machine's own root.
    pub base: String,
    /// Captured layers on top of the base, lowest first.
    pub layers: Vec<Digest>,
}

/// What a machine is launched with.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// The instance id, also the name of its working directory in the store.
    pub id: String,
    /// The name that `hostname` prints inside.
    pub hostname: String,
    /// What it starts from.
    pub root: RootFs,
    /// OpenSSH public keys that may log in, as any of the users.
    pub authorized_keys: Vec<String>,
    /// Users to make at first boot when the base has none of that name, with a
    /// home and password-less sudo (cloud-init's default user: `ec2-user`, `ubuntu`, `admin`).
    pub users: Vec<String>,
    /// Whether a login with a right key as another, unknown user makes that user.
    pub make_unknown_users: bool,
    /// User data, decoded; run as root at first boot when it starts with `#!`.
    pub user_data: Option<Vec<u8>>,
}

/// Why a machine is not running any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// `stop` or `terminate` was called.
    Asked,
    /// The guest powered itself off.
    PoweredOff,
    /// Its first process died otherwise.
    Died,
}

/// The boots of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boots {
    /// How many there were, the first included.
    pub count: u64,
    /// Whether it is up now: between two boots it is not.
    pub up: bool,
}

/// What went wrong on this host.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The host cannot run userlands at all; `hint` is the exact command that helps.
    #[error("this host cannot run sandbox instances: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
        /// What to run.
        hint: String,
    },
    /// A base, a layer or an image is not in the store.
    #[error("no {what} `{name}` in the sandbox store")]
    NotFound {
        /// `base`, `layer` or `image`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A system call or a file access failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Anything else, in one sentence.
    #[error("{0}")]
    Other(String),
}

/// A machine that was launched. Dropping the last handle kills what runs and removes what is temporary.
pub trait Machine: Send + Sync {
    /// Where its SSH server listens while it runs (an address of its own in 127.0.0.0/8).
    fn ssh_address(&self) -> SocketAddr;

    /// Resolves when the machine stops running, whoever asked for it.
    fn ended(&self) -> BoxFuture<'static, Ended>;

    /// Whether it runs now.
    fn is_running(&self) -> bool;

    /// Asks the processes to end (SIGTERM), kills what is left, and waits until none is. The
    /// file system stays. Doing it twice is not an error.
    fn stop(&self) -> BoxFuture<'static, Result<(), MachineError>>;

    /// Runs a stopped machine again on its kept file system and address.
    fn start(&self) -> BoxFuture<'static, Result<(), MachineError>>;

    /// SIGTERM and kill as `stop`, then start again.
    fn reboot(&self) -> BoxFuture<'static, Result<(), MachineError>>;

    /// Stops and removes its file system.
    fn terminate(&self) -> BoxFuture<'static, Result<(), MachineError>>;

    /// Copies what the machine wrote on top of its root into a new layer of the store and
    /// returns its digest. Best on a stopped machine; on a running one it is a crash-consistent copy.
    fn capture(&self) -> BoxFuture<'static, Result<Digest, MachineError>>;

    /// Its boots, those that the guest asks for included.
    fn boots(&self) -> watch::Receiver<Boots>;

    /// Runs a program as root, without a log-in. `kill` ends its process group with SIGKILL. Ends
    /// with the machine, if that ends first.
    fn run(
        &self,
        task: Task,
        kill: CancellationToken,
    ) -> BoxFuture<'static, Result<TaskEnd, MachineError>>;

    /// What the guest wrote to its console: boot messages and user data output.
    fn console_output(&self) -> Vec<u8>;
}

/// A host of machines.
pub trait Host: Send + Sync {
    /// Boots a machine; resolves when its SSH server accepts connections.
    fn launch(
        &self,
        spec: MachineSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Machine>, MachineError>>;
}

/// A root file system in the store that images can stand on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Base {
    /// Its name: `host`, or as imported.
    pub name: String,
    /// The root directory; `/` for the host.
    pub path: PathBuf,
    /// `ID` of its os-release: `debian`, `ubuntu`, `amzn`; empty when it has none.
    pub os_id: String,
    /// `VERSION_ID` of its os-release.
    pub os_version: String,
    /// `PRETTY_NAME` of its os-release.
    pub os_name: String,
}
