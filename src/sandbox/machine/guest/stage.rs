//! The stage: still on the host, makes a machine's namespaces and its first process.
//!
//! It stays as the parent of that process and passes on how it ended.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;

use super::lifeline::Lifeline;
use super::namespace::unshare;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::protocol::{
    Boot, EXIT_ASKED, EXIT_POWEROFF, EXIT_REBOOT, SAY_INIT, SAY_MAP, SAY_MAPPED, role,
};
use crate::sandbox::machine::{MachineError, protocol};

/// Runs the role; `settings` is the file that holds [`Boot`].
pub(in crate::sandbox::machine) fn main(settings: &Path) -> i32 {
    let Ok(mut lifeline) = Lifeline::from_stdin() else { return 1 };
    match run(settings, &mut lifeline) {
        Ok(status) => exit_code(status),
        Err(error) => {
            lifeline.say_error(&error);
            1
        }
    }
}

fn run(settings: &Path, lifeline: &mut Lifeline) -> Result<ExitStatus, MachineError> {
    let boot = Boot::read(settings).tried_on("read", settings)?;
    // The machine's root must be able to take the place of this process's root
    // and working directory.
    std::env::set_current_dir("/").tried(|| "change to /".to_owned())?;

    unshare(UnshareFlags::NEWNS).tried(|| "make a private mount namespace".to_owned())?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .tried(|| "make mounts private".to_owned())?;
    if boot.bind_base {
        let target = boot.directory.join("base");
        rustix::mount::mount_bind(&boot.base, &target).tried_on("bind the base to", &target)?;
    }
    // Read-only before the user namespace exists, so that the flag is locked
    // inside: the guest's root has the host root's user id.
    let sys = boot.directory.join("sys");
    rustix::mount::mount_bind("/sys", &sys).tried_on("bind /sys to", &sys)?;
    rustix::mount::mount_remount(
        &sys,
        MountFlags::BIND
            | MountFlags::RDONLY
            | MountFlags::NOSUID
            | MountFlags::NODEV
            | MountFlags::NOEXEC,
        "",
    )
    .tried_on("make read-only", &sys)?;

    unshare(
        UnshareFlags::NEWUSER
            | UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWIPC,
    )
    .tried(|| "make user, mount, pid, uts and ipc namespaces".to_owned())?;
    lifeline.say(SAY_MAP).tried(|| "talk to bake".to_owned())?;
    let answer = lifeline.hear().tried(|| "hear from bake".to_owned())?;
    if answer != SAY_MAPPED {
        return Err(MachineError::Other(format!("bake answered `{answer}`")));
    }

    start_clock_at_zero();
    let mut init = Command::new("/proc/self/exe")
        .arg(role::INIT)
        .arg(settings)
        // It is root already. With this the standard library forks; older kernels refuse vfork(2)
        // into another time namespace.
        .uid(0)
        .spawn()
        .tried(|| "start the machine's first process".to_owned())?;
    lifeline.say(&format!("{SAY_INIT}{}", init.id())).tried(|| "talk to bake".to_owned())?;
    init.wait().tried(|| "wait for the machine".to_owned())
}

/// Lets the uptime of the processes to come start at zero. A kernel without time namespaces
/// shows the host's, which is no reason not to boot.
fn start_clock_at_zero() {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let Some((seconds, _)) = uptime.split_once('.') else { return };
    if unshare(UnshareFlags::NEWTIME).is_ok() {
        drop(std::fs::write("/proc/self/timens_offsets", format!("boottime -{seconds} 0\n")));
    }
}

/// What bake is told about the end of process 1.
///
/// reboot(2) in a pid namespace ends its first process with SIGHUP for a
/// restart and SIGINT for power-off and halt (`pid_namespaces(7)`).
fn exit_code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code @ (EXIT_ASKED | EXIT_POWEROFF | EXIT_REBOOT)), _) => code,
        (_, Some(signal)) if signal == Signal::HUP.as_raw() => protocol::EXIT_REBOOT,
        (_, Some(signal)) if signal == Signal::INT.as_raw() => protocol::EXIT_POWEROFF,
        _ => 1,
    }
}
