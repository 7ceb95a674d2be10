//! The JSON documents of the data channel. Keys stand in the order of the reference client.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::frame::{AgentMessage, FIN, MessageType, PayloadType, SYN};

/// The version of the reference client whose behaviour this client has. The agent chooses by it:
/// from 1.1.70 on it speaks smux, after 1.2.331.0 without keep-alive.
pub const CLIENT_VERSION: &str = "1.2.764.0";

/// The first message of a connection, as text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenDataChannel {
    /// `1.0`.
    pub message_schema_version: String,
    /// A UUID, new for each connection.
    pub request_id: String,
    /// From StartSession or ResumeSession.
    pub token_value: String,
    /// A UUID, the same for the whole session.
    pub client_id: String,
    /// Four numbers.
    pub client_version: String,
}

impl OpenDataChannel {
    /// With a request id of its own.
    pub fn new(token: &str, client_id: Uuid) -> Self {
        Self {
            message_schema_version: "1.0".to_owned(),
            request_id: Uuid::new_v4().to_string(),
            token_value: token.to_owned(),
            client_id: client_id.to_string(),
            client_version: CLIENT_VERSION.to_owned(),
        }
    }
}

impl std::fmt::Debug for OpenDataChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token opens the session to anybody.
        f.debug_struct("OpenDataChannel")
            .field("request_id", &self.request_id)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// That a stream message has been taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledge {
    /// Its type.
    #[serde(rename = "AcknowledgedMessageType")]
    pub message_type: String,
    /// Its id, in lower case with hyphens.
    #[serde(rename = "AcknowledgedMessageId")]
    pub id: String,
    /// Its sequence number.
    #[serde(rename = "AcknowledgedMessageSequenceNumber")]
    pub sequence: i64,
    /// Always true.
    #[serde(rename = "IsSequentialMessage")]
    pub is_sequential: bool,
}

impl Acknowledge {
    /// Of a message.
    pub fn of(message: &AgentMessage) -> Self {
        Self {
            message_type: message.kind.name().to_owned(),
            id: message.id.to_string(),
            sequence: message.sequence,
            is_sequential: true,
        }
    }

    /// The message that carries it.
    pub fn message(&self, id: Uuid, created: u64) -> AgentMessage {
        AgentMessage {
            kind: MessageType::Acknowledge,
            created,
            sequence: 0,
            flags: SYN | FIN,
            id,
            payload_type: PayloadType::NONE,
            payload: json(self),
        }
    }

    /// From a payload.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// What the agent asks of the client first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeRequest {
    /// Four numbers.
    #[serde(default)]
    pub agent_version: String,
    /// What the client is to do.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub requested_client_actions: Vec<RequestedAction>,
}

/// One thing that the client is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestedAction {
    /// [`ACTION_SESSION_TYPE`] or [`ACTION_KMS`].
    pub action_type: String,
    /// What there is to know for it.
    #[serde(default)]
    pub action_parameters: Value,
}

/// The action that tells the session's type: `{"SessionType": "Port", "Properties": {…}}`.
pub const ACTION_SESSION_TYPE: &str = "SessionType";
/// The action that asks for encryption with a key of KMS.
pub const ACTION_KMS: &str = "KMSEncryption";

/// What the client did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeResponse {
    /// Four numbers.
    pub client_version: String,
    /// One for each action that was asked for.
    pub processed_client_actions: Vec<ProcessedAction>,
    /// What went wrong; `null` when nothing did.
    pub errors: Option<Vec<String>>,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessedAction {
    /// As it was asked.
    pub action_type: String,
    /// [`SUCCESS`], [`FAILED`] or [`UNSUPPORTED`].
    pub action_status: u8,
    /// `null` for the session's type.
    pub action_result: Value,
    /// What went wrong, or nothing.
    #[serde(default)]
    pub error: String,
}

/// The action is done.
pub const SUCCESS: u8 = 1;
/// It failed.
pub const FAILED: u8 = 2;
/// The client does not know it.
pub const UNSUPPORTED: u8 = 3;

/// The agent is ready: data may flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeComplete {
    /// Nanoseconds.
    #[serde(default)]
    pub handshake_time_to_complete: i64,
    /// Text for people, may be empty.
    #[serde(default)]
    pub customer_message: Option<String>,
}

/// The end of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChannelClosed {
    /// Its id.
    pub message_id: String,
    /// When.
    pub created_date: String,
    /// Whom it is for.
    pub destination_id: String,
    /// The session.
    pub session_id: String,
    /// `channel_closed`.
    pub message_type: String,
    /// 1.
    pub schema_version: u32,
    /// The reason; empty when the session just ended.
    pub output: String,
}

/// The JSON text of a document.
pub fn json(document: &impl Serialize) -> Vec<u8> {
    // Nothing here has keys that are no strings, which is all that could fail.
    serde_json::to_vec(document).unwrap_or_default()
}

/// Go writes an empty list as `null`.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_message_has_its_keys_in_the_order_of_the_reference() {
        let mut open = OpenDataChannel::new("secret-token", Uuid::from_u128(2));
        open.request_id = Uuid::from_u128(1).to_string();
        assert_eq!(
            String::from_utf8(json(&open)).unwrap(),
            r#"{"MessageSchemaVersion":"1.0","RequestId":"00000000-0000-0000-0000-000000000001","TokenValue":"secret-token","ClientId":"00000000-0000-0000-0000-000000000002","ClientVersion":"1.2.764.0"}"#
        );
        assert!(!format!("{open:?}").contains("secret-token"));
    }

    #[test]
    fn a_handshake_of_an_agent_is_read() {
        let text = r#"{"AgentVersion":"3.3.808.0","RequestedClientActions":[{"ActionType":"SessionType","ActionParameters":{"SessionType":"Port","Properties":{"portNumber":"22","type":"LocalPortForwarding"}}}]}"#;
        let request: HandshakeRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.agent_version, "3.3.808.0");
        assert_eq!(request.requested_client_actions[0].action_parameters["SessionType"], "Port");
        let none: HandshakeRequest =
            serde_json::from_str(r#"{"AgentVersion":"1","RequestedClientActions":null}"#).unwrap();
        assert!(none.requested_client_actions.is_empty());
        let complete: HandshakeComplete =
            serde_json::from_str(r#"{"HandshakeTimeToComplete":123456789,"CustomerMessage":""}"#)
                .unwrap();
        assert_eq!(complete.handshake_time_to_complete, 123_456_789);
    }

    #[test]
    fn a_closed_channel_is_read_with_what_it_has() {
        let closed: ChannelClosed =
            serde_json::from_str(r#"{"SessionId":"s-1","Output":"Idle timeout"}"#).unwrap();
        assert_eq!(closed.output, "Idle timeout");
    }
}
