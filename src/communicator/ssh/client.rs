//! What the SSH library tells us about a connection, and what the server may ask of us.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::agent::AgentSessionBinding;
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel};

use super::{Tunnel, agent, tunnel};
use crate::event::Emitter;

/// How the version of an OpenSSH server starts (RFC 4253, section 4.2).
const OPENSSH: &[u8] = b"SSH-2.0-OpenSSH";

/// What became known of a connection, from whichever side asks.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    answered: AtomicBool,
    is_openssh: AtomicBool,
    wrong_host_key: Mutex<Option<String>>,
    end: Mutex<Option<String>>,
    /// What an agent wants to know of the connection.
    pub(super) binding: OnceLock<AgentSessionBinding>,
}

impl Knowledge {
    /// Whether the far side ever said anything.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The far side said something, which starts with what it is.
    pub(super) fn note_answer(&self, bytes: &[u8]) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            let is_openssh = bytes.windows(OPENSSH.len()).any(|window| window == OPENSSH);
            self.is_openssh.store(is_openssh, Ordering::Relaxed);
        }
    }

    /// Whether the server says that it is OpenSSH.
    pub(super) fn is_openssh(&self) -> bool {
        self.is_openssh.load(Ordering::Relaxed)
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
    /// Where what connects to the far side's ports goes, and whom to tell when it leads nowhere.
    pub(super) remote_tunnels: Option<(Vec<Tunnel>, Emitter)>,
    /// The socket of the agent that the far side may use.
    pub(super) agent: Option<PathBuf>,
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

    /// Something connected to a port of a remote tunnel. What was not asked for is refused.
    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let asked = |one: &&Tunnel| u32::from(one.listen) == connected_port;
        if let Some((tunnels, emitter)) = &self.remote_tunnels
            && let Some(tunnel) = tunnels.iter().find(asked)
        {
            let passing = tunnel::pass_in(tunnel.clone(), channel, reply, emitter.clone());
            drop(tokio::spawn(passing));
        }
        Ok(())
    }

    /// A process on the far side wants to use our agent. Without forwarding it is refused.
    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(socket) = self.agent.clone() {
            let binding = self.knowledge.binding.get().cloned();
            drop(tokio::spawn(async move {
                reply.accept().await;
                agent::serve(&socket, binding, channel).await;
            }));
        }
        Ok(())
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
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            let what = match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host key algorithm",
                AlgorithmKind::Cipher => "cipher",
                AlgorithmKind::Mac => "MAC",
                AlgorithmKind::Compression => "compression",
            };
            format!(
                "there is no {what} that both sides know: bake offers {}; the server offers {}",
                listed(ours),
                listed(theirs)
            )
        }
        russh::Error::IO(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ) =>
        {
            "the far side closed the connection".into()
        }
        russh::Error::IO(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// Names of algorithms, without those that only tell what else a side can do.
fn listed(names: &[String]) -> String {
    let is_algorithm =
        |name: &&String| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-");
    let names: Vec<_> = names.iter().filter(is_algorithm).map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_any_mismatch_are_listed() {
        let names = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let said = |kind, ours: &[&str], theirs: &[&str]| {
            let (ours, theirs) = (names(ours), names(theirs));
            explain(&russh::Error::NoCommonAlgo { kind, ours, theirs })
        };
        insta::assert_snapshot!(
            said(AlgorithmKind::Key, &["ssh-ed25519"], &["ssh-dss"]),
            @"there is no host key algorithm that both sides know: bake offers ssh-ed25519; the server offers ssh-dss"
        );
        insta::assert_snapshot!(
            said(AlgorithmKind::Kex, &["a", "b"], &["c", "ext-info-s", "kex-strict-s-v00@openssh.com"]),
            @"there is no key exchange that both sides know: bake offers a, b; the server offers c"
        );
        insta::assert_snapshot!(
            said(AlgorithmKind::Mac, &["hmac-sha2-256"], &[]),
            @"there is no MAC that both sides know: bake offers hmac-sha2-256; the server offers none"
        );
    }
}
