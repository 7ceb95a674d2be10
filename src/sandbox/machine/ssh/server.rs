//! Connections: log-in and channel requests.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session as Connection,
    VerifiedPublicKey,
};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Preferred, Pty, Sig, SshId,
    cipher,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::identity::Identity;
use super::input::Input;
use super::process::{self, Peers, Program};
use super::pty::{PtyRequest, window_size};
use super::session::Session;
use super::sftp::{self, FileSession};
use crate::sandbox::machine::guest::lifeline::inherited;
use crate::sandbox::machine::guest::{account, namespace};
use crate::sandbox::machine::id_map;
use crate::sandbox::machine::protocol::{
    Guest, SAY_ERROR, SAY_LOADED, SAY_MAP, SAY_MAPPED, SAY_READY,
};

/// What a client may send before it has to wait, and the same as OpenSSH's server grants.
const WINDOW: u32 = 2 << 20;
/// The most data in one packet, russh's limit.
const PACKET: u32 = 65_535;
/// How many sessions a connection may have at once; OpenSSH's `MaxSessions`.
const SESSIONS: usize = 10;
/// Programs and variables a client may set for them; as Debian's `AcceptEnv`, and what concerns colours.
const ACCEPTED_VARIABLES: [&str; 5] = ["LANG", "LANGUAGE", "COLORTERM", "NO_COLOR", "TZ"];

/// Runs the role.
pub(in crate::sandbox::machine) fn main() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn run() -> io::Result<()> {
    let mut control = UnixStream::from(inherited(rustix::stdio::stdin())?);
    let listener = std::net::TcpListener::from(inherited(rustix::stdio::stdout())?);
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    drop(null);

    writeln!(control, "{SAY_LOADED}")?;
    let mut lines = BufReader::new(control.try_clone()?).lines();
    let mut hear = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    // This process's root has become the machine's, and init has gone ahead.
    if hear()? != SAY_MAP {
        return Err(io::ErrorKind::InvalidData.into());
    }
    id_map::write(1).map_err(io::Error::other)?;
    namespace::follow_init()?;
    writeln!(control, "{SAY_MAPPED}")?;
    let result = prepare(&hear()?, listener);
    match result {
        Ok((server, config, listener)) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let _handlers = handle_what_is_ignored()?;
                let listener = TcpListener::from_std(listener)?;
                writeln!(control, "{SAY_READY}")?;
                accept(server, config, listener).await
            })
        }
        Err(error) => {
            writeln!(control, "{SAY_ERROR}SSH server: {error}")?;
            Err(error)
        }
    }
}

/// Takes the signals that bake's parent may have told it to ignore (`nohup`, a shell's background):
/// what is ignored stays ignored in all programs of the machine, and what is handled does not. As
/// with sshd, a hang-up ends them.
fn handle_what_is_ignored() -> io::Result<[Signal; 3]> {
    let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];
    let [hangup, interrupt, quit] = kinds.map(signal);
    Ok([hangup?, interrupt?, quit?])
}

fn prepare(
    settings: &str,
    listener: std::net::TcpListener,
) -> io::Result<(Arc<Server>, Arc<Config>, std::net::TcpListener)> {
    let guest: Guest = serde_json::from_str(settings)?;
    let host_key = PrivateKey::from_openssh(&guest.host_key).map_err(io::Error::other)?;
    let keys = guest
        .authorized_keys
        .iter()
        .filter_map(|line| PublicKey::from_openssh(line).ok())
        .collect();
    listener.set_nonblocking(true)?;
    Ok((Arc::new(Server { guest, keys }), Arc::new(configuration(host_key)), listener))
}

fn configuration(host_key: PrivateKey) -> Config {
    Config {
        server_id: SshId::Standard("SSH-2.0-bake_sandbox".into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Guessing keys is not what a machine on a loopback address has to slow down.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: 50,
        keys: vec![host_key],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: 64,
        event_buffer_size: 64,
        inactivity_timeout: None,
        // A client that vanished without a word is noticed.
        keepalive_interval: Some(Duration::from_secs(60)),
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred {
            // In hardware on every processor that a build runs on.
            cipher: vec![
                cipher::AES_128_GCM,
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]
            .into(),
            ..Preferred::default()
        },
        ..Config::default()
    }
}

struct Server {
    guest: Guest,
    keys: Vec<PublicKey>,
}

async fn accept(server: Arc<Server>, config: Arc<Config>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors, or the client was gone before: the next may succeed.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        drop(stream.set_nodelay(true));
        let handler = Client {
            server: Arc::clone(&server),
            peers: Peers { client, server: local },
            identity: None,
            channels: HashMap::new(),
            forwards: HashMap::new(),
        };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            // How a connection ends is the client's affair.
            if let Ok(session) = russh::server::run_stream(config, stream, handler).await {
                drop(session.await);
            }
        });
    }
}

/// A connection.
struct Client {
    server: Arc<Server>,
    peers: Peers,
    identity: Option<Identity>,
    channels: HashMap<ChannelId, Open>,
    /// Ports that are forwarded to the client, by address and port as it names them. Letting go of
    /// one closes it.
    forwards: HashMap<(String, u32), DropGuard>,
}

/// A session channel before and after its program runs.
enum Open {
    Waiting(Waiting),
    Running(Session),
    Files(FileSession),
}

impl Open {
    /// Whether it is closed from this side; the client may not have said the same yet.
    fn is_over(&self) -> bool {
        match self {
            Self::Waiting(_) => false,
            Self::Running(session) => session.is_over(),
            Self::Files(session) => session.is_over(),
        }
    }

    /// Where the client's data goes.
    fn input(&self) -> Option<&Input> {
        match self {
            Self::Waiting(_) => None,
            Self::Running(session) => Some(&session.input),
            Self::Files(session) => Some(&session.input),
        }
    }
}

struct Waiting {
    channel: Channel<Msg>,
    terminal: Option<PtyRequest>,
    variables: Vec<(String, String)>,
}

impl Server {
    /// The identity that a key opens, made if need be.
    fn identity(&self, name: &str, key: &PublicKey) -> Option<Identity> {
        let known = Identity::look_up(name).ok()?;
        let is_default_key = self.keys.iter().any(|known| known.key_data() == key.key_data());
        match known {
            Some(identity) if is_default_key || has_key(&identity, key) => Some(identity),
            None if is_default_key && self.guest.make_unknown_users => {
                Identity::create(name, &self.guest.authorized_keys).ok()?
            }
            _ => None,
        }
    }

    /// Whether a signature by the key would be of use.
    fn accepts(&self, name: &str, key: &PublicKey) -> bool {
        let Ok(known) = Identity::look_up(name) else { return false };
        let is_default_key = self.keys.iter().any(|known| known.key_data() == key.key_data());
        match known {
            Some(identity) => is_default_key || has_key(&identity, key),
            None => is_default_key && self.guest.make_unknown_users && account::is_user_name(name),
        }
    }
}

/// Whether the key is in the user's own `authorized_keys`.
fn has_key(identity: &Identity, key: &PublicKey) -> bool {
    let file = identity.user.home.join(".ssh/authorized_keys");
    let Ok(text) = std::fs::read_to_string(Path::new(&file)) else { return false };
    text.lines()
        .filter_map(|line| PublicKey::from_openssh(line.trim()).ok())
        .any(|known| known.key_data() == key.key_data())
}

impl Client {
    /// Starts a program on a waiting channel and answers the request.
    fn start(
        &mut self,
        id: ChannelId,
        program: &Program,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let (Some(identity), Some(Open::Waiting(waiting))) =
            (self.identity.as_ref(), self.channels.remove(&id))
        else {
            return connection.channel_failure(id);
        };
        let started = process::start(
            identity,
            program,
            waiting.terminal.as_ref(),
            &waiting.variables,
            self.peers,
        );
        match started {
            Ok(running) => {
                connection.channel_success(id)?;
                let (_unused, writer) = waiting.channel.split();
                let session = Session::start(running, writer, connection.handle());
                self.channels.insert(id, Open::Running(session));
                Ok(())
            }
            Err(error) => {
                // A shell that is missing: sshd accepts the request and the program fails.
                connection.channel_success(id)?;
                let shell = identity.user.shell.display();
                let text = format!("{shell}: {error}\r\n");
                connection.extended_data(id, 1, text.into_bytes())?;
                connection.exit_status_request(id, 127)?;
                connection.close(id)
            }
        }
    }
}

impl Handler for Client {
    type Error = russh::Error;

    fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        let accepted = self.server.accepts(user, offer.public_key);
        async move { Ok(if accepted { Auth::Accept } else { Auth::reject() }) }
    }

    fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        self.identity = self.server.identity(user, key.public_key);
        let accepted = self.identity.is_some();
        async move { Ok(if accepted { Auth::Accept } else { Auth::reject() }) }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Connection,
    ) -> Result<(), Self::Error> {
        self.channels.retain(|_, open| !open.is_over());
        if self.channels.len() >= SESSIONS {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        let waiting = Waiting { channel, terminal: None, variables: Vec::new() };
        self.channels.insert(waiting.channel.id(), Open::Waiting(waiting));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Connection,
    ) -> Result<(), Self::Error> {
        // No names: looking them up would load the guest's libraries into this process.
        let ip = match host {
            "localhost" => Ok(IpAddr::from(Ipv4Addr::LOCALHOST)),
            literal => literal.parse(),
        };
        let (Ok(ip), Ok(port)) = (ip, u16::try_from(port)) else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        tokio::spawn(async move {
            match TcpStream::connect((ip, port)).await {
                Ok(mut target) => {
                    reply.accept().await;
                    let mut stream = channel.into_stream();
                    // Either side may end it; there is nobody to tell.
                    drop(tokio::io::copy_bidirectional(&mut stream, &mut target).await);
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        connection: &mut Connection,
    ) -> Result<bool, Self::Error> {
        // On loopback whatever is asked for, as with `GatewayPorts no`.
        let Ok(number) = u16::try_from(*port) else { return Ok(false) };
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).await else {
            return Ok(false);
        };
        let Ok(bound) = listener.local_addr() else { return Ok(false) };
        *port = u32::from(bound.port());
        let closed = CancellationToken::new();
        let key = (address.to_owned(), *port);
        self.forwards.insert(key.clone(), closed.clone().drop_guard());
        let handle = connection.handle();
        tokio::spawn(async move {
            let (address, port) = key;
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = closed.cancelled() => return,
                };
                let Ok((mut stream, from)) = accepted else {
                    // Out of descriptors, or the client was gone before: the next may succeed.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let (handle, address) = (handle.clone(), address.clone());
                tokio::spawn(async move {
                    let (ip, from_port) = (from.ip().to_string(), u32::from(from.port()));
                    let opened =
                        handle.channel_open_forwarded_tcpip(address, port, ip, from_port).await;
                    if let Ok(channel) = opened {
                        let mut channel = channel.into_stream();
                        // Either side may end it; there is nobody to tell.
                        drop(tokio::io::copy_bidirectional(&mut channel, &mut stream).await);
                    }
                });
            }
        });
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _: &mut Connection,
    ) -> Result<bool, Self::Error> {
        Ok(self.forwards.remove(&(address.to_owned(), port)).is_some())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        let Some(Open::Waiting(waiting)) = self.channels.get_mut(&id) else {
            return connection.channel_failure(id);
        };
        waiting.terminal = Some(PtyRequest {
            term: term.to_owned(),
            size: window_size(columns, rows, width, height),
            modes: modes.to_vec(),
        });
        connection.channel_success(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        let accepted = ACCEPTED_VARIABLES.contains(&name) || name.starts_with("LC_");
        match self.channels.get_mut(&id) {
            Some(Open::Waiting(waiting)) if accepted => {
                waiting.variables.push((name.to_owned(), value.to_owned()));
                connection.channel_success(id)
            }
            _ => connection.channel_failure(id),
        }
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        self.start(id, &Program::Shell, connection)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        self.start(id, &Program::Command(line.to_vec()), connection)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        let Some(identity) = self.identity.clone() else { return connection.channel_failure(id) };
        if name != "sftp" {
            return connection.channel_failure(id);
        }
        let Some(Open::Waiting(waiting)) = self.channels.remove(&id) else {
            return connection.channel_failure(id);
        };
        connection.channel_success(id)?;
        let (_unused, writer) = waiting.channel.split();
        let session = sftp::start(identity, writer, connection.handle());
        self.channels.insert(id, Open::Files(session));
        Ok(())
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _: &mut Connection,
    ) -> Result<(), Self::Error> {
        if let Some(Open::Running(session)) = self.channels.get(&id) {
            session.resize(window_size(columns, rows, width, height));
        }
        Ok(())
    }

    async fn signal(
        &mut self,
        id: ChannelId,
        signal: Sig,
        _: &mut Connection,
    ) -> Result<(), Self::Error> {
        if let Some(Open::Running(session)) = self.channels.get(&id) {
            session.signal(&signal);
        }
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        bytes: &[u8],
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        match self.channels.get(&id).and_then(Open::input) {
            // A full disk: the program cannot get what was sent, so it gets no more.
            Some(input) if input.push(bytes).is_err() => {
                self.channels.remove(&id);
                connection.close(id)
            }
            _ => Ok(()),
        }
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Connection) -> Result<(), Self::Error> {
        if let Some(input) = self.channels.get(&id).and_then(Open::input) {
            input.end();
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _: &mut Connection,
    ) -> Result<(), Self::Error> {
        // Hangs up on a program that still runs.
        self.channels.remove(&id);
        Ok(())
    }
}
