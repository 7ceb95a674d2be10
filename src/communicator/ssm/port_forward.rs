//! Streams to a port of an instance, through sessions that are made as they are needed.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::mux::NoStream;
use super::pace::Pauses;
use super::session::{Session, SessionStream};
use super::sessions::{SessionError, SessionErrorKind, Sessions, StartSession};
use super::settings::Settings;
use crate::communicator::{ByteStream, ConnectStage, Dial, DialError};

/// Makes streams to one port of one instance.
///
/// One session carries them all. When it is beyond resuming, as after a reboot, the next stream is
/// in a new one. An agent of old takes one stream at a time; then each gets a session of its own.
pub struct PortForward {
    sessions: Arc<dyn Sessions>,
    target: String,
    port: u16,
    settings: Settings,
    cancel: CancellationToken,
    state: Mutex<State>,
    trouble: Trouble,
}

/// Why there is no session so far, while one is being made.
type Trouble = Arc<std::sync::Mutex<Option<String>>>;

#[derive(Default)]
struct State {
    open: Vec<Session>,
    /// A session that is being made. It goes on when the stream it was for is given up, so that it
    /// can be used, or ended, and is never forgotten.
    starting: Option<JoinHandle<Result<Session, SessionError>>>,
    closed: bool,
}

impl PortForward {
    /// Streams to `port` of the instance `target`. Nothing happens before the first is wanted;
    /// `cancel` ends what is under way.
    pub fn new(
        sessions: Arc<dyn Sessions>,
        target: &str,
        port: u16,
        settings: Settings,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            sessions,
            target: target.to_owned(),
            port,
            settings,
            // Closing this tunnel cancels nothing else.
            cancel: cancel.child_token(),
            state: Mutex::default(),
            trouble: Trouble::default(),
        }
    }

    /// A stream; a session for it when there is none with room.
    pub(super) async fn stream(&self) -> Result<SessionStream, SessionError> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(SessionError::new(SessionErrorKind::Fatal, "the tunnel has been closed"));
        }
        state.open.retain(|session| match session.over() {
            Some(end) => {
                tracing::debug!(session = session.id(), %end, "a session is over");
                false
            }
            None => true,
        });
        let mut taken = None;
        for session in &state.open {
            match session.open() {
                Ok(stream) => return Ok(stream),
                Err(NoStream::Used) => {}
                Err(NoStream::Busy) => taken = Some(()),
                Err(NoStream::Over(_)) => {}
            }
        }
        if taken.is_some() {
            tracing::debug!("the agent takes one stream a session; starting another session");
        }
        let starting = state.starting.get_or_insert_with(|| {
            tokio::spawn(start(
                self.sessions.clone(),
                StartSession::port_forwarding(&self.target, self.port),
                self.settings,
                self.cancel.clone(),
                self.trouble.clone(),
            ))
        });
        let started = (&mut *starting).await;
        state.starting = None;
        let session = started.unwrap_or_else(|panicked| {
            Err(SessionError::new(SessionErrorKind::Fatal, panicked.to_string()))
        })?;
        let stream = session.open().map_err(|none| {
            let why = match none {
                NoStream::Over(end) => end.to_string(),
                NoStream::Busy | NoStream::Used => "a new session takes no stream".to_owned(),
            };
            SessionError::new(SessionErrorKind::Transient, why)
        })?;
        state.open.push(session);
        Ok(stream)
    }
}

impl std::fmt::Debug for PortForward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortForward")
            .field("target", &self.target)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Dial for PortForward {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, DialError>> {
        async move {
            let stream = self.stream().await.map_err(|error| dial_error(&error))?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends all sessions, in good order.
    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            // Whoever waits for a session holds the lock.
            self.cancel.cancel();
            let mut state = self.state.lock().await;
            state.closed = true;
            let mut open = std::mem::take(&mut state.open);
            if let Some(starting) = state.starting.take()
                && let Ok(Ok(session)) = starting.await
            {
                open.push(session);
            }
            futures::future::join_all(open.into_iter().map(Session::close)).await;
        }
        .boxed()
    }

    fn name(&self) -> String {
        format!("{} (Session Manager)", self.target)
    }
}

/// Starts a session, and again while the agent is not there.
async fn start(
    sessions: Arc<dyn Sessions>,
    start: StartSession,
    settings: Settings,
    cancel: CancellationToken,
    trouble: Trouble,
) -> Result<Session, SessionError> {
    let note = |text| *trouble.lock().unwrap_or_else(PoisonError::into_inner) = text;
    let interrupted = || SessionError::new(SessionErrorKind::Fatal, "interrupted");
    let deadline = Instant::now() + settings.ready;
    let mut pauses = Pauses::new(Duration::from_millis(500), Duration::from_secs(5));
    loop {
        let attempt = Session::start(sessions.clone(), start.clone(), settings);
        let error = tokio::select! {
            attempted = attempt => match attempted {
                Ok(session) => {
                    note(None);
                    return Ok(session);
                }
                Err(error) => error,
            },
            () = cancel.cancelled() => return Err(interrupted()),
        };
        let pause = pauses.next();
        if !error.is_transient() || Instant::now() + pause > deadline {
            note(None);
            return Err(error);
        }
        tracing::debug!(target = start.target, %error, "no session yet");
        note(Some(told(&error)));
        tokio::select! {
            () = sleep(pause) => {}
            () = cancel.cancelled() => return Err(interrupted()),
        }
    }
}

fn dial_error(error: &SessionError) -> DialError {
    let stage = match error.kind {
        SessionErrorKind::Denied | SessionErrorKind::CredentialsExpired => {
            ConnectStage::Authentication
        }
        _ => ConnectStage::Tcp,
    };
    // TargetNotConnected was waited for already.
    let fatal = error.kind != SessionErrorKind::Transient;
    DialError { stage, reason: told(error), fatal }
}

/// What went wrong, and what to do, in one sentence.
fn told(error: &SessionError) -> String {
    let hints = error.hints.iter().map(|hint| format!("; {hint}"));
    format!("{}{}", error.message, hints.collect::<String>())
}
