//! Whether this host can run userlands, and what would help when it cannot.

use std::path::Path;

use rustix::thread::CapabilitySet;

use super::MachineError;

/// Checks what can be checked without trying.
pub(super) fn check() -> Result<(), MachineError> {
    let unsupported = |reason: &str, hint: &str| {
        Err(MachineError::Unsupported { reason: reason.to_owned(), hint: hint.to_owned() })
    };
    if !rustix::process::geteuid().is_root() {
        return unsupported(
            "making namespaces with the host's root as their base needs root",
            &format!("sudo {}", command_line()),
        );
    }
    let has_right = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    if !has_right {
        return unsupported(
            "root has no CAP_SYS_ADMIN here, as in a container",
            "docker run --privileged … (or podman), with the sandbox store on a volume",
        );
    }
    let limit = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    if limit.trim() == "0" || !Path::new("/proc/self/ns/user").exists() {
        return unsupported(
            "user namespaces are turned off",
            "sysctl -w user.max_user_namespaces=10000",
        );
    }
    let file_systems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has_overlay = file_systems.lines().any(|line| line.trim_end().ends_with("\toverlay"));
    if !has_overlay && !Path::new("/sys/module/overlay").exists() {
        return unsupported("the kernel has no overlayfs loaded", "modprobe overlay");
    }
    Ok(())
}

/// How this process was called, quoted enough to be pasted.
fn command_line() -> String {
    let words = std::env::args_os().map(|word| {
        let word = word.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
