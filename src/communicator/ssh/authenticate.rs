//! Logging in.

use std::path::PathBuf;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{AgentAuthError, MethodSet, SendError, Signer};

use super::client::{Client, Knowledge, explain};
use super::options::Authentication;
use super::{agent, key};
use crate::communicator::CommunicatorError;
use crate::template::schema::Secret;

/// Rounds of questions that a server may ask before we stop answering.
const MAXIMUM_ROUNDS: usize = 10;

/// What a server says before it hangs up because of too many refused keys.
const TOO_MANY: &str = "too many authentication failures";

/// Ways to log in with their keys read.
pub(super) struct Credentials {
    username: String,
    ways: Vec<Way>,
}

enum Way {
    Agent(PathBuf),
    Key(Arc<PrivateKey>),
    Certificate(Arc<PrivateKey>, Box<Certificate>),
    Password(Secret),
}

/// Why a log-in did not succeed.
pub(super) enum LoginError {
    /// The server said no to everything.
    Refused(Refusal),
    /// Something on this machine is missing: another attempt ends the same way.
    Local(CommunicatorError),
    /// The connection broke on the way.
    Broken(String),
}

/// How a server says no.
#[derive(Default)]
pub(super) struct Refusal {
    /// In a few words.
    pub(super) text: String,
    /// What was tried.
    pub(super) tried: Vec<String>,
    /// What the server says it takes.
    pub(super) offered: Vec<String>,
}

impl From<russh::Error> for LoginError {
    fn from(error: russh::Error) -> Self {
        Self::Broken(explain(&error))
    }
}

impl Credentials {
    /// Reads the keys, and sees that the agent has some.
    pub(super) async fn read(
        username: &str,
        ways: &[Authentication],
    ) -> Result<Self, CommunicatorError> {
        let mut read = Vec::new();
        for way in ways {
            read.push(match way {
                Authentication::Agent(socket) => {
                    agent::identities(&mut agent::connect(socket, None, false).await?).await?;
                    Way::Agent(socket.clone())
                }
                Authentication::Key(text) => Way::Key(key::read(text)?),
                Authentication::Certificate { key, certificate } => {
                    let (key, certificate) = key::read_certified(key, certificate)?;
                    Way::Certificate(key, Box::new(certificate))
                }
                Authentication::Password(password) => Way::Password(password.clone()),
            });
        }
        Ok(Self { username: username.to_owned(), ways: read })
    }

    /// Tries one way after the other. A server may want more than one of them.
    pub(super) async fn log_in(
        &self,
        handle: &mut Handle<Client>,
        knowledge: &Knowledge,
    ) -> Result<(), LoginError> {
        let mut attempt =
            Attempt { username: &self.username, handle, tried: Vec::new(), offered: None };
        match attempt.run(&self.ways).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(LoginError::Refused(attempt.refusal("access denied".to_owned()))),
            // By now the library knows the server's last words.
            Err(LoginError::Broken(_)) if says_too_many(knowledge) => {
                Err(LoginError::Refused(attempt.refusal(knowledge.end())))
            }
            Err(error) => Err(error),
        }
    }
}

fn says_too_many(knowledge: &Knowledge) -> bool {
    knowledge.end().to_ascii_lowercase().contains(TOO_MANY)
}

/// One log-in under way.
struct Attempt<'a> {
    username: &'a str,
    handle: &'a mut Handle<Client>,
    tried: Vec<String>,
    offered: Option<MethodSet>,
}

/// What the server said to one way.
enum Answer {
    Yes,
    /// Right, but not enough.
    More,
    No,
}

impl Attempt<'_> {
    async fn run(&mut self, ways: &[Way]) -> Result<bool, LoginError> {
        for way in ways {
            let answer = match way {
                Way::Agent(socket) => self.with_agent(socket).await?,
                Way::Key(key) => self.with_key(key).await?,
                Way::Certificate(key, certificate) => {
                    self.with_certificate(key, certificate).await?
                }
                Way::Password(password) => self.with_password(password).await?,
            };
            if let Answer::Yes = answer {
                return Ok(true);
            }
        }
        if ways.is_empty() {
            self.tried.push("none".into());
            let result = self.handle.authenticate_none(self.username).await?;
            return Ok(matches!(self.answer(result)?, Answer::Yes));
        }
        Ok(false)
    }

    fn refusal(self, text: String) -> Refusal {
        let offered = self.offered.iter().flat_map(|all| all.iter());
        Refusal {
            text,
            tried: self.tried,
            offered: offered.map(|kind| <&str>::from(kind).to_owned()).collect(),
        }
    }

    fn answer(&mut self, result: AuthResult) -> Result<Answer, LoginError> {
        match result {
            AuthResult::Success => Ok(Answer::Yes),
            // This is also what the library answers when the connection is gone.
            AuthResult::Failure { .. } if self.handle.is_closed() => Err(LoginError::Broken(
                "the far side closed the connection during the log-in".into(),
            )),
            AuthResult::Failure { remaining_methods, partial_success } => {
                self.offered = Some(remaining_methods);
                if !partial_success {
                    return Ok(Answer::No);
                }
                if let Some(right) = self.tried.last_mut() {
                    right.push_str(", which is right but not enough");
                }
                Ok(Answer::More)
            }
        }
    }

    async fn with_agent(&mut self, socket: &std::path::Path) -> Result<Answer, LoginError> {
        let binding = self.handle.agent_session_binding().cloned();
        let mut agent =
            agent::connect(socket, binding.as_ref(), false).await.map_err(LoginError::Local)?;
        let identities = agent::identities(&mut agent).await.map_err(LoginError::Local)?;
        for identity in identities {
            let user = self.username;
            let algorithm = identity.public_key().algorithm();
            let (what, comment) = match &identity {
                AgentIdentity::PublicKey { .. } => ("key", identity.comment()),
                AgentIdentity::Certificate { .. } => ("certificate", identity.comment()),
            };
            self.tried.push(format!("the agent's {what} `{comment}` ({algorithm})"));
            for hash in self.hashes(&algorithm).await? {
                let result = match &identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        let key = key.clone();
                        self.handle.authenticate_publickey_with(user, key, hash, &mut agent).await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        let one = certificate.clone();
                        self.handle.authenticate_certificate_with(user, one, hash, &mut agent).await
                    }
                };
                let result = match result {
                    Ok(result) => result,
                    Err(AgentAuthError::Key(error)) => {
                        // Locked, or somebody said no. The next key may do.
                        if let Some(one) = self.tried.last_mut() {
                            one.push_str(&format!(", with which it did not sign: {error}"));
                        }
                        break;
                    }
                    Err(AgentAuthError::Send(SendError {})) => {
                        return Err(russh::Error::SendError.into());
                    }
                };
                match self.answer(result)? {
                    Answer::No => {}
                    answer => return Ok(answer),
                }
            }
        }
        Ok(Answer::No)
    }

    async fn with_key(&mut self, key: &Arc<PrivateKey>) -> Result<Answer, LoginError> {
        let algorithm = key.algorithm();
        for hash in self.hashes(&algorithm).await? {
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            self.tried.push(format!("publickey ({})", key.algorithm()));
            let result = self.handle.authenticate_publickey(self.username, key).await?;
            match self.answer(result)? {
                Answer::No => {}
                answer => return Ok(answer),
            }
        }
        Ok(Answer::No)
    }

    async fn with_certificate(
        &mut self,
        key: &Arc<PrivateKey>,
        certificate: &Certificate,
    ) -> Result<Answer, LoginError> {
        // Servers that know certificates of RSA keys know this hash.
        let hash = key.algorithm().is_rsa().then_some(HashAlg::Sha512);
        self.tried.push(format!("certificate `{}`", certificate.key_id()));
        let mut signer = KeySigner(key.clone());
        let result = self
            .handle
            .authenticate_certificate_with(self.username, certificate.clone(), hash, &mut signer)
            .await
            .map_err(|SignError(text)| LoginError::Broken(text))?;
        self.answer(result)
    }

    /// The ways in which a key can sign, best first.
    ///
    /// An RSA key can sign in three. A server says which of them it knows, or says nothing; which
    /// of them it takes for a log-in is another matter (OpenSSH before 9.6 does not tell), so the
    /// next one is worth a try.
    async fn hashes(&mut self, algorithm: &Algorithm) -> Result<Vec<Option<HashAlg>>, LoginError> {
        if !algorithm.clone().is_rsa() {
            return Ok(vec![None]);
        }
        Ok(match self.handle.best_supported_rsa_hash().await? {
            Some(Some(HashAlg::Sha512)) => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
            Some(Some(_)) => vec![Some(HashAlg::Sha256)],
            Some(None) => vec![None],
            None => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256), None],
        })
    }

    async fn with_password(&mut self, password: &Secret) -> Result<Answer, LoginError> {
        self.tried.push("password".into());
        let result = self.handle.authenticate_password(self.username, password.reveal()).await?;
        match self.answer(result)? {
            Answer::No => {}
            answer => return Ok(answer),
        }
        self.tried.push("keyboard-interactive".into());
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(self.username, None::<String>)
            .await?;
        for _ in 0..MAXIMUM_ROUNDS {
            answer = match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(Answer::Yes),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    return self.answer(AuthResult::Failure { remaining_methods, partial_success });
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| password.reveal().to_owned()).collect();
                    self.handle.authenticate_keyboard_interactive_respond(answers).await?
                }
            };
        }
        Err(LoginError::Broken(format!("the server asked more than {MAXIMUM_ROUNDS} times")))
    }
}

/// Signs with a private key; for certificates. The library's own way names an RSA signature by its
/// old hash there, which servers refuse.
struct KeySigner(Arc<PrivateKey>);

/// Why there is no signature.
struct SignError(String);

impl From<SendError> for SignError {
    fn from(_: SendError) -> Self {
        Self(explain(&russh::Error::SendError))
    }
}

impl Signer for KeySigner {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _identity: &AgentIdentity,
        _hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        // RSA keys sign with SHA-512.
        let failed = |error: &dyn std::fmt::Display| SignError(format!("cannot sign: {error}"));
        let signature = self.0.try_sign(&data).map_err(|error| failed(&error))?;
        let mut encoded = Vec::new();
        signature.encode(&mut encoded).map_err(|error| failed(&error))?;
        encoded.encode(&mut data).map_err(|error| failed(&error))?;
        Ok(data)
    }
}
