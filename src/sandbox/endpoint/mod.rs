//! HTTP, query decoding, XML answers.
//!
//! One file a group of actions; each handler decodes its parameters into a
//! typed request, runs it in the `cloud`, and encodes what it gave. `actions`
//! and `ssm` have the only lists of names. EC2, IAM and STS speak the query
//! protocol, Systems Manager and Service Quotas JSON, its sessions WebSocket, S3 paths; all on one port,
//! told apart by header, parameters and path.

mod actions;
mod call;
mod fault;
mod iam;
mod images;
mod instance_attributes;
mod instance_profiles;
mod instances;
mod key_pairs;
mod launch;
mod network;
mod objects;
mod query;
mod quotas;
mod security_groups;
mod server;
mod sessions;
mod signature;
mod snapshots;
mod ssm;
mod sts;
mod tags;
mod volumes;
mod xml;

pub use fault::{ChannelFault, FaultEffect, FaultError, FaultRule, Share};
pub use server::Endpoint;

#[cfg(test)]
mod tests;
