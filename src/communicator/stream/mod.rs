//! Files and trees as one stream of bytes, over any way that runs commands ([`Far`]).
//!
//! A file travels as it is, a tree as a tar archive, packed when the link is slow ([`packing`]).
//! Commands that send and receive run in the login user's own shell, which may be any: [`shell`]
//! says how they are written. What they tell us comes after a mark that nothing else can say
//! ([`said`]).
//!
//! Both ways the far side computes digests of what it has, with whichever tool there is. What is
//! sent is checked against the plan ([`check`]), what is fetched against what is there ([`fetch`]).
//! Nothing of a download is in its place before that ([`landing`]).

pub(crate) mod archive;
pub(crate) mod check;
pub(crate) mod destination;
mod digests;
mod far;
mod fetch;
mod landing;
pub(crate) mod leg;
mod packing;
pub(crate) mod receive;
mod said;
mod send;
mod shell;
pub(crate) mod source;
mod unpack;

pub(crate) use archive::{Load, Piece};
pub(crate) use far::{Far, Input, Progress};
pub(crate) use fetch::{ATTEMPTS, Fetch};
pub(crate) use landing::{Arrived, Landing, Mishap, SharedLanding, Stamp, lock};
pub(crate) use leg::{Ended, Leg};
pub(crate) use packing::{Packing, is_packable};
pub(crate) use receive::Order;
pub(crate) use said::{Mark, Said};
pub(crate) use send::{Sent, failed, send, undone};
pub(crate) use shell::Call;
pub(crate) use source::Large;
pub(crate) use unpack::{Fetched, Listed, Target, Unpacked, stamp};
