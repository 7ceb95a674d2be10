//! How fast a link is.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::way::Way;
use crate::communicator::stream::{Packing, Said};

/// Keeps what a stream has taught about the link.
pub(super) fn note(way: &Way<'_>, said: &Said, gauge: &Gauge, packing: Packing) {
    if let Some(ready) = &said.ready {
        way.link.note_packings(&ready.packings);
    }
    if packing == Packing::None
        && let Some(rate) = gauge.rate()
    {
        way.link.note_rate(rate);
    }
}

/// Measures how fast a stream is once it has got going.
pub(super) struct Gauge {
    /// From how many bytes on it counts.
    from: u64,
    seen: Mutex<Option<[(Instant, u64); 2]>>,
}

/// What is too little, and too short, to tell anything.
const TOO_LITTLE: u64 = 4 << 20;
const TOO_SHORT: Duration = Duration::from_millis(50);

impl Gauge {
    /// The first bytes, so many, do not count.
    pub(super) fn new(from: u64) -> Self {
        Self { from, seen: Mutex::default() }
    }

    /// Notes how many bytes there were until now.
    pub(super) fn note(&self, bytes: u64) {
        if bytes < self.from {
            return;
        }
        let now = (Instant::now(), bytes);
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match seen.as_mut() {
            Some([_, last]) => *last = now,
            None => *seen = Some([now, now]),
        }
    }

    /// Bytes a second; `None` when it was too little to tell.
    pub(super) fn rate(&self) -> Option<f64> {
        let seen = *self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [(start, first), (end, last)] = seen?;
        let (time, bytes) = (end.duration_since(start), last.saturating_sub(first));
        (bytes >= TOO_LITTLE && time >= TOO_SHORT).then(|| bytes as f64 / time.as_secs_f64())
    }
}
