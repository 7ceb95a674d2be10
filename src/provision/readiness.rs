//! The wait before the first step: a fresh instance can be logged in to while it still sets itself
//! up. Packages installed then fail by locks that others hold, and files are overwritten.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::lines::Lines;
use super::run::RETRY_PAUSE;
use super::{ProvisionError, StepContext};
use crate::communicator::{Chunk, Command, CommunicatorError, sh};
use crate::event::{Fact, Stream};
use crate::template::schema::format_go_duration;

/// Ends when nothing is at work any more; says what is waited for, each line after the mark `$1`.
///
/// cloud-init is done when its result is there. Locks of apt and rpm are seen without being root,
/// in the kernel's list by their inodes; yum and dnf leave their process ids.
const SCRIPT: &str = r#"
init() {
  [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/disabled ] && [ ! -e /run/cloud-init/result.json ] && command -v cloud-init >/dev/null 2>&1;
};
locked() {
  for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock /var/lib/rpm/.rpm.lock; do
    n=$(ls -i "$f" 2>/dev/null) && n=${n%% /*} && n=${n##* } && [ -n "$n" ] && grep -q ":$n " /proc/locks 2>/dev/null && return 0;
  done;
  for f in /run/yum.pid /run/dnf.pid; do
    n=$(cat "$f" 2>/dev/null) && [ -n "$n" ] && [ -d "/proc/$n" ] && return 0;
  done;
  return 1;
};
s=;
while :; do
  if init; then w=cloud-init; elif locked; then w=packages; else break; fi;
  [ "$w" = "$s" ] || { s=$w; echo "$1:wait:$w"; };
  sleep 1;
done;
[ ! -e /run/cloud-init/result.json ] || echo "$1:result:$(tr -d '\n' < /run/cloud-init/result.json)";
exit 0
"#;

/// Waits until cloud-init is done and no package manager is at work. After `limit` a warning is
/// told and the build goes on: it may well succeed.
///
/// # Errors
///
/// When the instance cannot be reached any more.
pub async fn wait_until_ready(
    context: StepContext<'_>,
    limit: Duration,
) -> Result<(), ProvisionError> {
    if limit.is_zero() {
        return Ok(());
    }
    let deadline = Instant::now() + limit;
    let waiting = async {
        loop {
            match timeout_at(deadline, watch(context)).await {
                // cloud-init may restart the machine.
                Ok(Err(error)) if error.may_pass() && Instant::now() + RETRY_PAUSE < deadline => {
                    sleep(RETRY_PAUSE).await;
                }
                // A system without a shell such as this has nothing to wait for.
                Ok(result) => return result.map_err(Into::into),
                Err(_) => {
                    let length = format_go_duration(limit);
                    let text = format!(
                        "the instance is still setting itself up after {length}; the build goes on (`readiness_timeout` says how long to wait)"
                    );
                    context.emitter.emit(Fact::Warning { text }).await;
                    return Ok(());
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ProvisionError::Cancelled),
        result = waiting => result,
    }
}

/// Runs the script and tells what it says.
async fn watch(context: StepContext<'_>) -> Result<(), CommunicatorError> {
    let mark = format!("bake:{:016x}", rand::random::<u64>());
    let command = Command::new(sh(SCRIPT, &[&mark]));
    let (output, chunks) = mpsc::channel(16);
    let (exit, ()) =
        tokio::join!(context.communicator.exec(command, output), tell(context, chunks, &mark));
    exit?.or_lost().map(drop)
}

async fn tell(context: StepContext<'_>, mut chunks: mpsc::Receiver<Chunk>, mark: &str) {
    let mut lines = Lines::default();
    while let Some(chunk) = chunks.recv().await {
        for (stream, line) in lines.push(&chunk) {
            let Some(ours) = line.strip_prefix(mark).filter(|_| stream == Stream::Stdout) else {
                continue;
            };
            let fact = match ours {
                ":wait:cloud-init" => said("Waiting for cloud-init to finish..."),
                ":wait:packages" => said("Waiting for the package manager to finish..."),
                other => match other.strip_prefix(":result:").and_then(complaint) {
                    Some(text) => Fact::Warning { text },
                    None => continue,
                },
            };
            context.emitter.emit(fact).await;
        }
    }
}

fn said(text: &str) -> Fact {
    Fact::ProvisionerSaid { text: text.to_owned() }
}

/// What cloud-init's result says of its errors.
fn complaint(result: &str) -> Option<String> {
    let result: serde_json::Value = serde_json::from_str(result).ok()?;
    let errors = result.get("v1")?.get("errors")?.as_array()?;
    let first = errors.first()?.as_str().unwrap_or("no reason given");
    let more = match errors.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("cloud-init reports an error: {first}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_cloud_init_are_told() {
        let told = |errors: &str| complaint(&format!(r#"{{"v1":{{"errors":[{errors}]}}}}"#));
        assert_eq!(told(""), None);
        assert_eq!(told(r#""no disk""#).unwrap(), "cloud-init reports an error: no disk");
        let two = told(r#""no disk","no net""#).unwrap();
        assert_eq!(two, "cloud-init reports an error: no disk (and 1 more)");
        assert_eq!(complaint("{"), None);
    }
}
