//! `bake console`: expressions in, values out.

mod command;
mod pipe;
mod session;
mod terminal;

pub(super) use command::run;
