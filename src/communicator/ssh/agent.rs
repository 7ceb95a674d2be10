//! The SSH agent of this machine: its keys for logging in, and itself for the far side.

use std::path::Path;

use russh::Channel;
use russh::client::Msg;
use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;

use crate::communicator::CommunicatorError;

/// An agent that answers.
pub(super) type Agent = AgentClient<UnixStream>;

/// Connects to the agent, and tells it whom we talk to: keys that are limited to some hosts are of
/// use only then. Agents before OpenSSH 8.9 do not know that.
pub(super) async fn connect(
    socket: &Path,
    binding: Option<&AgentSessionBinding>,
    forwarding: bool,
) -> Result<Agent, CommunicatorError> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        unusable(format!("`SSH_AUTH_SOCK` is `{}`, but: {error}", socket.display()))
    })?;
    let mut agent = AgentClient::connect(stream);
    if let Some(binding) = binding
        && let Err(error) = agent.bind_session(binding, forwarding).await
    {
        tracing::debug!(%error, "the SSH agent does not take the session's binding");
    }
    Ok(agent)
}

/// The keys and certificates of an agent, certificates first: a server that knows an authority
/// often knows no plain keys.
///
/// # Errors
/// When it has none.
pub(super) async fn identities(agent: &mut Agent) -> Result<Vec<AgentIdentity>, CommunicatorError> {
    let mut found = agent
        .request_identities()
        .await
        .map_err(|error| unusable(format!("it does not tell its keys: {error}")))?;
    if found.is_empty() {
        return Err(unusable("it has no keys"));
    }
    found.sort_by_key(|one| matches!(one, AgentIdentity::PublicKey { .. }));
    Ok(found)
}

/// Lets the far side use the agent through a channel that it has opened.
pub(super) async fn serve(
    socket: &Path,
    binding: Option<AgentSessionBinding>,
    channel: Channel<Msg>,
) {
    let agent = match connect(socket, binding.as_ref(), true).await {
        Ok(agent) => agent,
        Err(error) => {
            tracing::warn!(%error, "the agent is not forwarded");
            return;
        }
    };
    let mut near = agent.into_inner();
    drop(copy_bidirectional(&mut near, &mut channel.into_stream()).await);
}

fn unusable(reason: impl Into<String>) -> CommunicatorError {
    CommunicatorError::Agent { reason: reason.into() }
}
