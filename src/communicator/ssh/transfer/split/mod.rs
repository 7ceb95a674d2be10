//! Large transfers over a long link.
//!
//! The window of an SSH channel lets OpenSSH take 2 MiB in a round trip, and a TCP connection has
//! a window of its own. Four connections together have four of each. The first leg begins at once
//! on the connection that is there, while the others log in ([`lanes`]); it also shows whether the
//! link is so slow that packing pays. Then each lane takes a share: a range of the file, or an
//! archive of some of the files; large files of a tree go one by one. What the server refuses, the
//! other lanes do.

mod download;
mod lanes;
mod upload;

pub(super) use download::download;
pub(super) use lanes::Lane;
pub(super) use upload::{is_large, upload};

use std::time::Duration;

/// A round trip that is worth splitting.
pub(super) const LONG: Duration = Duration::from_millis(5);

/// Bytes that are worth splitting.
const LARGE: u64 = 32 << 20;

/// How much of a transfer the first leg takes: about as long as others need to log in, since a TCP
/// connection begins slowly.
const FIRST: u64 = 8 << 20;
