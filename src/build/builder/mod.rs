//! Builders: each is its options and a run over the engine.

pub mod amazon;
pub mod amazon_chroot;
pub mod amazon_ebs;
pub mod amazon_ebssurrogate;
pub mod amazon_ebsvolume;
pub mod amazon_instance;
mod contract;
pub mod file;
pub mod null;

#[cfg(test)]
mod tests;

pub use contract::{Builder, Prepare, PreparedBuild};

use crate::plan::ComponentKind;

/// All builders.
pub const BUILDERS: [Builder; 7] = [
    amazon_chroot::BUILDER,
    amazon_ebs::BUILDER,
    amazon_ebssurrogate::BUILDER,
    amazon_ebsvolume::BUILDER,
    amazon_instance::BUILDER,
    file::BUILDER,
    null::BUILDER,
];

/// Their names, options and plans.
pub const KINDS: &[ComponentKind] = &contract::kinds(&BUILDERS);
