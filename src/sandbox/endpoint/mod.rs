//! HTTP, query decoding, XML answers.
//!
//! One file a group of actions; each handler decodes its parameters into a
//! typed request, runs it in the `cloud`, and encodes what it gave. `actions`
//! is the only list of names. EC2 and STS speak the query protocol, Systems
//! Manager JSON; all on one port, told apart by header and parameters.

mod actions;
mod call;
mod fault;
mod images;
mod instance_attributes;
mod instances;
mod key_pairs;
mod launch;
mod network;
mod query;
mod security_groups;
mod server;
mod signature;
mod snapshots;
mod ssm;
mod sts;
mod tags;
mod volumes;
mod xml;

pub use fault::{FaultEffect, FaultError, FaultRule};
pub use server::Endpoint;

#[cfg(test)]
mod tests;
