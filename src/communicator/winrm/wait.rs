//! Waiting until an instance gives us a shell.

use std::time::Duration;

use rand::RngExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::shell_id;
use super::client::Client;
use super::envelope::Request;
use super::error::WinRmError;
use super::failure::{Failure, Stage};
use super::job::OPERATION;
use super::options::WinRmOptions;
use crate::communicator::CommunicatorError;

/// The longest pause after a refused log-in: Windows locks an account after ten wrong passwords in
/// as many minutes.
const LONGEST: Duration = Duration::from_secs(120);

/// A shell, as soon as it is possible, and how many attempts it took.
///
/// Each attempt goes all the way: from a connection to a shell. What is refused is tried only a few
/// times, and slowly: the password of a fresh instance is set some time after its service listens.
pub(super) async fn shell(
    client: &Client,
    options: &WinRmOptions,
) -> Result<(String, u32), CommunicatorError> {
    let start = Instant::now();
    let deadline = start + options.timeout;
    let mut story = Story::default();
    loop {
        story.attempts += 1;
        let failure = match timeout_at(deadline, attempt(client)).await {
            Ok(Ok(shell)) => return Ok((shell, story.attempts)),
            Ok(Err(failure)) => failure,
            Err(_) => {
                story.furthest.get_or_insert_with(|| Failure::new(Stage::Tcp, "no answer"));
                return Err(story.end(options, client, start.elapsed()));
            }
        };
        tracing::debug!(?failure, attempt = story.attempts, "no shell yet");
        let over = story.note(failure, options.refusals);
        let pause = story.pause(options);
        if over || Instant::now() + pause >= deadline {
            return Err(story.end(options, client, start.elapsed()));
        }
        sleep(pause).await;
    }
}

async fn attempt(client: &Client) -> Result<String, Failure> {
    let answer = client.call(&Request::Create, OPERATION).await?;
    shell_id(&answer).ok_or_else(|| Failure::nonsense("it names no shell"))
}

/// What happened so far.
#[derive(Default)]
struct Story {
    attempts: u32,
    refusals: u32,
    furthest: Option<Failure>,
    /// Whether the last attempt was refused.
    refused: bool,
}

impl Story {
    /// Notes a failure; whether another attempt makes no sense.
    fn note(&mut self, failure: Failure, allowed: u32) -> bool {
        self.refused = failure.refused;
        self.refusals += u32::from(failure.refused);
        let fatal = failure.fatal;
        // The stage that never worked is the one to tell about, with its latest words.
        if fatal || self.furthest.as_ref().is_none_or(|known| known.stage <= failure.stage) {
            self.furthest = Some(failure);
        }
        fatal || (self.refused && self.refusals >= allowed)
    }

    /// Time until the next attempt, with a quarter of jitter.
    fn pause(&self, options: &WinRmOptions) -> Duration {
        let failed = options.pace.failed;
        let pause = if self.refused {
            let doublings = self.refusals.saturating_sub(1).min(10);
            (options.refusal_pause * (1 << doublings)).min(LONGEST)
        } else {
            failed.min(failed / 8 * self.attempts)
        };
        pause.mul_f64(rand::rng().random_range(1.0..=1.25))
    }

    fn end(self, options: &WinRmOptions, client: &Client, elapsed: Duration) -> CommunicatorError {
        let failure = self.furthest.unwrap_or_else(|| Failure::new(Stage::Tcp, "no answer"));
        Box::new(WinRmError {
            address: client.address(),
            stage: failure.stage,
            last: failure.text,
            attempts: self.attempts,
            elapsed,
            username: options.username.clone(),
            offered: failure.offered,
            through_session: options.dial.is_some(),
            tls: options.tls,
        })
        .into()
    }
}
