//! WinRM: Windows machines without sshd, over HTTP or HTTPS.
//!
//! [`connect`] waits until an instance runs a command for the user. `envelope`, `answer` and `xml`
//! are the messages; `connection` and `client` carry them, logged in by a password or by `ntlm`; `job`
//! follows one command; `upload` and `download` move files through PowerShell's input and output.
//!
//! What this cannot do: terminals, which WinRM has not, and Kerberos.

mod answer;
mod client;
mod communicator;
mod connection;
mod download;
mod envelope;
mod error;
mod failure;
mod job;
mod link;
mod ntlm;
mod options;
mod powershell;
mod sealed;
mod tls;
mod upload;
mod wait;
mod xml;

#[cfg(test)]
mod tests;

pub use communicator::{WinRm, connect};
pub use error::{Stage, WinRmError};
pub use link::HttpProxy;
pub use options::{Pace, WinRmOptions};
