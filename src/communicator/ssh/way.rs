//! Going along a route: from nothing to a stream of bytes to the machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::Socks5Stream;
use tokio_util::sync::CancellationToken;

use super::authenticate::Credentials;
use super::client::Knowledge;
use super::connection::{Connection, Failure, establish};
use super::options::{Address, SshOptions};
use super::route::{Bastion, Proxy, Route};
use super::stream::Watched;
use crate::communicator::{ByteStream, CommunicatorError, ConnectStage, Hop};

/// Time for one TCP connection to a bastion host or a proxy, which are there already, unlike the
/// machine.
const HOP_LIMIT: Duration = Duration::from_secs(15);

/// The least time for a connection that another machine makes for us.
const FORWARD_LIMIT: Duration = Duration::from_secs(5);

/// A stop on the way to the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) hop: Hop,
    /// How many stops lie before it.
    pub(super) number: usize,
    /// Host and port as people know them.
    pub(super) address: String,
    /// What lies before it, in words.
    pub(super) through: Option<String>,
    /// Who wants to log in there.
    pub(super) username: String,
}

impl Place {
    /// The stop in words, for those behind it.
    fn name(&self) -> String {
        format!("{}{}", self.hop.before(), self.address)
    }
}

/// How far an attempt has come: when it fails or is cut off, this is what to tell about.
#[derive(Debug, Default)]
pub(super) struct Reached(Mutex<Progress>);

#[derive(Clone, Debug)]
struct Progress {
    place: Place,
    stage: ConnectStage,
    /// What is known of the connection that is being made.
    knowledge: Option<Arc<Knowledge>>,
    /// The stop whose turn it is once this one has answered.
    next: Option<Place>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { place: Place::default(), stage: ConnectStage::Tcp, knowledge: None, next: None }
    }
}

impl Reached {
    fn get(&self) -> Progress {
        let progress = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answered = progress.knowledge.as_ref().is_some_and(|known| known.answered());
        match progress.next {
            Some(place) if answered => Progress { place, ..Progress::default() },
            _ => progress,
        }
    }

    /// Where the attempt is.
    pub(super) fn place(&self) -> Place {
        self.get().place
    }

    /// The stop that comes now; nothing is connected to it yet.
    fn comes_to(&self, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Progress { place, ..Progress::default() };
    }

    /// The handshake begins now.
    pub(super) fn begins_to_shake(&self, knowledge: Arc<Knowledge>) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.stage = ConnectStage::Banner;
        progress.knowledge = Some(knowledge);
    }

    /// A proxy is asked to connect to the next stop.
    fn asks(&self, knowledge: Arc<Knowledge>, next: Place) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.stage = ConnectStage::Banner;
        progress.knowledge = Some(knowledge);
        progress.next = Some(next);
    }

    /// The stage that begins now.
    pub(super) fn begins(&self, stage: ConnectStage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stage = stage;
    }

    /// The failure of an attempt that took too long.
    pub(super) fn too_long(&self, limit: Duration) -> Failure {
        let Progress { stage, knowledge, .. } = self.get();
        let answered = knowledge.is_some_and(|knowledge| knowledge.answered());
        let stage = match stage {
            ConnectStage::Banner if answered => ConnectStage::KeyExchange,
            stage => stage,
        };
        let what = match stage {
            ConnectStage::Banner => "it accepts the connection but says nothing",
            ConnectStage::KeyExchange => "it is not complete",
            ConnectStage::Authentication => "the log-in is not complete",
            _ => "no answer",
        };
        Failure::new(stage, format!("{what} for {:.0} s", limit.as_secs_f64()))
    }
}

/// A stream to the machine.
pub(super) struct Line {
    pub(super) stream: Box<dyn ByteStream>,
    /// The machine that answered, when nothing lies between.
    pub(super) peer: Option<Peer>,
    /// The connection that the stream goes through, kept as long as it is needed.
    pub(super) below: Option<Arc<Connection>>,
}

/// What a TCP connection to the machine itself has taught.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// The address that was reached.
    pub(super) address: SocketAddr,
    /// How long it took to connect: a round trip, as the far side's kernel answers.
    pub(super) round_trip: Duration,
}

/// Goes along a route again and again. The connection to a bastion host is kept between attempts:
/// the machine behind it may take a while to come up, and each log-in costs time and a line in the
/// bastion's log.
pub(super) struct Way<'a> {
    options: &'a SshOptions,
    hops: Vec<BastionHop<'a>>,
    bastion: Option<Arc<Connection>>,
}

struct BastionHop<'a> {
    bastion: &'a Bastion,
    options: SshOptions,
    credentials: Credentials,
}

impl<'a> Way<'a> {
    /// Reads what is needed to log in on the way.
    pub(super) async fn new(options: &'a SshOptions) -> Result<Self, CommunicatorError> {
        let bastions = match &options.route {
            Route::Bastions(all) => all.as_slice(),
            _ => &[],
        };
        let mut hops = Vec::new();
        for bastion in bastions {
            let credentials = Credentials::read(&bastion.username, &bastion.authentication).await?;
            let options = SshOptions {
                keep_alive_interval: options.keep_alive_interval,
                silence_limit: options.silence_limit,
                read_write_timeout: options.read_write_timeout,
                ..SshOptions::new(bastion.username.clone(), Vec::new())
            };
            hops.push(BastionHop { bastion, options, credentials });
        }
        Ok(Self { options, hops, bastion: None })
    }

    /// What the machine is called in messages.
    pub(super) fn name(&self, address: &Address) -> String {
        match &self.options.route {
            Route::Dial(dial) => dial.name(),
            _ => address.to_string(),
        }
    }

    /// What keeps streams of another kind from being made so far.
    pub(super) fn trouble(&self) -> Option<String> {
        match &self.options.route {
            Route::Dial(dial) => dial.trouble(),
            _ => None,
        }
    }

    /// A new stream to the machine. `limit` is for one TCP connection to it.
    pub(super) async fn open(
        &mut self,
        address: &Address,
        limit: Duration,
        reached: &Reached,
    ) -> Result<Line, Failure> {
        match &self.options.route {
            Route::Direct => {
                reached.comes_to(self.machine(address, None));
                let (stream, peer) = self.tcp(address, limit).await?;
                Ok(Line { stream: Box::new(stream), peer: Some(peer), below: None })
            }
            Route::Bastions(_) => {
                let last = self.through_bastions(reached).await?;
                reached.comes_to(self.machine(address, Some(&last)));
                let below = last.connection;
                let stream = match &below {
                    Some(connection) => {
                        connection.forward(address, limit.max(FORWARD_LIMIT)).await?
                    }
                    // A route without bastion hosts is the direct one.
                    None => Box::new(self.tcp(address, limit).await?.0),
                };
                Ok(Line { stream, peer: None, below })
            }
            Route::Proxy(proxy) => {
                let stream = self.through_proxy(proxy, address, limit, reached).await?;
                Ok(Line { stream: Box::new(stream), peer: None, below: None })
            }
            Route::Dial(dial) => {
                reached.comes_to(self.machine(address, None));
                // Whoever was refused, it was not the user who logs in to the machine.
                let stream = dial.dial().await.map_err(|error| Failure {
                    fatal: error.fatal,
                    ..Failure::new(error.stage.min(ConnectStage::Tcp), error.reason)
                })?;
                Ok(Line { stream, peer: None, below: None })
            }
        }
    }

    /// The machine as a stop behind the last one.
    fn machine(&self, address: &Address, last: Option<&LastHop>) -> Place {
        let hop = match self.options.route {
            Route::Dial(_) => Hop::Session,
            _ => Hop::Machine,
        };
        Place {
            hop,
            number: last.map_or(0, |last| last.count),
            address: self.name(address),
            through: last.and_then(|last| last.name.clone()),
            username: self.options.username.clone(),
        }
    }

    /// The connection to the last bastion host, as it is or made again from the first on.
    async fn through_bastions(&mut self, reached: &Reached) -> Result<LastHop, Failure> {
        let open = self.bastion.take().filter(|connection| connection.is_open());
        let mut last = LastHop { connection: None, name: None, count: 0 };
        for hop in &self.hops {
            let address = &hop.bastion.address;
            let place = Place {
                hop: Hop::Bastion,
                number: last.count,
                address: address.to_string(),
                through: last.name.clone(),
                username: hop.bastion.username.clone(),
            };
            last.name = Some(place.name());
            last.count += 1;
            if open.is_some() {
                continue;
            }
            reached.comes_to(place.clone());
            let below = last.connection.take();
            let stream: Box<dyn ByteStream> = match &below {
                Some(connection) => connection.forward(address, HOP_LIMIT).await?,
                None => Box::new(self.tcp(address, HOP_LIMIT).await?.0),
            };
            let line = Line { stream, peer: None, below };
            let established =
                establish(line, &hop.options, &hop.credentials, place.name(), reached, None).await;
            // It has been there all along: what it refuses now it refuses in a minute.
            let connection = established.map_err(|failure| Failure {
                fatal: failure.fatal || failure.refused,
                ..failure
            })?;
            last.connection = Some(Arc::new(connection));
        }
        last.connection = open.or(last.connection);
        self.bastion.clone_from(&last.connection);
        Ok(last)
    }

    async fn through_proxy(
        &self,
        proxy: &Proxy,
        address: &Address,
        limit: Duration,
        reached: &Reached,
    ) -> Result<Watched<TcpStream>, Failure> {
        let place = Place {
            hop: Hop::Proxy,
            number: 0,
            address: proxy.address.to_string(),
            through: None,
            username: proxy.login.as_ref().map(|(user, _)| user.clone()).unwrap_or_default(),
        };
        let last = LastHop { connection: None, name: Some(place.name()), count: 1 };
        let machine = self.machine(address, Some(&last));
        reached.comes_to(place.clone());
        let (socket, _) = self.tcp(&proxy.address, HOP_LIMIT).await?;
        // A proxy that has answered and then takes its time is connecting to the machine.
        let knowledge = Arc::new(Knowledge::default());
        reached.asks(knowledge.clone(), machine.clone());
        let socket = Watched::new(socket, knowledge, CancellationToken::new(), None, None);
        let to = (address.host.as_str(), address.port);
        let asking = async {
            match &proxy.login {
                Some((user, password)) => {
                    let password = password.reveal();
                    Socks5Stream::connect_with_password_and_socket(socket, to, user, password).await
                }
                None => Socks5Stream::connect_with_socket(socket, to).await,
            }
        };
        let limit = limit.max(FORWARD_LIMIT);
        match timeout(limit, asking).await {
            Ok(Ok(stream)) => {
                reached.comes_to(machine);
                Ok(stream.into_inner())
            }
            Ok(Err(error)) => {
                let (refused, failure) = refused_by_proxy(&error, proxy.login.is_some());
                match refused {
                    Some(Hop::Proxy) => reached.comes_to(place),
                    Some(_) => reached.comes_to(machine),
                    None => {}
                }
                Err(failure)
            }
            Err(_) => Err(reached.too_long(limit)),
        }
    }

    async fn tcp(&self, address: &Address, limit: Duration) -> Result<(TcpStream, Peer), Failure> {
        let (stream, peer) = dial(address, limit).await?;
        prepare(&stream, self.options.silence_limit);
        Ok((stream, peer))
    }
}

/// What a proxy's answer means, and which stop it is about, when that is plain.
fn refused_by_proxy(error: &SocksError, has_login: bool) -> (Option<Hop>, Failure) {
    let machine = |text: &str, fatal| {
        (Some(Hop::Machine), Failure { fatal, ..Failure::new(ConnectStage::Tcp, text) })
    };
    let login = |text: &str| {
        let failure = Failure::new(ConnectStage::Authentication, text);
        (Some(Hop::Proxy), Failure { fatal: true, ..failure })
    };
    match error {
        SocksError::NoAcceptableAuthMethods if !has_login => {
            login("it wants a user and a password")
        }
        SocksError::NoAcceptableAuthMethods | SocksError::AuthorizationRequired => {
            login("it wants another kind of log-in than user and password")
        }
        SocksError::PasswordAuthFailure(_) => login("access denied"),
        SocksError::InvalidAuthValues(what) => login(what),
        SocksError::ConnectionNotAllowedByRuleset => machine("the proxy's rules forbid it", true),
        SocksError::ConnectionRefused => machine("connection refused", false),
        SocksError::NetworkUnreachable => machine("the network cannot be reached", false),
        SocksError::HostUnreachable => machine("no route to the host", false),
        SocksError::TtlExpired => machine("no answer", false),
        SocksError::GeneralSocksServerFailure => machine("the proxy gives no reason", false),
        SocksError::InvalidTargetAddress(what) => machine(what, true),
        SocksError::InvalidResponseVersion => {
            let text = "what answers does not speak SOCKS 5";
            let failure = Failure::new(ConnectStage::Banner, text);
            (Some(Hop::Proxy), Failure { fatal: true, ..failure })
        }
        SocksError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            (None, Failure::new(ConnectStage::Banner, "it closed the connection"))
        }
        error => (None, Failure::new(ConnectStage::Banner, error.to_string())),
    }
}

/// The stop before the machine.
struct LastHop {
    connection: Option<Arc<Connection>>,
    name: Option<String>,
    count: usize,
}

async fn dial(address: &Address, limit: Duration) -> Result<(TcpStream, Peer), Failure> {
    let found = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(|error| Failure::new(ConnectStage::Resolve, error.to_string()))?;
    let mut failure = Failure::new(ConnectStage::Resolve, "the name server knows none");
    for address in found {
        let start = Instant::now();
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, Peer { address, round_trip: start.elapsed() })),
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

/// What a system says of a connection that it could not make, in words.
pub(super) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        std::io::ErrorKind::HostUnreachable => "no route to the host".into(),
        std::io::ErrorKind::NetworkUnreachable => "the network cannot be reached".into(),
        _ => error.to_string(),
    }
}
