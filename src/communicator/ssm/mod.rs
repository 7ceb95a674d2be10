//! Session Manager and Run Command: an instance without an open port, and without a helper program
//! on this machine.
//!
//! From the bottom up: [`frame`] and [`smux`] are codecs, [`message`] the JSON documents in frames.
//! They know both directions, so that an agent's side can be written with them too. Facts about the
//! protocol were read from the reference client and agent, and seen on loopback; where both are
//! wrong (the rewrite of single newlines, buffers that drop), this is not like them.
//!
//! [`Ssm`] is the communicator: jobs through a listener that a session leads to (`gate`), or by Run
//! Command alone (`alone`). Large files may go by way of a bucket, a [`Depot`].

mod address;
mod alone;
mod arrivals;
mod channel;
mod commands;
mod communicator;
mod depot;
mod download;
mod end;
mod follow;
pub mod frame;
mod gate;
mod invoke;
pub mod message;
mod mux;
mod pace;
mod port_forward;
mod session;
mod sessions;
mod settings;
pub mod smux;
mod socket;
mod stored;
mod through_gate;
mod traces;
mod upload;
mod version;
mod window;

pub use address::StreamHosts;
pub use commands::{AgentInformation, Document, Invocation, RunCommand, SendCommand};
pub use communicator::{Ssm, SsmOptions, connect};
pub use depot::Depot;
pub use end::SessionEnd;
pub use invoke::CommandTiming;
pub use port_forward::PortForward;
pub use sessions::{OpenedSession, SessionError, SessionErrorKind, Sessions, StartSession};
pub use settings::Settings;
pub use traces::clear_traces;

#[cfg(test)]
pub(crate) use alone::fake_windows;
#[cfg(test)]
mod tests;
