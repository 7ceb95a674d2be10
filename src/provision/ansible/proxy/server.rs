//! The server: who may come in, and for how long.

use std::io;
use std::net::{Ipv4Addr, Shutdown};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Config, run_stream};
use russh::{MethodKind, MethodSet, SshId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::session::{Request, Visitor};
use crate::communicator::Communicator;
use crate::template::schema::Secret;

/// Ports that are tried from `local_port` on.
const PORTS: u16 = 10;

/// How many requests may wait; each is taken at once.
const WAITING: usize = 16;

/// After a connection could not be accepted, such as for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who comes in and where.
pub(in crate::provision::ansible) struct Door {
    /// The first port that is tried; 0 is any.
    pub(in crate::provision::ansible) port: u16,
    /// The server's own key.
    pub(in crate::provision::ansible) host_key: Secret,
    /// Lines of `authorized_keys`.
    pub(in crate::provision::ansible) authorized: String,
    /// What serves SFTP on the instance.
    pub(in crate::provision::ansible) sftp_command: String,
}

/// A server that listens and does not answer yet.
pub(in crate::provision::ansible) struct Proxy {
    listener: TcpListener,
    config: Arc<Config>,
    keys: Arc<[PublicKey]>,
    sftp_command: Arc<str>,
    /// Where it listens.
    pub(in crate::provision::ansible) port: u16,
    /// The public half of its key, as in `known_hosts`.
    pub(in crate::provision::ansible) host_key: String,
}

impl Proxy {
    /// Opens the door.
    ///
    /// # Errors
    ///
    /// A key that is none, or no free port; in one sentence.
    pub(in crate::provision::ansible) async fn open(door: Door) -> Result<Self, String> {
        let host_key = russh::keys::decode_secret_key(door.host_key.reveal(), None)
            .map_err(|error| format!("the host key of the proxy cannot be used: {error}"))?;
        let keys: Arc<[PublicKey]> = door
            .authorized
            .lines()
            .filter_map(|line| PublicKey::from_openssh(line.trim()).ok())
            .collect();
        if keys.is_empty() {
            return Err("the authorized key of the proxy is no public key".to_owned());
        }
        let listener = listen(door.port)
            .await
            .map_err(|error| format!("cannot listen for Ansible: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        Ok(Self {
            listener,
            keys,
            sftp_command: door.sftp_command.into(),
            port,
            host_key: host_key.public_key().to_openssh().map_err(|error| error.to_string())?,
            config: Arc::new(configuration(host_key)),
        })
    }

    /// Lets visitors in and does what they ask for, for ever. Dropping the future ends all
    /// connections, and the commands on the instance.
    pub(in crate::provision::ansible) async fn serve(self, communicator: &dyn Communicator) {
        let (requests, mut asked) = mpsc::channel::<Request>(WAITING);
        let serving = async {
            let mut running = FuturesUnordered::new();
            loop {
                tokio::select! {
                    Some(request) = asked.recv() => running.push(request.serve(communicator)),
                    Some(()) = running.next() => {}
                    else => return,
                }
            }
        };
        tokio::join!(self.accept(requests), serving);
    }

    async fn accept(&self, requests: mpsc::Sender<Request>) {
        let mut visits = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = visits.join_next() => continue,
            };
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok((stream, hold)) = held(stream) else { continue };
            let keys = Arc::clone(&self.keys);
            let sftp = Arc::clone(&self.sftp_command);
            let visitor = Visitor::new(keys, sftp, requests.clone());
            let config = Arc::clone(&self.config);
            visits.spawn(async move {
                // How a connection ends is the visitor's affair.
                if let Ok(session) = run_stream(config, stream, visitor).await {
                    drop(session.await);
                }
                drop(hold);
            });
        }
    }
}

/// The first free one of the ports.
async fn listen(first: u16) -> io::Result<TcpListener> {
    if first == 0 {
        return TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    }
    let mut failed = io::ErrorKind::AddrInUse.into();
    for port in first..=first.saturating_add(PORTS - 1) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A connection that ends when the hold on it is dropped: the task that russh has for it would
/// outlive the step, and with it the client that waits in the background for more to do.
fn held(stream: TcpStream) -> io::Result<(TcpStream, Hold)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let hold = Hold(stream.try_clone()?);
    Ok((TcpStream::from_std(stream)?, hold))
}

struct Hold(std::net::TcpStream);

impl Drop for Hold {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.0.shutdown(Shutdown::Both));
    }
}

fn configuration(host_key: PrivateKey) -> Config {
    Config {
        server_id: SshId::Standard("SSH-2.0-bake_proxy".into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // The key is fresh and has 256 bits: there is nothing to guess.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // An agent may offer its keys before.
        max_auth_attempts: 50,
        keys: vec![host_key],
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}
