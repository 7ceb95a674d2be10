//! Ways to reach an instance: run commands there and move bytes.
//!
//! A [`Communicator`] knows nothing of provisioners, templates or clouds. SSH
//! lives in [`ssh`]; its crate's types do not leave that folder. [`ssm`] is the way through AWS
//! Systems Manager, which the calls in `aws` are handed to.

mod contract;
mod dial;
mod error;
mod none;
pub mod options;
mod quote;

pub mod ssh;
pub mod ssm;

pub use contract::{
    Chunk, Command, Communicator, Download, DownloadReport, Exit, Stdin, Upload, UploadReport,
};
pub use dial::{ByteStream, Dial, DialError};
pub use error::{CommunicatorError, ConnectError, ConnectStage};
pub use none::None;
pub use options::CommunicatorOptions;
pub use quote::quote;
