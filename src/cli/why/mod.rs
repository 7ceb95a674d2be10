//! `bake why`: why two hashes differ.

mod command;
mod compare;
mod git;
mod side;

#[cfg(test)]
mod mutations;

pub(super) use command::run;
