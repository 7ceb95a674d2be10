//! Templates that ask, and small servers that answer.

mod aws;
mod evaluation;
#[expect(dead_code, reason = "options that tests declare are hashed, not read")]
mod harness;
mod hashes;
mod pins;
mod server;
mod services;
