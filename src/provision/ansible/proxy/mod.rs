//! An SSH server on this machine that passes commands on to the instance over the build's own
//! communicator, whatever that is. It is what `ssh`, which Ansible starts, connects to.
//!
//! It listens on loopback, lets in one key, and knows sessions with a command or with SFTP;
//! nothing else. It lives as long as the step.

mod server;
mod session;

pub(super) use server::{Door, Proxy};
