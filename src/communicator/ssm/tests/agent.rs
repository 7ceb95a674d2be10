//! The agent's side of the data channel, as strict as it can be, without a network.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::super::frame::{AgentMessage, FIN, Flag, MessageType, PayloadType, SYN};
use super::super::message::{Acknowledge, HandshakeResponse, OpenDataChannel};
use super::super::smux::{Command, Decoder, encode};
use super::byte;

/// What listens at the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// Sends back what it gets.
    Echo,
    /// Takes [`byte`]s, and sends so many of them when the first has arrived.
    Exchange { send: u64 },
    /// Nothing listens.
    Closed,
}

/// What kind of agent and session it is.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) version: &'static str,
    pub(super) port: Port,
    /// `type` in the session's properties.
    pub(super) forwarding: bool,
    pub(super) kms: Option<&'static str>,
    /// The session's type.
    pub(super) kind: &'static str,
    /// Sends `start_publication` before all else, as the service may.
    pub(super) early_publication: bool,
    /// Messages a second; 0 for as fast as it goes.
    pub(super) rate: u32,
    /// Bytes in each of its messages.
    pub(super) payload: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            version: "3.3.808.0",
            port: Port::Echo,
            forwarding: true,
            kms: None,
            kind: "Port",
            early_publication: true,
            rate: 0,
            payload: 1024,
        }
    }
}

#[derive(Debug)]
struct Sent {
    frame: Vec<u8>,
    at: Option<Instant>,
}

/// One connection to the port.
#[derive(Debug, Default)]
struct Stream {
    received: u64,
    to_send: u64,
    sent: u64,
    echo: VecDeque<u8>,
}

/// The agent's end of a session. It panics when the client breaks a rule.
#[derive(Debug)]
pub(super) struct Agent {
    manner: Manner,
    client_id: Option<String>,
    requests: HashSet<String>,
    next_sequence: i64,
    unacknowledged: BTreeMap<i64, Sent>,
    first_unsent: i64,
    expected: i64,
    early: BTreeMap<i64, AgentMessage>,
    seen: BTreeMap<i64, Vec<u8>>,
    control: VecDeque<Vec<u8>>,
    complete: bool,
    decoder: Decoder,
    streams: BTreeMap<u32, Stream>,
    outgoing: VecDeque<u8>,
    next_send: Option<Instant>,
    /// The client asked for the end.
    pub(super) terminated: bool,
    /// Flags [`Flag::DisconnectToPort`] that came.
    pub(super) disconnects: usize,
    /// Bytes that arrived intact in all streams.
    pub(super) received: u64,
    /// Messages that were sent again.
    pub(super) resent: usize,
    /// Streams that the client opened.
    pub(super) opened: Vec<u32>,
    /// NOPs that came.
    pub(super) nops: usize,
}

impl Agent {
    pub(super) fn new(manner: Manner) -> Self {
        let mut agent = Self {
            manner,
            client_id: None,
            requests: HashSet::new(),
            next_sequence: 0,
            unacknowledged: BTreeMap::new(),
            first_unsent: 0,
            expected: 0,
            early: BTreeMap::new(),
            seen: BTreeMap::new(),
            control: VecDeque::new(),
            complete: false,
            decoder: Decoder::default(),
            streams: BTreeMap::new(),
            outgoing: VecDeque::new(),
            next_send: None,
            terminated: false,
            disconnects: 0,
            received: 0,
            resent: 0,
            opened: Vec::new(),
            nops: 0,
        };
        agent.begin();
        agent
    }

    fn begin(&mut self) {
        let properties = match self.manner.forwarding {
            true => {
                json!({"portNumber": "22", "localPortNumber": "0", "type": "LocalPortForwarding"})
            }
            false => json!({"portNumber": "22"}),
        };
        let mut actions = vec![json!({
            "ActionType": "SessionType",
            "ActionParameters": {"SessionType": self.manner.kind, "Properties": properties},
        })];
        if let Some(key) = self.manner.kms {
            actions.push(json!({
                "ActionType": "KMSEncryption",
                "ActionParameters": {"KMSKeyId": key},
            }));
        }
        let request =
            json!({"AgentVersion": self.manner.version, "RequestedClientActions": actions});
        if self.manner.early_publication {
            self.control(MessageType::StartPublication, Vec::new());
        }
        self.push(PayloadType::HANDSHAKE_REQUEST, request.to_string().into_bytes(), SYN);
    }

    /// The opening message of a connection.
    pub(super) fn open(&mut self, text: &str) {
        let open: OpenDataChannel = serde_json::from_str(text).unwrap();
        assert!(self.requests.insert(open.request_id.clone()), "a request id is used once");
        assert_eq!(open.message_schema_version, "1.0");
        let known = self.client_id.get_or_insert_with(|| open.client_id.clone());
        assert_eq!(*known, open.client_id, "the client id stays");
    }

    fn control(&mut self, kind: MessageType, payload: Vec<u8>) {
        let message = AgentMessage {
            kind,
            created: 1,
            sequence: 0,
            flags: SYN | FIN,
            id: Uuid::new_v4(),
            payload_type: PayloadType::NONE,
            payload,
        };
        self.control.push_back(message.encode());
    }

    /// Closes the channel with a reason.
    pub(super) fn close(&mut self, reason: &str) {
        let closed = json!({"SessionId": "s-1", "MessageType": "channel_closed", "Output": reason});
        self.control(MessageType::ChannelClosed, closed.to_string().into_bytes());
    }

    /// Says that the peer is inactive, which means nothing.
    pub(super) fn pause(&mut self) {
        self.control(MessageType::PausePublication, Vec::new());
    }

    fn push(&mut self, payload_type: PayloadType, payload: Vec<u8>, flags: u64) {
        let message = AgentMessage {
            kind: MessageType::OutputStreamData,
            created: 1,
            sequence: self.next_sequence,
            flags,
            id: Uuid::new_v4(),
            payload_type,
            payload,
        };
        self.unacknowledged.insert(self.next_sequence, Sent { frame: message.encode(), at: None });
        self.next_sequence += 1;
    }

    /// Takes in a frame of the client.
    pub(super) fn receive(&mut self, frame: &[u8]) {
        let message = AgentMessage::decode(frame).expect("the client sends sound frames");
        match message.kind {
            MessageType::Acknowledge => {
                assert_eq!((message.sequence, message.flags), (0, SYN | FIN));
                assert_eq!(message.payload_type, PayloadType::NONE);
                let read = Acknowledge::read(&message.payload).unwrap();
                assert!(read.is_sequential);
                assert_eq!(read.message_type, "output_stream_data");
                assert!(read.sequence < self.next_sequence, "only what was sent");
                self.unacknowledged.remove(&read.sequence);
            }
            MessageType::InputStreamData => self.arrive(message, frame),
            other => panic!("the client sends no {other:?}"),
        }
    }

    fn arrive(&mut self, message: AgentMessage, frame: &[u8]) {
        assert_eq!(message.flags, 0);
        if let Some(known) = self.seen.get(&message.sequence) {
            assert_eq!(known, frame, "what goes again is the same byte for byte");
        }
        self.seen.insert(message.sequence, frame.to_vec());
        if self.seen.len() > 4000 {
            self.seen.pop_first();
        }
        let acknowledgement = Acknowledge::of(&message).message(Uuid::new_v4(), 1);
        self.control.push_back(acknowledgement.encode());
        if message.sequence >= self.expected {
            self.early.insert(message.sequence, message);
        }
        while let Some(message) = self.early.remove(&self.expected) {
            self.expected += 1;
            self.process(message);
        }
    }

    fn process(&mut self, message: AgentMessage) {
        if message.sequence == 0 {
            assert_eq!(message.payload_type, PayloadType::HANDSHAKE_RESPONSE);
            let response: HandshakeResponse = serde_json::from_slice(&message.payload).unwrap();
            if response.processed_client_actions.iter().all(|done| done.action_status == 1) {
                assert_eq!(response.errors, None);
                self.complete = true;
                let complete = json!({"HandshakeTimeToComplete": 5, "CustomerMessage": ""});
                self.push(PayloadType::HANDSHAKE_COMPLETE, complete.to_string().into_bytes(), 0);
            } else {
                self.close("the handshake failed");
            }
            return;
        }
        assert!(self.complete, "data before the end of the handshake is thrown away");
        match message.payload_type {
            PayloadType::OUTPUT => self.data(&message.payload),
            PayloadType::FLAG => match Flag::decode(&message.payload).unwrap() {
                Flag::TerminateSession => {
                    self.terminated = true;
                    self.close("");
                }
                Flag::DisconnectToPort => {
                    self.disconnects += 1;
                    self.streams.clear();
                }
                Flag::ConnectToPortError => panic!("not the client's"),
            },
            other => panic!("the client sends no {other:?}"),
        }
    }

    fn is_smux(&self) -> bool {
        self.manner.forwarding && !self.manner.version.starts_with('2')
    }

    fn data(&mut self, bytes: &[u8]) {
        if !self.is_smux() {
            self.streams.entry(0).or_default();
            return self.take(0, bytes);
        }
        self.decoder.push(bytes);
        while let Some(frame) = self.decoder.next().unwrap() {
            match frame.command {
                Command::Syn => {
                    self.opened.push(frame.stream);
                    if self.manner.port == Port::Closed {
                        self.push(PayloadType::FLAG, Flag::ConnectToPortError.encode().to_vec(), 0);
                        self.smux(Command::Fin, frame.stream, &[]);
                    } else {
                        self.streams.insert(frame.stream, Stream::default());
                    }
                }
                Command::Push => self.take(frame.stream, &frame.data),
                Command::Fin => {
                    if self.streams.remove(&frame.stream).is_some() {
                        self.smux(Command::Fin, frame.stream, &[]);
                    }
                }
                Command::Nop => self.nops += 1,
            }
        }
    }

    fn take(&mut self, id: u32, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        match self.manner.port {
            Port::Echo => stream.echo.extend(bytes),
            Port::Exchange { send } => {
                for got in bytes {
                    assert_eq!(*got, byte(stream.received), "at {}", stream.received);
                    stream.received += 1;
                }
                stream.to_send = send;
            }
            Port::Closed => {}
        }
        self.received += bytes.len() as u64;
    }

    fn smux(&mut self, command: Command, id: u32, data: &[u8]) {
        let mut bytes = Vec::new();
        encode(command, id, data, &mut bytes);
        self.outgoing.extend(bytes);
    }

    /// Turns what the port has to say into messages, no more than it can have on its way.
    fn speak(&mut self) {
        let smux = self.is_smux();
        while self.unacknowledged.len() < 5000 {
            if self.outgoing.len() < 4096 {
                let mut said = Vec::new();
                for (id, stream) in &mut self.streams {
                    if !stream.echo.is_empty() {
                        let count = stream.echo.len().min(32 << 10);
                        said.push((*id, stream.echo.drain(..count).collect::<Vec<_>>()));
                    } else if stream.sent < stream.to_send {
                        let count = (stream.to_send - stream.sent).min(32 << 10);
                        said.push((*id, super::bytes(stream.sent, count as usize)));
                        stream.sent += count;
                    }
                }
                for (id, bytes) in said {
                    if smux {
                        self.smux(Command::Push, id, &bytes);
                    } else {
                        self.outgoing.extend(bytes);
                    }
                }
            }
            if self.outgoing.is_empty() {
                return;
            }
            let count = self.outgoing.len().min(self.manner.payload);
            let payload: Vec<u8> = self.outgoing.drain(..count).collect();
            self.push(PayloadType::OUTPUT, payload, 0);
        }
    }

    /// The next frame to send.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        self.speak();
        if self.next_send.is_some_and(|next| now < next) {
            return None;
        }
        let due = |sent: &Sent| sent.at.is_some_and(|at| now >= at + RESEND);
        let oldest = self.unacknowledged.iter().next().filter(|(_, sent)| due(sent));
        let (sequence, again) = match oldest {
            Some((sequence, _)) => (*sequence, true),
            None if self.first_unsent < self.next_sequence => (self.first_unsent, false),
            None => return None,
        };
        self.first_unsent = self.first_unsent.max(sequence + 1);
        self.resent += usize::from(again);
        if self.manner.rate > 0 {
            self.next_send = Some(now + Duration::from_secs(1) / self.manner.rate);
        }
        let sent = self.unacknowledged.get_mut(&sequence)?;
        sent.at = Some(now);
        Some(sent.frame.clone())
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let resend = self.unacknowledged.values().next()?.at.map(|at| at + RESEND);
        let waiting = self.unacknowledged.values().next_back()?.at.is_none();
        resend.into_iter().chain(self.next_send.filter(|_| waiting)).min()
    }
}

/// After how long its oldest message goes again.
const RESEND: Duration = Duration::from_millis(200);

impl Agent {
    /// Messages on their way to the client.
    pub(super) fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }
}
