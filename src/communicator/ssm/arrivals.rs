//! What has arrived: put in order, acknowledged at the right time.

use std::collections::{BTreeMap, VecDeque};

use super::frame::AgentMessage;
use super::message::Acknowledge;

/// Messages that may wait.
const MESSAGES: usize = 10_000;
/// Bytes of payload that may wait.
const BYTES: usize = 4 << 20;

#[derive(Debug)]
struct Arrived {
    message: AgentMessage,
    acknowledged: bool,
}

/// The receiver's side.
///
/// A message in sequence is acknowledged when it is taken, so a reader that does not keep up holds
/// the sender back: there is no other flow control on this layer. One behind a gap is acknowledged
/// when it is stored. When there is no room it is neither.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: BTreeMap<i64, Arrived>,
    bytes: usize,
    /// The next to be taken.
    expected: i64,
    /// The first that has not arrived.
    missing: i64,
    acknowledgements: VecDeque<Acknowledge>,
}

impl Arrivals {
    /// Takes a message in.
    pub(super) fn arrive(&mut self, message: AgentMessage) {
        let sequence = message.sequence;
        if sequence < self.expected {
            // The acknowledgement was lost; without another one it would come for ever.
            self.acknowledge(&message);
            return;
        }
        if let Some(known) = self.waiting.get(&sequence) {
            if known.acknowledged {
                self.acknowledge(&message);
            }
            return;
        }
        // The one that everything waits for always has room.
        let full = self.waiting.len() >= MESSAGES || self.bytes >= BYTES;
        if full && sequence != self.expected {
            return;
        }
        let behind_a_gap = sequence > self.missing;
        if behind_a_gap {
            self.acknowledge(&message);
        }
        self.bytes += message.payload.len();
        self.waiting.insert(sequence, Arrived { message, acknowledged: behind_a_gap });
        while self.waiting.contains_key(&self.missing) {
            self.missing += 1;
        }
    }

    /// The next message in sequence; with this it counts as processed.
    pub(super) fn take(&mut self) -> Option<AgentMessage> {
        let Arrived { message, acknowledged } = self.waiting.remove(&self.expected)?;
        self.bytes = self.bytes.saturating_sub(message.payload.len());
        self.expected += 1;
        if !acknowledged {
            self.acknowledge(&message);
        }
        Some(message)
    }

    /// The next acknowledgement to send.
    pub(super) fn acknowledgement(&mut self) -> Option<Acknowledge> {
        self.acknowledgements.pop_front()
    }

    /// Whether there is one to send.
    pub(super) fn wants_to_acknowledge(&self) -> bool {
        !self.acknowledgements.is_empty()
    }

    fn acknowledge(&mut self, message: &AgentMessage) {
        // They are owed for what has arrived only; when none can be sent, the far side asks again.
        if self.acknowledgements.len() < MESSAGES {
            self.acknowledgements.push_back(Acknowledge::of(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::frame::{MessageType, PayloadType};
    use super::*;

    fn message(sequence: i64, length: usize) -> AgentMessage {
        AgentMessage {
            kind: MessageType::OutputStreamData,
            created: 1,
            sequence,
            flags: 0,
            id: Uuid::from_u128(sequence.unsigned_abs().into()),
            payload_type: PayloadType::OUTPUT,
            payload: vec![0; length],
        }
    }

    fn acknowledged(arrivals: &mut Arrivals) -> Vec<i64> {
        std::iter::from_fn(|| arrivals.acknowledgement()).map(|a| a.sequence).collect()
    }

    fn taken(arrivals: &mut Arrivals) -> Vec<i64> {
        std::iter::from_fn(|| arrivals.take()).map(|message| message.sequence).collect()
    }

    #[test]
    fn what_is_in_sequence_is_acknowledged_when_it_is_taken() {
        let mut arrivals = Arrivals::default();
        for sequence in 0..3 {
            arrivals.arrive(message(sequence, 1));
        }
        assert!(acknowledged(&mut arrivals).is_empty(), "a slow reader holds the sender back");
        assert_eq!(taken(&mut arrivals), [0, 1, 2]);
        assert_eq!(acknowledged(&mut arrivals), [0, 1, 2]);
    }

    #[test]
    fn what_comes_too_early_is_kept_and_acknowledged_once() {
        let mut arrivals = Arrivals::default();
        arrivals.arrive(message(2, 1));
        arrivals.arrive(message(1, 1));
        assert_eq!(acknowledged(&mut arrivals), [2, 1]);
        assert!(taken(&mut arrivals).is_empty());
        arrivals.arrive(message(0, 1));
        assert_eq!(taken(&mut arrivals), [0, 1, 2]);
        assert_eq!(acknowledged(&mut arrivals), [0]);
    }

    #[test]
    fn duplicates_are_acknowledged_again_and_not_taken_again() {
        let mut arrivals = Arrivals::default();
        arrivals.arrive(message(0, 1));
        arrivals.arrive(message(0, 1));
        assert!(acknowledged(&mut arrivals).is_empty(), "not taken yet");
        assert_eq!(taken(&mut arrivals), [0]);
        arrivals.arrive(message(0, 1));
        arrivals.arrive(message(-1, 1));
        assert_eq!(acknowledged(&mut arrivals), [0, 0, -1]);
        arrivals.arrive(message(2, 1));
        arrivals.arrive(message(2, 1));
        assert_eq!(acknowledged(&mut arrivals), [2, 2]);
        assert!(taken(&mut arrivals).is_empty());
    }

    #[test]
    fn without_room_a_message_is_dropped_without_a_word_but_for_the_missing_one() {
        let mut arrivals = Arrivals::default();
        for sequence in 1..=5 {
            arrivals.arrive(message(sequence, 1 << 20));
        }
        assert_eq!(acknowledged(&mut arrivals), [1, 2, 3, 4], "5 has no room");
        arrivals.arrive(message(0, 1 << 20));
        assert_eq!(taken(&mut arrivals), [0, 1, 2, 3, 4]);
        arrivals.arrive(message(5, 1));
        assert_eq!(taken(&mut arrivals), [5]);
        let mut many = Arrivals::default();
        for sequence in 0..20_000 {
            many.arrive(message(sequence, 0));
        }
        assert_eq!(many.waiting.len(), MESSAGES);
    }
}
