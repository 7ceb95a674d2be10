//! `bake inspect`: what a template has.

mod command;
mod hcl;
mod legacy;

pub(super) use command::run;
pub(super) use hcl::variables;
pub(super) use legacy::variables as legacy_variables;
