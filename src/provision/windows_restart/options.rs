//! Options of the `windows-restart` provisioner.

use std::time::Duration;

crate::options! {
    /// Restarts a Windows instance and waits until it is back.
    pub(super) struct WindowsRestartOptions {
        /// What restarts the instance.
        hashed restart_command: String = "shutdown /r /f /t 0 /c \"packer restart\"".to_owned(),
        /// What succeeds once the instance is back; by default it prints the host's name.
        hashed restart_check_command: Option<String>,
        /// How long it may take.
        unhashed restart_timeout: Duration = Duration::from_secs(300),
        /// Whether to wait until no restart is pending in the registry.
        hashed check_registry: bool = false,
        /// Keys of the registry that stand for a pending restart.
        hashed registry_keys: Vec<String> = pending_restart(),
    }
}

/// Where Windows keeps that it waits for a restart.
fn pending_restart() -> Vec<String> {
    ["RebootPending", "PackagesPending", "RebootInProgress"]
        .map(|name| format!("{SERVICING}\\{name}"))
        .to_vec()
}

/// The key of component based servicing.
const SERVICING: &str = r"HKLM:SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing";
