//! Legacy templates to HCL: the same recipe, and the same template hash.
//!
//! [`upgrade`] writes a legacy [`Template`](super::Template) as HCL; it reads no files and gives no
//! values. What has no exact counterpart in HCL stays a Go template, which works in HCL's strings
//! too. The parts:
//!
//! - [`name`]: what variables and sources are called in HCL;
//! - [`call`] and [`text`]: Go templates to expressions;
//! - [`convert`]: weak types to strict ones, by the options' schemas;
//! - [`body`], [`step`], [`variable`], [`build`], [`packer`]: the blocks;
//! - [`document`]: the text.

mod body;
mod build;
mod call;
mod convert;
mod document;
mod name;
mod packer;
mod rewrite;
mod step;
#[cfg(test)]
mod tests;
mod text;
mod variable;

pub use build::{Manner, Role, Schemas, Upgraded, upgrade};
pub(super) use name::Names;
pub(super) use rewrite::{canonical_source, roots, stand_in};
