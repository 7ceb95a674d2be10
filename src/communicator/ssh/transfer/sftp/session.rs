//! Starting SFTP on a channel.

use russh::ChannelMsg;
use russh_sftp::client::error::Error;
use russh_sftp::client::{Config, SftpSession};
use russh_sftp::protocol::StatusCode;

use super::super::super::client::explain;
use crate::communicator::CommunicatorError;

/// Files in flight. The library reads handles as UTF-8, and the 128th handle of an OpenSSH server
/// is not: so never near that many.
pub(super) const FILES: usize = 32;

/// Reads and writes in flight for each file.
const IN_FLIGHT: usize = 64;

/// Seconds that one request may take.
const REQUEST_LIMIT: u64 = 60;

/// Starts the subsystem.
pub(super) async fn start(
    mut channel: russh::Channel<russh::client::Msg>,
) -> Result<SftpSession, CommunicatorError> {
    let refused = |reason: String| CommunicatorError::Refused { wanted: "start SFTP", reason };
    channel.request_subsystem(true, "sftp").await.map_err(|error| refused(explain(&error)))?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => {
                return Err(refused(
                    "it has no such subsystem, and `tar` is missing or not wanted".into(),
                ));
            }
            Some(_) => {}
            None => return Err(refused("the connection was lost".into())),
        }
    }
    let config = Config {
        max_concurrent_reads: IN_FLIGHT,
        max_concurrent_writes: IN_FLIGHT,
        max_write_packet_len: 255 << 10,
        request_timeout_secs: REQUEST_LIMIT,
        ..Config::default()
    };
    let stream = channel.into_stream();
    SftpSession::new_with_config(stream, config).await.map_err(|error| {
        refused(match error {
            Error::Status(_) | Error::Timeout => reason(&error),
            // The library's words are about its own parts.
            _ => "it ends at once, as for an account that may not run commands".into(),
        })
    })
}

/// A path as SFTP takes it: it knows no `~`, but starts in the home directory.
pub(super) fn path(text: &str) -> String {
    match text {
        "~" | "~/" => ".".into(),
        path => path.strip_prefix("~/").unwrap_or(path).into(),
    }
}

/// An error in words.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Status(status) => status.status_code.to_string(),
        error => error.to_string(),
    }
}

/// Whether something is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Status(status) if status.status_code == StatusCode::NoSuchFile)
}
