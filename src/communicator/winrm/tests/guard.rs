//! A service that takes NTLM only, and only sealed messages, as a fresh Windows does.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::ntlm::{Credentials, Session, server};
use super::super::sealed;
use super::windows::{Guard, Windows};
use super::{PASSWORD, USER};
use crate::template::schema::Secret;

struct Ntlm {
    /// `Negotiate` or `NTLM`.
    scheme: &'static str,
    sealed: bool,
    challenge: Vec<u8>,
    session: Option<Session>,
}

/// A machine with such a service.
pub(super) fn machine(drive: &Path, scheme: &'static str, sealed: bool) -> Windows {
    let guards =
        move || Box::new(Ntlm { scheme, sealed, challenge: Vec::new(), session: None }) as _;
    Windows::guarded(drive, Box::new(guards))
}

impl Guard for Ntlm {
    fn check(&mut self, authorization: Option<&str>) -> Result<(), Vec<String>> {
        let offer = || vec![self.scheme.to_owned(), "Kerberos".to_owned()];
        let Some(given) = authorization else {
            return if self.session.is_some() { Ok(()) } else { Err(offer()) };
        };
        let Some(token) = given.strip_prefix(self.scheme) else { return Err(offer()) };
        let token = BASE64_STANDARD.decode(token.trim()).unwrap();
        if token[8] == 1 {
            self.challenge = server::challenge([7; 8], Some(133_000_000_000_000_000));
            return Err(vec![format!(
                "{} {}",
                self.scheme,
                BASE64_STANDARD.encode(&self.challenge)
            )]);
        }
        let user = Credentials::new(USER, Secret::new(PASSWORD));
        self.session = server::verify(&user, &self.challenge, &token);
        if self.session.is_some() { Ok(()) } else { Err(offer()) }
    }

    fn open(&mut self, body: Vec<u8>) -> Vec<u8> {
        match &mut self.session {
            Some(session) if self.sealed => sealed::unseal(session, &body).unwrap(),
            _ => body,
        }
    }

    fn close(&mut self, body: Vec<u8>) -> (&'static str, Vec<u8>) {
        match &mut self.session {
            Some(session) if self.sealed => (sealed::CONTENT_TYPE, sealed::seal(session, &body)),
            _ => ("application/soap+xml;charset=UTF-8", body),
        }
    }
}
