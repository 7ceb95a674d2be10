//! Session Manager: sessions to ports of instances over a data channel.
//!
//! A session lives in a task of its own (`agent`), with the agent's side of the
//! protocol: handshake, sequence, acknowledgements, resending, streams. Sockets
//! come and go; `upgrade` lets them in and `link` moves their frames, with
//! faults on purpose. The frames themselves are the communicator's codecs.

mod agent;
mod document;
mod link;
mod registry;
mod sequence;
mod streams;
mod upgrade;

pub(super) use registry::{Session, Sessions, StartSession};
pub(super) use upgrade::{PATH, upgrade};
