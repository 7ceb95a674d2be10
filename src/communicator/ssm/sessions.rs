//! What a session needs of the service: the calls, as a trait, and how they fail.

use futures::future::BoxFuture;

use super::address::StreamHosts;
use crate::communicator::CommunicatorError;

/// What to start a session with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSession {
    /// The instance's id.
    pub target: String,
    /// The document.
    pub document: &'static str,
    /// Its parameters.
    pub parameters: Vec<(&'static str, String)>,
    /// Shown in the history of sessions.
    pub reason: String,
}

impl StartSession {
    /// A session to a port of an instance, for many connections.
    pub fn port_forwarding(target: &str, port: u16) -> Self {
        Self {
            target: target.to_owned(),
            document: "AWS-StartPortForwardingSession",
            // The local port only matters to the reference client's listener.
            parameters: vec![("portNumber", port.to_string()), ("localPortNumber", "0".to_owned())],
            reason: "bake".to_owned(),
        }
    }
}

/// A session that can be connected to.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// Its id.
    pub id: String,
    /// Opens it to whoever has it; from ResumeSession it may be empty, which says that the session
    /// has timed out.
    pub token: String,
    /// The WebSocket.
    pub stream_url: String,
}

impl std::fmt::Debug for OpenedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedSession").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The calls of Session Manager. Each makes its own attempts against throttling and the like.
pub trait Sessions: Send + Sync {
    /// StartSession.
    fn start(&self, start: StartSession) -> BoxFuture<'_, Result<OpenedSession, SessionError>>;

    /// ResumeSession.
    fn resume(&self, id: String) -> BoxFuture<'_, Result<OpenedSession, SessionError>>;

    /// TerminateSession.
    fn terminate(&self, id: String) -> BoxFuture<'_, Result<(), SessionError>>;

    /// Headers that sign the WebSocket's upgrade (service `ssmmessages`), with credentials as fresh
    /// as they come; called for each connection.
    fn sign(&self, url: String) -> BoxFuture<'_, Result<Vec<(String, String)>, SessionError>>;

    /// Which addresses sessions may have.
    fn hosts(&self) -> StreamHosts;
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionErrorKind {
    /// The agent is not connected to the service: not up yet, or never.
    TargetNotConnected,
    /// No permission for it.
    Denied,
    /// The credentials have expired.
    CredentialsExpired,
    /// The session does not exist any more.
    Gone,
    /// Another attempt may go well.
    Transient,
    /// It will not.
    Fatal,
}

/// Why a call, or a connection to a session, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SessionError {
    /// What kind of failure it was.
    pub kind: SessionErrorKind,
    /// In a sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
}

impl SessionError {
    /// With the hints that its kind calls for.
    pub fn new(kind: SessionErrorKind, message: impl Into<String>) -> Self {
        let hints = match kind {
            SessionErrorKind::TargetNotConnected => vec![
                "the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443".to_owned(),
            ],
            _ => Vec::new(),
        };
        Self { kind, message: message.into(), hints }
    }

    /// One that no other attempt changes.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(SessionErrorKind::Fatal, message)
    }

    /// The error of a communicator that wanted something of an instance.
    pub(super) fn of(self, instance: &str, wanted: &'static str) -> CommunicatorError {
        let Self { message: reason, hints, .. } = self;
        CommunicatorError::Ssm { wanted, instance: instance.to_owned(), reason, hints }
    }

    pub(super) fn bad_address(message: String) -> Self {
        Self::new(SessionErrorKind::Fatal, message)
    }

    /// Whether the same may go well a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, SessionErrorKind::Transient | SessionErrorKind::TargetNotConnected)
    }
}
