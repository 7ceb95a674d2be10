//! Session Manager and Run Command: an instance without an open port, and without a helper program
//! on this machine.
//!
//! From the bottom up: [`frame`] and [`smux`] are codecs, [`message`] the JSON documents in frames.
//! They know both directions, so that an agent's side can be written with them too. Facts about the
//! protocol were read from the reference client and agent, and seen on loopback; where both are
//! wrong (the rewrite of single newlines, buffers that drop), this is not like them.

pub mod frame;
pub mod message;
pub mod smux;
