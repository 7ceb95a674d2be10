//! What the SSH library tells us about a connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What became known of a connection, from whichever side asks.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    answered: AtomicBool,
    wrong_host_key: Mutex<Option<String>>,
    end: Mutex<Option<String>>,
}

impl Knowledge {
    /// Whether the far side ever said anything.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The fingerprint of the host key, when it was not the expected one.
    pub(super) fn wrong_host_key(&self) -> Option<String> {
        self.wrong_host_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the connection ended.
    pub(super) fn end(&self) -> String {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        end.unwrap_or_else(|| "the far side closed it".into())
    }
}

/// Answers the library's questions about one connection.
pub(super) struct Client {
    pub(super) knowledge: Arc<Knowledge>,
    pub(super) expected: Option<PublicKey>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_banner(
        &mut self,
        banner: &str,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        tracing::debug!(banner, "SSH banner");
        Ok(())
    }

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let Some(expected) = &self.expected else { return Ok(true) };
        let shown = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                if key.key_data() == expected.key_data() {
                    return Ok(true);
                }
                key.fingerprint(russh::keys::HashAlg::Sha256).to_string()
            }
            PublicKeyOrCertificate::Certificate(_) => "a certificate".into(),
        };
        *self.knowledge.wrong_host_key.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(format!("it shows the host key {shown}"));
        Ok(false)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let (text, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("the server said `{}`", info.message.trim()), Ok(()))
            }
            DisconnectReason::Error(error) => (explain(&error), Err(error)),
        };
        *self.knowledge.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        result
    }
}

/// An error of the library in words for people.
pub(super) fn explain(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError => {
            "the far side closed the connection".into()
        }
        russh::Error::KeepaliveTimeout => "the far side has stopped answering".into(),
        russh::Error::Version => "what answers does not speak SSH 2".into(),
        russh::Error::NoCommonAlgo { kind, ours, theirs } => format!(
            "no common {} algorithm: bake offers {}; the server offers {}",
            format!("{kind:?}").to_lowercase(),
            ours.join(", "),
            theirs.join(", ")
        ),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the far side closed the connection".into()
        }
        russh::Error::IO(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// A stream that notes when the far side first says something.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) knowledge: Arc<Knowledge>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.knowledge.answered.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
