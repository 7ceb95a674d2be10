//! What running commands needs of the service: the calls of Run Command, as a trait.

use std::time::Duration;

use futures::future::BoxFuture;

use super::sessions::SessionError;

/// Which of the service's documents runs a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Document {
    /// `AWS-RunShellScript`.
    #[default]
    Shell,
    /// `AWS-RunPowerShellScript`.
    PowerShell,
}

impl Document {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "AWS-RunShellScript",
            Self::PowerShell => "AWS-RunPowerShellScript",
        }
    }
}

/// A script. All of it is in the account's command history for 30 days, so nothing secret may be in
/// it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendCommand {
    /// The instance's id.
    pub instance: String,
    /// What runs it.
    pub document: Document,
    /// The script.
    pub script: String,
    /// How long the agent has to fetch it; 30 s at least.
    pub delivery: Duration,
    /// How long it may run; 5 s at least, 48 hours at most.
    pub execution: Duration,
    /// Shown in the history.
    pub comment: String,
}

/// How far a command is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `Pending`, `InProgress`, `Delayed`, `Success`, `Cancelled`, `TimedOut`, `Failed`,
    /// `Cancelling`.
    pub status: String,
    /// The same in more words.
    pub details: String,
    /// The script's exit code; -1 before it has one.
    pub exit_code: i32,
    /// The first 24,000 characters of its output, once it has ended.
    pub stdout: String,
    /// The first 8,000 characters of its errors, once it has ended.
    pub stderr: String,
}

/// What the service knows of an instance's agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentInformation {
    /// `Online`, `ConnectionLost`, `Inactive`. May be minutes old.
    pub ping_status: String,
    /// Four numbers.
    pub agent_version: String,
    /// `Linux`, `Windows`, `MacOS`.
    pub platform: String,
}

/// The calls of Run Command. Each makes its own attempts against throttling and the like.
pub trait RunCommand: Send + Sync {
    /// SendCommand; gives the command's id.
    fn send(&self, command: SendCommand) -> BoxFuture<'_, Result<String, SessionError>>;

    /// GetCommandInvocation. `None` when the service does not know it (yet).
    fn invocation(
        &self,
        id: String,
        instance: String,
    ) -> BoxFuture<'_, Result<Option<Invocation>, SessionError>>;

    /// CancelCommand: a wish.
    fn cancel(&self, id: String, instance: String) -> BoxFuture<'_, Result<(), SessionError>>;

    /// DescribeInstanceInformation. `None` when the agent has not registered.
    fn agent(
        &self,
        instance: String,
    ) -> BoxFuture<'_, Result<Option<AgentInformation>, SessionError>>;

    /// GetConnectionStatus: whether the agent is connected now.
    fn is_connected(&self, instance: String) -> BoxFuture<'_, Result<bool, SessionError>>;

    /// EC2's state of an instance that will not come back, such as `terminated`; `None` while it
    /// may.
    fn gone(&self, instance: String) -> BoxFuture<'_, Result<Option<String>, SessionError>>;
}
