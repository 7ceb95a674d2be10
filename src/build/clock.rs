//! Where a run gets the time of day from.

use std::time::{Duration, SystemTime};

/// The time of day; settable, so that tests and repeated runs see the one they want.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<SystemTime>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// A clock that stands still.
    pub fn fixed(at: SystemTime) -> Self {
        Self { fixed: Some(at) }
    }

    /// Now.
    pub fn now(&self) -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "the one place where a run gets the time")]
        self.fixed.unwrap_or_else(SystemTime::now)
    }

    /// `after` from now in RFC 3339, whole seconds, UTC.
    pub fn timestamp_after(&self, after: Duration) -> String {
        timestamp(self.now() + after)
    }

    /// Now in digits alone, whole seconds, UTC: `20261122010203`.
    pub fn compact_timestamp(&self) -> String {
        timestamp(self.now()).chars().filter(char::is_ascii_digit).collect()
    }
}

/// A time in RFC 3339, whole seconds, UTC.
pub(super) fn timestamp(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_written_in_whole_seconds() {
        let clock = Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        assert_eq!(clock.timestamp_after(Duration::from_secs(3600)), "1970-01-01T01:00:01Z");
        assert_eq!(clock.compact_timestamp(), "19700101000001");
    }
}
