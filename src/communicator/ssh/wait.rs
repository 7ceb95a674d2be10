//! Waiting until an instance lets us in.

use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::authenticate::Credentials;
use super::connection::{Connection, Failure, establish};
use super::options::{Address, SshOptions};
use super::route::Route;
use super::way::{Place, Reached, Way};
use crate::communicator::{CommunicatorError, ConnectError, ConnectStage, Hop};
use crate::event::{Emitter, Fact};

/// Connects as soon as it is possible.
///
/// There is no separate probe: each attempt goes from TCP to the log-in. A refused connection
/// costs nothing, so attempts follow each other quickly at first. A refused log-in is counted
/// against `handshake_attempts` and has slower pace: sshd often listens some seconds before the
/// user's key is written. A bastion host on the way is logged in to once for all attempts.
pub(super) async fn until_ready(
    options: &SshOptions,
    address: watch::Receiver<Option<Address>>,
    emitter: &Emitter,
    cancel: &CancellationToken,
) -> Result<Connection, CommunicatorError> {
    let waiting = async {
        let credentials = Credentials::read(&options.username, &options.authentication).await?;
        let way = Way::new(options).await?;
        Waiting { options, credentials, address, emitter, way }.run().await
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CommunicatorError::Cancelled),
        result = waiting => result,
    }
}

/// Connects with one attempt, to a machine that is known to let us in.
pub(super) async fn once(
    options: &SshOptions,
    address: watch::Receiver<Option<Address>>,
    emitter: &Emitter,
    cancel: &CancellationToken,
) -> Result<Connection, CommunicatorError> {
    let attempt = async {
        let credentials = Credentials::read(&options.username, &options.authentication).await?;
        let way = Way::new(options).await?;
        let mut waiting = Waiting { options, credentials, address, emitter, way };
        let address = waiting.first_address().await?;
        let (reached, began) = (Reached::default(), Instant::now());
        waiting.attempt(&address, LATE, &reached).await.map_err(|failure| {
            let mut story = Story { attempts: 1, ..Story::default() };
            story.note(reached.place(), failure, 0);
            story.end(&address, began.elapsed(), options)
        })
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CommunicatorError::Cancelled),
        result = attempt => result,
    }
}

struct Waiting<'a> {
    options: &'a SshOptions,
    credentials: Credentials,
    address: watch::Receiver<Option<Address>>,
    emitter: &'a Emitter,
    way: Way<'a>,
}

impl Waiting<'_> {
    async fn run(mut self) -> Result<Connection, CommunicatorError> {
        let mut address = self.first_address().await?;
        let communicator = "SSH";
        let name = self.way.name(&address);
        self.emitter.emit(Fact::ConnectStarted { communicator, address: name }).await;
        let start = Instant::now();
        let deadline = start + self.options.timeout;
        let mut story = Story::default();
        loop {
            if let Some(known) = self.address.borrow_and_update().clone() {
                address = known;
            }
            story.attempts += 1;
            let (reached, began) = (Reached::default(), Instant::now());
            let attempt = self.attempt(&address, start.elapsed(), &reached);
            let failure = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(connection)) => {
                    let (attempts, peer) = (story.attempts, connection.peer);
                    let address = peer.map(|peer| peer.address);
                    self.emitter.emit(Fact::Connected { attempts, address }).await;
                    return Ok(connection);
                }
                Ok(Err(failure)) => failure,
                Err(_) => {
                    // Cut off by the deadline: news only when it was further than all before.
                    let cut = match self.way.trouble() {
                        Some(trouble) => Failure::new(ConnectStage::Tcp, trouble),
                        None => reached.too_long(began.elapsed()),
                    };
                    let place = reached.place();
                    if story.is_news(&place, cut.stage) {
                        story.note(place, cut, 0);
                    }
                    return Err(story.end(&address, start.elapsed(), self.options));
                }
            };
            tracing::debug!(%address, ?failure, attempt = story.attempts, "not ready");
            let over = story.note(reached.place(), failure, self.options.handshake_attempts);
            let pause = story.pause();
            if over || Instant::now() + pause >= deadline {
                return Err(story.end(&address, start.elapsed(), self.options));
            }
            // A new address is worth an attempt at once.
            drop(timeout(pause, changed(&mut self.address)).await);
        }
    }

    async fn first_address(&mut self) -> Result<Address, CommunicatorError> {
        if let (Route::Dial(_), None) = (&self.options.route, &*self.address.borrow()) {
            // Never looked at.
            return Ok(Address { host: String::new(), port: 0 });
        }
        match self.address.wait_for(Option::is_some).await.map(|known| known.clone()) {
            Ok(Some(address)) => Ok(address),
            _ => Err(Box::new(ConnectError {
                hop: Hop::Machine,
                address: String::new(),
                through: None,
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
        &mut self,
        address: &Address,
        elapsed: Duration,
        reached: &Reached,
    ) -> Result<Connection, Failure> {
        let line = self.way.open(address, connect_limit(elapsed), reached).await?;
        let name = self.way.name(address);
        establish(line, self.options, &self.credentials, name, reached, Some(self.emitter)).await
    }
}

/// Resolves for a new address; for ever pending when there will be none.
async fn changed(address: &mut watch::Receiver<Option<Address>>) {
    if address.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// When a machine counts as booted.
const LATE: Duration = Duration::from_secs(60);

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

/// What happened so far.
#[derive(Default)]
struct Story {
    attempts: u32,
    refusals: u32,
    /// Failures in a row at the stage where we are.
    repeats: u32,
    furthest: Option<(Place, Failure)>,
}

impl Story {
    /// Whether no attempt came as far as this.
    fn is_news(&self, place: &Place, stage: ConnectStage) -> bool {
        self.furthest
            .as_ref()
            .is_none_or(|(known, failure)| (known.number, failure.stage) < (place.number, stage))
    }

    /// Notes a failure; whether another attempt makes no sense.
    fn note(&mut self, place: Place, failure: Failure, allowed: u32) -> bool {
        if failure.refused {
            self.refusals += 1;
        }
        let now = (place.number, failure.stage);
        let known = self.furthest.as_ref().map(|(place, failure)| (place.number, failure.stage));
        self.repeats = if known == Some(now) { self.repeats.saturating_add(1) } else { 0 };
        let fatal = failure.fatal;
        // The stage that never worked is the one to tell about, with its latest words.
        if fatal || known.is_none_or(|known| known <= now) {
            self.furthest = Some((place, failure));
        }
        fatal || (allowed != 0 && self.refusals >= allowed)
    }

    /// Time until the next attempt: 0.1 s growing to 2 s; after refused log-ins 0.5 s to 7 s, so
    /// that ten of them leave the time that Packer leaves. With a quarter of jitter.
    fn pause(&self) -> Duration {
        let refused = self.furthest.as_ref().is_some_and(|(_, failure)| failure.refused);
        let (first, most) = if refused { (500, 7000) } else { (100, 2000) };
        // Unrefused attempts come at the quickest pace for about two seconds.
        let doublings = if refused { self.repeats } else { self.repeats.saturating_sub(12) / 2 };
        let milliseconds = (first << doublings.min(10)).min(most);
        let jitter = rand::rng().random_range(0..=milliseconds / 4);
        Duration::from_millis(milliseconds + jitter)
    }

    fn end(self, address: &Address, elapsed: Duration, options: &SshOptions) -> CommunicatorError {
        let (place, failure) = self.furthest.unwrap_or_else(|| {
            let place = Place {
                address: address.to_string(),
                username: options.username.clone(),
                ..Place::default()
            };
            (place, Failure::new(ConnectStage::Tcp, "no answer"))
        });
        Box::new(ConnectError {
            hop: place.hop,
            address: place.address,
            through: place.through,
            stage: failure.stage,
            last: failure.text,
            attempts: self.attempts,
            refusals: self.refusals,
            elapsed,
            username: place.username,
            tried: failure.tried,
            offered: failure.offered,
        })
        .into()
    }
}
