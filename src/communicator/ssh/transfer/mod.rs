//! Moving files over SSH.
//!
//! Bytes go through one command as one stream: a file as it is, a tree as a tar archive. The far
//! side computes the digest of what it has got, in the same command. Large uploads over a long
//! link are split over several connections ([`split`]), and packed when the link is slow
//! ([`packing`]). Where there is no shell or no `tar`, SFTP does it ([`sftp`]).
//!
//! Commands run in the login user's own shell, which may be any: [`shell`] says how they are
//! written. What they tell us comes after a mark that nothing else can say ([`said`]).

mod archive;
mod destination;
mod download;
mod landing;
mod leg;
mod packing;
mod said;
mod sftp;
mod shell;
mod source;
mod split;
mod upload;
mod way;

pub(super) use archive::Piece;
pub(super) use download::download;
pub(super) use upload::upload;
pub(super) use way::{Connect, Link, Way};
