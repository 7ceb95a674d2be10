//! Byte streams to an instance that are not plain TCP connections.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::ConnectStage;

/// A connected stream of bytes.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// A way to make streams to a port of an instance, such as through a session of Session Manager.
pub trait Dial: Send + Sync {
    /// A new stream. It is called for each connection and after each loss, so it may be called
    /// several times at once. Dropping the future ends the attempt.
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, DialError>>;

    /// What keeps a stream from being made so far, while [`dial`](Self::dial) goes on trying; in a
    /// sentence without a full stop.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Ends what it keeps for its streams; no stream can be made afterwards.
    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    /// What people know the far end by, for messages: `i-0123456789abcdef0 (Session Manager)`.
    fn name(&self) -> String;
}

/// Why there is no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DialError {
    /// How far it came.
    pub stage: ConnectStage,
    /// In a sentence without a full stop.
    pub reason: String,
    /// Whether another attempt cannot end otherwise.
    pub fatal: bool,
}
