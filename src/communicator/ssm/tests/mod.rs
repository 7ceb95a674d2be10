//! The client against an agent of our own: over a network that exists only in numbers, and over
//! sockets.

mod agent;
mod alone;
mod channel;
mod commands;
mod files;
mod live;
mod machine;
mod network;
mod service;
mod windows;

pub(super) use machine::warnings;

/// The byte at a place of an endless stream: no two pieces of it look the same.
fn byte(position: u64) -> u8 {
    let mixed = position.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (position >> 7);
    (mixed >> 32) as u8
}

/// A piece of that stream.
fn bytes(from: u64, length: usize) -> Vec<u8> {
    (from..).take(length).map(byte).collect()
}
