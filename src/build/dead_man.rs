//! The dead-man switch: an instance powers itself off when its build is dead.
//!
//! A timer in the guest runs out after the run's lifetime, and instances are launched so that they
//! are terminated when they power themselves off. User data starts it at boot; after each
//! connect it is started over the communicator, and again as long as the build lives. It is
//! made of a transient unit or a process, and of a file in `/run`: none of it is in the image.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::aws::time::seconds;
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Download, DownloadReport, Exit, Upload,
    UploadReport, ask, one_line, sh,
};
use crate::event::{Emitter, Fact};

/// The name of the timer, by which everything of it is known.
const NAME: &str = "bake-dead-man";

/// Starts the timer, and ends one that runs; takes seconds. Where systemd runs, it is a transient
/// unit; elsewhere a process of its own. `sleep` that is killed powers nothing off, nor does a
/// process that is not the one in the file: user data and the communicator may start one each.
///
/// The process has to be in its session before this ends: `sudo` hangs up on what is left of its
/// terminal's.
const ARM: &str = r#"
s=$1; n=bake-dead-man; PATH=$PATH:/usr/sbin:/sbin; export PATH;
d=/run; [ -d "$d" ] || d=/var/run; p=$d/$n.pid;
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then
  systemctl stop "$n.timer" >/dev/null 2>&1;
  systemctl reset-failed "$n.timer" "$n.service" >/dev/null 2>&1;
  systemd-run --unit="$n" --on-active="$s" --timer-property=AccuracySec=1s /bin/sh -c "poweroff || systemctl poweroff" >/dev/null 2>&1 && { rm -f "$p"; exit 0; };
fi;
if [ -s "$p" ]; then kill -TERM "-$(cat "$p")" 2>/dev/null; fi;
rm -f "$p";
x=nohup; if command -v setsid >/dev/null 2>&1; then x=setsid; fi;
$x sh -c 'echo $$ > "$2"; sleep "$1" && [ "$(cat "$2")" = $$ ] && { poweroff || shutdown -h now; }' "$n" "$s" "$p" </dev/null >/dev/null 2>&1 &
i=0; while [ ! -s "$p" ] && [ "$i" -lt 50 ]; do i=$((i+1)); sleep 0.1 2>/dev/null || sleep 1; done;
[ -s "$p" ]
"#;

/// Removes what cloud-init keeps of user data with the timer in it.
const FORGET: &str = r#"
grep -rlF bake-dead-man /var/lib/cloud/instances 2>/dev/null | while IFS= read -r f; do rm -f -- "$f"; done; true
"#;

/// Runs a script (`$2`) with an argument (`$1`) as root.
const AS_ROOT: &str = r#"
if [ "$(id -u)" -eq 0 ]; then exec sh -c "$2" sh "$1"; fi;
if command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then exec sudo -n sh -c "$2" sh "$1"; fi;
exit 3
"#;

/// The status of [`AS_ROOT`] that says that there are no rights.
const NOT_ROOT: u32 = 3;

/// What Windows does: the process is nobody's child, so that it outlives the connection, and no
/// shutdown is pending, which would be in the way of every other one.
const ARM_WINDOWS: &str = r"
Get-CimInstance Win32_Process -Filter 'CommandLine LIKE ''%bake-dead-man%''' | Invoke-CimMethod -MethodName Terminate | Out-Null
$line = 'powershell -NoProfile -NonInteractive -Command Start-Sleep -Seconds SECONDS; shutdown.exe /s /f /t 0; ''bake-dead-man'''
$made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = $line }
exit $made.ReturnValue
";

/// How long starting it may take.
const PATIENCE: Duration = seconds(30);

/// The longest user data that EC2 takes, before it is encoded.
const LONGEST_USER_DATA: usize = 16 << 10;

/// Systems that take user data for something else than a script, and do not boot with one: known
/// by the names of their images.
const OTHER_USER_DATA: &[&str] =
    &["bottlerocket", "coreos", "rhcos", "talos", "flatcar", "windows"];

/// What an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Something with a `sh`.
    Unix,
    /// Windows.
    Windows,
}

/// User data that starts the timer and does what `own` does; `None` when that is not safe, and the
/// template's own has to stay as it is. It is the same for every run with that lifetime.
pub(super) fn user_data(
    own: Option<&[u8]>,
    image_name: &str,
    lifetime: Duration,
) -> Option<Vec<u8>> {
    let image_name = image_name.to_lowercase();
    if OTHER_USER_DATA.iter().any(|name| image_name.contains(name)) {
        return None;
    }
    let arm = format!(
        "(set -- {}; {}) </dev/null >/dev/null 2>&1 || :",
        lifetime.as_secs().max(1),
        one_line(ARM)
    );
    let text = match own {
        None => format!("#!/bin/sh\n# {NAME}: ends an instance whose build is dead.\n{arm}\n"),
        Some(own) => {
            let own = std::str::from_utf8(own).ok()?;
            let (first, rest) = own.split_once('\n')?;
            // A line more would be in the way of a script that reads itself.
            if !is_plain_shell(first) || rest.contains("$0") || rest.contains("BASH_SOURCE") {
                return None;
            }
            format!("{first}\n{arm}\n{rest}")
        }
    };
    (text.len() <= LONGEST_USER_DATA).then(|| text.into_bytes())
}

/// Whether the first line of a script is that of a shell that reads what `sh` reads.
fn is_plain_shell(line: &str) -> bool {
    let Some(words) = line.trim_end_matches('\r').strip_prefix("#!") else { return false };
    let mut words = words.split_whitespace();
    let mut program = words.next().unwrap_or_default();
    if program == "/usr/bin/env" {
        program = words.next().unwrap_or_default();
    }
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "dash") && !line.ends_with('\r')
}

/// Takes the timer out of what cloud-init keeps. Whoever has no rights for it cannot read it
/// either, so nothing is said of that.
///
/// # Errors
/// When the command cannot be run.
pub(super) async fn forget(communicator: &dyn Communicator) -> Result<(), CommunicatorError> {
    let line = sh(AS_ROOT, &["", &one_line(FORGET)]);
    ask(communicator, Command::new(line)).await.map(drop)
}

/// A way to an instance that starts the timer after each connect, before anything else.
pub(super) struct Guarded {
    inner: Arc<dyn Communicator>,
    system: System,
    lifetime: Duration,
    events: Emitter,
    /// Whether it runs, as far as is known: a restart of the instance ends it.
    armed: AtomicBool,
    failures: AtomicU32,
}

impl Guarded {
    pub(super) fn new(
        inner: Arc<dyn Communicator>,
        system: System,
        lifetime: Duration,
        events: Emitter,
    ) -> Self {
        let (armed, failures) = (AtomicBool::new(false), AtomicU32::new(0));
        Self { inner, system, lifetime, events, armed, failures }
    }

    /// Starts the timer, or starts it anew. Whoever cannot is told so once, and the build goes on.
    pub(super) async fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
        let line = command(self.system, self.lifetime);
        let reason = match timeout(PATIENCE, ask(&*self.inner, Command::new(line))).await {
            Ok(Ok(answer)) => match answer.exit {
                Exit::Code(0) => return,
                Exit::Code(NOT_ROOT) if self.system == System::Unix => {
                    "the login user has no `sudo` without a password".to_owned()
                }
                // What is run next says it, or connects again.
                Exit::Disconnected { .. } => return self.disarmed(),
                _ => answer.complaint().unwrap_or_default(),
            },
            Ok(Err(_)) => return self.disarmed(),
            Err(_) => "the instance does not answer".to_owned(),
        };
        // While it sets itself up, the user may not have its rights yet.
        match self.failures.fetch_add(1, Ordering::Relaxed) {
            0 => self.disarmed(),
            1 => {
                let text = format!(
                    "the instance may not end by itself if this process is killed: its timer cannot be started: {reason}"
                );
                self.events.emit(Fact::Warning { text }).await;
            }
            _ => {}
        }
    }

    /// Whether there is a `sh`.
    pub(super) fn is_unix(&self) -> bool {
        self.system == System::Unix
    }

    fn disarmed(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }

    async fn armed(&self) {
        if !self.armed.load(Ordering::Relaxed) {
            self.arm().await;
        }
    }

    /// Takes note of what a lost connection may mean: that the instance has restarted.
    fn noted<T>(&self, result: Result<T, CommunicatorError>) -> Result<T, CommunicatorError> {
        if result.is_err() {
            self.disarmed();
        }
        result
    }
}

impl Communicator for Guarded {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            self.armed().await;
            let exit = self.noted(self.inner.exec(command, output).await);
            if let Ok(Exit::Disconnected { .. }) = exit {
                self.disarmed();
            }
            exit
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async move {
            self.armed().await;
            self.noted(self.inner.upload(upload, progress).await)
        }
        .boxed()
    }

    fn download<'a>(
        &'a self,
        download: &'a Download,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        async move {
            self.armed().await;
            self.noted(self.inner.download(download, progress).await)
        }
        .boxed()
    }

    fn uses_pty(&self) -> bool {
        self.inner.uses_pty()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        self.inner.disconnect()
    }
}

/// The command that starts the timer.
fn command(system: System, lifetime: Duration) -> String {
    let seconds = lifetime.as_secs().max(1).to_string();
    match system {
        System::Unix => sh(AS_ROOT, &[&seconds, &one_line(ARM)]),
        System::Windows => {
            let script = ARM_WINDOWS.trim().replace("SECONDS", &seconds);
            let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let encoded = BASE64_STANDARD.encode(bytes);
            format!("powershell -NoProfile -NonInteractive -EncodedCommand {encoded}")
        }
    }
}

#[cfg(test)]
mod systemd_tests;
#[cfg(test)]
mod tests;
