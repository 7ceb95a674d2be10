//! `bake verify`: whether an image is what it claims to be.

mod claim;
mod command;
mod finding;

pub(super) use command::run;
