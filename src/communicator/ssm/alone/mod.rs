//! Run Command alone: for instances where nothing can listen, where sessions are refused, and for
//! Windows.
//!
//! Each command is a job in the background of the instance: its output grows in files, which are
//! read in ranges that Run Command does not cut, and its exit code is its own. Everything that the
//! account's history of commands would show for 30 days (commands, what they read and print) is
//! encrypted between this machine and the instance, as far as the instance has what that takes.

#[cfg(test)]
pub(crate) mod fake_windows;
mod posix;
mod powershell;
mod report;
mod seal;
mod shell;
mod way;
mod windows;

pub(super) use shell::Shell;
pub(super) use way::{Alone, Request, unless_gone};
pub(super) use windows::{download, upload};
