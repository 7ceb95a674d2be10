//! The data channel as a state machine: no network, no clock, no task.
//!
//! Who drives it hands in what arrives and the time, asks for frames to send, for events, and for
//! when to look again.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::arrivals::Arrivals;
use super::end::SessionEnd;
use super::frame::{AgentMessage, Flag, MessageType, PayloadType};
use super::message::{
    ACTION_KMS, ACTION_SESSION_TYPE, CLIENT_VERSION, ChannelClosed, FAILED, HandshakeRequest,
    HandshakeResponse, ProcessedAction, RequestedAction, SUCCESS, UNSUPPORTED, json,
};
use super::pace::TokenBucket;
use super::settings::Settings;
use super::version;
use super::window::Window;

/// How bytes of the session map to connections to the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Many streams; the agent may want to hear from us.
    Smux { keepalive: bool },
    /// One connection at a time, ended by a flag; another one follows with the next byte.
    Basic,
    /// One connection for the whole session.
    Raw,
}

/// What happened on the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The handshake is complete: data may flow.
    Ready(Mode),
    /// Bytes of the stream.
    Data(Vec<u8>),
    /// The agent could not connect to the port.
    PortRefused,
    /// Nothing comes after this.
    Ended(SessionEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing heard yet.
    Waiting,
    /// The agent's request was answered.
    Answered(Mode),
    /// Data may flow.
    Ready,
}

/// The client's end of a data channel.
#[derive(Debug)]
pub(super) struct Channel {
    settings: Settings,
    window: Window,
    arrivals: Arrivals,
    pace: TokenBucket,
    stage: Stage,
    agent_version: String,
    started: Instant,
    end: Option<SessionEnd>,
    end_told: bool,
}

impl Channel {
    pub(super) fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            window: Window::new(now),
            arrivals: Arrivals::default(),
            pace: TokenBucket::new(settings.rate, now),
            stage: Stage::Waiting,
            agent_version: String::new(),
            started: now,
            end: None,
            end_told: false,
        }
    }

    /// Another connection has taken the place of the one that was lost. Everything goes on where
    /// it was; there is no second handshake.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.window.reopened(now);
        if self.stage != Stage::Ready {
            self.started = now;
        }
    }

    /// Takes in a frame. What cannot be read is dropped without an acknowledgement, so that a
    /// damaged message comes again.
    pub(super) fn receive(&mut self, frame: &[u8], now: Instant) {
        let message = match AgentMessage::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "dropped a message of the data channel");
                return;
            }
        };
        match message.kind {
            MessageType::OutputStreamData => self.arrivals.arrive(message),
            MessageType::Acknowledge => match super::message::Acknowledge::read(&message.payload) {
                Ok(read) => self.window.acknowledged(read.sequence, &read.id, now),
                Err(error) => tracing::debug!(%error, "dropped an acknowledgement"),
            },
            MessageType::ChannelClosed => {
                let closed: ChannelClosed =
                    serde_json::from_slice(&message.payload).unwrap_or_default();
                self.finish(SessionEnd::Closed { reason: closed.output });
            }
            // The reference ignores both, and so must everybody: the first may come before the
            // handshake, and after the second the other one may never come.
            MessageType::StartPublication | MessageType::PausePublication => {}
            MessageType::InputStreamData | MessageType::Other(_) => {
                tracing::debug!(kind = message.kind.name(), "passed over a message");
            }
        }
    }

    /// The next event. Not to ask is to hold the sender back.
    pub(super) fn event(&mut self) -> Option<Event> {
        while let Some(message) = self.arrivals.take() {
            if let Some(event) = self.process(message) {
                return Some(event);
            }
        }
        let end = self.end.clone()?;
        (!std::mem::replace(&mut self.end_told, true)).then_some(Event::Ended(end))
    }

    fn process(&mut self, message: AgentMessage) -> Option<Event> {
        match message.payload_type {
            PayloadType::OUTPUT if self.stage == Stage::Waiting => {
                // Sessions without a handshake are shells.
                self.finish(SessionEnd::Kind("Standard_Stream".to_owned()));
                None
            }
            PayloadType::OUTPUT => Some(Event::Data(message.payload)),
            PayloadType::HANDSHAKE_REQUEST if self.stage == Stage::Waiting => {
                match serde_json::from_slice(&message.payload) {
                    Ok(request) => self.answer(request),
                    Err(error) => tracing::debug!(%error, "cannot read the handshake"),
                }
                None
            }
            PayloadType::HANDSHAKE_COMPLETE => {
                let Stage::Answered(mode) = self.stage else { return None };
                self.stage = Stage::Ready;
                Some(Event::Ready(mode))
            }
            PayloadType::FLAG => match Flag::decode(&message.payload) {
                Some(Flag::ConnectToPortError) => Some(Event::PortRefused),
                _ => None,
            },
            _ => None,
        }
    }

    /// Answers the agent's request for a handshake.
    fn answer(&mut self, request: HandshakeRequest) {
        let mut mode = Mode::Raw;
        let mut refusal = None;
        let mut processed = Vec::new();
        for action in &request.requested_client_actions {
            let done = match action.action_type.as_str() {
                ACTION_SESSION_TYPE => session_mode(action, &request.agent_version)
                    .map(|found| mode = found)
                    .map_err(|end| (UNSUPPORTED, end)),
                ACTION_KMS => {
                    let key = text(&action.action_parameters, "KMSKeyId");
                    Err((FAILED, SessionEnd::Encryption { key }))
                }
                other => Err((UNSUPPORTED, SessionEnd::Kind(other.to_owned()))),
            };
            let (action_status, error) = match done {
                Ok(()) => (SUCCESS, String::new()),
                Err((status, end)) => {
                    let words = end.to_string();
                    refusal.get_or_insert(end);
                    (status, words)
                }
            };
            processed.push(ProcessedAction {
                action_type: action.action_type.clone(),
                action_status,
                action_result: serde_json::Value::Null,
                error,
            });
        }
        let errors: Vec<String> =
            processed.iter().filter(|p| !p.error.is_empty()).map(|p| p.error.clone()).collect();
        let response = HandshakeResponse {
            client_version: CLIENT_VERSION.to_owned(),
            processed_client_actions: processed,
            errors: (!errors.is_empty()).then_some(errors),
        };
        self.agent_version = request.agent_version;
        self.push(PayloadType::HANDSHAKE_RESPONSE, json(&response));
        match refusal {
            Some(end) => self.finish(end),
            None => self.stage = Stage::Answered(mode),
        }
    }

    /// Bytes of the stream that can be taken now: nothing before the agent is ready, as it
    /// acknowledges and throws away what comes before.
    pub(super) fn room(&self) -> usize {
        if self.stage == Stage::Ready && self.end.is_none() && self.window.has_room() {
            self.settings.payload
        } else {
            0
        }
    }

    /// Sends bytes of the stream, no more than [`room`](Self::room) says. They go as they are: the
    /// reference makes a carriage return of a lone newline, which breaks binary streams.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        self.push(PayloadType::OUTPUT, bytes);
    }

    /// Sends a flag.
    pub(super) fn flag(&mut self, flag: Flag) {
        self.push(PayloadType::FLAG, flag.encode().to_vec());
    }

    /// Asks the agent to end the session, if it understands that.
    pub(super) fn terminate(&mut self) -> bool {
        let understood = self.stage == Stage::Ready
            && self.end.is_none()
            && version::takes_terminate(&self.agent_version);
        if understood {
            self.flag(Flag::TerminateSession);
        }
        understood
    }

    fn push(&mut self, payload_type: PayloadType, payload: Vec<u8>) {
        let id = Uuid::new_v4();
        let message = AgentMessage {
            kind: MessageType::InputStreamData,
            created: unix_milliseconds(),
            sequence: self.window.next_sequence(),
            flags: 0,
            id,
            payload_type,
            payload,
        };
        self.window.push(id, message.encode());
    }

    /// The next frame to send. Acknowledgements go first, and at once.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Arc<[u8]>> {
        if let Some(acknowledgement) = self.arrivals.acknowledgement() {
            let message = acknowledgement.message(Uuid::new_v4(), unix_milliseconds());
            return Some(message.encode().into());
        }
        if !self.window.wants(now) || !self.pace.take(now) {
            return None;
        }
        self.window.transmit(now)
    }

    /// When to look again. In the past when there is something to do now.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let send = if self.arrivals.wants_to_acknowledge() {
            Some(now)
        } else if self.window.wants(now) {
            Some(self.pace.next())
        } else {
            self.window.deadline()
        };
        let handshake =
            (self.stage != Stage::Ready).then(|| self.started + self.settings.handshake);
        send.into_iter().chain(handshake).min()
    }

    /// Ends what has taken too long.
    pub(super) fn check(&mut self, now: Instant) {
        if self.stage != Stage::Ready && now >= self.started + self.settings.handshake {
            self.finish(SessionEnd::Handshake { seconds: self.settings.handshake.as_secs() });
        }
        if let Some(since) = self.window.given_up(now) {
            self.finish(SessionEnd::Unacknowledged { seconds: since.as_secs() });
        }
    }

    /// Whether it is over, although events may still be there.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    fn finish(&mut self, end: SessionEnd) {
        self.end.get_or_insert(end);
    }
}

/// What kind of session the agent says it is.
fn session_mode(action: &RequestedAction, agent_version: &str) -> Result<Mode, SessionEnd> {
    let parameters = &action.action_parameters;
    let kind = text(parameters, "SessionType");
    let properties = parameters.get("Properties").unwrap_or(&serde_json::Value::Null);
    match kind.as_str() {
        "Port" if text(properties, "type") != "LocalPortForwarding" => Ok(Mode::Raw),
        "Port" if version::speaks_smux(agent_version) => {
            Ok(Mode::Smux { keepalive: version::wants_keepalive(agent_version) })
        }
        "Port" => Ok(Mode::Basic),
        _ => Err(SessionEnd::Kind(kind)),
    }
}

fn text(object: &serde_json::Value, key: &str) -> String {
    object.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// For the date of a message, which nobody compares with anything.
fn unix_milliseconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the date in a frame must be that of the day")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1)
}
