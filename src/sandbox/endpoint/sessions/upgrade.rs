//! Sockets of data channels: from an HTTP request to a session.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, HeaderName, UPGRADE};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::link::{self, close, pump};
use super::registry::{QUERY, Session, Sessions};
use crate::communicator::ssm::frame::MAX_FRAME;
use crate::sandbox::endpoint::fault::ChannelFault;

/// Where data channels are; the id of the session follows.
pub(in crate::sandbox::endpoint) const PATH: &str = "/v1/data-channel/";

/// How long a client may take over its first message.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no upgrade: a status and a sentence.
type Refused = (StatusCode, String);

/// Checks a request for a data channel and serves it once the connection is a socket. Gives the
/// headers of the answer 101.
pub(in crate::sandbox::endpoint) fn upgrade(
    sessions: &Sessions,
    request: Request<Incoming>,
    faults: Vec<ChannelFault>,
) -> Result<Vec<(HeaderName, String)>, Refused> {
    let refuse = |status, reason: &str| Err((status, reason.to_owned()));
    let key = match key(&request) {
        Ok(key) => key,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, reason),
    };
    check_signature(request.headers()).map_err(|reason| (StatusCode::FORBIDDEN, reason))?;
    let id = request.uri().path().strip_prefix(PATH).unwrap_or_default();
    let Some(session) = sessions.get(id) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such session");
    };
    if request.uri().query() != Some(QUERY) {
        return refuse(StatusCode::BAD_REQUEST, "the query is not the one of StreamUrl, as it is");
    }
    let closing = sessions.closing.clone();
    sessions.tasks.spawn(async move {
        let serve = async {
            let upgraded = match hyper::upgrade::on(request).await {
                Ok(upgraded) => TokioIo::new(upgraded),
                Err(error) => {
                    tracing::debug!("a data channel did not come about: {error}");
                    return;
                }
            };
            let limits = WebSocketConfig::default()
                .max_message_size(Some(MAX_FRAME))
                .max_frame_size(Some(MAX_FRAME));
            let socket =
                WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(limits)).await;
            serve(socket, &session, &faults).await;
        };
        tokio::select! {
            () = serve => {}
            () = closing.cancelled() => {}
        }
    });
    Ok(vec![
        (UPGRADE, "websocket".to_owned()),
        (CONNECTION, "Upgrade".to_owned()),
        (hyper::header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(&key)),
    ])
}

/// The key of a WebSocket handshake, RFC 6455 4.2.1.
fn key(request: &Request<Incoming>) -> Result<Vec<u8>, &'static str> {
    let headers = request.headers();
    let has = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    if request.method() != Method::GET
        || !has(UPGRADE, "websocket")
        || !has(CONNECTION, "upgrade")
        || !has(hyper::header::SEC_WEBSOCKET_VERSION, "13")
    {
        return Err("this is a data channel: it wants a WebSocket handshake of version 13");
    }
    let key = headers.get(hyper::header::SEC_WEBSOCKET_KEY);
    key.map(|key| key.as_bytes().to_vec()).ok_or("Sec-WebSocket-Key is missing")
}

/// The signature is not verified, as nowhere in the sandbox, but it must be one for this service.
fn check_signature(headers: &HeaderMap) -> Result<(), String> {
    let text = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let credential = text(AUTHORIZATION)
        .split([' ', ','])
        .find_map(|part| part.strip_prefix("Credential="))
        .unwrap_or_default();
    let parts: Vec<&str> = credential.split('/').collect();
    let [_, _, _, "ssmmessages", "aws4_request"] = parts.as_slice() else {
        return Err("the request is not signed for the service `ssmmessages`".to_owned());
    };
    if text(HeaderName::from_static("x-amz-date")).is_empty() {
        return Err("the request has no X-Amz-Date".to_owned());
    }
    Ok(())
}

async fn serve<S>(mut socket: WebSocketStream<S>, session: &Arc<Session>, faults: &[ChannelFault])
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let first = match tokio::time::timeout(OPEN_TIMEOUT, socket.next()).await {
        Ok(Some(Ok(Message::Text(text)))) => session.admit(&text),
        Ok(Some(Ok(_))) => Err("the first message is not text".to_owned()),
        Ok(Some(Err(_)) | None) => return,
        Err(_) => Err("there was no first message in time".to_owned()),
    };
    if let Err(reason) = first {
        tracing::debug!(session = session.id, "a client was not let in: {reason}");
        drop(socket.send(close(CloseCode::Policy, &reason)).await);
        return;
    }
    let (link, plug) = link::link();
    if session.attach(link).await {
        pump(socket, plug, faults).await;
    } else {
        drop(socket.send(close(CloseCode::Normal, "the session has ended")).await);
    }
}
