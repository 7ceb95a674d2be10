//! One script by Run Command, from sending it to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::commands::{Document, Invocation, RunCommand, SendCommand};
use super::pace::Pauses;
use super::sessions::{SessionError, SessionErrorKind};

/// How often to look, and how long to be patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTiming {
    /// The first pause between two looks.
    pub first: Duration,
    /// The longest.
    pub cap: Duration,
    /// How long the service may not know a command that it has accepted.
    pub unknown: Duration,
    /// How long the agent has to fetch a command.
    pub delivery: Duration,
}

impl Default for CommandTiming {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            unknown: Duration::from_secs(30),
            delivery: Duration::from_secs(60),
        }
    }
}

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its own exit code.
    pub(super) code: i32,
    /// The head of its output.
    pub(super) stdout: String,
    /// The head of its errors.
    pub(super) stderr: String,
}

/// Says the script's exit code after its output.
const MARK: &str = "bake-exit-code=";

/// The script with its exit code told in its output: the agent takes 194 for a wish to restart the
/// machine and calls 137 a timeout.
fn wrapped(document: Document, script: &str) -> String {
    match document {
        Document::Shell => {
            format!("(\n{script}\n)\nprintf '\\n{MARK}%s\\n' \"$?\"\nexit 0\n")
        }
        Document::PowerShell => format!(
            "$code = 0\ntry {{ & {{\n{script}\n}} }} catch {{ \"$_\"; $code = 1 }}\n\"`n{MARK}$code\"\nexit 0\n"
        ),
    }
}

/// Runs a script and waits for its end; dropping the future cancels it. Its output must be short:
/// what is beyond 24,000 characters is cut off by the service.
pub(super) async fn invoke(
    commands: &Arc<dyn RunCommand>,
    instance: &str,
    document: Document,
    script: &str,
    execution: Duration,
    timing: CommandTiming,
) -> Result<Ended, SessionError> {
    let command = SendCommand {
        instance: instance.to_owned(),
        document,
        script: wrapped(document, script),
        delivery: timing.delivery,
        execution,
        comment: "bake".to_owned(),
    };
    let id = commands.send(command).await?;
    let mut cancel =
        Cancel { commands: commands.clone(), id, instance: instance.to_owned(), armed: true };
    let sent = Instant::now();
    let mut pauses = Pauses::new(timing.first, timing.cap);
    let limit = timing.delivery + execution + Duration::from_secs(60);
    loop {
        sleep(pauses.next()).await;
        let looked = commands.invocation(cancel.id.clone(), cancel.instance.clone()).await;
        match looked {
            Ok(Some(invocation)) => {
                if let Some(outcome) = outcome(&invocation) {
                    cancel.armed = false;
                    return outcome;
                }
            }
            Ok(None) if sent.elapsed() > timing.unknown => {
                return Err(transient("the service does not know the command that it accepted"));
            }
            Ok(None) => {}
            Err(error) if error.kind == SessionErrorKind::Transient => {}
            Err(error) => return Err(error),
        }
        if sent.elapsed() > limit {
            return Err(transient("the command has not ended in time"));
        }
    }
}

/// What an invocation came to; `None` when it goes on.
fn outcome(invocation: &Invocation) -> Option<Result<Ended, SessionError>> {
    let ended = |code, stdout: &str| Ended {
        code,
        stdout: stdout.to_owned(),
        stderr: invocation.stderr.clone(),
    };
    match invocation.status.as_str() {
        "Pending" | "InProgress" | "Delayed" | "Cancelling" => return None,
        _ => {}
    }
    if let Some((stdout, code)) = invocation.stdout.rsplit_once(MARK)
        && let Ok(code) = code.trim().parse()
    {
        let stdout = stdout.strip_suffix('\n').unwrap_or(stdout);
        return Some(Ok(ended(code, stdout)));
    }
    let details: String = invocation
        .details
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect();
    Some(match details.as_str() {
        "deliverytimedout" | "undeliverable" => {
            Err(transient("the agent did not fetch the command"))
        }
        "terminated" => Err(transient("the agent ended before the command did")),
        "executiontimedout" => Err(fatal("the command took too long and was killed")),
        "cancelled" => Err(fatal("the command was cancelled")),
        // The mark was cut off with the end of a long output.
        _ if invocation.status == "Success" => Ok(ended(0, &invocation.stdout)),
        // The wrapped script itself ends with 0: somebody killed it, such as a restart.
        _ if invocation.exit_code > 128 => Err(transient("the command was killed")),
        _ if invocation.exit_code > 0 => Ok(ended(invocation.exit_code, &invocation.stdout)),
        _ => Err(transient(&format!(
            "the command ended as `{}` without having run",
            invocation.details
        ))),
    })
}

fn transient(message: &str) -> SessionError {
    SessionError::new(SessionErrorKind::Transient, message)
}

fn fatal(message: &str) -> SessionError {
    SessionError::new(SessionErrorKind::Fatal, message)
}

/// Cancels a command that nobody waits for any more.
struct Cancel {
    commands: Arc<dyn RunCommand>,
    id: String,
    instance: String,
    armed: bool,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let (commands, id, instance) =
            (self.commands.clone(), self.id.clone(), self.instance.clone());
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            drop(runtime.spawn(async move { commands.cancel(id, instance).await }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(status: &str, details: &str, exit_code: i32, stdout: &str) -> Invocation {
        Invocation {
            status: status.to_owned(),
            details: details.to_owned(),
            exit_code,
            stdout: stdout.to_owned(),
            stderr: "err".to_owned(),
        }
    }

    fn code(status: &str, details: &str, exit_code: i32, stdout: &str) -> Result<i32, String> {
        let outcome = outcome(&invocation(status, details, exit_code, stdout)).unwrap();
        outcome.map(|ended| ended.code).map_err(|error| error.to_string())
    }

    #[test]
    fn what_goes_on_is_waited_for() {
        for status in ["Pending", "InProgress", "Delayed", "Cancelling"] {
            assert_eq!(outcome(&invocation(status, status, -1, "")), None);
        }
    }

    #[test]
    fn the_scripts_own_code_arrives_whatever_the_agent_makes_of_it() {
        for expected in [0, 1, 137, 194] {
            let stdout = format!("hello\n\nbake-exit-code={expected}\n");
            let found = outcome(&invocation("Success", "Success", 0, &stdout)).unwrap().unwrap();
            assert_eq!(found.code, expected);
            assert_eq!(found.stdout, "hello\n");
        }
        // A script may print the mark itself; the last one counts.
        let twice = "bake-exit-code=0\n\nbake-exit-code=3\n";
        assert_eq!(code("Success", "Success", 0, twice), Ok(3));
    }

    #[test]
    fn endings_without_a_code_are_told_apart() {
        assert_eq!(
            code("TimedOut", "Delivery Timed Out", -1, ""),
            Err("the agent did not fetch the command".to_owned())
        );
        assert_eq!(
            code("TimedOut", "ExecutionTimedOut", -1, ""),
            Err("the command took too long and was killed".to_owned())
        );
        assert_eq!(
            code("Cancelled", "Cancelled", -1, ""),
            Err("the command was cancelled".to_owned())
        );
        assert_eq!(code("Success", "Success", 0, "cut off"), Ok(0));
        assert_eq!(code("Failed", "Failed", 127, ""), Ok(127));
        assert_eq!(
            code("Failed", "Failed", 137, ""),
            Err("the command was killed".to_owned()),
            "by a restart"
        );
        assert!(code("Failed", "Failed", -1, "").is_err());
    }

    #[test]
    fn a_wrapped_script_says_its_code_in_a_real_shell() {
        for (script, expected) in
            [("exit 194", 194), ("kill -9 $$", 137), ("true", 0), ("false # x", 1)]
        {
            // A subshell's `$$` is its parent's.
            let script = script.replace("$$", "$(exec sh -c 'echo $PPID')");
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(wrapped(Document::Shell, &script))
                .output();
            let output = output.unwrap();
            let stdout = String::from_utf8(output.stdout).unwrap();
            assert_eq!(code("Success", "Success", 0, &stdout), Ok(expected), "{script}");
        }
    }
}
