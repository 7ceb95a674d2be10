//! The SSH server inside a machine.
//!
//! A child of process 1, one thread for all connections. It got its listening
//! socket from bake, because a user namespace may not bind low ports of the
//! host's network. Sessions run as the guest's users in the guest's root.

mod identity;
mod input;
mod process;
mod pty;
mod server;
mod session;
mod sftp;

pub(super) use server::main;
