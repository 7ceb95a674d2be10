//! `bake repro`: two builds of the same inputs, and what differs between their files.

mod command;
mod comparison;
mod writers;

pub(super) use command::run;
