//! Logging in.

use std::sync::Arc;

use russh::MethodSet;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};

use super::client::{Client, explain};
use super::key;
use super::options::{Authentication, SshOptions};
use crate::communicator::CommunicatorError;
use crate::template::schema::Secret;

/// Rounds of questions that a server may ask before we stop answering.
const MAXIMUM_ROUNDS: usize = 10;

/// Ways to log in with their keys read.
pub(super) struct Credentials {
    username: String,
    ways: Vec<Way>,
}

enum Way {
    Key(Arc<PrivateKey>),
    Password(Secret),
}

/// Why a log-in did not succeed.
pub(super) enum LoginError {
    /// The server said no to everything.
    Refused {
        /// What was tried.
        tried: Vec<String>,
        /// What the server says it takes.
        offered: Vec<String>,
    },
    /// The connection broke on the way.
    Broken(String),
}

impl From<russh::Error> for LoginError {
    fn from(error: russh::Error) -> Self {
        Self::Broken(explain(&error))
    }
}

impl Credentials {
    /// Reads the keys.
    pub(super) fn of(options: &SshOptions) -> Result<Self, CommunicatorError> {
        let ways = options
            .authentication
            .iter()
            .map(|way| match way {
                Authentication::Key(text) => key::read(text).map(Way::Key),
                Authentication::Password(password) => Ok(Way::Password(password.clone())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { username: options.username.clone(), ways })
    }

    /// Tries one way after the other.
    pub(super) async fn log_in(&self, handle: &mut Handle<Client>) -> Result<(), LoginError> {
        let mut tried = Vec::new();
        let mut offered = MethodSet::empty();
        for way in &self.ways {
            let done = match way {
                Way::Key(key) => self.with_key(handle, key, &mut tried, &mut offered).await?,
                Way::Password(password) => {
                    self.with_password(handle, password, &mut tried, &mut offered).await?
                }
            };
            if done {
                return Ok(());
            }
        }
        if self.ways.is_empty() {
            tried.push("none".into());
            let result = handle.authenticate_none(&self.username).await?;
            if accepted(handle, result, &mut offered)? {
                return Ok(());
            }
        }
        let offered = offered.iter().map(|kind| <&str>::from(kind).to_owned()).collect();
        Err(LoginError::Refused { tried, offered })
    }

    async fn with_key(
        &self,
        handle: &mut Handle<Client>,
        key: &Arc<PrivateKey>,
        tried: &mut Vec<String>,
        offered: &mut MethodSet,
    ) -> Result<bool, LoginError> {
        // An RSA key can sign in three ways. A server says which of them it knows, or says
        // nothing; which of them it takes for a log-in is another matter (OpenSSH before 9.6 does
        // not tell), so the next one is worth a try.
        let hashes: &[Option<HashAlg>] = if key.algorithm().is_rsa() {
            match handle.best_supported_rsa_hash().await? {
                Some(Some(HashAlg::Sha512)) => &[Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
                Some(Some(_)) => &[Some(HashAlg::Sha256)],
                Some(None) => &[None],
                None => &[Some(HashAlg::Sha512), Some(HashAlg::Sha256), None],
            }
        } else {
            &[None]
        };
        for hash in hashes {
            let key = PrivateKeyWithHashAlg::new(key.clone(), *hash);
            tried.push(format!("publickey ({})", key.algorithm()));
            let result = handle.authenticate_publickey(&self.username, key).await?;
            if accepted(handle, result, offered)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_password(
        &self,
        handle: &mut Handle<Client>,
        password: &Secret,
        tried: &mut Vec<String>,
        offered: &mut MethodSet,
    ) -> Result<bool, LoginError> {
        tried.push("password".into());
        let result = handle.authenticate_password(&self.username, password.reveal()).await?;
        if accepted(handle, result, offered)? {
            return Ok(true);
        }
        tried.push("keyboard-interactive".into());
        let mut answer =
            handle.authenticate_keyboard_interactive_start(&self.username, None::<String>).await?;
        for _ in 0..MAXIMUM_ROUNDS {
            answer = match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. } => {
                    *offered = remaining_methods;
                    return Ok(false);
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| password.reveal().to_owned()).collect();
                    handle.authenticate_keyboard_interactive_respond(answers).await?
                }
            };
        }
        Err(LoginError::Broken(format!("the server asked more than {MAXIMUM_ROUNDS} times")))
    }
}

fn accepted(
    handle: &Handle<Client>,
    result: AuthResult,
    offered: &mut MethodSet,
) -> Result<bool, LoginError> {
    match result {
        AuthResult::Success => Ok(true),
        // This is also what the library answers when the connection is gone.
        AuthResult::Failure { .. } if handle.is_closed() => {
            Err(LoginError::Broken("the far side closed the connection during the log-in".into()))
        }
        AuthResult::Failure { remaining_methods, .. } => {
            *offered = remaining_methods;
            Ok(false)
        }
    }
}
