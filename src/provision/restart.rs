//! Instances that restart in the middle of a build.
//!
//! An instance that was told to restart can often still be reached for a moment. A step that runs
//! in that moment is killed, and one that waits for a lost connection may wait for ever. So what
//! counts is the id that the kernel gives to each start: as long as it is the old one and the
//! system is going down, the restart is still to come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{ProvisionError, StepRun};
use crate::communicator::{Command, CommunicatorError, ask, sh};

/// Between two looks at an instance that restarts.
const PAUSE: Duration = Duration::from_millis(500);

/// Says the id of the start, and whether the system is going down: with systemd its state, before
/// that the run level. `$1` marks our lines, as a login shell may say things of its own.
const SCRIPT: &str = r#"
b=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime 2>/dev/null);
echo "$1:boot:$b";
if [ "$(systemctl is-system-running 2>/dev/null)" = stopping ] || [ -e /run/systemd/shutdown/scheduled ]; then echo "$1:stopping"; fi;
case $(runlevel 2>/dev/null) in *" 0"|*" 6") echo "$1:stopping" ;; esac;
exit 0
"#;

/// What an instance says about its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Boot {
    /// Different after each start; empty where the system has no such thing.
    id: String,
    /// Whether the system is on its way down.
    stopping: bool,
}

/// Asks the instance about its start.
pub(super) async fn look(step: &StepRun<'_>) -> Result<Boot, CommunicatorError> {
    let mark = format!("bake:{:016x}", rand::random::<u64>());
    let answer = ask(step.context.communicator, Command::new(sh(SCRIPT, &[&mark]))).await?;
    answer.exit.or_lost()?;
    Ok(Boot::parse(&answer.stdout, &mark))
}

impl Boot {
    fn parse(answer: &str, mark: &str) -> Self {
        let mut boot = Self::default();
        // A terminal ends lines with a carriage return, too.
        let ours = answer.lines().filter_map(|line| line.trim_end().strip_prefix(mark));
        for line in ours {
            if let Some(id) = line.strip_prefix(":boot:") {
                boot.id = id.to_owned();
            } else if line == ":stopping" {
                boot.stopping = true;
            }
        }
        boot
    }

    /// Whether this is still the start that `before` was, and the system is about to leave it.
    fn is_before_restart(&self, before: &Self) -> bool {
        self.stopping && self.id == before.id
    }
}

/// Waits until the instance can be used again after a step that may have restarted it; tells
/// whether it did.
///
/// The same start after a lost connection is fine: the step restarted the SSH server.
pub(super) async fn settle(
    step: &StepRun<'_>,
    before: &Boot,
    deadline: Instant,
) -> Result<(), ProvisionError> {
    let mut told = false;
    loop {
        let reason = match timeout_at(deadline, look(step)).await {
            Ok(Ok(now)) if now.is_before_restart(before) => {
                "it is going down and does not end".to_owned()
            }
            Ok(Ok(now)) => {
                if now.id != before.id && !before.id.is_empty() {
                    step.say("The instance has restarted.").await;
                }
                return Ok(());
            }
            Ok(Err(error)) if error.may_pass() => error.to_string(),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => "it did not come back in time".to_owned(),
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(ProvisionError::Restart { reason });
        }
        if !told {
            step.say("Waiting for the instance to restart...").await;
            told = true;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(id: &str, stopping: bool) -> Boot {
        Boot { id: id.to_owned(), stopping }
    }

    #[test]
    fn only_marked_lines_count() {
        let answer = "Welcome!\nbake:1:boot:abc\r\nbake:2:stopping\n";
        assert_eq!(Boot::parse(answer, "bake:1"), boot("abc", false));
        let answer = "bake:1:boot:abc\nbake:1:stopping\nbake:1:stopping\n";
        assert_eq!(Boot::parse(answer, "bake:1"), boot("abc", true));
        assert_eq!(Boot::parse("", "bake:1"), Boot::default());
    }

    #[test]
    fn a_restart_is_over_when_the_id_has_changed() {
        let before = boot("a", false);
        assert!(boot("a", true).is_before_restart(&before));
        assert!(!boot("a", false).is_before_restart(&before));
        // The next shutdown is not the one that was waited for.
        assert!(!boot("b", true).is_before_restart(&before));
    }
}
