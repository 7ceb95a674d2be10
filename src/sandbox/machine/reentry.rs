//! bake's own executable in other roles.
//!
//! A machine's first process, its SSH server and the commands that stand in
//! for missing ones (`sudo`) are bake itself, executed again. `main` asks here
//! before it does anything else, because namespaces of a process can only be
//! changed while it has one thread.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::{guest, protocol::role, ssh};

/// Plays the hidden role that the arguments ask for and returns the exit
/// status, or `None` when this is bake as the user knows it.
pub fn reentry(arguments: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next()?;
    // A process whose real and effective user differ was started through the
    // set-user-id copy inside a machine; it may be nothing else but sudo.
    if Path::new(&name).file_name() == Some(OsStr::new("sudo")) || is_set_user_id() {
        return Some(guest::sudo::main(arguments.collect()));
    }
    let role = arguments.next()?;
    let path = || arguments.next().unwrap_or_default();
    match role.to_str()? {
        role::STAGE => Some(guest::stage::main(Path::new(&{ path }()))),
        role::INIT => Some(guest::init::main(Path::new(&{ path }()))),
        role::SSHD => Some(ssh::main()),
        role::ENTER => Some(guest::task::main()),
        _ => None,
    }
}

fn is_set_user_id() -> bool {
    rustix::process::getuid() != rustix::process::geteuid()
}
