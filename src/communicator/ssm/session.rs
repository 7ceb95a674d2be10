//! A session and the task that drives it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::channel::{Channel, Event};
use super::end::SessionEnd;
use super::frame::Flag;
use super::mux::{Mux, NoStream};
use super::pace::Pauses;
use super::sessions::{OpenedSession, SessionError, SessionErrorKind, Sessions, StartSession};
use super::settings::Settings;
use super::socket::{self, Socket};

/// How often an old agent wants to hear from us.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long an attempt to resume may take.
const ATTEMPT: Duration = Duration::from_secs(45);

/// A session that streams can be opened in. Dropping it ends it in good order, in the background;
/// its streams end with it.
#[derive(Debug)]
pub(super) struct Session {
    shared: Arc<Shared>,
    /// Dropped by the driver when all is done.
    done: watch::Receiver<()>,
    end: CancellationToken,
    id: String,
}

/// What the session, its streams and its driver have in common.
#[derive(Debug)]
struct Shared {
    mux: Mutex<Mux>,
    /// Tells the driver that there is something to do.
    work: Notify,
    /// Tells that the session is ready, or over, or that one more stream can be opened.
    state: watch::Sender<()>,
}

impl Shared {
    fn mux(&self) -> MutexGuard<'_, Mux> {
        // Nothing in it can be half done when a panic comes.
        self.mux.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Starts a session and waits until its agent is ready.
    pub(super) async fn start(
        sessions: Arc<dyn Sessions>,
        start: StartSession,
        settings: Settings,
    ) -> Result<Self, SessionError> {
        let opened = sessions.start(start).await?;
        let id = opened.id.clone();
        let shared = Arc::new(Shared {
            mux: Mutex::new(Mux::new()),
            work: Notify::new(),
            state: watch::Sender::new(()),
        });
        let (all, done) = watch::channel(());
        let end = CancellationToken::new();
        let driver = Driver {
            sessions,
            opened,
            client_id: Uuid::new_v4(),
            settings,
            channel: Channel::new(settings, Instant::now()),
            shared: shared.clone(),
            end: end.clone(),
            over: None,
            _all: all,
        };
        // From here on the driver ends the session, whatever happens to this future.
        let session = Self { shared, done, end, id };
        let (first, connected) = tokio::sync::oneshot::channel();
        tokio::spawn(driver.run(first));
        match connected.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(SessionError::new(SessionErrorKind::Transient, "interrupted")),
        }
        session.ready().await.map_err(|end| {
            let hints = end.hints();
            let kind = match &end {
                SessionEnd::Encryption { .. } | SessionEnd::Kind(_) => SessionErrorKind::Fatal,
                _ => SessionErrorKind::Transient,
            };
            SessionError { kind, message: end.to_string(), hints }
        })?;
        Ok(session)
    }

    async fn ready(&self) -> Result<(), SessionEnd> {
        let mut state = self.shared.state.subscribe();
        loop {
            {
                let mux = self.shared.mux();
                if let Some(end) = mux.over() {
                    return Err(end.clone());
                }
                if mux.is_ready() {
                    return Ok(());
                }
            }
            if state.changed().await.is_err() {
                return Err(SessionEnd::Done);
            }
        }
    }

    /// Opens a stream.
    pub(super) fn open(&self) -> Result<SessionStream, NoStream> {
        let id = self.shared.mux().open()?;
        self.shared.work.notify_one();
        Ok(SessionStream { shared: self.shared.clone(), id })
    }

    /// Whether it is over.
    pub(super) fn over(&self) -> Option<SessionEnd> {
        self.shared.mux().over().cloned()
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Ends it and waits until that is done.
    pub(super) async fn close(mut self) {
        self.end.cancel();
        // An error says that the driver is gone.
        while self.done.changed().await.is_ok() {}
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// A stream of bytes to the port.
///
/// To shut it down is to end it: smux knows no half-closed streams, so the far side's answers may
/// be cut off.
#[derive(Debug)]
pub(super) struct SessionStream {
    shared: Arc<Shared>,
    id: u32,
}

impl AsyncRead for SessionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut mux = self.shared.mux();
        let was_full = mux.is_full();
        let result = mux.read(self.id, buffer, context.waker());
        if was_full && !mux.is_full() {
            self.shared.work.notify_one();
        }
        result
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = self.shared.mux().write(self.id, bytes, context.waker());
        if result.is_ready() {
            self.shared.work.notify_one();
        }
        result
    }

    /// There is nothing to do: what was taken is sent as soon as the session's pace allows.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.mux().shut(self.id);
        self.shared.work.notify_one();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.shared.mux().abandon(self.id);
        self.shared.work.notify_one();
    }
}

/// How driving a connection came to an end.
enum Halt {
    /// The connection is gone.
    Lost(String),
    /// The session is over.
    Over,
}

/// Drives the channel over one WebSocket after the other.
struct Driver {
    sessions: Arc<dyn Sessions>,
    opened: OpenedSession,
    client_id: Uuid,
    settings: Settings,
    channel: Channel,
    shared: Arc<Shared>,
    end: CancellationToken,
    over: Option<SessionEnd>,
    _all: watch::Sender<()>,
}

impl Driver {
    async fn run(mut self, first: tokio::sync::oneshot::Sender<Result<(), SessionError>>) {
        let end = self.end.clone();
        let connecting = socket::connect(&*self.sessions, &self.opened, self.client_id);
        let connected = tokio::select! {
            connected = connecting => connected,
            () = end.cancelled() => Err(SessionError::new(SessionErrorKind::Transient, "interrupted")),
        };
        let told;
        match connected {
            Ok(socket) => {
                self.channel.reopened(Instant::now());
                drop(first.send(Ok(())));
                self.live(socket).await;
                told = None;
            }
            Err(error) => told = Some((first, error)),
        }
        let over = self.over.take().unwrap_or(SessionEnd::Done);
        let expired = over == SessionEnd::Expired;
        self.shared.mux().end(over);
        self.shared.state.send_replace(());
        if !expired {
            let terminated = self.sessions.terminate(self.opened.id.clone()).await;
            if let Err(error) = terminated {
                tracing::debug!(%error, session = self.opened.id, "cannot terminate a session");
            }
        }
        if let Some((first, error)) = told {
            drop(first.send(Err(error)));
        }
    }

    /// Drives the session until it is over.
    async fn live(&mut self, mut socket: Socket) {
        loop {
            match self.drive(&mut socket).await {
                Halt::Over => {
                    let now = Instant::now();
                    while let Some(frame) = self.channel.transmit(now)
                        && socket.outgoing.try_send(Message::binary(frame.to_vec())).is_ok()
                    {
                    }
                    return socket.finish().await;
                }
                Halt::Lost(lost) => match self.resume(&lost).await {
                    Ok(new) => socket = new,
                    Err(end) => {
                        self.over.get_or_insert(end);
                        return;
                    }
                },
            }
        }
    }

    /// Moves bytes between the channel and the streams.
    fn pump(&mut self) {
        let mut mux = self.shared.mux();
        let mut news = false;
        while self.over.is_none() && !mux.is_full() {
            match self.channel.event() {
                None => break,
                Some(Event::Ready(mode)) => {
                    mux.ready(mode);
                    news = true;
                }
                Some(Event::Data(bytes)) => {
                    if let Err(error) = mux.receive(&bytes) {
                        self.over = Some(error.into());
                    }
                }
                Some(Event::PortRefused) => mux.refused(),
                Some(Event::Ended(end)) => self.over = Some(end),
            }
        }
        while mux.has_outgoing() {
            let room = self.channel.room();
            if room == 0 {
                break;
            }
            let bytes = mux.take(room);
            if !bytes.is_empty() {
                self.channel.send(bytes);
            } else if mux.take_disconnect() {
                self.channel.flag(Flag::DisconnectToPort);
                news = true;
            }
        }
        drop(mux);
        if news {
            self.shared.state.send_replace(());
        }
    }

    /// Drives one connection.
    async fn drive(&mut self, socket: &mut Socket) -> Halt {
        let shared = self.shared.clone();
        let end = self.end.clone();
        let mut heard = Instant::now();
        // The reference pings at once, too.
        let mut ping = heard;
        let mut keep_alive = heard + KEEP_ALIVE;
        // Until when to wait for the far side's word, once this side wants the end.
        let mut goodbye: Option<Instant> = None;
        loop {
            let now = Instant::now();
            self.channel.check(now);
            self.pump();
            if self.over.is_some() {
                return Halt::Over;
            }
            if let Some(until) = goodbye
                && now >= until
            {
                self.over = Some(SessionEnd::Done);
                return Halt::Over;
            }
            if now >= heard + self.settings.silence {
                let seconds = self.settings.silence.as_secs();
                return Halt::Lost(format!("nothing was heard for {seconds} s"));
            }
            if now >= ping {
                ping = now + self.settings.ping;
                // When the queue is full there is traffic enough.
                drop(socket.outgoing.try_send(Message::Ping("keepalive".into())));
            }
            if now >= keep_alive {
                keep_alive = now + KEEP_ALIVE;
                let mut mux = shared.mux();
                if mux.wants_keepalive() {
                    mux.keep_alive();
                    shared.work.notify_one();
                }
            }
            let mut full = false;
            loop {
                let permit = match socket.outgoing.try_reserve() {
                    Ok(permit) => permit,
                    Err(tokio::sync::mpsc::error::TrySendError::Full(())) => {
                        full = true;
                        break;
                    }
                    Err(tokio::sync::mpsc::error::TrySendError::Closed(())) => {
                        return Halt::Lost("it takes no more messages".to_owned());
                    }
                };
                let Some(frame) = self.channel.transmit(now) else { break };
                permit.send(Message::binary(frame.to_vec()));
            }
            let next = self
                .channel
                .deadline(now)
                .filter(|_| !full)
                .into_iter()
                .chain([ping, heard + self.settings.silence, keep_alive])
                .chain(goodbye)
                .min()
                .unwrap_or(now);
            tokio::select! {
                message = socket.incoming.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Binary(frame))) => self.channel.receive(&frame, heard),
                        Some(Ok(Message::Text(frame))) => {
                            self.channel.receive(frame.as_bytes(), heard);
                        }
                        Some(Ok(Message::Close(reason))) => {
                            let reason = reason
                                .map(|frame| format!("closed with {} {}", frame.code, frame.reason))
                                .unwrap_or_else(|| "closed without a reason".to_owned());
                            return self.lost(reason.trim().to_owned()).await;
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return self.lost(error.to_string()).await,
                        None => return self.lost("it ended".to_owned()).await,
                    }
                }
                permit = socket.outgoing.reserve(), if full => drop(permit),
                () = shared.work.notified() => {}
                () = sleep_until(next.into()) => {}
                () = end.cancelled(), if goodbye.is_none() => {
                    let patience = if self.channel.terminate() {
                        self.settings.goodbye
                    } else {
                        Duration::ZERO
                    };
                    goodbye = Some(Instant::now() + patience);
                }
            }
        }
    }

    /// The connection is gone. When the far side had closed the session before, what it sent is
    /// still to be read.
    async fn lost(&mut self, reason: String) -> Halt {
        let end = self.end.clone();
        while self.channel.is_over() {
            self.pump();
            if self.over.is_some() {
                return Halt::Over;
            }
            tokio::select! {
                () = self.shared.work.notified() => {}
                () = end.cancelled() => {
                    self.over = Some(SessionEnd::Done);
                    return Halt::Over;
                }
            }
        }
        Halt::Lost(reason)
    }

    /// Makes another connection for the session.
    async fn resume(&mut self, lost: &str) -> Result<Socket, SessionEnd> {
        tracing::debug!(session = self.opened.id, lost, "resuming a session");
        let end = self.end.clone();
        let deadline = Instant::now() + self.settings.resume;
        let mut pauses = Pauses::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let attempt = timeout(ATTEMPT, self.attempt());
            let attempted = tokio::select! {
                attempted = attempt => attempted,
                () = end.cancelled() => return Err(SessionEnd::Done),
            };
            let error = match attempted {
                Ok(Ok(socket)) => {
                    self.channel.reopened(Instant::now());
                    return Ok(socket);
                }
                Ok(Err(error)) => error,
                Err(_) => SessionError::new(SessionErrorKind::Transient, "no answer"),
            };
            if error.kind == SessionErrorKind::Gone {
                return Err(SessionEnd::Expired);
            }
            let pause = pauses.next();
            if !error.is_transient() || Instant::now() + pause > deadline {
                let hints = error.hints.first().map(|hint| format!(" ({hint})"));
                let last = format!("{error}{}", hints.unwrap_or_default());
                return Err(SessionEnd::Lost { lost: lost.to_owned(), last });
            }
            tracing::debug!(session = self.opened.id, %error, "cannot resume a session yet");
            tokio::select! {
                () = sleep(pause) => {}
                () = end.cancelled() => return Err(SessionEnd::Done),
            }
        }
    }

    /// One attempt, with a fresh token and a fresh signature.
    async fn attempt(&self) -> Result<Socket, SessionError> {
        let mut resumed = self.sessions.resume(self.opened.id.clone()).await?;
        if resumed.token.is_empty() {
            return Err(SessionError::new(SessionErrorKind::Gone, "the session has timed out"));
        }
        if resumed.stream_url.is_empty() {
            resumed.stream_url.clone_from(&self.opened.stream_url);
        }
        socket::connect(&*self.sessions, &resumed, self.client_id).await
    }
}
