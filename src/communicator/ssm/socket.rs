//! The WebSocket of a session.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::stream::SplitStream;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::address::{StreamAddress, check};
use super::frame::MAX_FRAME;
use super::message::{OpenDataChannel, json};
use super::sessions::{OpenedSession, SessionError, SessionErrorKind, Sessions};
use crate::communicator::ByteStream;

/// How long a connection may take until the first message can be sent.
const CONNECT: Duration = Duration::from_secs(30);

/// Frames that may wait for the network.
const QUEUE: usize = 64;

/// A connected WebSocket that the session has been opened on.
pub(super) struct Socket {
    /// Takes what is to be sent.
    pub(super) outgoing: mpsc::Sender<Message>,
    /// Gives what arrives.
    pub(super) incoming: SplitStream<WebSocketStream<Box<dyn ByteStream>>>,
    /// Sends: so that a full connection does not keep us from reading, which it may wait for.
    writer: AbortOnDropHandle<()>,
}

impl Socket {
    /// Sends what is queued, and closes.
    pub(super) async fn finish(self) {
        drop(self.outgoing);
        drop(timeout(Duration::from_secs(1), self.writer).await);
    }
}

/// Connects to a session and sends the opening message.
pub(super) async fn connect(
    sessions: &dyn Sessions,
    opened: &OpenedSession,
    client_id: Uuid,
) -> Result<Socket, SessionError> {
    let address = check(&opened.stream_url, sessions.hosts())?;
    let attempt = async {
        let signature = sessions.sign(address.url.clone()).await?;
        let stream = stream(&address).await?;
        upgrade(&address, signature, stream).await
    };
    let socket = timeout(CONNECT, attempt).await.unwrap_or_else(|_| {
        let seconds = CONNECT.as_secs();
        Err(failed(&address, &format!("no connection within {seconds} s")))
    })?;
    let (mut sink, incoming) = socket.split();
    let (outgoing, mut queue) = mpsc::channel::<Message>(QUEUE);
    let writer = tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            let mut sent = sink.feed(message).await;
            while let (Ok(()), Ok(message)) = (&sent, queue.try_recv()) {
                sent = sink.feed(message).await;
            }
            if sent.is_err() || sink.flush().await.is_err() {
                return;
            }
        }
        drop(sink.close().await);
    });
    let open = json(&OpenDataChannel::new(&opened.token, client_id));
    let open = Message::text(String::from_utf8_lossy(&open).into_owned());
    outgoing.send(open).await.map_err(|_| failed(&address, "it was closed at once"))?;
    Ok(Socket { outgoing, incoming, writer: AbortOnDropHandle::new(writer) })
}

fn failed(address: &StreamAddress, why: &str) -> SessionError {
    let message = format!("cannot connect to {}: {why}", address.host);
    SessionError::new(SessionErrorKind::Transient, message)
}

/// A connection, with TLS where the address says so.
async fn stream(address: &StreamAddress) -> Result<Box<dyn ByteStream>, SessionError> {
    let error = |error: std::io::Error| failed(address, &error.to_string());
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(error)?;
    tcp.set_nodelay(true).map_err(error)?;
    if !address.tls {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| failed(address, "it is no name that a certificate could have"))?;
    let connector = TlsConnector::from(tls());
    Ok(Box::new(connector.connect(name, tcp).await.map_err(error)?))
}

/// The settings for TLS, with the roots that this machine trusts.
fn tls() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "cannot read a root certificate");
        }
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    };
    CONFIG.get_or_init(make).clone()
}

/// Makes a WebSocket of a connection.
async fn upgrade(
    address: &StreamAddress,
    signature: Vec<(String, String)>,
    stream: Box<dyn ByteStream>,
) -> Result<WebSocketStream<Box<dyn ByteStream>>, SessionError> {
    let mut request =
        address.url.as_str().into_client_request().map_err(|e| failed(address, &e.to_string()))?;
    for (name, value) in signature {
        let name = http::HeaderName::try_from(name);
        let value = http::HeaderValue::try_from(value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(failed(address, "the signature does not fit into headers"));
        };
        request.headers_mut().insert(name, value);
    }
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    match tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(SocketError::Http(response)) => {
            let status = response.status();
            let body = response.body().as_deref().unwrap_or_default();
            Err(refusal(address, status.as_u16(), &String::from_utf8_lossy(body)))
        }
        Err(error) => Err(failed(address, &error.to_string())),
    }
}

/// What an answer other than the upgrade means.
fn refusal(address: &StreamAddress, status: u16, body: &str) -> SessionError {
    let said: String = body.trim().chars().take(200).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let message = format!("{} refused the data channel with status {status}{said}", address.host);
    let expired = body.contains("ExpiredToken") || body.contains("expired");
    match status {
        401 | 403 if expired => SessionError {
            kind: SessionErrorKind::CredentialsExpired,
            message,
            hints: vec!["the credentials have expired: fetch new ones".to_owned()],
        },
        401 | 403 => SessionError {
            kind: SessionErrorKind::Denied,
            message,
            hints: vec![
                "allow the IAM action `ssmmessages:OpenDataChannel` on `arn:aws:ssm:*:*:session/${aws:userid}-*` to these credentials; a wrong clock on this machine gives this error too".to_owned(),
            ],
        },
        404 | 410 => SessionError::new(SessionErrorKind::Gone, message),
        _ => SessionError::new(SessionErrorKind::Transient, message),
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::StreamHosts;
    use super::*;

    #[test]
    fn a_403_names_the_permission() {
        let url = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/s-1";
        let address = check(url, StreamHosts::Aws).unwrap();
        let denied = refusal(&address, 403, "Forbidden\n");
        assert_eq!(denied.kind, SessionErrorKind::Denied);
        assert_eq!(
            denied.to_string(),
            "ssmmessages.eu-west-1.amazonaws.com refused the data channel with status 403: Forbidden"
        );
        assert!(denied.hints[0].contains("ssmmessages:OpenDataChannel"));
        let expired = refusal(&address, 403, "ExpiredTokenException");
        assert_eq!(expired.kind, SessionErrorKind::CredentialsExpired);
        assert!(refusal(&address, 500, "").is_transient());
        assert_eq!(refusal(&address, 410, "").kind, SessionErrorKind::Gone);
    }
}
