//! Both directions of a data channel in order, over links that lose, repeat and swap frames.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::communicator::ssm::frame::{AgentMessage, MessageType, PayloadType};

/// How many messages may wait for their turn.
const WAITING: usize = 10_000;
/// How many bytes they may have together.
const WAITING_BYTES: usize = 16 << 20;
/// Before anything is known of the link.
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// A message is sent again at least this often.
const LAST_TIMEOUT: Duration = Duration::from_secs(1);
const LEAST_VARIATION: Duration = Duration::from_millis(10);

/// Unix time in milliseconds.
pub(super) fn milliseconds() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default().max(1)
}

/// What was sent and is not acknowledged, oldest first.
#[derive(Debug)]
pub(super) struct Outbox {
    next: i64,
    unacknowledged: VecDeque<Sent>,
    round_trip: Duration,
    variation: Duration,
}

#[derive(Debug)]
struct Sent {
    sequence: i64,
    frame: Vec<u8>,
    at: Instant,
    due: Instant,
    again: u32,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            next: 0,
            unacknowledged: VecDeque::new(),
            round_trip: FIRST_ROUND_TRIP,
            variation: Duration::ZERO,
        }
    }
}

impl Outbox {
    /// The frame of the next message, which is kept until it is acknowledged.
    pub(super) fn send(
        &mut self,
        payload_type: PayloadType,
        flags: u64,
        payload: Vec<u8>,
        now: Instant,
    ) -> Vec<u8> {
        let message = AgentMessage {
            kind: MessageType::OutputStreamData,
            created: milliseconds(),
            sequence: self.next,
            flags,
            id: Uuid::new_v4(),
            payload_type,
            payload,
        };
        let frame = message.encode();
        let due = now + self.timeout();
        let sent = Sent { sequence: self.next, frame: frame.clone(), at: now, due, again: 0 };
        self.unacknowledged.push_back(sent);
        self.next += 1;
        frame
    }

    /// How many are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Takes an acknowledgement; one of nothing that waits is no mistake.
    pub(super) fn acknowledge(&mut self, sequence: i64, now: Instant) {
        let Ok(at) = self.unacknowledged.binary_search_by_key(&sequence, |sent| sent.sequence)
        else {
            return;
        };
        let Some(sent) = self.unacknowledged.remove(at) else { return };
        // Of a message that was sent twice one cannot tell which was acknowledged.
        if sent.again == 0 {
            let sample = now.saturating_duration_since(sent.at);
            self.variation = self.variation * 3 / 4 + self.round_trip.abs_diff(sample) / 4;
            self.round_trip = self.round_trip * 7 / 8 + sample / 8;
        }
    }

    fn timeout(&self) -> Duration {
        let learned = self.round_trip + (self.variation * 4).max(LEAST_VARIATION);
        if self.next == 0 { FIRST_TIMEOUT } else { learned.min(LAST_TIMEOUT) }
    }

    /// When the oldest has to be sent again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.unacknowledged.front().map(|sent| sent.due)
    }

    /// The oldest, byte for byte, when its time has come.
    pub(super) fn again(&mut self, now: Instant) -> Option<Vec<u8>> {
        let timeout = self.timeout();
        let oldest = self.unacknowledged.front_mut().filter(|sent| sent.due <= now)?;
        oldest.again += 1;
        oldest.due = now + (timeout * 2_u32.pow(oldest.again.min(4))).min(LAST_TIMEOUT);
        Some(oldest.frame.clone())
    }

    /// Sends the oldest at once: the connection is new.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some(oldest) = self.unacknowledged.front_mut() {
            oldest.due = now;
        }
    }
}

/// What came out of order, and what has come.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    expected: i64,
    waiting: BTreeMap<i64, Waiting>,
    bytes: usize,
}

/// A message before its turn.
#[derive(Debug)]
struct Waiting {
    message: AgentMessage,
    acknowledged: bool,
}

/// What is to be done about a message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It came before: its acknowledgement was lost.
    AcknowledgeAgain,
    /// It is kept until its turn: acknowledge it.
    Kept,
    /// It may be its turn: look at [`Inbox::next`].
    Turn,
    /// There is no room: it is as if it had not arrived.
    Dropped,
}

impl Inbox {
    /// Takes a message. While the consumer is blocked nothing new is acknowledged, in order or not:
    /// that is how the client learns to wait.
    pub(super) fn arrive(&mut self, message: AgentMessage, blocked: bool) -> Arrival {
        let sequence = message.sequence;
        if sequence < self.expected {
            return Arrival::AcknowledgeAgain;
        }
        if let Some(waiting) = self.waiting.get(&sequence) {
            let again = waiting.acknowledged;
            return if again { Arrival::AcknowledgeAgain } else { Arrival::Turn };
        }
        let turn = sequence == self.expected;
        let bytes = self.bytes + message.payload.len();
        if !turn && (self.waiting.len() >= WAITING || bytes > WAITING_BYTES) {
            return Arrival::Dropped;
        }
        self.bytes = bytes;
        let acknowledged = !turn && !blocked;
        self.waiting.insert(sequence, Waiting { message, acknowledged });
        if acknowledged { Arrival::Kept } else { Arrival::Turn }
    }

    /// The next in order, and whether it has been acknowledged already.
    pub(super) fn next(&mut self) -> Option<(AgentMessage, bool)> {
        let Waiting { message, acknowledged } = self.waiting.remove(&self.expected)?;
        self.expected += 1;
        self.bytes -= message.payload.len();
        Some((message, acknowledged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: i64) -> AgentMessage {
        AgentMessage {
            kind: MessageType::InputStreamData,
            created: 1,
            sequence,
            flags: 0,
            id: Uuid::new_v4(),
            payload_type: PayloadType::OUTPUT,
            payload: vec![],
        }
    }

    #[test]
    fn messages_come_out_in_order_once() {
        let mut inbox = Inbox::default();
        let mut order = Vec::new();
        for (sequence, expected) in [
            (1, Arrival::Kept),
            (1, Arrival::AcknowledgeAgain),
            (0, Arrival::Turn),
            (0, Arrival::AcknowledgeAgain),
            (3, Arrival::Kept),
            (2, Arrival::Turn),
        ] {
            assert_eq!(inbox.arrive(message(sequence), false), expected, "{sequence}");
            if expected == Arrival::Turn {
                while let Some((next, acknowledged)) = inbox.next() {
                    order.push((next.sequence, acknowledged));
                }
            }
        }
        assert_eq!(order, [(0, false), (1, true), (2, false), (3, true)]);
    }

    #[test]
    fn what_is_not_processed_is_not_acknowledged() {
        let mut inbox = Inbox::default();
        for sequence in [0, 1, 0, 1] {
            // The consumer is blocked, so nobody asks for it; the client sends it again.
            assert_eq!(inbox.arrive(message(sequence), true), Arrival::Turn);
        }
        assert!(matches!(inbox.next(), Some((_, false))));
        assert!(matches!(inbox.next(), Some((_, false))));
        assert_eq!(inbox.next().map(|_| ()), None);
    }

    #[test]
    fn the_oldest_is_sent_again_byte_for_byte() {
        let start = Instant::now();
        let mut outbox = Outbox::default();
        let first = outbox.send(PayloadType::OUTPUT, 0, b"a".to_vec(), start);
        outbox.send(PayloadType::OUTPUT, 0, b"b".to_vec(), start);
        assert_eq!(outbox.again(start + Duration::from_millis(199)), None);
        let late = start + Duration::from_millis(201);
        assert_eq!(outbox.again(late), Some(first.clone()));
        assert_eq!(outbox.again(late), None, "not twice at once");
        outbox.hurry(late);
        assert_eq!(outbox.again(late), Some(first));
        outbox.acknowledge(0, late);
        outbox.acknowledge(7, late);
        assert_eq!(outbox.len(), 1);
        let second = AgentMessage::decode(&outbox.again(late).unwrap()).unwrap();
        assert_eq!((second.sequence, second.payload.as_slice()), (1, &b"b"[..]));
        outbox.acknowledge(1, late);
        assert_eq!(outbox.due(), None);
    }
}
