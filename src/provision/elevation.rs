//! Steps on Windows that run as another user, with all rights: as a scheduled task, for which
//! Windows asks nobody and needs no session.

use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::windows::{FOLDER, literal};
use crate::template::schema::{Deferred, Secret};

/// A password is of no use without a user.
pub(super) fn check(planner: &mut Planner<'_>, user: &Option<Deferred>, password: &Option<Secret>) {
    planner.check_fields("elevated_user", &[]);
    let user = user.as_ref().is_some_and(|user| !user.text().is_empty());
    let password = password.as_ref().is_some_and(|password| !password.reveal().is_empty());
    if password && !user {
        let text = "`elevated_password` is given without `elevated_user`";
        planner.error("elevated_password", Diagnostic::error("missing-option", text));
    }
}

/// `TASK_LOGON_PASSWORD`.
const LOGON_PASSWORD: u32 = 1;

/// `TASK_LOGON_SERVICE_ACCOUNT`: SYSTEM and its like, which have no password.
const LOGON_SERVICE: u32 = 5;

/// Registers the task, runs it, passes its output on, and removes what it has made, itself too: it
/// holds a password. `267009` is `SCHED_S_TASK_RUNNING`, `267011` `SCHED_S_TASK_HAS_NOT_RUN`; the
/// states 2 and 4 are queued and running.
const SCRIPT: &str = r"$name = NAME
$log = Join-Path $env:SystemRoot 'Temp\LOG'
$status = 1
$reader = $null
function Show-Log {
  if (-not $script:reader) {
    if (-not (Test-Path -LiteralPath $log)) { return }
    $stream = [IO.File]::Open($log, 'Open', 'Read', 'ReadWrite')
    $script:reader = New-Object IO.StreamReader($stream, [Console]::OutputEncoding)
  }
  [Console]::Out.Write($script:reader.ReadToEnd())
}
try {
  $service = New-Object -ComObject 'Schedule.Service'
  $service.Connect()
  $definition = $service.NewTask(0)
  $definition.RegistrationInfo.Description = 'A step of an image build'
  $definition.Principal.RunLevel = 1
  $definition.Settings.ExecutionTimeLimit = 'PT0S'
  $definition.Settings.DisallowStartIfOnBatteries = $false
  $definition.Settings.StopIfGoingOnBatteries = $false
  $definition.Settings.Priority = 4
  $action = $definition.Actions.Create(0)
  $action.Path = 'cmd.exe'
  $action.Arguments = ARGUMENTS
  $folder = $service.GetFolder('\')
  $task = $folder.RegisterTaskDefinition($name, $definition, 6, USER, PASSWORD, LOGON)
  try {
    [void]$task.Run($null)
    $start = Get-Date
    do {
      Start-Sleep -Milliseconds 100
      Show-Log
      $result = $task.LastTaskResult
      $fresh = $result -eq 267011 -and ((Get-Date) - $start).TotalSeconds -lt 60
    } while ($task.State -eq 2 -or $task.State -eq 4 -or $result -eq 267009 -or $fresh)
    Show-Log
    if ($result -eq 267011) { throw 'the scheduled task did not start' }
    $status = $result
  } finally {
    $folder.DeleteTask($name, 0)
  }
} catch {
  [Console]::Error.WriteLine($_.ToString())
} finally {
  if ($reader) { $reader.Close() }
  Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath $log, OWN
}
exit $status
";

/// A step as another user.
pub(super) struct Elevated {
    /// Where the script goes that makes the task.
    pub(super) path: String,
    /// The script.
    pub(super) text: String,
    /// What runs it.
    pub(super) command: String,
}

impl Elevated {
    /// Has `command` run by `user`; without a password that is an account of a service, such as
    /// `SYSTEM`.
    pub(super) fn new(command: &str, user: &str, password: Option<&Secret>) -> Self {
        let id = uuid::Uuid::new_v4();
        let path = format!("{FOLDER}/packer-elevated-shell-{id}.ps1");
        let log = format!("packer-{id}.out");
        // `cmd.exe` takes the outer quotes away and leaves those within alone.
        let arguments = format!("/c \"{command} > %SYSTEMROOT%\\Temp\\{log} 2>&1\"");
        let password = password.filter(|password| !password.reveal().is_empty());
        let (word, logon) = match password {
            Some(password) => (literal(password.reveal()), LOGON_PASSWORD),
            None => ("$null".to_owned(), LOGON_SERVICE),
        };
        // One after the other over what is left: a value may hold the name of another.
        let mut text = String::new();
        let mut rest = SCRIPT;
        for (name, value) in [
            ("NAME", literal(&format!("packer-{id}"))),
            ("LOG", log),
            ("ARGUMENTS", literal(&arguments)),
            ("USER", literal(user)),
            ("PASSWORD", word),
            ("LOGON", logon.to_string()),
            ("OWN", literal(&path)),
        ] {
            let (before, after) = rest.split_once(name).unwrap_or((rest, ""));
            text.push_str(before);
            text.push_str(&value);
            rest = after;
        }
        text.push_str(rest);
        let command = format!("powershell -executionpolicy bypass -file \"{path}\"");
        Self { path, text, command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_belong() {
        let elevated = Elevated::new("x 'USER' LOG", "PASSWORD", Some(&Secret::new("a'LOGON")));
        assert!(elevated.text.contains("6, 'PASSWORD', 'a''LOGON', 1)"), "{}", elevated.text);
        assert!(elevated.text.contains(r#"= '/c "x ''USER'' LOG > %SYSTEMROOT%\Temp\packer-"#));
        assert!(elevated.text.contains(&format!("$log, '{}'", elevated.path)));
        let service = Elevated::new("x", "SYSTEM", Some(&Secret::new("")));
        assert!(service.text.contains("6, 'SYSTEM', $null, 5)"), "{}", service.text);
    }
}
