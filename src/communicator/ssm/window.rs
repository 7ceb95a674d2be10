//! What was sent and is not acknowledged yet: when to send it again.
//!
//! Acknowledgements name single messages, so more than the oldest is known: a message is lost when
//! its time is up, or when a good number of those sent after it have been acknowledged. A message
//! goes again byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// Messages that may be on their way.
const MESSAGES: usize = 1000;
/// Bytes that may be on their way.
const BYTES: usize = 1 << 20;
/// Messages that may wait to be sent for the first time: pacing takes one at a time.
const WAITING: usize = 64;
/// So many messages acknowledged that were sent later: this one is lost. The service reorders, so
/// the number is larger than TCP's.
const OVERTAKEN: u64 = 16;
/// Bounds of the time after which a message is sent again.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long one message may go without an acknowledgement, on a connection that stands.
const GIVE_UP: Duration = Duration::from_secs(300);

/// A message on its way.
#[derive(Debug)]
struct Sent {
    id: Uuid,
    frame: Arc<[u8]>,
    /// When it was sent first and last; `None` when it still waits.
    at: Option<(Instant, Instant)>,
    times: u32,
    /// Which transmission its last one was.
    order: u64,
}

/// The sender's side.
#[derive(Debug)]
pub(super) struct Window {
    messages: BTreeMap<i64, Sent>,
    bytes: usize,
    next_sequence: i64,
    /// The first that was never sent; all after it were not either.
    first_waiting: i64,
    lost: BTreeSet<i64>,
    transmissions: u64,
    round_trip: RoundTrip,
    /// When the present connection was made.
    opened: Instant,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            messages: BTreeMap::new(),
            bytes: 0,
            next_sequence: 0,
            first_waiting: 0,
            lost: BTreeSet::new(),
            transmissions: 0,
            round_trip: RoundTrip::default(),
            opened: now,
        }
    }

    /// Whether there is room for another message.
    pub(super) fn has_room(&self) -> bool {
        let waiting = self.next_sequence - self.first_waiting;
        self.messages.len() < MESSAGES
            && self.bytes < BYTES
            && usize::try_from(waiting).is_ok_and(|waiting| waiting < WAITING)
    }

    /// The sequence number of the next message.
    pub(super) fn next_sequence(&self) -> i64 {
        self.next_sequence
    }

    /// Takes in the frame with [`next_sequence`](Self::next_sequence). It stands in the window
    /// before it is sent, so that no acknowledgement can be too fast.
    pub(super) fn push(&mut self, id: Uuid, frame: Vec<u8>) {
        self.bytes += frame.len();
        let sent = Sent { id, frame: frame.into(), at: None, times: 0, order: 0 };
        self.messages.insert(self.next_sequence, sent);
        self.next_sequence += 1;
    }

    /// A message has arrived.
    pub(super) fn acknowledged(&mut self, sequence: i64, id: &str, now: Instant) {
        let Some(sent) = self.messages.get(&sequence) else { return };
        let Some((_, last)) = sent.at else { return };
        if !sent.id.to_string().eq_ignore_ascii_case(id) {
            return;
        }
        let (length, order, times) = (sent.frame.len(), sent.order, sent.times);
        self.messages.remove(&sequence);
        self.lost.remove(&sequence);
        self.bytes = self.bytes.saturating_sub(length);
        // Which of several transmissions was acknowledged is not known (Karn).
        if times == 1 {
            self.round_trip.sample(now.saturating_duration_since(last));
            let overtaken = order.saturating_sub(OVERTAKEN);
            let lost = self
                .messages
                .range(..sequence)
                .filter(|(_, sent)| sent.times > 0 && sent.order < overtaken);
            self.lost.extend(lost.map(|(sequence, _)| *sequence));
        }
    }

    /// A connection was made anew: what was on its way may be gone, so all of it goes again.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.opened = now;
        self.lost.extend(self.messages.range(..self.first_waiting).map(|(sequence, _)| *sequence));
    }

    /// The next message to send now, if there is one.
    fn candidate(&self, now: Instant) -> Option<i64> {
        if let Some(lost) = self.lost.first() {
            return Some(*lost);
        }
        if let Some((sequence, due)) = self.oldest_due()
            && due <= now
        {
            return Some(sequence);
        }
        (self.first_waiting < self.next_sequence).then_some(self.first_waiting)
    }

    /// Whether anything is to be sent now.
    pub(super) fn wants(&self, now: Instant) -> bool {
        self.candidate(now).is_some()
    }

    /// The next frame to send now.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Arc<[u8]>> {
        let sequence = self.candidate(now)?;
        self.lost.remove(&sequence);
        if sequence == self.first_waiting {
            self.first_waiting += 1;
        }
        let sent = self.messages.get_mut(&sequence)?;
        self.transmissions += 1;
        sent.order = self.transmissions;
        sent.times += 1;
        sent.at = Some((sent.at.map_or(now, |(first, _)| first), now));
        Some(sent.frame.clone())
    }

    /// The oldest message, and when its time is up. Only it goes again by time: when the far side
    /// takes nothing because its own reader is slow, the others would flood it.
    fn oldest_due(&self) -> Option<(i64, Instant)> {
        let (sequence, sent) = self.messages.first_key_value()?;
        let (_, last) = sent.at?;
        Some((*sequence, last + self.round_trip.timeout(sent.times)))
    }

    /// When something is to be done next: never before `now`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.oldest_due().map(|(_, due)| due)
    }

    /// How long the oldest message has gone unacknowledged, when that is too long.
    pub(super) fn given_up(&self, now: Instant) -> Option<Duration> {
        let (first, _) = self.messages.first_key_value()?.1.at?;
        let since = now.saturating_duration_since(first.max(self.opened));
        (since >= GIVE_UP).then_some(since)
    }
}

/// The estimate of the time to an acknowledgement, as TCP has it.
#[derive(Clone, Copy, Debug)]
struct RoundTrip {
    mean: Duration,
    variation: Duration,
}

impl Default for RoundTrip {
    fn default() -> Self {
        Self { mean: Duration::from_millis(100), variation: Duration::ZERO }
    }
}

impl RoundTrip {
    fn sample(&mut self, sample: Duration) {
        let error = self.mean.abs_diff(sample);
        self.variation = self.variation * 3 / 4 + error / 4;
        self.mean = self.mean * 7 / 8 + sample / 8;
    }

    /// The time after which a message that was sent `times` times goes again.
    fn timeout(self, times: u32) -> Duration {
        let (least, most) = TIMEOUT;
        let once = self.mean + (self.variation * 4).max(Duration::from_millis(10));
        let doubled = once.clamp(least, most) * 2_u32.pow(times.saturating_sub(1).min(5));
        doubled.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(count: i64, now: Instant) -> Window {
        let mut window = Window::new(now);
        for _ in 0..count {
            push(&mut window);
        }
        window
    }

    fn push(window: &mut Window) {
        let sequence = window.next_sequence();
        window.push(id(sequence), sequence.to_string().into_bytes());
    }

    fn id(sequence: i64) -> Uuid {
        Uuid::from_u128(sequence.unsigned_abs().into())
    }

    fn sent(window: &mut Window, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| window.transmit(now))
            .map(|frame| String::from_utf8(frame.to_vec()).unwrap())
            .collect()
    }

    fn acknowledge(window: &mut Window, sequence: i64, now: Instant) {
        window.acknowledged(sequence, &id(sequence).to_string(), now);
    }

    const SOON: Duration = Duration::from_millis(50);

    #[test]
    fn only_the_oldest_goes_again_by_time_and_later_each_time() {
        let start = Instant::now();
        let mut window = window(3, start);
        assert_eq!(sent(&mut window, start), ["0", "1", "2"]);
        assert!(sent(&mut window, start + Duration::from_millis(199)).is_empty());
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let due = window.deadline().unwrap();
            pauses.push((due - now).as_millis());
            now = due;
            assert_eq!(sent(&mut window, now), ["0"]);
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn what_many_later_ones_have_overtaken_goes_again_at_once() {
        let start = Instant::now();
        let mut window = window(30, start);
        assert_eq!(sent(&mut window, start).len(), 30);
        for sequence in 2..=16 {
            acknowledge(&mut window, sequence, start + SOON);
        }
        assert!(sent(&mut window, start + SOON).is_empty());
        acknowledge(&mut window, 17, start + SOON);
        assert_eq!(sent(&mut window, start + SOON), ["0"]);
        acknowledge(&mut window, 19, start + SOON);
        assert_eq!(sent(&mut window, start + SOON), ["1"]);
        // Once more only by time: how the resent ones are doing is not known yet.
        acknowledge(&mut window, 20, start + SOON);
        assert!(sent(&mut window, start + SOON).is_empty());
    }

    #[test]
    fn after_a_new_connection_everything_goes_again_in_order_before_what_is_new() {
        let start = Instant::now();
        let mut window = window(3, start);
        assert_eq!(sent(&mut window, start).len(), 3);
        acknowledge(&mut window, 1, start + SOON);
        push(&mut window);
        window.reopened(start + SOON);
        assert_eq!(sent(&mut window, start + SOON), ["0", "2", "3"]);
    }

    #[test]
    fn a_sample_of_a_message_that_went_twice_does_not_count() {
        let start = Instant::now();
        let mut window = window(1, start);
        sent(&mut window, start);
        let before = window.round_trip.timeout(1);
        let due = window.deadline().unwrap();
        sent(&mut window, due);
        acknowledge(&mut window, 0, due + Duration::from_secs(4));
        assert_eq!(window.round_trip.timeout(1), before);
        push(&mut window);
        sent(&mut window, due);
        acknowledge(&mut window, 1, due + Duration::from_secs(4));
        assert!(window.round_trip.timeout(1) > before);
        assert!(window.messages.is_empty());
    }

    #[test]
    fn an_acknowledgement_of_another_id_or_of_what_was_not_sent_is_nothing() {
        let start = Instant::now();
        let mut window = window(1, start);
        acknowledge(&mut window, 0, start);
        assert!(!window.messages.is_empty());
        sent(&mut window, start);
        window.acknowledged(0, &id(7).to_string(), start);
        window.acknowledged(9, &id(9).to_string(), start);
        assert!(!window.messages.is_empty());
        acknowledge(&mut window, 0, start);
        acknowledge(&mut window, 0, start);
        assert!(window.messages.is_empty());
    }

    #[test]
    fn the_window_is_bounded_in_messages_and_bytes() {
        let now = Instant::now();
        let mut small = Window::new(now);
        let mut count = 0;
        while small.has_room() {
            push(&mut small);
            sent(&mut small, now);
            count += 1;
        }
        assert_eq!(count, MESSAGES);
        let mut large = Window::new(now);
        let mut count = 0;
        while large.has_room() {
            large.push(id(count), vec![0; 16 << 10]);
            large.transmit(now);
            count += 1;
        }
        assert_eq!(count, 64);
        // Nor is much taken in that cannot be sent yet.
        let mut waiting = Window::new(now);
        while waiting.has_room() {
            push(&mut waiting);
        }
        assert_eq!(waiting.messages.len(), WAITING);
    }

    #[test]
    fn five_minutes_on_one_connection_are_too_long() {
        let start = Instant::now();
        let mut window = window(1, start);
        sent(&mut window, start);
        let late = start + Duration::from_secs(299);
        assert_eq!(window.given_up(late), None);
        assert_eq!(window.given_up(late + SOON * 20), Some(GIVE_UP));
        window.reopened(late);
        assert_eq!(window.given_up(late + SOON * 20), None);
    }
}
