//! How a template says to reach a machine: the same options for every builder, with Packer's checks
//! before a build.

mod bytes;
mod check;
mod declaration;
mod key_file;
mod meaning;
mod path;
mod tunnel;

pub use bytes::KeyBytes;
pub use declaration::CommunicatorOptions;
pub use path::user_path;
pub use tunnel::Tunnel;
