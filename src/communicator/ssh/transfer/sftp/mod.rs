//! Files by SFTP: where the far side has no `tar`, or where the template asks for it.

mod download;
mod session;
mod upload;

pub(super) use download::download;
pub(super) use upload::upload;
