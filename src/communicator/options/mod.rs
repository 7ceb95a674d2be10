//! How a template says to reach a machine: the same options for every builder, with Packer's checks
//! before a build.

mod bastion;
mod bytes;
mod check;
mod declaration;
mod effect;
mod key_file;
mod meaning;
mod path;
mod ssh_settings;
mod winrm_settings;

pub use bytes::KeyBytes;
pub use declaration::CommunicatorOptions;
pub use path::user_path;
pub use ssh_settings::{LoginSettings, SshSettings};
pub use winrm_settings::WinRmSettings;
