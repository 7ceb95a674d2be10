//! Waiting for a state.
//!
//! A wait looks at once, then often, then less often, with jitter. It ends in one of four
//! ways, which callers tell apart: success, a state from which success cannot come, the
//! deadline, cancellation. The deadline counts from the last progress: a snapshot that still
//! moves is waited for. Nothing here makes calls; looking is a closure.

use std::time::Duration;

use rand::RngExt as _;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::AwsError;
use super::time::{milliseconds, seconds};

/// How often to look, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// How long to wait without progress.
    pub deadline: Duration,
    /// Whether progress restarts the deadline.
    pub extend: bool,
}

impl Polling {
    /// From 100 ms up to `cap` seconds apart, for `deadline` seconds without progress.
    pub const fn seconds(cap: u64, deadline: u64) -> Self {
        Self {
            first: milliseconds(100),
            cap: seconds(cap),
            deadline: seconds(deadline),
            extend: true,
        }
    }
}

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// What was waited for.
    Done(T),
    /// A state from which it cannot come any more.
    Hopeless {
        /// The state.
        state: String,
        /// Why, as the service says it.
        reason: Option<String>,
    },
    /// Not yet.
    Pending {
        /// The state.
        state: String,
        /// Anything that grows while there is progress, such as percent.
        progress: u64,
    },
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending<T> {
    /// What was waited for.
    Done(T),
    /// A state from which it cannot come any more.
    Hopeless {
        /// The state.
        state: String,
        /// Why, as the service says it.
        reason: Option<String>,
    },
    /// No progress until the deadline.
    DeadlinePassed {
        /// The last state that was seen.
        state: String,
        /// How long it was waited for in all.
        after: Duration,
    },
    /// Cancelled from outside.
    Cancelled,
}

/// Pauses that grow by half up to a cap, each with jitter of a fifth, so that builds which
/// started together do not poll together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// Pauses from `first` to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first: first.min(cap), next: first.min(cap), cap }
    }

    /// The next pause.
    #[expect(clippy::should_implement_trait, reason = "pauses are no sequence to iterate over")]
    pub fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(self.cap);
        pause.mul_f64(rand::rng().random_range(0.8..=1.0))
    }

    /// Starts again with short pauses.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Waits until `look` is done. `seen` gets each new state.
///
/// # Errors
/// The first error of `look` that is not transient; transient ones are looked past until the
/// deadline.
pub async fn wait<T, F>(
    polling: Polling,
    cancel: &CancellationToken,
    mut seen: impl FnMut(&str),
    mut look: impl FnMut() -> F,
) -> Result<Ending<T>, AwsError>
where
    F: Future<Output = Result<Look<T>, AwsError>>,
{
    let started = Instant::now();
    let mut deadline = started + polling.deadline;
    let mut backoff = Backoff::new(polling.first, polling.cap);
    let mut last: Option<(String, u64)> = None;
    loop {
        let mut trouble = None;
        // A look has no effect, so it may be dropped half way.
        let looked = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Ending::Cancelled),
            looked = Box::pin(look()) => looked,
        };
        match looked {
            Ok(Look::Done(value)) => return Ok(Ending::Done(value)),
            Ok(Look::Hopeless { state, reason }) => {
                seen(&state);
                return Ok(Ending::Hopeless { state, reason });
            }
            Ok(Look::Pending { state, progress }) => {
                let now = (state, progress);
                if last.as_ref() != Some(&now) {
                    if last.as_ref().is_none_or(|(state, _)| *state != now.0) {
                        seen(&now.0);
                        backoff.reset();
                    }
                    if polling.extend {
                        deadline = Instant::now() + polling.deadline;
                    }
                    last = Some(now);
                }
            }
            Err(error) if error.is_transient() => trouble = Some(error),
            Err(error) => return Err(error),
        }
        let next = Instant::now() + backoff.next();
        if next > deadline {
            if let Some(error) = trouble {
                return Err(error);
            }
            let state = last.map(|(state, _)| state).unwrap_or_default();
            return Ok(Ending::DeadlinePassed { state, after: started.elapsed() });
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(Ending::Cancelled),
            () = sleep_until(next) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::{AwsErrorKind, AwsFailure};
    use super::*;

    fn pending(state: &str, progress: u64) -> Result<Look<u32>, AwsError> {
        Ok(Look::Pending { state: state.to_owned(), progress })
    }

    fn unavailable() -> AwsError {
        AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Unreachable,
            action: "DescribeImages",
            service: "ec2",
            code: None,
            message: "connection reset".to_owned(),
            request_id: None,
            status: None,
            resource: None,
            region: "eu-west-1".to_owned(),
            endpoint: None,
        }
        .into()
    }

    #[test]
    fn pauses_grow_to_the_cap_with_jitter_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expected in [100, 150, 225, 337, 506, 759, 1000, 1000] {
            let pause = backoff.next().as_secs_f64() * 1000.0;
            let expected = f64::from(expected);
            assert!(pause >= expected * 0.79 && pause <= expected * 1.01, "{pause} {expected}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn each_state_is_told_once_and_trouble_is_looked_past() {
        let answers = RefCell::new(vec![
            Ok(Look::Done(7)),
            pending("running", 0),
            Err(unavailable()),
            pending("pending", 0),
            pending("pending", 0),
        ]);
        let mut states = Vec::new();
        let cancel = CancellationToken::new();
        let ending = wait(
            Polling::seconds(5, 600),
            &cancel,
            |state| states.push(state.to_owned()),
            || {
                let answer = answers.borrow_mut().pop().expect("asked five times");
                async move { answer }
            },
        )
        .await;
        assert_eq!(ending.expect("no error"), Ending::Done(7));
        assert_eq!(states, ["pending", "running"]);
    }

    #[tokio::test]
    async fn progress_restarts_the_deadline_and_its_end_does_not() {
        let cancel = CancellationToken::new();
        let looks = std::cell::Cell::new(0);
        // Grows for 60 looks, each a pause of up to 2 s after the other, then stands still.
        let ending = wait(
            Polling::seconds(2, 20),
            &cancel,
            |_| {},
            || {
                looks.set(looks.get() + 1);
                let progress = looks.get().min(60);
                async move { pending("pending", progress) }
            },
        );
        let Ending::DeadlinePassed { state, after } = ending.await.expect("no error") else {
            panic!("the deadline must pass");
        };
        assert_eq!(state, "pending");
        assert!(looks.get() > 60, "{}", looks.get());
        assert!(after > seconds(60), "{after:?}");
    }

    #[tokio::test]
    async fn a_hopeless_state_ends_it_with_its_reason() {
        let cancel = CancellationToken::new();
        let ending: Ending<u32> = wait(
            Polling::seconds(5, 600),
            &cancel,
            |_| {},
            || async {
                Ok(Look::Hopeless {
                    state: "failed".to_owned(),
                    reason: Some("no space".to_owned()),
                })
            },
        )
        .await
        .expect("no error");
        assert_eq!(
            ending,
            Ending::Hopeless { state: "failed".to_owned(), reason: Some("no space".to_owned()) }
        );
    }

    #[tokio::test]
    async fn cancellation_ends_a_pause_at_once() {
        let cancel = CancellationToken::new();
        let waiting =
            wait(Polling::seconds(5, 600), &cancel, |_| {}, || async { pending("pending", 0) });
        let (ending, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(seconds(10)).await;
            cancel.cancel();
        });
        assert_eq!(ending.expect("no error"), Ending::Cancelled);
    }

    #[tokio::test]
    async fn trouble_until_the_deadline_is_the_error() {
        let cancel = CancellationToken::new();
        let ended = wait::<u32, _>(
            Polling::seconds(5, 60),
            &cancel,
            |_| {},
            || async { Err(unavailable()) },
        );
        assert_eq!(ended.await.expect_err("unreachable").message, "connection reset");
    }
}
