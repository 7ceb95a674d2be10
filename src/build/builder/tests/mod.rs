//! Options of all builders, from templates to plans.

mod bucket;
mod chroot;
mod communicator;
mod ebs;
mod every_option;
mod file;
mod image;
mod instance_store;
mod launch;
mod names;
mod null;
mod pairs;
pub(super) mod support;
mod surrogate;
mod volume;
