//! NTLM version 2, as far as a client of HTTP needs it ([MS-NLMP]): three messages that prove to
//! know a password, and the key that they agree on, with which everything after them is sealed.
//!
//! Its ciphers are those of its time. Windows has nothing better to offer to a machine outside of
//! its domain, and refuses unsealed messages over plain HTTP unless it is told otherwise.
//!
//! [MS-NLMP]: https://learn.microsoft.com/openspecs/windows_protocols/ms-nlmp

mod crypto;
mod message;
mod seal;

#[cfg(test)]
pub(super) use message::server;
pub(super) use message::{Challenge, Chosen, Credentials, authenticate, negotiate};
pub(super) use seal::Session;
