//! What may stand before a service: TLS, a proxy, a session.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::communicator::{ByteStream, ConnectStage, Dial, DialError};

/// A certificate that its owner made for itself, until the year 2126, and its key.
const CERTIFICATE: &str = include_str!("self_signed.pem");

/// TLS before a port.
pub(super) async fn tls(to: u16) -> u16 {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                drop(copy_bidirectional(&mut stream, &mut behind).await);
            });
        }
    });
    port
}

/// A proxy for everything; it notes the first line of each connection.
pub(super) async fn proxy(to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let noted = lines.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let noted = noted.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let text = String::from_utf8(head.clone()).unwrap();
                noted.lock().unwrap().extend(text.lines().next().map(str::to_owned));
                let mut behind = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                if text.starts_with("CONNECT") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                } else {
                    behind.write_all(&head).await.unwrap();
                }
                drop(copy_bidirectional(&mut stream, &mut behind).await);
            });
        }
    });
    (port, lines)
}

/// Streams that are no connections of ours.
pub(super) struct Session {
    pub(super) to: u16,
    pub(super) streams: AtomicU32,
    pub(super) closed: AtomicU32,
}

impl Dial for Session {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, DialError>> {
        async {
            self.streams.fetch_add(1, Ordering::Relaxed);
            if self.to == 0 {
                return Err(DialError {
                    stage: ConnectStage::Tcp,
                    reason: "the agent is not registered".to_owned(),
                    fatal: true,
                });
            }
            let stream = TcpStream::connect(("127.0.0.1", self.to)).await.unwrap();
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
        .boxed()
    }

    fn name(&self) -> String {
        "i-1 (Session Manager)".to_owned()
    }
}
