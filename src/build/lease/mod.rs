//! One image for any number of builds at the same time: leases, made of EC2 alone.
//!
//! The name of a key pair is unique in a region of an account, so importing one is an atomic
//! mutex. Whoever imports `bake-lease-` and the start of the image hash makes the image; the
//! others wait for it, and take what it has made. The tags say who holds the lease and until when;
//! the holder renews it while it lives.
//!
//! A lease is deleted by its id, never by its name: a name may be another build's by now. Whoever
//! takes over deletes the old lease by its id and imports a new one, so of several only one wins.

mod claim;
mod holder;

pub(super) use claim::{Lease, Taken, end, find, is_lease};
pub(super) use holder::HOLDER;
