//! Durations of this program's own choosing.
//!
//! In unit tests they pass a hundred times faster. tokio's clock that can be paused would do
//! better, but it is a feature of tokio, and another feature set compiles the SDK a second time.

use std::time::Duration;

const SPEED: u32 = if cfg!(test) { 100 } else { 1 };

/// `count` seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    milliseconds(count.saturating_mul(1000))
}

/// `count` milliseconds.
pub(crate) const fn milliseconds(count: u64) -> Duration {
    let whole = Duration::from_millis(count);
    match whole.checked_div(SPEED) {
        Some(duration) => duration,
        None => whole,
    }
}
