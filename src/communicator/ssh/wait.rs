//! Waiting until an instance lets us in.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::authenticate::Credentials;
use super::connection::{Connection, Failure, Reached, establish};
use super::options::{Address, SshOptions};
use crate::communicator::{CommunicatorError, ConnectError, ConnectStage};
use crate::event::{Emitter, Fact};

/// Connects as soon as it is possible.
///
/// There is no separate probe: each attempt goes from TCP to the log-in. A refused connection
/// costs nothing, so attempts follow each other quickly at first. A refused log-in is counted
/// against `handshake_attempts` and has slower pace: sshd often listens some seconds before the
/// user's key is written.
pub(super) async fn until_ready(
    options: &SshOptions,
    address: watch::Receiver<Option<Address>>,
    emitter: &Emitter,
    cancel: &CancellationToken,
) -> Result<Connection, CommunicatorError> {
    let credentials = Credentials::of(options)?;
    let waiting = Waiting { options, credentials, address, emitter };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CommunicatorError::Cancelled),
        result = waiting.run() => result,
    }
}

struct Waiting<'a> {
    options: &'a SshOptions,
    credentials: Credentials,
    address: watch::Receiver<Option<Address>>,
    emitter: &'a Emitter,
}

impl Waiting<'_> {
    async fn run(mut self) -> Result<Connection, CommunicatorError> {
        let mut address = self.first_address().await?;
        let communicator = "SSH";
        self.emitter
            .emit(Fact::ConnectStarted { communicator, address: address.to_string() })
            .await;
        let start = Instant::now();
        let deadline = start + self.options.timeout;
        let mut story = Story::default();
        loop {
            if let Some(known) = self.address.borrow_and_update().clone() {
                address = known;
            }
            story.attempts += 1;
            let (reached, began) = (Reached::nothing(), Instant::now());
            let attempt = self.attempt(&address, start.elapsed(), &reached);
            let failure = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(connection)) => {
                    let (attempts, address) = (story.attempts, connection.peer);
                    self.emitter.emit(Fact::Connected { attempts, address }).await;
                    return Ok(connection);
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    // Cut off by the deadline: news only when it was further than all before.
                    let cut = reached.too_long(began.elapsed());
                    if story.furthest.as_ref().is_none_or(|known| known.stage < cut.stage) {
                        story.note(cut, 0);
                    }
                    return Err(story.end(&address, start.elapsed(), self.options));
                }
            };
            tracing::debug!(%address, ?failure, attempt = story.attempts, "not ready");
            let over = story.note(failure, self.options.handshake_attempts);
            let pause = story.pause();
            if over || Instant::now() + pause >= deadline {
                return Err(story.end(&address, start.elapsed(), self.options));
            }
            // A new address is worth an attempt at once.
            drop(timeout(pause, changed(&mut self.address)).await);
        }
    }

    async fn first_address(&mut self) -> Result<Address, CommunicatorError> {
        match self.address.wait_for(Option::is_some).await.map(|known| known.clone()) {
            Ok(Some(address)) => Ok(address),
            _ => Err(Box::new(ConnectError {
                address: String::new(),
                stage: ConnectStage::Address,
                last: "the instance has none that can be used".into(),
                attempts: 0,
                refusals: 0,
                elapsed: Duration::ZERO,
                username: self.options.username.clone(),
                tried: Vec::new(),
                offered: Vec::new(),
            })
            .into()),
        }
    }

    async fn attempt(
        &self,
        address: &Address,
        elapsed: Duration,
        reached: &Reached,
    ) -> Result<Connection, Failure> {
        let (stream, peer) = dial(address, connect_limit(elapsed)).await?;
        prepare(&stream, self.options.silence_limit);
        let name = address.to_string();
        establish(stream, self.options, &self.credentials, name, Some(peer), reached).await
    }
}

/// Resolves for a new address; for ever pending when there will be none.
async fn changed(address: &mut watch::Receiver<Option<Address>>) {
    if address.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Time for one TCP connection. While a machine boots, what we sent before its network was up is
/// lost, and the kernel sends it again after 1, 3, 7, … s: a fresh attempt is sooner. Later there
/// is time for slow networks.
fn connect_limit(elapsed: Duration) -> Duration {
    match elapsed.as_secs() {
        0..30 => Duration::from_secs(1),
        30..60 => Duration::from_secs(3),
        _ => Duration::from_secs(15),
    }
}

async fn dial(address: &Address, limit: Duration) -> Result<(TcpStream, SocketAddr), Failure> {
    let found = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(|error| Failure::new(ConnectStage::Resolve, error.to_string()))?;
    let mut failure = Failure::new(ConnectStage::Resolve, "the name server knows none");
    for peer in found {
        match timeout(limit, TcpStream::connect(peer)).await {
            Ok(Ok(stream)) => {
                return Ok((stream, peer));
            }
            Ok(Err(error)) => failure = Failure::new(ConnectStage::Tcp, plain(&error)),
            Err(_) => {
                let text = format!("no answer for {} s", limit.as_secs());
                failure = Failure::new(ConnectStage::Tcp, text);
            }
        }
    }
    Err(failure)
}

/// Neither setting is needed for the connection to work, so a refusal is only noted.
fn prepare(stream: &TcpStream, silence: Duration) {
    // Nagle's algorithm costs 45 ms a log-in.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // Keep-alives are not sent while a write waits, so a peer that vanishes in the middle of an
    // upload is noticed by the kernel.
    #[cfg(target_os = "linux")]
    {
        let limit = u32::try_from(2 * silence.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, limit) {
            tracing::debug!(%error, "cannot set TCP_USER_TIMEOUT");
        }
    }
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        std::io::ErrorKind::HostUnreachable => "no route to the host".into(),
        std::io::ErrorKind::NetworkUnreachable => "the network cannot be reached".into(),
        _ => error.to_string(),
    }
}

/// What happened so far.
#[derive(Default)]
struct Story {
    attempts: u32,
    refusals: u32,
    /// Failures in a row at the stage where we are.
    repeats: u32,
    furthest: Option<Failure>,
}

impl Story {
    /// Notes a failure; whether another attempt makes no sense.
    fn note(&mut self, failure: Failure, allowed: u32) -> bool {
        if failure.refused {
            self.refusals += 1;
        }
        let same = self.furthest.as_ref().is_some_and(|known| known.stage == failure.stage);
        self.repeats = if same { self.repeats.saturating_add(1) } else { 0 };
        let fatal = failure.fatal;
        // The stage that never worked is the one to tell about, with its latest words.
        if fatal || self.furthest.as_ref().is_none_or(|known| known.stage <= failure.stage) {
            self.furthest = Some(failure);
        }
        fatal || (allowed != 0 && self.refusals >= allowed)
    }

    /// Time until the next attempt: 0.1 s growing to 2 s; after refused log-ins 0.5 s to 7 s, so
    /// that ten of them leave the time that Packer leaves. With a quarter of jitter.
    fn pause(&self) -> Duration {
        let refused = self.furthest.as_ref().is_some_and(|failure| failure.refused);
        let (first, most) = if refused { (500, 7000) } else { (100, 2000) };
        // Unrefused attempts come at the quickest pace for about two seconds.
        let doublings = if refused { self.repeats } else { self.repeats.saturating_sub(12) / 2 };
        let milliseconds = (first << doublings.min(10)).min(most);
        let jitter = rand::rng().random_range(0..=milliseconds / 4);
        Duration::from_millis(milliseconds + jitter)
    }

    fn end(self, address: &Address, elapsed: Duration, options: &SshOptions) -> CommunicatorError {
        let failure = self.furthest.unwrap_or_else(|| Failure::new(ConnectStage::Tcp, "no answer"));
        Box::new(ConnectError {
            address: address.to_string(),
            stage: failure.stage,
            last: failure.text,
            attempts: self.attempts,
            refusals: self.refusals,
            elapsed,
            username: options.username.clone(),
            tried: failure.tried,
            offered: failure.offered,
        })
        .into()
    }
}
