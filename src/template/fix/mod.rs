//! What has been renamed or given up since a legacy template was written, put right.
//!
//! [`fix`] takes a template's JSON and gives the JSON that means the same today; nothing else
//! changes, and keys stay in their order. Each file holds the fixers of one group; [`FIXERS`] is
//! their order, as Packer has it (`packer-core.md` section 1.11). [`RENAMED`] and [`GIVEN_UP`] are
//! the names themselves, which diagnostics use too.

mod access;
mod amazon;
mod fixer;
mod function;
mod option;
mod post_processor;
mod provisioner;
mod tree;

#[cfg(test)]
mod tests;

pub use fixer::{FIXERS, Fixer, fix};
pub(crate) use option::{GIVEN_UP, RENAMED};
pub use tree::Json;
