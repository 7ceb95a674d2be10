//! Session Manager's calls and its WebSocket, in this process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

use super::super::{
    OpenedSession, SessionError, SessionErrorKind, Sessions, StartSession, StreamHosts,
};
use super::agent::{Agent, Manner};

/// What the service does to connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaks {
    /// Closes a connection after so many frames of the client.
    pub(super) after: Option<usize>,
    /// Answers nothing on connections after the first.
    pub(super) silent: bool,
}

struct Inner {
    agent: Mutex<Option<Agent>>,
    manner: Manner,
    breaks: Breaks,
    kick: Notify,
}

/// The service, with one session at a time.
pub(super) struct Service {
    inner: Arc<Inner>,
    address: std::net::SocketAddr,
    /// What the next calls of StartSession fail with.
    pub(super) refusals: Mutex<VecDeque<SessionErrorKind>>,
    /// What all calls of ResumeSession fail with.
    pub(super) resume_refusal: Mutex<Option<SessionErrorKind>>,
    /// Whether ResumeSession gives no token.
    pub(super) expired: Mutex<bool>,
    pub(super) started: AtomicUsize,
    pub(super) resumed: AtomicUsize,
    pub(super) terminated: AtomicUsize,
    pub(super) signed: AtomicUsize,
    _accepting: AbortOnDropHandle<()>,
}

impl Service {
    pub(super) async fn new(manner: Manner, breaks: Breaks) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner =
            Arc::new(Inner { agent: Mutex::default(), manner, breaks, kick: Notify::new() });
        let serving = inner.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(serving.clone(), stream, count));
                count += 1;
            }
        });
        Arc::new(Self {
            inner,
            address,
            refusals: Mutex::default(),
            resume_refusal: Mutex::default(),
            expired: Mutex::default(),
            started: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            terminated: AtomicUsize::new(0),
            signed: AtomicUsize::new(0),
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Looks at, or does something to, the agent.
    pub(super) fn agent<T>(&self, act: impl FnOnce(&mut Agent) -> T) -> T {
        let result = act(self.inner.agent.lock().unwrap().as_mut().unwrap());
        self.inner.kick.notify_waiters();
        result
    }

    fn opened(&self, token: &str) -> OpenedSession {
        OpenedSession {
            id: "me-0123456789abcdef0".to_owned(),
            token: token.to_owned(),
            stream_url: format!(
                "ws://{}/v1/data-channel/me-0?role=publish_subscribe",
                self.address
            ),
        }
    }
}

impl Sessions for Service {
    fn start(&self, start: StartSession) -> BoxFuture<'_, Result<OpenedSession, SessionError>> {
        async move {
            assert_eq!(start.document, "AWS-StartPortForwardingSession");
            self.started.fetch_add(1, Ordering::SeqCst);
            if let Some(kind) = self.refusals.lock().unwrap().pop_front() {
                let message = format!("{} is not connected", start.target);
                return Err(SessionError::new(kind, message));
            }
            *self.inner.agent.lock().unwrap() = Some(Agent::new(self.inner.manner.clone()));
            Ok(self.opened("token-1"))
        }
        .boxed()
    }

    fn resume(&self, id: String) -> BoxFuture<'_, Result<OpenedSession, SessionError>> {
        async move {
            assert_eq!(id, "me-0123456789abcdef0");
            self.resumed.fetch_add(1, Ordering::SeqCst);
            if let Some(kind) = *self.resume_refusal.lock().unwrap() {
                return Err(SessionError::new(kind, "ResumeSession was refused"));
            }
            let expired = *self.expired.lock().unwrap();
            Ok(self.opened(if expired { "" } else { "token-2" }))
        }
        .boxed()
    }

    fn terminate(&self, _id: String) -> BoxFuture<'_, Result<(), SessionError>> {
        self.terminated.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }.boxed()
    }

    fn sign(&self, _url: String) -> BoxFuture<'_, Result<Vec<(String, String)>, SessionError>> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        async { Ok(vec![("x-signature".to_owned(), "signed".to_owned())]) }.boxed()
    }

    fn hosts(&self) -> StreamHosts {
        StreamHosts::Own
    }
}

async fn serve(inner: Arc<Inner>, stream: TcpStream, connection: usize) {
    let check = |request: &http::Request<()>, response| {
        assert_eq!(request.headers()["x-signature"], "signed");
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else { return };
    let Some(Ok(Message::Text(open))) = socket.next().await else { return };
    if inner.breaks.silent && connection > 0 {
        std::future::pending::<()>().await;
    }
    inner.agent.lock().unwrap().as_mut().unwrap().open(&open);
    let mut frames = 0;
    loop {
        let now = Instant::now();
        let (out, next) = {
            let mut agent = inner.agent.lock().unwrap();
            let agent = agent.as_mut().unwrap();
            let out: Vec<_> = std::iter::from_fn(|| agent.transmit(now)).take(64).collect();
            (out, agent.deadline())
        };
        let more = out.len() == 64;
        for frame in out {
            if socket.feed(Message::binary(frame)).await.is_err() {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
        let next = if more { now } else { next.unwrap_or(now + Duration::from_secs(1)) };
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(frame))) => {
                    inner.agent.lock().unwrap().as_mut().unwrap().receive(&frame);
                    frames += 1;
                    if inner.breaks.after.is_some_and(|after| frames >= after) {
                        drop(socket.close(None).await);
                        return;
                    }
                }
                Some(Ok(_)) => {}
                _ => return,
            },
            () = inner.kick.notified() => {}
            () = sleep_until(next.into()) => {}
        }
    }
}
