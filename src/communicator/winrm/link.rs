//! Streams to the service: straight, through an HTTP proxy, or by a [`Dial`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::{Failure, Stage};
use crate::communicator::{ByteStream, ConnectStage, Dial};

/// How long a connection may take, with TLS.
const CONNECT: Duration = Duration::from_secs(15);
/// The same through a session, which has to be opened first.
const DIAL: Duration = Duration::from_secs(60);
/// How long a proxy's answer may be.
const PROXY_ANSWER: usize = 8 << 10;

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProxy {
    /// `host:port`.
    address: String,
    /// For `Proxy-Authorization`.
    login: Option<HeaderValue>,
}

impl HttpProxy {
    /// The proxy that the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) has for a host. The
    /// machine itself needs none.
    ///
    /// # Errors
    /// When it is no HTTP proxy, in a sentence.
    pub fn of_environment(host: &str, tls: bool) -> Result<Option<Self>, String> {
        Self::of(&Matcher::from_env(), host, tls)
    }

    /// A proxy without a log-in.
    #[cfg(test)]
    pub(super) fn at(address: &str) -> Self {
        Self { address: address.to_owned(), login: None }
    }

    fn of(matcher: &Matcher, host: &str, tls: bool) -> Result<Option<Self>, String> {
        let is_here = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let name = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let scheme = if tls { "https" } else { "http" };
        let Ok(uri) = format!("{scheme}://{name}/").parse::<Uri>() else { return Ok(None) };
        let Some(found) = matcher.intercept(&uri).filter(|_| !is_here) else { return Ok(None) };
        let uri = found.uri();
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            let scheme = uri.scheme_str().unwrap_or_default();
            return Err(format!("the environment's proxy for {host} speaks {scheme}, not HTTP"));
        }
        let host = uri.host().unwrap_or_default();
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Some(Self { address, login: found.basic_auth().cloned() }))
    }
}

/// How streams are made.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<TlsConnector>,
    pub(super) proxy: Option<HttpProxy>,
    pub(super) dial: Option<Arc<dyn Dial>>,
}

/// A connected stream.
pub(super) struct Line {
    pub(super) stream: Box<dyn ByteStream>,
    /// The far end, when it is known.
    pub(super) peer: Option<SocketAddr>,
    /// What requests name besides the path: a proxy passes them on by their whole address.
    pub(super) absolute: bool,
    /// What they have to show the proxy.
    pub(super) proxy_login: Option<HeaderValue>,
}

impl Link {
    /// A stream. With `whole`, everything sent on it goes to the service alone: a proxy that
    /// passes single requests on will not do.
    pub(super) async fn open(&self, whole: bool) -> Result<Line, Failure> {
        let limit = if self.dial.is_some() { DIAL } else { CONNECT };
        match timeout(limit, self.line(whole)).await {
            Ok(line) => line,
            Err(_) => {
                let seconds = limit.as_secs();
                Err(Failure::new(Stage::Tcp, format!("no answer within {seconds} s")))
            }
        }
    }

    async fn line(&self, whole: bool) -> Result<Line, Failure> {
        let (stream, peer): (Box<dyn ByteStream>, _) = if let Some(dial) = &self.dial {
            let stream = dial.dial().await.map_err(|error| {
                let stage = match error.stage {
                    ConnectStage::Resolve => Stage::Resolve,
                    _ => Stage::Tcp,
                };
                Failure { fatal: error.fatal, ..Failure::new(stage, error.reason) }
            })?;
            (stream, None)
        } else if let Some(proxy) = &self.proxy {
            let mut stream = connect(&proxy.address).await.map_err(|failure| Failure {
                stage: Stage::Tcp,
                text: format!("the proxy {} cannot be reached: {}", proxy.address, failure.text),
                ..failure
            })?;
            if !whole && self.tls.is_none() {
                let stream = Box::new(stream);
                let proxy_login = proxy.login.clone();
                return Ok(Line { stream, peer: None, absolute: true, proxy_login });
            }
            tunnel(&mut stream, proxy, &authority(&self.host, self.port)).await?;
            (Box::new(stream), None)
        } else {
            let stream = connect(&authority(&self.host, self.port)).await?;
            let peer = stream.peer_addr().ok();
            (Box::new(stream), peer)
        };
        let stream = match &self.tls {
            None => stream,
            Some(connector) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|_| {
                    let text = "the host is no name that a certificate could have";
                    Failure::fatal(Stage::Tls, text)
                })?;
                let secured = connector.connect(name, stream).await;
                Box::new(secured.map_err(|error| tls_failure(&error))?)
            }
        };
        Ok(Line { stream, peer, absolute: false, proxy_login: None })
    }
}

/// A host with a port, as they are written together.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn connect(address: &str) -> Result<TcpStream, Failure> {
    let unresolved = |error: std::io::Error| Failure::new(Stage::Resolve, error.to_string());
    let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(unresolved)?.collect();
    let failed = |error: std::io::Error| Failure::new(Stage::Tcp, error.to_string());
    let stream = TcpStream::connect(&addresses[..]).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Asks a proxy for a stream to the service.
async fn tunnel(stream: &mut TcpStream, proxy: &HttpProxy, to: &str) -> Result<(), Failure> {
    let failed = |text: String| {
        Failure::new(Stage::Tcp, format!("the proxy {} opens no way: {text}", proxy.address))
    };
    let io = |error: std::io::Error| failed(error.to_string());
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(login) = &proxy.login {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(login.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(io)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows is the service's.
        answer.push(stream.read_u8().await.map_err(io)?);
        if answer.len() > PROXY_ANSWER {
            return Err(failed("its answer does not end".to_owned()));
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    match line.split_whitespace().nth(1) {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(failed(format!("it answers `{}`", line.chars().take(100).collect::<String>()))),
    }
}

/// A handshake that failed. A certificate stays what it is.
fn tls_failure(error: &std::io::Error) -> Failure {
    use tokio_rustls::rustls::Error as TlsError;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsError>());
    match cause {
        Some(TlsError::InvalidCertificate(_)) => {
            let text = format!("its certificate is not trusted: {error}");
            Failure { refused: true, ..Failure::new(Stage::Tls, text) }
        }
        _ => Failure::new(Stage::Tls, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_proxy() {
        let matcher = Matcher::builder()
            .http("http://me:pw@proxy:3128")
            .https("socks5://other")
            .no("10.0.0.0/8,.inner")
            .build();
        let of = |host: &str, tls| HttpProxy::of(&matcher, host, tls);
        let proxy = of("win.example", false).unwrap().unwrap();
        assert_eq!(proxy.address, "proxy:3128");
        assert_eq!(proxy.login.unwrap(), "Basic bWU6cHc=");
        for host in ["localhost", "127.0.0.1", "::1", "10.1.2.3", "win.inner"] {
            assert_eq!(of(host, false), Ok(None), "{host}");
        }
        assert_eq!(
            of("win.example", true).unwrap_err(),
            "the environment's proxy for win.example speaks socks5, not HTTP"
        );
    }
}
