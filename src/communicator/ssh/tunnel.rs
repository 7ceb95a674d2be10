//! Tunnels through a connection: ports on this machine that lead to the far side's network, and
//! ports on the far side that lead to this machine's.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::try_join_all;
use russh::client::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;
use super::options::Address;
use super::way::plain;
use crate::communicator::CommunicatorError;
use crate::event::{Emitter, Fact};

/// How long a port on the far side is asked for again after a loss: the process that served the
/// lost connection may hold it for a moment.
pub(super) const TAKEN_LIMIT: Duration = Duration::from_secs(5);

/// Time for one TCP connection that a tunnel makes on this machine's side.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// A tunnel, written `PORT:HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The port that is listened on, always on the loopback address.
    pub listen: u16,
    /// Where connections go.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = Address { host: self.host.clone(), port: self.port };
        write!(f, "{}:{to}", self.listen)
    }
}

impl std::str::FromStr for Tunnel {
    type Err = String;

    /// # Errors
    /// What is wrong, in a few words.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(listen, to)| {
            let (host, port) = to.rsplit_once(':')?;
            Some((listen, host, port))
        });
        let Some((listen, host, port)) = parts else {
            return Err("it has the form `PORT:HOST:PORT`".to_owned());
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            None if host.contains(':') => {
                return Err("an IPv6 address stands in brackets, such as `[::1]`".to_owned());
            }
            None => host,
        };
        if host.is_empty() {
            return Err("there is no host between the ports".to_owned());
        }
        Ok(Self { listen: number(listen)?, host: host.to_owned(), port: number(port)? })
    }
}

fn number(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no port")),
        Ok(port) => Ok(port),
    }
}

/// The listening ports of `ssh_local_tunnels`. They stay open while connections come and go.
pub(super) struct LocalTunnels {
    current: watch::Sender<Weak<Connection>>,
    _listeners: Vec<AbortOnDropHandle<()>>,
}

impl LocalTunnels {
    /// Listens on all ports.
    pub(super) async fn open(
        tunnels: &[Tunnel],
        emitter: &Emitter,
    ) -> Result<Self, CommunicatorError> {
        let (current, known) = watch::channel(Weak::new());
        let listening = tunnels.iter().map(async |tunnel| {
            let bound = TcpListener::bind(("127.0.0.1", tunnel.listen)).await;
            let listener = bound.map_err(|error| {
                failed(tunnel, format!("this machine's port {}: {error}", tunnel.listen))
            })?;
            let serving =
                tokio::spawn(serve(listener, tunnel.clone(), known.clone(), emitter.clone()));
            Ok::<_, CommunicatorError>(AbortOnDropHandle::new(serving))
        });
        Ok(Self { _listeners: try_join_all(listening).await?, current })
    }

    /// From now on new connections go through this one.
    pub(super) fn lead_through(&self, connection: &Arc<Connection>) {
        self.current.send_replace(Arc::downgrade(connection));
    }
}

/// Takes in what connects to a port of this machine.
async fn serve(
    listener: TcpListener,
    tunnel: Tunnel,
    known: watch::Receiver<Weak<Connection>>,
    emitter: Emitter,
) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as too many open files: it passes.
                tracing::debug!(%error, %tunnel, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(connection) = known.borrow().upgrade() else { continue };
        drop(tokio::spawn(pass_out(stream, tunnel.clone(), connection, emitter.clone())));
    }
}

/// Passes one connection on to the far side's network.
async fn pass_out(
    mut near: TcpStream,
    tunnel: Tunnel,
    connection: Arc<Connection>,
    emitter: Emitter,
) {
    let to = Address { host: tunnel.host.clone(), port: tunnel.port };
    match connection.forward(&to, CONNECT_LIMIT).await {
        Ok(mut far) => {
            drop(connection);
            drop(copy_bidirectional(&mut near, &mut far).await);
        }
        Err(failure) => leads_nowhere(&tunnel, &failure.text, &emitter),
    }
}

/// Asks the server to listen for all of `ssh_remote_tunnels`, each again and again for `limit`.
pub(super) async fn open_remote(
    connection: &Connection,
    tunnels: &[Tunnel],
    limit: Duration,
) -> Result<(), CommunicatorError> {
    for tunnel in tunnels {
        let start = tokio::time::Instant::now();
        loop {
            match connection.listen_remotely(tunnel.listen).await {
                Ok(()) => break,
                Err(russh::Error::RequestDenied) if start.elapsed() < limit => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(russh::Error::RequestDenied) => {
                    let reason = format!(
                        "the server does not listen on its port {}: it is taken, or the server forbids it (`AllowTcpForwarding`)",
                        tunnel.listen
                    );
                    return Err(failed(tunnel, reason));
                }
                Err(_) => return Err(connection.lost()),
            }
        }
    }
    Ok(())
}

/// Passes what connected to a port of the far side on to where its tunnel leads.
pub(super) async fn pass_in(
    tunnel: Tunnel,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    emitter: Emitter,
) {
    let connecting = TcpStream::connect((tunnel.host.as_str(), tunnel.port));
    let reason = match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
        Ok(Ok(mut near)) => {
            reply.accept().await;
            drop(copy_bidirectional(&mut near, &mut channel.into_stream()).await);
            return;
        }
        Ok(Err(error)) => plain(&error),
        Err(_) => format!("no answer for {} s", CONNECT_LIMIT.as_secs()),
    };
    leads_nowhere(&tunnel, &reason, &emitter);
    reply.reject(ChannelOpenFailure::ConnectFailed).await;
}

/// Whoever connected sees only that the connection is closed.
fn leads_nowhere(tunnel: &Tunnel, reason: &str, emitter: &Emitter) {
    let to = Address { host: tunnel.host.clone(), port: tunnel.port };
    let text = format!("the tunnel `{tunnel}` does not reach {to}: {reason}");
    emitter.emit_lossy(Fact::Warning { text });
}

fn failed(tunnel: &Tunnel, reason: String) -> CommunicatorError {
    CommunicatorError::Tunnel { tunnel: tunnel.to_string(), reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tunnels_have_a_port_a_host_and_a_port() {
        let tunnel = |listen, host: &str, port| Ok(Tunnel { listen, host: host.to_owned(), port });
        assert_eq!("8080:db.internal:5432".parse(), tunnel(8080, "db.internal", 5432));
        assert_eq!("8080:[::1]:80".parse(), tunnel(8080, "::1", 80));
        assert_eq!("8080:[::1]:80".parse::<Tunnel>().unwrap().to_string(), "8080:[::1]:80");
        for (text, problem) in [
            ("8080", "it has the form `PORT:HOST:PORT`"),
            ("8080:80", "it has the form `PORT:HOST:PORT`"),
            ("8080::80", "there is no host between the ports"),
            ("8080:::1:80", "an IPv6 address stands in brackets, such as `[::1]`"),
            ("x:db:80", "`x` is no port"),
            ("8080:db:70000", "`70000` is no port"),
        ] {
            assert_eq!(text.parse::<Tunnel>(), Err(problem.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_tunnel_is_read_as_it_is_written(
            listen in 1..=u16::MAX,
            host in "[a-z][a-z0-9.-]{0,20}|[0-9a-f]{1,4}::[0-9a-f]{1,4}",
            port in 1..=u16::MAX,
        ) {
            let tunnel = Tunnel { listen, host, port };
            prop_assert_eq!(tunnel.to_string().parse(), Ok(tunnel));
        }
    }
}
