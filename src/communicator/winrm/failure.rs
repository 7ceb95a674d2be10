//! Why a message was not answered as it should be.

use super::answer::Fault;

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The name has no address.
    Resolve,
    /// There is no connection.
    Tcp,
    /// There is no TLS.
    Tls,
    /// Nothing that speaks WinRM answers.
    Service,
    /// Nobody is logged in.
    Authentication,
    /// The service does not make a shell.
    Shell,
}

/// A message without the answer that was wanted.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// How far it came.
    pub(super) stage: Stage,
    /// In a few words.
    pub(super) text: String,
    /// Whether it was refused for a reason that seldom passes: only a few more attempts make sense.
    pub(super) refused: bool,
    /// Whether another attempt cannot end otherwise.
    pub(super) fatal: bool,
    /// Whether the service may have done what the message asks for.
    pub(super) sent: bool,
    /// Whether there was an answer that nobody understands: what was in it is lost.
    pub(super) nonsense: bool,
    /// Ways to log in that the service names.
    pub(super) offered: Vec<String>,
    /// The service's own reason.
    pub(super) fault: Option<Fault>,
}

impl Failure {
    /// A failure before the message was sent.
    pub(super) fn new(stage: Stage, text: impl Into<String>) -> Self {
        Self {
            stage,
            text: text.into(),
            refused: false,
            fatal: false,
            sent: false,
            nonsense: false,
            offered: Vec::new(),
            fault: None,
        }
    }

    /// One that no other attempt will change.
    pub(super) fn fatal(stage: Stage, text: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(stage, text) }
    }

    /// One while the answer was waited for.
    pub(super) fn unanswered(text: impl Into<String>) -> Self {
        Self { sent: true, ..Self::new(Stage::Service, text) }
    }

    /// An answer that makes no sense.
    pub(super) fn nonsense(text: impl std::fmt::Display) -> Self {
        Self { nonsense: true, ..Self::unanswered(format!("its answer makes no sense: {text}")) }
    }

    /// The service's own refusal.
    pub(super) fn fault(fault: Fault) -> Self {
        Self {
            text: fault.to_string(),
            // User data may be about to give the right to it.
            refused: fault.is_denied(),
            fault: Some(fault),
            ..Self::new(Stage::Shell, "")
        }
    }

    /// Whether the service only had nothing to tell yet.
    pub(super) fn is_timeout(&self) -> bool {
        self.fault.as_ref().is_some_and(Fault::is_timeout)
    }
}
