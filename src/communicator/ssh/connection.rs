//! One connection: from a byte stream to a place where channels can be opened.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{Config, Handle, Msg};
use russh::keys::PublicKey;
use russh::{Channel, ChannelOpenFailure, Disconnect, Preferred, cipher, compression};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::authenticate::{Credentials, LoginError};
use super::client::{Client, Knowledge, Watched, explain};
use super::options::SshOptions;
use crate::communicator::{CommunicatorError, ConnectStage};

/// Time for version, key exchange and log-in of one attempt.
pub(super) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// Time for the first words of the server: a port that accepts and says nothing is not SSH, or
/// belongs to a machine that is still booting.
const BANNER_LIMIT: Duration = Duration::from_secs(15);

/// Time for a server to answer that a channel is open.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// How long a refused session is tried again when no other session is open.
const REFUSAL_LIMIT: Duration = Duration::from_millis(500);

/// OpenSSH allows 10 sessions on a connection (`MaxSessions`).
const MAXIMUM_SESSIONS: usize = 8;

/// Fastest first where the processor has AES instructions; all of them are sound.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Why an attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) stage: ConnectStage,
    pub(super) text: String,
    /// Whether another attempt cannot end otherwise.
    pub(super) fatal: bool,
    /// Whether the server answered and said no to the user.
    pub(super) refused: bool,
    pub(super) tried: Vec<String>,
    pub(super) offered: Vec<String>,
}

impl Failure {
    pub(super) fn new(stage: ConnectStage, text: impl Into<String>) -> Self {
        Self {
            stage,
            text: text.into(),
            fatal: false,
            refused: false,
            tried: Vec::new(),
            offered: Vec::new(),
        }
    }
}

/// How far an attempt has come: when it is cut off, this is the stage to tell about.
#[derive(Debug)]
pub(super) struct Reached(Mutex<ConnectStage>);

impl Reached {
    /// Nothing is connected yet.
    pub(super) fn nothing() -> Self {
        Self(Mutex::new(ConnectStage::Tcp))
    }

    /// The stage that begins now.
    pub(super) fn begins(&self, stage: ConnectStage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// The failure of an attempt that took too long.
    pub(super) fn too_long(&self, limit: Duration) -> Failure {
        let stage = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = match stage {
            ConnectStage::Banner => "it accepts the connection but says nothing",
            ConnectStage::KeyExchange => "it is not complete",
            ConnectStage::Authentication => "the log-in is not complete",
            _ => "no answer",
        };
        Failure::new(stage, format!("{what} for {:.0} s", limit.as_secs_f64()))
    }
}

/// A connection on which we are logged in.
pub(super) struct Connection {
    handle: Handle<Client>,
    knowledge: Arc<Knowledge>,
    sessions: Arc<Semaphore>,
    /// Host and port as people know them.
    pub(super) name: String,
    /// The address that was reached.
    pub(super) peer: Option<SocketAddr>,
}

/// An open channel and the right to have it.
pub(super) struct OpenSession {
    pub(super) channel: Channel<Msg>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// Settings of the library: see the table of measurements in `docs/`.
fn config(options: &SshOptions) -> Config {
    let unanswered = options.keep_alive_interval.map_or(0, |interval| {
        let times = options.silence_limit.as_millis() / interval.as_millis().max(1);
        usize::try_from(times).unwrap_or(usize::MAX).max(1)
    });
    Config {
        // Our window limits downloads only; an upload is limited by the server's.
        window_size: 16 << 20,
        maximum_packet_size: 65535,
        keepalive_interval: options.keep_alive_interval,
        keepalive_max: unanswered,
        nodelay: true,
        preferred: Preferred {
            cipher: Cow::Borrowed(CIPHERS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    }
}

/// Shakes hands and logs in over a stream that is already connected.
pub(super) async fn establish<S>(
    stream: S,
    options: &SshOptions,
    credentials: &Credentials,
    name: String,
    peer: Option<SocketAddr>,
    reached: &Reached,
) -> Result<Connection, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let knowledge = Arc::new(Knowledge::default());
    let expected = match &options.expected_host_key {
        Some(text) => Some(PublicKey::from_openssh(text).map_err(|error| Failure {
            fatal: true,
            ..Failure::new(ConnectStage::HostKey, format!("the expected key is no key: {error}"))
        })?),
        None => None,
    };
    let stream = Watched { stream, knowledge: knowledge.clone() };
    let client = Client { knowledge: knowledge.clone(), expected };

    reached.begins(ConnectStage::Banner);
    let shake = async {
        let handshake = russh::client::connect_stream(Arc::new(config(options)), stream, client);
        tokio::pin!(handshake);
        let shaken = match timeout(BANNER_LIMIT, &mut handshake).await {
            Ok(shaken) => shaken,
            Err(_) if !knowledge.answered() => return Err(reached.too_long(BANNER_LIMIT)),
            Err(_) => {
                reached.begins(ConnectStage::KeyExchange);
                handshake.await
            }
        };
        let mut handle = shaken.map_err(|error| handshake_failure(&error, &knowledge))?;
        reached.begins(ConnectStage::Authentication);
        credentials.log_in(&mut handle).await.map_err(login_failure)?;
        Ok(handle)
    };
    let handle = match timeout(HANDSHAKE_LIMIT, shake).await {
        Ok(result) => result?,
        Err(_) => return Err(reached.too_long(HANDSHAKE_LIMIT)),
    };
    Ok(Connection {
        handle,
        knowledge,
        sessions: Arc::new(Semaphore::new(MAXIMUM_SESSIONS)),
        name,
        peer,
    })
}

fn handshake_failure(error: &russh::Error, knowledge: &Knowledge) -> Failure {
    if let Some(text) = knowledge.wrong_host_key() {
        return Failure { fatal: true, ..Failure::new(ConnectStage::HostKey, text) };
    }
    let stage = match error {
        russh::Error::Version => ConnectStage::Banner,
        _ if knowledge.answered() => ConnectStage::KeyExchange,
        _ => ConnectStage::Banner,
    };
    let fatal = matches!(error, russh::Error::NoCommonAlgo { .. });
    Failure { fatal, ..Failure::new(stage, explain(error)) }
}

fn login_failure(error: LoginError) -> Failure {
    match error {
        LoginError::Refused { tried, offered } => Failure {
            refused: true,
            tried,
            offered,
            ..Failure::new(ConnectStage::Authentication, "access denied")
        },
        LoginError::Broken(text) => Failure::new(ConnectStage::Authentication, text),
    }
}

impl Connection {
    /// Whether the connection is there, as far as we know.
    pub(super) fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Why the connection ended.
    pub(super) fn end(&self) -> String {
        self.knowledge.end()
    }

    /// The error of a connection that ended.
    pub(super) fn lost(&self) -> CommunicatorError {
        CommunicatorError::Lost { address: self.name.clone(), reason: self.end() }
    }

    /// Opens a channel for one command or subsystem; waits for its turn when there are many.
    pub(super) async fn open_session(&self) -> Result<OpenSession, CommunicatorError> {
        let permit = self.sessions.clone().acquire_owned().await.map_err(|_closed| self.lost())?;
        Ok(OpenSession { channel: self.open_channel().await?, permit })
    }

    /// Opens a channel. A server that counts a session which has just ended refuses for a moment,
    /// and one with a smaller `MaxSessions` until another session ends.
    async fn open_channel(&self) -> Result<Channel<Msg>, CommunicatorError> {
        let mut pause = Duration::from_millis(10);
        loop {
            let why = match timeout(OPEN_LIMIT, self.handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok(channel),
                Ok(Err(russh::Error::ChannelOpenFailure(why))) => why,
                Ok(Err(_)) => return Err(self.lost()),
                Err(_) => {
                    return Err(CommunicatorError::Lost {
                        address: self.name.clone(),
                        reason: format!("no answer for {} s", OPEN_LIMIT.as_secs()),
                    });
                }
            };
            let full = matches!(
                why,
                ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::ResourceShortage
            );
            let alone = self.sessions.available_permits() + 1 == MAXIMUM_SESSIONS;
            if !full || (alone && pause > REFUSAL_LIMIT) {
                let reason = format!("{why:?}");
                return Err(CommunicatorError::Refused { wanted: "open a session", reason });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(2 * REFUSAL_LIMIT);
        }
    }

    /// Says good-bye.
    pub(super) async fn disconnect(self: Arc<Self>) {
        let goodbye = async {
            drop(self.handle.disconnect(Disconnect::ByApplication, "", "en").await);
            if let Some(connection) = Arc::into_inner(self) {
                drop(connection.handle.await);
            }
        };
        drop(timeout(Duration::from_secs(2), goodbye).await);
    }
}
