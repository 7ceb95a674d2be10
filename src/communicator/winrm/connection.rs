//! One HTTP connection to the service. NTLM logs a connection in, not a request, so this is more
//! than a pool of connections could hide.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION,
    USER_AGENT, WWW_AUTHENTICATE,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::failure::{Failure, Stage};
use super::link::{Line, Link, authority};
use super::ntlm::{Challenge, Chosen, Credentials, Session, authenticate, negotiate};
use super::sealed;
use super::xml::Element;

/// The most that an answer may have: twice what is asked for.
const ANSWER: usize = 1 << 20;
/// How long one message of a log-in may take.
const LOG_IN: Duration = Duration::from_secs(30);
/// Between 1601, where Windows begins, and 1970.
const EPOCH: i64 = 11_644_473_600;

/// How users are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// The password with each message.
    Basic,
    /// NTLM under the name of `Negotiate`, or under its own.
    Ntlm(&'static str),
}

/// Who logs in.
pub(super) struct User {
    pub(super) basic: HeaderValue,
    pub(super) ntlm: Credentials,
}

/// A connection that the service knows the user of.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    target: Uri,
    host: HeaderValue,
    /// Sent with each message.
    login: Option<HeaderValue>,
    proxy_login: Option<HeaderValue>,
    session: Option<Session>,
    pub(super) peer: Option<SocketAddr>,
    /// Moves the bytes.
    _driver: AbortOnDropHandle<()>,
}

/// An answer.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Connection {
    /// Connects and logs in.
    pub(super) async fn open(link: &Link, user: &User, scheme: Scheme) -> Result<Self, Failure> {
        let line = link.open(scheme != Scheme::Basic).await?;
        let mut connection = Self::over(line, link).await?;
        match scheme {
            Scheme::Basic => connection.login = Some(user.basic.clone()),
            Scheme::Ntlm(name) => {
                let session = connection.log_in(name, &user.ntlm).await?;
                // TLS seals better.
                connection.session = Some(session).filter(|_| link.tls.is_none());
            }
        }
        Ok(connection)
    }

    async fn over(line: Line, link: &Link) -> Result<Self, Failure> {
        let Line { stream, peer, absolute, proxy_login } = line;
        let name = authority(&link.host, link.port);
        let wrong = |_| Failure::fatal(Stage::Resolve, format!("`{name}` is no address"));
        let target = if absolute { format!("http://{name}/wsman") } else { "/wsman".to_owned() };
        let target: Uri =
            target.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let host = HeaderValue::from_str(&name).map_err(|error| wrong(error.to_string()))?;
        let (sender, driver) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::new(Stage::Service, error.to_string()))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to WinRM ended");
            }
        });
        let (login, session) = (None, None);
        let _driver = AbortOnDropHandle::new(driver);
        Ok(Self { sender, target, host, login, proxy_login, session, peer, _driver })
    }

    /// Whether it can be used no more.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a message and reads the answer, for which the service has `limit`.
    pub(super) async fn exchange(
        &mut self,
        envelope: &str,
        limit: Duration,
    ) -> Result<Element, Failure> {
        let (kind, body) = match &mut self.session {
            Some(session) => (sealed::CONTENT_TYPE, sealed::seal(session, envelope.as_bytes())),
            None => ("application/soap+xml;charset=UTF-8", envelope.as_bytes().to_vec()),
        };
        let login = self.login.clone();
        let reply = match timeout(limit, self.post(kind, login, body)).await {
            Ok(reply) => reply?,
            Err(_) => {
                let seconds = limit.as_secs();
                return Err(Failure::unanswered(format!("it did not answer within {seconds} s")));
            }
        };
        self.read(reply)
    }

    fn read(&mut self, reply: Reply) -> Result<Element, Failure> {
        if reply.status == StatusCode::UNAUTHORIZED {
            return Err(refused(&reply.headers));
        }
        let has = |kind: &str| {
            let found = reply.headers.get(CONTENT_TYPE).and_then(|one| one.to_str().ok());
            found.is_some_and(|found| found.to_ascii_lowercase().starts_with(kind))
        };
        let body = match &mut self.session {
            Some(session) if has("multipart/encrypted") => {
                sealed::unseal(session, &reply.body).map_err(Failure::nonsense)?
            }
            Some(_) if reply.status.is_success() => {
                return Err(Failure::nonsense("it is not sealed"));
            }
            // What it says may be anybody's words, also when they look like the service's.
            Some(_) => {
                let text = format!("it answers with status {}, not sealed", reply.status);
                return Err(Failure::unanswered(text));
            }
            None => reply.body.to_vec(),
        };
        let parsed = Element::parse(&body);
        match (parsed, reply.status) {
            (Ok(answer), _) if answer.name == "Envelope" => {
                match super::answer::Fault::of(&answer) {
                    Some(fault) => Err(Failure::fault(fault)),
                    None => Ok(answer),
                }
            }
            (Err(error), StatusCode::OK) => Err(Failure::nonsense(error)),
            (Ok(_), StatusCode::OK) => Err(Failure::nonsense("it is no envelope")),
            (_, status) => {
                // Such as a proxy, behind which the service may have done it; or something else
                // than WinRM.
                Err(Failure::unanswered(format!("it answers with status {status}")))
            }
        }
    }

    async fn post(
        &mut self,
        kind: &'static str,
        login: Option<HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let unsent = |error: hyper::Error| Failure::new(Stage::Service, cause(&error));
        self.sender.ready().await.map_err(unsent)?;
        // Also that of nothing: Windows takes no POST without a length.
        let length = HeaderValue::from(body.len());
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(USER_AGENT, HeaderValue::from_static("bake"));
        headers.extend(login.map(|login| (AUTHORIZATION, login)));
        headers.extend(self.proxy_login.clone().map(|login| (PROXY_AUTHORIZATION, login)));
        let response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                let sent = error.take_message().is_none();
                return Err(Failure { sent, ..unsent(error.into_error()) });
            }
        };
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER).collect().await;
        let body = body.map_err(|error| Failure::unanswered(error.to_string()))?.to_bytes();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }

    /// Logs the connection in.
    async fn log_in(
        &mut self,
        scheme: &'static str,
        credentials: &Credentials,
    ) -> Result<Session, Failure> {
        let reply = self.present(scheme, &negotiate()).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            let text = format!("it answers a log-in with status {}", reply.status);
            return Err(Failure::new(Stage::Service, text));
        }
        let Some(token) = token(&reply.headers, scheme) else {
            let text = format!("it does not take `{scheme}`");
            return Err(Failure { text, ..refused(&reply.headers) });
        };
        let wrong = |text: String| Failure {
            refused: true,
            offered: offered(&reply.headers),
            ..Failure::new(Stage::Authentication, text)
        };
        let challenge = Challenge::read(&token).map_err(wrong)?;
        let (message, session) = authenticate(credentials, &challenge, chosen()).map_err(wrong)?;
        let reply = self.present(scheme, &message).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            return Err(refused(&reply.headers));
        }
        Ok(session)
    }

    /// Sends a message of the log-in, and nothing else.
    async fn present(&mut self, scheme: &str, message: &[u8]) -> Result<Reply, Failure> {
        let login = format!("{scheme} {}", BASE64_STANDARD.encode(message));
        let login = HeaderValue::from_str(&login)
            .map_err(|error| Failure::new(Stage::Authentication, error.to_string()))?;
        let kind = "application/soap+xml;charset=UTF-8";
        match timeout(LOG_IN, self.post(kind, Some(login), Vec::new())).await {
            // Nothing was asked for that could have been done.
            Ok(reply) => reply.map_err(|failure| Failure { sent: false, ..failure }),
            Err(_) => {
                let text = format!("it did not answer within {} s", LOG_IN.as_secs());
                Err(Failure::new(Stage::Service, text))
            }
        }
    }
}

/// What differs each time.
fn chosen() -> Chosen {
    let now = jiff::Timestamp::now();
    let nanoseconds = i64::from(now.subsec_nanosecond());
    let time = (now.as_second() + EPOCH) * 10_000_000 + nanoseconds / 100;
    Chosen {
        challenge: rand::random(),
        session: rand::random(),
        time: u64::try_from(time).unwrap_or_default(),
    }
}

/// The first cause of an error: hyper's own words say little.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// The ways to log in that an answer names.
fn offered(headers: &HeaderMap) -> Vec<String> {
    let mut offered = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        for part in value.to_str().unwrap_or_default().split(',') {
            let word = part.split_whitespace().next().unwrap_or_default();
            // The rest are parameters.
            if !word.is_empty() && !word.contains('=') && word.len() < 40 {
                offered.push(word.to_owned());
            }
        }
    }
    offered.sort();
    offered.dedup();
    offered
}

fn refused(headers: &HeaderMap) -> Failure {
    let text = "it refuses the user name or the password";
    Failure {
        refused: true,
        offered: offered(headers),
        ..Failure::new(Stage::Authentication, text)
    }
}

/// The message in an answer to a log-in.
fn token(headers: &HeaderMap, scheme: &str) -> Option<Vec<u8>> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| {
        let (name, token) = value.to_str().ok()?.trim().split_once(' ')?;
        let ours = name.eq_ignore_ascii_case(scheme);
        ours.then(|| BASE64_STANDARD.decode(token.trim()).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|one| (WWW_AUTHENTICATE, HeaderValue::from_static(one))).collect()
    }

    #[test]
    fn ways_to_log_in_are_listed() {
        let found = offered(&headers(&["Negotiate", "Basic realm=\"WSMAN\"", "Kerberos, NTLM"]));
        assert_eq!(found, ["Basic", "Kerberos", "NTLM", "Negotiate"]);
        assert_eq!(offered(&headers(&["", "=,=", "Digest a=\"1\", b=2"])), ["Digest"]);
    }

    #[test]
    fn tokens_are_found_by_their_scheme() {
        let headers = headers(&["Kerberos", "negotiate aGk=", "NTLM *"]);
        assert_eq!(token(&headers, "Negotiate").unwrap(), b"hi");
        assert_eq!(token(&headers, "NTLM"), None);
    }
}
