//! Answers to what templates ask of the world outside: data sources and the functions for secrets
//! (`packer-core.md` sections 3.1 and 4.17, `packer-amazon.md` section 3.5).
//!
//! One file each: its options, and how it is asked. [`settle`] is the loop that evaluates, finds
//! answers and evaluates again; [`Resolver`] is who asks the network. Evaluation itself, which
//! says what is to be asked, is in [`template::lookup`](crate::template::lookup).

mod amazon_ami;
mod aws_access;
mod consul;
mod fetch;
#[expect(
    dead_code,
    reason = "options are declared so that templates can be checked; nobody is asked"
)]
mod hcp;
mod http;
mod null;
mod parameter_store;
mod pinned;
mod resolver;
mod rounds;
mod secrets_manager;
#[cfg(test)]
mod tests;
mod vault;
mod versions;

pub use pinned::{Met, PinnedLookUp};
pub use resolver::{Resolver, Surroundings};
pub use rounds::{LookUp, Round, settle};

use crate::template::data_source::DataSourceKind;

/// The data sources that templates may use.
pub const DATA_SOURCES: &[DataSourceKind] = &[
    amazon_ami::KIND,
    parameter_store::KIND,
    secrets_manager::KIND,
    hcp::VERSION,
    hcp::ARTIFACT,
    hcp::IMAGE,
    hcp::ITERATION,
    http::KIND,
    null::KIND,
];
