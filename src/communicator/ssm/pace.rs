//! When things may happen: a token bucket for messages, and pauses between attempts.

use std::time::{Duration, Instant};

use rand::RngExt as _;

/// Messages that may go out at once after a rest.
const BURST: f64 = 32.0;

/// Lets so many messages a second through. A pause after each message, as the reference has it,
/// would add up the timer's errors.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { rate: f64::from(rate.max(1)), tokens: BURST, filled: now }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(BURST);
        self.filled = self.filled.max(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// When the next token is there.
    pub(super) fn next(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        // A little more, so that rounding does not make for a second look.
        self.filled + Duration::from_secs_f64(missing / self.rate) + Duration::from_micros(1)
    }
}

/// Pauses that grow by half up to a cap, each with jitter of a third.
#[derive(Clone, Debug)]
pub(super) struct Pauses {
    next: Duration,
    cap: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration, cap: Duration) -> Self {
        Self { next: first, cap }
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(self.cap);
        pause.mul_f64(rand::rng().random_range(0.67..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_the_rate_through_and_a_rest_no_more_than_a_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(900, start);
        let mut now = start;
        let mut sent = 0;
        while now < start + Duration::from_secs(2) {
            if bucket.take(now) {
                sent += 1;
            } else {
                let next = bucket.next();
                assert!(next > now);
                now = next;
            }
        }
        assert!((1825..=1835).contains(&sent), "{sent}");
        let later = now + Duration::from_secs(3600);
        let burst = std::iter::from_fn(|| bucket.take(later).then_some(())).count();
        assert_eq!(burst, 32);
    }

    #[test]
    fn pauses_grow_to_their_cap() {
        let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(1));
        let first = pauses.next();
        assert!(first >= Duration::from_millis(66) && first <= Duration::from_millis(100));
        for _ in 0..20 {
            assert!(pauses.next() <= Duration::from_secs(1));
        }
        assert!(pauses.next() >= Duration::from_millis(660));
    }
}
