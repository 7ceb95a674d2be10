//! Namespaces of the calling process.
//!
//! A machine has two user namespaces, one in the other. The outer one owns the
//! mounts. Its root has the host root's user id, and what protects the host
//! from that id (`/proc/sys` read-only, for one) are mounts; so the guest lives
//! in the inner one, where the kernel has locked them, `mount_namespaces(7)`.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags};

/// What the inner namespace has of its own.
const INNER: [(&str, LinkNameSpaceType); 3] = [
    ("user", LinkNameSpaceType::User),
    ("mnt", LinkNameSpaceType::Mount),
    ("uts", LinkNameSpaceType::HostNameAndNISDomainName),
];

/// unshare(2) for processes with one thread.
#[expect(deprecated, reason = "unsafe only with UnshareFlags::FILES, which is not used here")]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    Ok(rustix::thread::unshare(flags)?)
}

/// Makes the inner namespace; its ids have to be mapped by a process of the outer one.
pub(super) fn enter_inner() -> io::Result<()> {
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWUTS)
}

/// Goes from the host into all namespaces of a machine, given a handle of its process 1. Children
/// of the caller are processes of the machine, the caller itself is not.
pub(super) fn enter(init: impl AsFd) -> io::Result<()> {
    let all = ThreadNameSpaceType::USER
        | ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::PROCESS_ID;
    let with_time = all | ThreadNameSpaceType::TIME;
    match rustix::thread::move_into_thread_name_spaces(init.as_fd(), with_time) {
        // A kernel without time namespaces.
        Err(rustix::io::Errno::INVAL) => {
            Ok(rustix::thread::move_into_thread_name_spaces(init.as_fd(), all)?)
        }
        result => Ok(result?),
    }
}

/// Follows process 1 into the inner namespace.
pub(in crate::sandbox::machine) fn follow_init() -> io::Result<()> {
    // All at once: the way to the others is closed from inside the first.
    let links = INNER
        .into_iter()
        .map(|(name, kind)| Ok((File::open(format!("/proc/1/ns/{name}"))?, kind)))
        .collect::<io::Result<Vec<_>>>()?;
    for (link, kind) in links {
        rustix::thread::move_into_link_name_space(link.as_fd(), Some(kind))?;
    }
    Ok(())
}
