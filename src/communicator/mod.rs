//! Ways to reach an instance: run commands there and move bytes.
//!
//! A [`Communicator`] knows nothing of provisioners, templates or clouds. SSH
//! lives in [`ssh`]; its crate's types do not leave that folder. [`ssm`] is the way through AWS
//! Systems Manager, which the calls in `aws` are handed to. [`winrm`] leads to Windows.

mod ask;
mod authorized_key;
mod contract;
mod dial;
mod error;
mod none;
pub mod options;
mod plain_landing;
mod quote;
mod sh;
mod stream;

pub mod ssh;
pub mod ssm;
pub mod winrm;

pub use ask::{Answer, ask};
pub use authorized_key::clear_authorized_key;
pub use contract::{
    Chunk, Command, Communicator, Download, DownloadReport, Exit, Stdin, Upload, UploadReport,
};
pub use dial::{ByteStream, Dial, DialError};
pub use error::{CommunicatorError, ConnectError, ConnectStage, Hop};
pub use none::None;
pub use options::{CommunicatorOptions, SshSettings, WinRmSettings};
pub use quote::quote;
pub(crate) use sh::{one_line, sh};
