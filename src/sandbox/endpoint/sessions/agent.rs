//! The agent's side of one session, and what the service adds to it.
//!
//! Strict with the client: what a real agent or the service would stumble over
//! ends the session, with the reason in `channel_closed`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::document::Target;
use super::link::{Link, ToClient};
use super::registry::Session;
use super::sequence::{Arrival, Inbox, Outbox, milliseconds};
use super::streams::{Budget, Dialer, Outgoing, Streams};
use crate::communicator::ssm::frame::{AgentMessage, FIN, Flag, MessageType, PayloadType, SYN};
use crate::communicator::ssm::message::{
    ACTION_SESSION_TYPE, Acknowledge, ChannelClosed, HandshakeComplete, HandshakeRequest,
    HandshakeResponse, RequestedAction, SUCCESS, json as document,
};
use crate::sandbox::cloud::{AGENT_VERSION, AgentConnection, Cloud, time_text};

/// What the agent puts into one message.
const PAYLOAD: usize = 1024;
/// How many messages may be on their way to the client.
const WINDOW: usize = 1000;
/// How much may wait for room in the window.
const QUEUE: usize = 256 << 10;
/// How long the client may take to answer the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long nothing may happen; the service's default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// The agent of a session.
pub(super) struct Agent {
    session: Arc<Session>,
    cloud: Cloud,
    target: Target,
    connection: AgentConnection,
    pace: Duration,
    link: Option<Link>,
    outbox: Outbox,
    inbox: Inbox,
    budget: Arc<Budget>,
    phase: Phase,
    queue: VecDeque<Piece>,
    queued: usize,
    next_send: Instant,
    idle_since: Instant,
}

enum Phase {
    /// Nobody has connected yet.
    Alone,
    /// The request is on its way.
    Handshake { since: Instant },
    /// Data may flow.
    Open(Streams),
}

/// Something for the client that is not in the window yet.
enum Piece {
    Bytes { bytes: Vec<u8>, start: usize },
    Flag(Flag),
    End(String),
}

/// The session is over, for this reason; empty for a good end.
struct Over(String);

type Going = Result<(), Over>;

fn wrong<T>(what: impl std::fmt::Display) -> Result<T, Over> {
    Err(Over(format!("the client broke the protocol: {what}")))
}

impl Agent {
    pub(super) fn new(
        session: Arc<Session>,
        cloud: Cloud,
        target: Target,
        connection: AgentConnection,
    ) -> Self {
        let now = Instant::now();
        Self {
            session,
            pace: cloud.latency().message,
            cloud,
            target,
            connection,
            link: None,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            budget: Arc::default(),
            phase: Phase::Alone,
            queue: VecDeque::new(),
            queued: 0,
            next_send: now,
            idle_since: now,
        }
    }

    /// Serves the session until it ends; sockets come from `links`.
    pub(super) async fn run(mut self, mut links: mpsc::Receiver<Link>, end: CancellationToken) {
        let (to_client, mut outgoing) = mpsc::channel(16);
        let mut boots = self.connection.boots.clone();
        let reason = loop {
            if let Err(Over(reason)) = self.advance(&to_client) {
                break reason;
            }
            let wake = self.wake();
            let budget = self.budget.clone();
            let step = tokio::select! {
                link = links.recv() => match link {
                    Some(link) => {
                        self.attach(link);
                        Ok(())
                    }
                    None => break String::new(),
                },
                frame = next_frame(&mut self.link) => match frame {
                    Some(frame) => self.frame(&frame),
                    None => {
                        self.link = None;
                        Ok(())
                    }
                },
                Some(piece) = outgoing.recv(), if self.queued < QUEUE => {
                    self.queue(piece);
                    Ok(())
                }
                () = budget.freed(), if self.budget.is_spent() => Ok(()),
                () = tokio::time::sleep_until(wake.into()) => Ok(()),
                () = end.cancelled() => break String::new(),
                // The machine goes down, or is gone.
                _ = boots.changed() => {
                    self.phase = Phase::Alone;
                    match self.mourn(&mut links, &end).await {
                        Some(reason) => break reason,
                        None => break String::new(),
                    }
                }
            };
            if let Err(Over(reason)) = step {
                break reason;
            }
        };
        self.finish(reason);
    }

    /// What a client sees while there is no agent: nothing. Gives the reason of the end.
    async fn mourn(
        &mut self,
        links: &mut mpsc::Receiver<Link>,
        end: &CancellationToken,
    ) -> Option<String> {
        let (cloud, session) = (self.cloud.clone(), self.session.clone());
        let back = cloud.agent_returns(&session.region, &session.request.target);
        tokio::pin!(back);
        loop {
            tokio::select! {
                again = &mut back => {
                    let what = if again { "was started again" } else { "is gone" };
                    return Some(format!("The agent of {} {what}.", session.request.target));
                }
                Some(link) = links.recv() => self.link = Some(link),
                frame = next_frame(&mut self.link) => if frame.is_none() {
                    self.link = None;
                },
                () = end.cancelled() => return None,
            }
        }
    }

    /// A socket takes the place of the one before.
    fn attach(&mut self, link: Link) {
        let now = Instant::now();
        self.link = Some(link);
        // The service says this of its own accord, and it must not mean anything to the client.
        self.send(
            AgentMessage {
                kind: MessageType::StartPublication,
                created: milliseconds(),
                sequence: 0,
                flags: SYN | FIN,
                id: Uuid::new_v4(),
                payload_type: PayloadType::NONE,
                payload: Vec::new(),
            }
            .encode(),
        );
        if let Phase::Alone = self.phase {
            self.phase = Phase::Handshake { since: now };
            let request = HandshakeRequest {
                agent_version: AGENT_VERSION.to_owned(),
                requested_client_actions: vec![RequestedAction {
                    action_type: ACTION_SESSION_TYPE.to_owned(),
                    action_parameters: json!({
                        "SessionType": "Port",
                        "Properties": self.target.properties,
                    }),
                }],
            };
            let request = document(&request);
            let frame = self.outbox.send(PayloadType::HANDSHAKE_REQUEST, SYN, request, now);
            self.send(frame);
        } else {
            self.outbox.hurry(now);
        }
    }

    fn send(&mut self, frame: Vec<u8>) {
        if let Some(link) = &self.link {
            // A socket that is gone is noticed when its frames end.
            drop(link.client.send(ToClient::Frame(frame)));
        }
    }

    fn queue(&mut self, outgoing: Outgoing) {
        self.queue.push_back(match outgoing {
            Outgoing::Bytes(bytes) => {
                self.queued += bytes.len();
                Piece::Bytes { bytes, start: 0 }
            }
            Outgoing::Flag(flag) => Piece::Flag(flag),
            Outgoing::End(reason) => Piece::End(reason),
        });
    }

    /// Whether something could be sent if it were time.
    fn may_send(&self) -> bool {
        let room = match self.queue.front() {
            None => false,
            // The end comes after everything has arrived.
            Some(Piece::End(_)) => self.outbox.len() == 0,
            Some(_) => self.outbox.len() < WINDOW,
        };
        room && self.link.is_some() && matches!(self.phase, Phase::Open(_))
    }

    /// When to look again if nothing happens.
    fn wake(&self) -> Instant {
        let mut wake = self.idle_since + IDLE_TIMEOUT;
        if let Phase::Handshake { since } = self.phase {
            wake = wake.min(since + HANDSHAKE_TIMEOUT);
        }
        if self.may_send() {
            wake = wake.min(self.next_send);
        }
        match self.outbox.due() {
            Some(due) if self.link.is_some() => wake.min(due),
            _ => wake,
        }
    }

    /// Does whatever can be done now.
    fn advance(&mut self, to_client: &mpsc::Sender<Outgoing>) -> Going {
        self.process(to_client)?;
        let now = Instant::now();
        if now >= self.idle_since + IDLE_TIMEOUT {
            return Err(Over("Session timed out: nothing happened for 20 minutes.".to_owned()));
        }
        if let Phase::Handshake { since } = self.phase
            && now >= since + HANDSHAKE_TIMEOUT
        {
            return Err(Over("Handshake timed out: there was no response.".to_owned()));
        }
        if self.link.is_some()
            && let Some(frame) = self.outbox.again(now)
        {
            self.send(frame);
        }
        while self.may_send() && self.next_send <= now {
            self.send_piece(now)?;
            if !self.pace.is_zero() {
                self.next_send = now + self.pace;
            }
        }
        Ok(())
    }

    fn send_piece(&mut self, now: Instant) -> Going {
        let (kind, payload) = match self.queue.front_mut() {
            None => return Ok(()),
            Some(Piece::End(reason)) => return Err(Over(std::mem::take(reason))),
            Some(Piece::Flag(flag)) => (PayloadType::FLAG, flag.encode().to_vec()),
            Some(Piece::Bytes { bytes, start }) => {
                let end = bytes.len().min(*start + PAYLOAD);
                let payload = bytes.get(*start..end).unwrap_or_default().to_vec();
                *start = end;
                (PayloadType::OUTPUT, payload)
            }
        };
        match self.queue.front() {
            Some(Piece::Bytes { bytes, start }) if *start < bytes.len() => {}
            Some(Piece::Bytes { bytes, .. }) => {
                self.queued -= bytes.len();
                self.queue.pop_front();
            }
            _ => drop(self.queue.pop_front()),
        }
        self.idle_since = now;
        let frame = self.outbox.send(kind, 0, payload, now);
        self.send(frame);
        Ok(())
    }

    /// A frame from the client.
    fn frame(&mut self, frame: &[u8]) -> Going {
        let message = match AgentMessage::decode(frame) {
            Ok(message) => message,
            Err(error) => return wrong(error),
        };
        match message.kind {
            MessageType::Acknowledge => {
                if message.flags != SYN | FIN || message.sequence != 0 {
                    return wrong("an acknowledgement has flags 3 and sequence number 0");
                }
                match Acknowledge::read(&message.payload) {
                    Ok(acknowledged) => {
                        self.outbox.acknowledge(acknowledged.sequence, Instant::now());
                        Ok(())
                    }
                    Err(error) => wrong(format_args!("an acknowledgement: {error}")),
                }
            }
            MessageType::InputStreamData => {
                if message.flags != 0 {
                    return wrong(format_args!("a stream message has flags {}", message.flags));
                }
                if message.sequence < 0 {
                    return wrong(format_args!("sequence number {}", message.sequence));
                }
                let acknowledge = Acknowledge::of(&message);
                match self.inbox.arrive(message, self.budget.is_spent()) {
                    Arrival::AcknowledgeAgain | Arrival::Kept => self.acknowledge(&acknowledge),
                    // The rest is done by `process`, which comes next.
                    Arrival::Turn | Arrival::Dropped => {}
                }
                Ok(())
            }
            other => wrong(format_args!("a client does not send `{}`", other.name())),
        }
    }

    fn acknowledge(&mut self, acknowledge: &Acknowledge) {
        self.send(acknowledge.message(Uuid::new_v4(), milliseconds()).encode());
    }

    /// Acts on what has arrived in order, as long as there is room for it. What is not acted on is
    /// not acknowledged, which is how the client learns to wait.
    fn process(&mut self, to_client: &mpsc::Sender<Outgoing>) -> Going {
        while !self.budget.is_spent() {
            let Some((message, acknowledged)) = self.inbox.next() else { break };
            let acknowledge = Acknowledge::of(&message);
            self.act(message, to_client)?;
            if !acknowledged {
                self.acknowledge(&acknowledge);
            }
        }
        Ok(())
    }

    fn act(&mut self, message: AgentMessage, to_client: &mpsc::Sender<Outgoing>) -> Going {
        let now = Instant::now();
        self.idle_since = now;
        match (&mut self.phase, message.payload_type) {
            (Phase::Handshake { since }, PayloadType::HANDSHAKE_RESPONSE) => {
                if message.sequence != 0 {
                    let number = message.sequence;
                    return wrong(format_args!(
                        "the handshake response has number {number}, not 0"
                    ));
                }
                let took = now.saturating_duration_since(*since);
                check_handshake(&message.payload)?;
                let complete = HandshakeComplete {
                    handshake_time_to_complete: i64::try_from(took.as_nanos()).unwrap_or(i64::MAX),
                    customer_message: Some(String::new()),
                };
                let complete = document(&complete);
                let frame = self.outbox.send(PayloadType::HANDSHAKE_COMPLETE, 0, complete, now);
                self.send(frame);
                let dialer = Dialer { ssh: self.connection.ssh, port: self.target.port };
                let (sender, budget) = (to_client.clone(), self.budget.clone());
                self.phase = Phase::Open(if self.target.multiplexed {
                    Streams::multiplexed(dialer, sender, budget)
                } else {
                    Streams::single(dialer, sender, budget)
                });
                Ok(())
            }
            (Phase::Alone | Phase::Handshake { .. }, kind) => {
                // As the real agent has it: acknowledged, and gone.
                tracing::warn!(
                    session = self.session.id,
                    "a payload of type {} came before the end of the handshake and is lost",
                    kind.0
                );
                Ok(())
            }
            (Phase::Open(streams), PayloadType::OUTPUT) => {
                streams.take(message.payload).or_else(wrong)
            }
            (Phase::Open(_), PayloadType::FLAG) => match Flag::decode(&message.payload) {
                Some(Flag::TerminateSession) => Err(Over(String::new())),
                Some(Flag::DisconnectToPort) => Ok(()),
                _ => wrong("a flag that only the agent sends, or nobody"),
            },
            (Phase::Open(_), PayloadType::HANDSHAKE_RESPONSE) => wrong("a second handshake"),
            (Phase::Open(_), _) => Ok(()),
        }
    }

    /// Ends the session, and tells the client if it is there.
    fn finish(mut self, reason: String) {
        self.session.set_ended();
        if !reason.is_empty() {
            tracing::debug!(session = self.session.id, "a session ended: {reason}");
        }
        let id = Uuid::new_v4();
        let closed = ChannelClosed {
            message_id: id.to_string(),
            created_date: time_text(jiff::Timestamp::now()),
            destination_id: self.session.id.clone(),
            session_id: self.session.id.clone(),
            message_type: MessageType::ChannelClosed.name().to_owned(),
            schema_version: 1,
            output: reason,
        };
        self.send(
            AgentMessage {
                kind: MessageType::ChannelClosed,
                created: milliseconds(),
                sequence: 0,
                flags: SYN | FIN,
                id,
                payload_type: PayloadType::NONE,
                payload: document(&closed),
            }
            .encode(),
        );
        if let Some(link) = self.link {
            drop(link.client.send(ToClient::Close("Bye".to_owned())));
        }
    }
}

/// The next frame of the socket that is there; `None` when it is gone.
async fn next_frame(link: &mut Option<Link>) -> Option<Vec<u8>> {
    match link {
        Some(link) => link.frames.recv().await,
        None => std::future::pending().await,
    }
}

fn check_handshake(payload: &[u8]) -> Going {
    let response: HandshakeResponse = match serde_json::from_slice(payload) {
        Ok(response) => response,
        Err(error) => return wrong(format_args!("the handshake response: {error}")),
    };
    let version: Vec<u32> =
        response.client_version.split('.').filter_map(|part| part.parse().ok()).collect();
    if version.len() != 4 || version.as_slice() < [1, 1, 70].as_slice() {
        return wrong(format_args!("version {} is too old for streams", response.client_version));
    }
    match response.processed_client_actions.as_slice() {
        [only] if only.action_type == ACTION_SESSION_TYPE && only.action_status == SUCCESS => {
            Ok(())
        }
        actions => Err(Over(format!("Handshake failed: the client answered {actions:?}"))),
    }
}
