//! What a lease's tags say about its holder.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::aws::StoredKeyPair;
use crate::build::builder::amazon_ebs::DEADLINE;

/// The token of the build that holds it, which is no other's.
pub(super) const TOKEN: &str = "bake:lease";
/// Who holds it, for people.
pub(in crate::build) const HOLDER: &str = "bake:holder";

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// For people.
    pub(super) text: String,
    /// Since when, by EC2's clock.
    pub(super) since: Option<String>,
    /// Until when, by the holder's clock; `None` when its tag cannot be read.
    pub(super) deadline: Option<Timestamp>,
}

impl Holder {
    pub(super) fn of(pair: &StoredKeyPair) -> Self {
        Self {
            text: match pair.tags.get(HOLDER) {
                Some(text) => text.clone(),
                None => format!("whoever made the key pair {}", pair.name),
            },
            since: pair.created.clone(),
            deadline: pair.tags.get(DEADLINE).and_then(|text| text.parse().ok()),
        }
    }

    /// Whether its time is over.
    pub(super) fn is_overdue(&self, now: SystemTime) -> bool {
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
    use std::time::Duration;

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
    fn tags_that_say_nothing_are_no_deadline() {
        for tags in [&[][..], &[(DEADLINE, "tomorrow")], &[(DEADLINE, "")]] {
            let holder = Holder::of(&pair(tags));
            assert!(!holder.is_overdue(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33)));
            assert_eq!(holder.text, "whoever made the key pair bake-lease-1");
        }
    }
}
