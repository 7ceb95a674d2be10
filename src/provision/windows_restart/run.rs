//! Running a `windows-restart` step.
//!
//! That an instance answers does not mean that it has restarted: it answers for a while after it
//! was told to. So what counts is when Windows was started, which it says itself.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::options::WindowsRestartOptions;
use crate::communicator::ask;
use crate::communicator::{Command, CommunicatorError, Exit};
use crate::event::{Fact, Stream};
use crate::provision::output::execute;
use crate::provision::windows::literal;
use crate::provision::{ProvisionError, StepRun};

/// Between two looks at an instance that restarts; tests have no time.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 5000 });

/// How long one look may take: a host that goes down may never answer.
const LOOK: Duration = Duration::from_secs(30);

/// `ERROR_SHUTDOWN_IN_PROGRESS` and `ERROR_SHUTDOWN_IS_SCHEDULED`: the restart has begun.
const SHUTTING_DOWN: [u32; 2] = [1115, 1190];

/// Prints when Windows was started, in units of 100 ns.
const STARTED: &str = "powershell -NoProfile -Command \"(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks\"";

/// What the clock may be set right by while Windows runs: its start moves with it. In units of
/// 100 ns.
const DRIFT: u64 = 5 * 10_000_000;

/// Succeeds while no restart is under way, and then asks for one, far enough off to be called off.
/// For systems that do not say when they were started.
const TRY: &str = "shutdown /r /f /t 60 /c \"packer restart test\"";

/// Calls that off.
const CALL_OFF: &str = "shutdown /a";

/// Succeeds once PowerShell works.
const CHECK: &str = "powershell -NoProfile -Command \"Write-Output ([System.Net.Dns]::GetHostName() + ' restarted.')\"";

/// Restarts the instance and waits until it is back.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let schema = WindowsRestartOptions::schema();
        let decoded = step
            .planned
            .component
            .decode(Some(step.context.data), schema, WindowsRestartOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let options = decoded.options;
        let before = started(step).await.unwrap_or_default();
        match execute(step, Command::new(&options.restart_command)).await? {
            Exit::Code(0) | Exit::Disconnected { .. } => {}
            Exit::Code(status) if SHUTTING_DOWN.contains(&status) => {}
            Exit::Code(status) => {
                return Err(ProvisionError::Unable {
                    text: format!("the restart command exited with status {status}"),
                    help: "run `restart_command` by hand on an instance of the source image".into(),
                });
            }
            Exit::Signal(signal) => return Err(ProvisionError::Killed { signal }),
        }
        let deadline = Instant::now() + options.restart_timeout;
        step.say("Waiting for machine to restart...").await;
        let command = options.restart_check_command.as_deref().filter(|text| !text.is_empty());
        let mut signs = vec![Sign::Start { before }, Sign::Check(command.unwrap_or(CHECK))];
        let keys: Vec<_> = options.registry_keys.iter().map(|key| literal(key)).collect();
        let registry =
            format!("powershell -NoProfile -Command \"Test-Path -Path {}\"", keys.join(", "));
        if options.check_registry && !keys.is_empty() {
            signs.push(Sign::Registry(&registry));
        }
        for sign in signs {
            wait_for(step, &sign, deadline).await?;
        }
        step.say("Machine successfully restarted, moving on").await;
        Ok(())
    }
    .boxed()
}

/// What shows that the instance is back.
enum Sign<'a> {
    /// That it has started anew, after the start that was there before as far as it is known.
    Start { before: Option<u64> },
    /// That this command succeeds.
    Check(&'a str),
    /// That none of the keys that this command looks for is there.
    Registry(&'a str),
}

impl Sign<'_> {
    /// Whether it is there.
    async fn is_seen(&self, step: &StepRun<'_>) -> Result<bool, CommunicatorError> {
        match self {
            Self::Start { before: Some(before) } => {
                Ok(started(step).await?.is_some_and(|now| now > before + DRIFT))
            }
            Self::Start { before: None } => tried(step).await,
            Self::Check(command) => {
                let (exit, said) = ask_once(step, command).await?;
                let done = exit == Exit::Code(0);
                for line in said.lines().filter(|line| done && !line.trim().is_empty()) {
                    let line = line.trim_end().to_owned();
                    step.context.emitter.emit(Fact::Output { stream: Stream::Stdout, line }).await;
                }
                Ok(done)
            }
            Self::Registry(command) => {
                let (exit, said) = ask_once(step, command).await?;
                Ok(exit == Exit::Code(0) && !said.lines().any(|line| line.trim() == "True"))
            }
        }
    }

    /// What the instance is like without it.
    fn otherwise(&self) -> &'static str {
        match self {
            Self::Start { .. } => "it still runs as before",
            Self::Check(_) => "its check does not succeed",
            Self::Registry(_) => "its registry says that it has to restart",
        }
    }
}

/// Looks again and again until a sign is there.
async fn wait_for(
    step: &StepRun<'_>,
    sign: &Sign<'_>,
    deadline: Instant,
) -> Result<(), ProvisionError> {
    loop {
        let reason = match timeout_at(deadline, timeout(LOOK, sign.is_seen(step))).await {
            Ok(Ok(Ok(true))) => return Ok(()),
            Ok(Ok(Ok(false))) => sign.otherwise().to_owned(),
            Ok(Ok(Err(error))) if error.may_pass() => error.to_string(),
            Ok(Ok(Err(error))) => return Err(error.into()),
            Ok(Err(_)) | Err(_) => "it does not answer".to_owned(),
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(ProvisionError::Restart { reason });
        }
        tracing::debug!(%reason, "the instance still restarts");
        sleep(PAUSE).await;
    }
}

/// When Windows was started, if it says so.
async fn started(step: &StepRun<'_>) -> Result<Option<u64>, CommunicatorError> {
    let (exit, said) = ask_once(step, STARTED).await?;
    Ok(said
        .lines()
        .rev()
        .find_map(|line| line.trim().parse().ok())
        .filter(|_| exit == Exit::Code(0)))
}

/// Whether another restart could be asked for, which means that the last one is over.
async fn tried(step: &StepRun<'_>) -> Result<bool, CommunicatorError> {
    if ask_once(step, TRY).await?.0 != Exit::Code(0) {
        return Ok(false);
    }
    ask_once(step, CALL_OFF).await?;
    Ok(true)
}

/// Asks; a connection that is lost meanwhile is an error that may pass.
async fn ask_once(step: &StepRun<'_>, command: &str) -> Result<(Exit, String), CommunicatorError> {
    let answer = ask(step.context.communicator, Command::new(command)).await?;
    Ok((answer.exit.or_lost()?, answer.stdout))
}
