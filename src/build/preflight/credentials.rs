//! How long the credentials are good for.

use std::time::{Duration, SystemTime};

use crate::aws::{Client, Expiry, Renewal};
use crate::build::clock::timestamp;
use crate::build::{BuildContext, BuildError};
use crate::event::Fact;

/// No build is done sooner: launch, image and teardown take minutes.
const LEAST: Duration = Duration::from_secs(5 * 60);

/// What `credential_process` gives for less than this may be all that it has.
const SHORT: Duration = Duration::from_secs(15 * 60);

/// What is to be said about an expiry.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// They have expired.
    Expired,
    /// They expire before any build can end.
    TooSoon(Duration),
    /// They expire before this build need end.
    Doubtful(Duration),
}

/// Refuses credentials that have expired or will before a build can end, and warns of those that
/// expire before its deadline, unless there will be others by then.
///
/// # Errors
/// When they are refused.
pub(in crate::build) async fn check_credentials(
    client: &Client,
    context: &BuildContext,
) -> Result<(), BuildError> {
    let Some(expiry) = client.credentials_expire().await else { return Ok(()) };
    let at = timestamp(expiry.at);
    match verdict(expiry, context.clock.now(), context.lifetime) {
        Verdict::Fine => Ok(()),
        Verdict::Expired => Err(BuildError::Expired { at }),
        Verdict::TooSoon(left) => Err(BuildError::ExpiresSoon { at, minutes: left.as_secs() / 60 }),
        Verdict::Doubtful(left) => {
            let minutes = left.as_secs() / 60;
            let text = match expiry.renewal {
                Renewal::Never => format!(
                    "the credentials expire at {at}, in {minutes} minutes: a build that takes longer can neither go on nor remove what it made"
                ),
                Renewal::Asked | Renewal::Always => format!(
                    "the credentials expire at {at}, in {minutes} minutes: unless `credential_process` has others by then, what is made cannot be removed"
                ),
            };
            context.events.emit(Fact::Warning { text }).await;
            Ok(())
        }
    }
}

fn verdict(expiry: Expiry, now: SystemTime, lifetime: Duration) -> Verdict {
    let left = match expiry.at.duration_since(now) {
        Ok(left) if !left.is_zero() => left,
        _ => return Verdict::Expired,
    };
    match expiry.renewal {
        Renewal::Never if left < LEAST => Verdict::TooSoon(left),
        Renewal::Never if left < lifetime => Verdict::Doubtful(left),
        Renewal::Asked if left < SHORT.min(lifetime) => Verdict::Doubtful(left),
        Renewal::Never | Renewal::Asked | Renewal::Always => Verdict::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn of(renewal: Renewal, minutes: u32) -> Verdict {
        let now = SystemTime::UNIX_EPOCH + MINUTE * 1_000_000;
        verdict(Expiry { at: now + MINUTE * minutes, renewal }, now, MINUTE * 60)
    }

    #[test]
    fn what_is_not_renewed_has_to_last_until_the_deadline() {
        assert_eq!(of(Renewal::Never, 4), Verdict::TooSoon(MINUTE * 4));
        assert_eq!(of(Renewal::Never, 5), Verdict::Doubtful(MINUTE * 5));
        assert_eq!(of(Renewal::Never, 59), Verdict::Doubtful(MINUTE * 59));
        assert_eq!(of(Renewal::Never, 60), Verdict::Fine);
    }

    #[test]
    fn what_is_renewed_need_not_and_a_process_is_doubted_when_little_is_left() {
        assert_eq!(of(Renewal::Always, 1), Verdict::Fine);
        assert_eq!(of(Renewal::Asked, 1), Verdict::Doubtful(MINUTE));
        assert_eq!(of(Renewal::Asked, 15), Verdict::Fine);
    }

    #[test]
    fn what_has_expired_is_of_no_use_whoever_renews_it() {
        for renewal in [Renewal::Never, Renewal::Asked, Renewal::Always] {
            assert_eq!(of(renewal, 0), Verdict::Expired);
        }
    }
}
