//! What bake and the processes inside a machine say to each other.
//!
//! The settings of a boot lie in a file of the instance's directory. One
//! stream socket, the *lifeline*, joins bake with the stage and the init
//! process; its end of file means that bake is gone. On it go single lines.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Hidden first arguments of bake's own executable, one a role.
pub(super) mod role {
    /// Makes the namespaces, on the host's side.
    pub(crate) const STAGE: &str = "__sandbox-stage";
    /// The machine's process 1.
    pub(crate) const INIT: &str = "__sandbox-init";
    /// The SSH server inside.
    pub(crate) const SSHD: &str = "__sandbox-sshd";
    /// Goes into a machine and runs a task there.
    pub(crate) const ENTER: &str = "__sandbox-enter";
}

/// Exit status of the stage when the machine ended as it was asked to.
pub(super) const EXIT_ASKED: i32 = 0;
/// Exit status of the stage when the guest powered itself off.
pub(super) const EXIT_POWEROFF: i32 = 90;
/// Exit status of the stage when the guest wants to boot again.
pub(super) const EXIT_REBOOT: i32 = 91;

/// A line from the stage to bake, and from init to the SSH server: write the id
/// maps of my process, please.
pub(super) const SAY_MAP: &str = "map";
/// The answer to [`SAY_MAP`].
pub(super) const SAY_MAPPED: &str = "mapped";
/// The start of a line from the stage to bake: process 1, as the host counts.
pub(super) const SAY_INIT: &str = "init ";
/// A line from the SSH server to init: my libraries are loaded, the root may change.
pub(super) const SAY_LOADED: &str = "loaded";
/// A line from the SSH server to init and on to bake: it accepts.
pub(super) const SAY_READY: &str = "ready";
/// A line from bake to a task: end with SIGKILL.
pub(super) const SAY_KILL: &str = "kill";
/// Tells log-ins and the tasks of the agent that the machine goes down, as systemd's shutdown does.
pub(super) const NO_LOGIN: &str = "/run/nologin";
/// A line from bake to init: end all processes.
pub(super) const SAY_STOP: &str = "stop";
/// The start of a line from inside: what went wrong.
pub(super) const SAY_ERROR: &str = "error ";

/// Everything that the processes of one boot need to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Boot {
    /// The instance's working directory; layers are named relative to it.
    pub(super) directory: PathBuf,
    /// The base's root directory.
    pub(super) base: PathBuf,
    /// Whether the base is bound to `base` of the working directory first (the host's own root).
    pub(super) bind_base: bool,
    /// Whether the base's tree contains the layers, which changes how they are mounted.
    pub(super) store_in_base: bool,
    /// Number of links `0`, `1`, … in the working directory's `layer`, topmost first.
    pub(super) layers: usize,
    /// The name that `hostname` prints.
    pub(super) hostname: String,
    /// Files to write below `/run`, for links of the base that point there.
    pub(super) run_files: Vec<(PathBuf, String)>,
    /// Keys, users and user data.
    pub(super) guest: Guest,
}

/// The part of [`Boot`] that matters inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Guest {
    /// Whether first-boot set-up is still to do.
    pub(super) first_boot: bool,
    /// OpenSSH public keys that may log in.
    pub(super) authorized_keys: Vec<String>,
    /// Default users.
    pub(super) users: Vec<String>,
    /// Whether a login as an unknown user makes that user.
    pub(super) make_unknown_users: bool,
    /// User data, base64.
    pub(super) user_data: Option<String>,
    /// The SSH host key in OpenSSH's own format.
    pub(super) host_key: String,
}

impl Boot {
    /// Reads the settings back.
    pub(super) fn read(path: &std::path::Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}
