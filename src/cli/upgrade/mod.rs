//! `bake upgrade`: a legacy template as HCL, and the proof that it is the same recipe.

mod command;
mod difference;
mod proof;

pub(super) use command::run;
