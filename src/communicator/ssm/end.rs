//! How a session ends.

use super::smux::SmuxError;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    /// This side wanted it.
    #[error("the session was closed")]
    Done,
    /// The far side closed it.
    #[error("the far side closed the session{}", after_colon(.reason))]
    Closed {
        /// Its words; may be empty.
        reason: String,
    },
    /// It is too late to resume it.
    #[error("the session has timed out (idle too long, or closed by the service)")]
    Expired,
    /// It could not be resumed in time.
    #[error("the connection of the session was lost ({lost}) and could not be made again: {last}")]
    Lost {
        /// How it was lost.
        lost: String,
        /// What the last attempt to resume said.
        last: String,
    },
    /// The agent did not shake hands.
    #[error("the agent did not complete the handshake within {seconds} s")]
    Handshake {
        /// How long it had.
        seconds: u64,
    },
    /// The account's preferences ask for encryption with a key of KMS.
    #[error(
        "the agent asks for encryption with the KMS key `{key}`, which bake does not do for port sessions"
    )]
    Encryption {
        /// The key's id.
        key: String,
    },
    /// The session is not for a port.
    #[error("the session is of type `{0}`, not a port session")]
    Kind(String),
    /// A message was sent again and again.
    #[error("the agent took nothing for {seconds} s")]
    Unacknowledged {
        /// For how long.
        seconds: u64,
    },
    /// The agent broke the rules of smux.
    #[error("the session cannot go on: {0}")]
    Smux(#[from] SmuxError),
}

fn after_colon(reason: &str) -> String {
    let reason = reason.trim();
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl SessionEnd {
    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Encryption { .. } => vec![
                "turn off KMS encryption in the session preferences (document SSM-SessionManagerRunShell), or use another account or region".into(),
            ],
            Self::Expired => vec![
                "raise the idle timeout in the preferences of Session Manager".into(),
            ],
            Self::Handshake { .. } | Self::Unacknowledged { .. } => vec![
                "look at /var/log/amazon/ssm/amazon-ssm-agent.log on the instance".into(),
            ],
            Self::Done | Self::Closed { .. } | Self::Lost { .. } | Self::Kind(_) | Self::Smux(_) => {
                Vec::new()
            }
        }
    }
}
