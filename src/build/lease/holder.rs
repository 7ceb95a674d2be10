//! What a lease's tags say about its holder.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::aws::StoredKeyPair;
use crate::aws::time::seconds;
use crate::build::builder::amazon_ebs::{DEADLINE, RUN_ID};

/// For how long nothing must happen to an overdue lease before it is taken over: clocks differ, and
/// a holder that lives renews it meanwhile.
const GRACE: Duration = seconds(60);
/// The same for a lease that does not say until when it is held.
const SILENCE: Duration = seconds(360);

/// The token of the build that holds it, which is no other's.
pub(super) const TOKEN: &str = "bake:lease";
/// Who holds it, for people.
pub(in crate::build) const HOLDER: &str = "bake:holder";

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// For people.
    pub(super) text: String,
    /// Its run.
    pub(super) run: Option<String>,
    /// Since when, by EC2's clock.
    pub(super) since: Option<String>,
    /// Until when, by the holder's clock; `None` when its tag cannot be read.
    pub(super) deadline: Option<Timestamp>,
}

/// Why a lease may be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The holder's process is gone.
    Gone {
        /// Its run.
        run: String,
        /// How much its run left.
        left: usize,
    },
    /// It has not been renewed in time.
    Silent,
}

impl Holder {
    pub(super) fn of(pair: &StoredKeyPair) -> Self {
        Self {
            text: match pair.tags.get(HOLDER) {
                Some(text) => text.clone(),
                None => format!("whoever made the key pair {}", pair.name),
            },
            run: pair.tags.get(RUN_ID).cloned(),
            since: pair.created.clone(),
            deadline: pair.tags.get(DEADLINE).and_then(|text| text.parse().ok()),
        }
    }

    /// Why its lease may be taken over, if it may. It has not renewed it for `silent_for`; `killed`
    /// is how much its run left, when that ran on this machine and its process is certainly gone.
    pub(super) fn over(
        &self,
        now: SystemTime,
        silent_for: Duration,
        killed: Option<usize>,
    ) -> Option<Over> {
        if let Some((left, run)) = killed.zip(self.run.clone()) {
            return Some(Over::Gone { run, left });
        }
        let is_silent = match self.deadline {
            Some(_) => self.is_overdue(now) && silent_for >= GRACE,
            None => silent_for >= SILENCE,
        };
        is_silent.then_some(Over::Silent)
    }

    /// Whether its time is over.
    fn is_overdue(&self, now: SystemTime) -> bool {
        let now = Timestamp::try_from(now).ok();
        now.zip(self.deadline).is_some_and(|(now, deadline)| deadline < now)
    }

    /// A number that changes when it renews its lease.
    pub(super) fn renewals(&self) -> u64 {
        self.deadline.map_or(0, |at| at.as_second().unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Tags;

    fn pair(tags: &[(&str, &str)]) -> StoredKeyPair {
        let tags: Tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        StoredKeyPair { name: "bake-lease-1".to_owned(), tags, ..StoredKeyPair::default() }
    }

    #[test]
    fn a_holder_is_overdue_after_its_deadline() {
        let holder = Holder::of(&pair(&[(DEADLINE, "1970-01-01T00:10:00Z"), (HOLDER, "a build")]));
        assert_eq!(holder.text, "a build");
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!holder.is_overdue(at(599)));
        assert!(holder.is_overdue(at(601)));
        assert_eq!(holder.renewals(), 600);
    }

    #[test]
    fn a_lease_is_over_when_its_holder_is_silent_for_long_or_its_process_gone() {
        let tags = [(DEADLINE, "1970-01-01T00:10:00Z"), (RUN_ID, "r1")];
        let holder = Holder::of(&pair(&tags));
        let over = |at: u64, silent_for: Duration, killed| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            holder.over(now, silent_for, killed)
        };
        assert_eq!(over(599, SILENCE, None), None, "its time is not over");
        assert_eq!(over(601, GRACE / 2, None), None, "its clock may be behind");
        assert_eq!(over(601, GRACE, None), Some(Over::Silent));
        let gone = Some(Over::Gone { run: "r1".to_owned(), left: 3 });
        assert_eq!(over(0, Duration::ZERO, Some(3)), gone, "at once");
        assert_eq!(over(601, GRACE, Some(3)), gone);
        let nobody = Holder::of(&pair(&[]));
        assert_eq!(nobody.over(SystemTime::UNIX_EPOCH, GRACE, None), None);
        assert_eq!(nobody.over(SystemTime::UNIX_EPOCH, SILENCE, None), Some(Over::Silent));
    }

    #[test]
    fn tags_that_say_nothing_are_no_deadline() {
        for tags in [&[][..], &[(DEADLINE, "tomorrow")], &[(DEADLINE, "")]] {
            let holder = Holder::of(&pair(tags));
            assert!(!holder.is_overdue(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33)));
            assert_eq!(holder.text, "whoever made the key pair bake-lease-1");
        }
    }
}
