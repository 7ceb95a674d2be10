//! The stream below a connection.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::client::Knowledge;

/// A stream that notes when the far side first says something, gives up when nothing moves for too
/// long, and ends when nobody wants the connection any more.
pub(super) struct Watched<S> {
    stream: S,
    knowledge: Arc<Knowledge>,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    reading: Patience,
    writing: Patience,
}

impl<S> Watched<S> {
    /// `read` and `write` are how long one of each may take; cancelling `given_up` ends both.
    pub(super) fn new(
        stream: S,
        knowledge: Arc<Knowledge>,
        given_up: CancellationToken,
        read: Option<Duration>,
        write: Option<Duration>,
    ) -> Self {
        Self {
            stream,
            knowledge,
            given_up: Box::pin(given_up.cancelled_owned()),
            reading: Patience::new(read),
            writing: Patience::new(write),
        }
    }
}

/// A time limit that starts when a call has to wait.
struct Patience {
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(limit: Option<Duration>) -> Self {
        Self { limit, timer: None }
    }

    /// Passes on the result of a call; an error once it has waited too long.
    fn watch<T>(
        &mut self,
        polled: Poll<Result<T, Error>>,
        what: &str,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Error>> {
        if polled.is_ready() {
            self.timer = None;
            return polled;
        }
        let Some(limit) = self.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        match timer.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let text = format!("{what} for {limit:?}");
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, text)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if let Some(new) = buffer.filled().get(before..).filter(|new| !new.is_empty()) {
            this.knowledge.note_answer(new);
        }
        if polled.is_pending() && this.given_up.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        this.reading.watch(polled, "nothing came", context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.writing.watch(polled, "nothing could be sent", context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, buffers);
        this.writing.watch(polled, "nothing could be sent", context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn watched(limit: Option<Duration>) -> (Watched<tokio::io::DuplexStream>, CancellationToken) {
        let (near, far) = tokio::io::duplex(8);
        // The far end stays open and does nothing.
        drop(tokio::spawn(async move {
            let _far = far;
            std::future::pending::<()>().await;
        }));
        let given_up = CancellationToken::new();
        let knowledge = Arc::new(Knowledge::default());
        (Watched::new(near, knowledge, given_up.clone(), limit, limit), given_up)
    }

    #[tokio::test]
    async fn one_read_or_write_has_a_time_limit() {
        let limit = Some(Duration::from_millis(30));
        let (mut stream, _) = watched(limit);
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "nothing came for 30ms");
        let (mut stream, _) = watched(limit);
        let error = stream.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.to_string(), "nothing could be sent for 30ms");
    }

    #[tokio::test]
    async fn giving_up_ends_a_read() {
        let (mut stream, given_up) = watched(None);
        given_up.cancel();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }
}
