//! Moving files over SSH.
//!
//! Bytes go through one command as one stream, as [`stream`](crate::communicator::stream) has it.
//! Large ones over a long link are split over several connections ([`split`]), and packed when the
//! link is slow ([`way::Link`] knows). Where there is no shell or no `tar`, SFTP does it
//! ([`sftp`]).

mod download;
mod gauge;
mod sftp;
mod split;
mod upload;
mod way;

pub(super) use crate::communicator::stream::Piece;
pub(super) use download::download;
pub(super) use upload::upload;
pub(super) use way::{Connect, Link, Way};
