//! One connection: from a byte stream to a place where channels can be opened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use russh::client::{Config, Handle, Msg};
use russh::keys::PublicKey;
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::authenticate::{Credentials, LoginError};
use super::client::{Client, Knowledge, explain};
use super::options::{Address, SshOptions};
use super::stream::Watched;
use super::way::{Line, Peer, Reached};
use crate::communicator::{ByteStream, CommunicatorError, ConnectStage};
use crate::event::Emitter;

/// Time for version, key exchange and log-in of one attempt.
pub(super) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// Time for the first words of the server: a port that accepts and says nothing is not SSH, or
/// belongs to a machine that is still booting.
const BANNER_LIMIT: Duration = Duration::from_secs(15);

/// Time for a server to answer that a channel is open.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// How old a channel that was opened before may be. That it is there says nothing of the
/// connection, so after a pause opening one shows whether that is still alive.
const SPARE_LIMIT: Duration = Duration::from_secs(5);

/// How long a refused session is tried again when no other session is open.
const REFUSAL_LIMIT: Duration = Duration::from_millis(500);

/// OpenSSH allows 10 sessions on a connection (`MaxSessions`).
const MAXIMUM_SESSIONS: usize = 8;

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

/// A connection on which we are logged in.
pub(super) struct Connection {
    handle: Handle<Client>,
    knowledge: Arc<Knowledge>,
    sessions: Arc<Semaphore>,
    spare: Mutex<Spare>,
    /// Host and port as people know them.
    pub(super) name: String,
    /// The machine that answered, when nothing lies between.
    pub(super) peer: Option<Peer>,
    /// Whether commands may use this machine's SSH agent.
    pub(super) agent_forwarded: bool,
    /// The connection that this one goes through.
    below: Option<Arc<Connection>>,
}

/// A channel that was opened before anybody needed it.
#[derive(Default)]
enum Spare {
    #[default]
    None,
    /// Since when it is being opened, or open.
    Opening(oneshot::Receiver<Channel<Msg>>, Instant),
    /// The server does not want it.
    Refused,
}

/// An open channel and the right to have it. One that nobody uses is closed: the library only
/// forgets it, and the server would keep it.
pub(super) struct OpenSession(Option<(Channel<Msg>, OwnedSemaphorePermit)>);

impl OpenSession {
    fn new(channel: Channel<Msg>, permit: OwnedSemaphorePermit) -> Self {
        Self(Some((channel, permit)))
    }

    /// The channel, to be used and closed, and what to keep until then.
    pub(super) fn take(mut self) -> (Channel<Msg>, OwnedSemaphorePermit) {
        self.0.take().expect("only this takes it, and it takes all")
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let Some((channel, permit)) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        drop(runtime.spawn(async move {
            drop(channel.close().await);
            drop(permit);
        }));
    }
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
        preferred: options.algorithms.preferred(),
        ..Config::default()
    }
}

/// Shakes hands and logs in over a stream that is already connected. Remote tunnels need somebody
/// to tell what becomes of them.
pub(super) async fn establish(
    line: Line,
    options: &SshOptions,
    credentials: &Credentials,
    name: String,
    reached: &Reached,
    emitter: Option<&Emitter>,
) -> Result<Connection, Failure> {
    let knowledge = Arc::new(Knowledge::default());
    let expected = match &options.expected_host_key {
        Some(text) => Some(PublicKey::from_openssh(text).map_err(|error| Failure {
            fatal: true,
            ..Failure::new(ConnectStage::HostKey, format!("the expected key is no key: {error}"))
        })?),
        None => None,
    };
    let Line { stream, peer, below } = line;
    // The library's task lives as long as the stream; an attempt that is given up ends it.
    let given_up = CancellationToken::new();
    let giving_up = given_up.clone().drop_guard();
    let limit = options.read_write_timeout;
    // A server reads what it is sent at any time, whatever its commands do.
    let write_limit = limit.unwrap_or(2 * options.silence_limit);
    let stream = Watched::new(stream, knowledge.clone(), given_up, limit, Some(write_limit));
    let client = Client {
        knowledge: knowledge.clone(),
        expected,
        remote_tunnels: emitter.map(|emitter| (options.remote_tunnels.clone(), emitter.clone())),
        agent: options.forward_agent.clone(),
    };

    reached.begins_to_shake(knowledge.clone());
    let shake = async {
        let handshake = russh::client::connect_stream(Arc::new(config(options)), stream, client);
        tokio::pin!(handshake);
        let shaken = match timeout(BANNER_LIMIT, &mut handshake).await {
            Ok(shaken) => shaken,
            Err(_) if !knowledge.answered() => return Err(reached.too_long(BANNER_LIMIT)),
            Err(_) => handshake.await,
        };
        let mut handle = shaken.map_err(|error| handshake_failure(&error, &knowledge))?;
        if let Some(binding) = handle.agent_session_binding() {
            drop(knowledge.binding.set(binding.clone()));
        }
        reached.begins(ConnectStage::Authentication);
        credentials.log_in(&mut handle, &knowledge).await.map_err(login_failure)?;
        Ok(handle)
    };
    let handle = match timeout(HANDSHAKE_LIMIT, shake).await {
        Ok(result) => result?,
        Err(_) => return Err(reached.too_long(HANDSHAKE_LIMIT)),
    };
    drop(giving_up.disarm());
    Ok(Connection {
        handle,
        knowledge,
        sessions: Arc::new(Semaphore::new(MAXIMUM_SESSIONS)),
        spare: Mutex::default(),
        name,
        peer,
        agent_forwarded: options.forward_agent.is_some(),
        below,
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
    let stage = ConnectStage::Authentication;
    match error {
        LoginError::Refused(refusal) => Failure {
            refused: true,
            tried: refusal.tried,
            offered: refusal.offered,
            ..Failure::new(stage, refusal.text)
        },
        LoginError::Local(error) => {
            Failure { fatal: true, ..Failure::new(stage, error.to_string()) }
        }
        LoginError::Broken(text) => Failure::new(stage, text),
    }
}

/// Why a server does not make a connection for us, and whether it never will.
fn forwarding_failure(why: &ChannelOpenFailure) -> Failure {
    match why {
        ChannelOpenFailure::AdministrativelyProhibited => Failure {
            fatal: true,
            ..Failure::new(ConnectStage::Tcp, "that server forbids TCP forwarding to it")
        },
        ChannelOpenFailure::ConnectFailed => {
            Failure::new(ConnectStage::Tcp, "that server cannot connect to it")
        }
        other => Failure::new(ConnectStage::Tcp, other.description()),
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
    pub(super) async fn open_session(self: &Arc<Self>) -> Result<OpenSession, CommunicatorError> {
        let permit = self.sessions.clone().acquire_owned().await.map_err(|_closed| self.lost())?;
        Ok(OpenSession::new(self.open_channel().await?, permit))
    }

    /// Waits for an answer of the server to a question that asks for nothing. What it had sent
    /// before comes before. Does not end when the connection is lost, which its channels tell.
    pub(super) async fn answer(&self) {
        if self.ping().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// The time that the server takes to answer a question that asks for nothing; `None` when the
    /// connection is gone.
    pub(super) async fn ping(&self) -> Option<Duration> {
        let start = Instant::now();
        self.handle.send_ping().await.ok()?;
        Some(start.elapsed())
    }

    /// A session for the next step: the channel that was opened meanwhile, when there is one.
    /// While it is used the one after it is opened, which saves each step a round trip.
    pub(super) async fn next_session(self: &Arc<Self>) -> Result<OpenSession, CommunicatorError> {
        let opening = match &mut *self.spare() {
            spare @ Spare::Opening(..) => std::mem::take(spare),
            Spare::None | Spare::Refused => Spare::None,
        };
        let session = match opening {
            Spare::Opening(opened, since) if since.elapsed() > SPARE_LIMIT => {
                drop(tokio::spawn(async move {
                    if let Ok(old) = opened.await {
                        drop(old.close().await);
                    }
                }));
                self.open_session().await?
            }
            Spare::Opening(opened, _) => {
                let permit = self.sessions.clone().acquire_owned().await;
                let permit = permit.map_err(|_closed| self.lost())?;
                let channel = match timeout(OPEN_LIMIT, opened).await {
                    Ok(Ok(channel)) => channel,
                    Ok(Err(_)) | Err(_) => self.open_channel().await?,
                };
                OpenSession::new(channel, permit)
            }
            Spare::None | Spare::Refused => self.open_session().await?,
        };
        self.open_spare();
        Ok(session)
    }

    /// Asks for a channel before it is needed. Only OpenSSH is known to take that well.
    fn open_spare(self: &Arc<Self>) {
        let mut spare = self.spare();
        if !matches!(*spare, Spare::None) || !self.knowledge.is_openssh() {
            return;
        }
        let (ready, opened) = oneshot::channel();
        *spare = Spare::Opening(opened, Instant::now());
        let connection = Arc::downgrade(self);
        drop(tokio::spawn(async move {
            let Some(connection) = connection.upgrade() else { return };
            match connection.handle.channel_open_session().await {
                Ok(channel) => {
                    if let Err(unwanted) = ready.send(channel) {
                        drop(unwanted.close().await);
                    }
                }
                // Before `ready` goes, which whoever waits for it takes for a refusal.
                Err(_) => *connection.spare() = Spare::Refused,
            }
        }));
    }

    /// Makes the spare channel look as if it had been opened long ago.
    #[cfg(test)]
    pub(super) fn age(&self) {
        if let Spare::Opening(_, since) = &mut *self.spare() {
            *since = since.checked_sub(2 * SPARE_LIMIT).expect("the clock is older");
        }
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a channel. A server that counts a session which has just ended refuses for a moment,
    /// and one with a smaller `MaxSessions` until another session ends.
    async fn open_channel(self: &Arc<Self>) -> Result<Channel<Msg>, CommunicatorError> {
        let mut pause = Duration::from_millis(10);
        loop {
            let why = match timeout(OPEN_LIMIT, self.ask_for_channel()).await {
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

    /// Asks for a channel once. On a task of its own: when nobody waits any more, the channel that
    /// comes is closed and not forgotten.
    async fn ask_for_channel(self: &Arc<Self>) -> Result<Channel<Msg>, russh::Error> {
        let (ready, opened) = oneshot::channel();
        let connection = self.clone();
        drop(tokio::spawn(async move {
            let opening = connection.handle.channel_open_session().await;
            // Who waits for it may be the last to have the connection.
            drop(connection);
            if let Err(Ok(late)) = ready.send(opening) {
                drop(late.close().await);
            }
        }));
        opened.await.unwrap_or(Err(russh::Error::Disconnect))
    }

    /// Lets the server connect to an address that it can reach, and returns the stream.
    pub(super) async fn forward(
        self: &Arc<Self>,
        to: &Address,
        limit: Duration,
    ) -> Result<Box<dyn ByteStream>, Failure> {
        let (ready, opened) = oneshot::channel();
        let (connection, host, port) = (self.clone(), to.host.clone(), u32::from(to.port));
        // On a task of its own: when it is too late for us, the channel is closed and not forgotten.
        drop(tokio::spawn(async move {
            let opening =
                connection.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await;
            if let Err(Ok(late)) = ready.send(opening) {
                drop(late.close().await);
            }
        }));
        match timeout(limit, opened).await {
            Ok(Ok(Ok(channel))) => Ok(Box::new(channel.into_stream())),
            Ok(Ok(Err(russh::Error::ChannelOpenFailure(why)))) => Err(forwarding_failure(&why)),
            Ok(_) => {
                let text = format!("the connection to {} was lost: {}", self.name, self.end());
                Err(Failure::new(ConnectStage::Tcp, text))
            }
            Err(_) => {
                let text = format!("no answer for {} s", limit.as_secs());
                Err(Failure::new(ConnectStage::Tcp, text))
            }
        }
    }

    /// Asks the server to listen on a port of its loopback address.
    pub(super) async fn listen_remotely(&self, port: u16) -> Result<(), russh::Error> {
        self.handle.tcpip_forward("localhost", u32::from(port)).await.map(drop)
    }

    /// Says good-bye, also to what lies below.
    pub(super) fn disconnect(self: Arc<Self>) -> BoxFuture<'static, ()> {
        let goodbye = async move {
            drop(self.handle.disconnect(Disconnect::ByApplication, "", "en").await);
            let below = self.below.clone();
            if let Some(connection) = Arc::into_inner(self) {
                drop(connection.handle.await);
            }
            if let Some(below) = below {
                below.disconnect().await;
            }
        };
        timeout(Duration::from_secs(2), goodbye).map(drop).boxed()
    }
}
