//! `bake fmt`: files in, files in canonical layout out.

mod command;
mod difference;
mod file;

pub(super) use command::run;
