//! Templates that ask, and small servers that answer.

mod aws;
mod evaluation;
mod harness;
mod hashes;
mod server;
mod services;
