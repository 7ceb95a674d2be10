//! The embedded cloud: an HTTP endpoint that speaks the EC2 query protocol and
//! whose instances are real Linux userlands on this machine.
//!
//! Nothing in `build` or `aws` knows that it talks to the sandbox; the one code
//! path is the AWS SDK over HTTP. The parts, lowest first:
//!
//! - [`machine`]: a userland in its own namespaces over copy-on-write layers,
//!   with an SSH server in front; knows nothing of EC2;
//! - `store`: bases, layers and image records on disk;
//! - `catalogue`: which base stands in for a well-known image name;
//! - `cloud`: the state of one account in one region, and its transitions;
//! - `endpoint`: HTTP, query decoding, XML answers, one file a group of actions;
//! - `service`: all of it as one thing to start and stop.

pub mod machine;
pub mod store;

pub mod catalogue;
pub mod cloud;
pub mod endpoint;

pub mod service;
