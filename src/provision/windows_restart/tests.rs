//! `windows-restart` steps against an instance that answers as it is told to.

use insta::assert_snapshot;
use tokio_util::sync::CancellationToken;

use crate::communicator::{CommunicatorError, Exit};
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, lines, plan_steps, run_all, said, story};

const BEFORE: &str = "638000000000000000\r\n";
/// The same start after the clock was set right.
const DRIFTED: &str = "638000000010000000\r\n";
const AFTER: &str = "638000009000000000\r\n";

async fn run(local: &Local, body: &str) -> (Result<(), ProvisionError>, Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("provisioner \"windows-restart\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let (result, told) = run_all(&plan, local, &CancellationToken::new()).await;
    (result, said(&told), lines(&told))
}

#[tokio::test]
async fn it_waits_until_windows_has_started_anew() {
    let local = Local::printing(&[
        (0, BEFORE),
        (1190, ""),
        (0, BEFORE),
        (0, DRIFTED),
        (0, AFTER),
        (1, "not yet"),
        (0, "web1 restarted.\r\n"),
    ]);
    let (result, said, printed) = run(&local, "").await;
    result.unwrap();
    assert_snapshot!(story(&local), @r#"
    run powershell -NoProfile -Command "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks"
    run shutdown /r /f /t 0 /c "packer restart"
    run powershell -NoProfile -Command "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks"
    run powershell -NoProfile -Command "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks"
    run powershell -NoProfile -Command "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks"
    run powershell -NoProfile -Command "Write-Output ([System.Net.Dns]::GetHostName() + ' restarted.')"
    run powershell -NoProfile -Command "Write-Output ([System.Net.Dns]::GetHostName() + ' restarted.')"
    "#);
    assert_eq!(
        said,
        [
            "Restarting Machine",
            "Waiting for machine to restart...",
            "Machine successfully restarted, moving on"
        ]
    );
    assert_eq!(printed, ["web1 restarted."]);
}

#[tokio::test]
async fn connections_may_be_lost_meanwhile() {
    let lost = || CommunicatorError::Lost { address: "i-1".into(), reason: "reset".into() };
    let local = Local::answering([
        Ok(Exit::Code(0)),
        Ok(Exit::Disconnected { reason: "closed".into() }),
        Err(lost()),
        Ok(Exit::Disconnected { reason: "closed".into() }),
        Ok(Exit::Code(0)),
        Ok(Exit::Code(0)),
    ]);
    *local.prints.lock().unwrap() = vec!["", AFTER, "", "", "", BEFORE];
    let (result, ..) = run(&local, "restart_check_command = \"ver\"").await;
    result.unwrap();
    assert!(story(&local).ends_with("\nrun ver"));
}

#[tokio::test]
async fn a_system_that_does_not_say_when_it_started_is_asked_to_restart_again() {
    let answers = [1, 1115, 1115, 0, 0, 0].map(|status| Ok(Exit::Code(status)));
    let local = Local::answering(answers);
    run(&local, "restart_command = \"restart\"").await.0.unwrap();
    assert_snapshot!(story(&local), @r#"
    run powershell -NoProfile -Command "(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().Ticks"
    run restart
    run shutdown /r /f /t 60 /c "packer restart test"
    run shutdown /r /f /t 60 /c "packer restart test"
    run shutdown /a
    run powershell -NoProfile -Command "Write-Output ([System.Net.Dns]::GetHostName() + ' restarted.')"
    "#);
}

#[tokio::test]
async fn restarts_that_the_registry_asks_for_are_waited_for() {
    let local = Local::printing(&[
        (0, BEFORE),
        (0, ""),
        (0, AFTER),
        (0, "x"),
        (0, "False\r\nTrue\r\n"),
        (0, "False\r\nFalse\r\n"),
    ]);
    let body = r#"
        check_registry = true
        registry_keys  = ["HKLM:\\SOFTWARE\\A B", "HKLM:\\SOFTWARE\\C"]"#;
    run(&local, body).await.0.unwrap();
    assert_snapshot!(story(&local).lines().last().unwrap(), @r#"run powershell -NoProfile -Command "Test-Path -Path 'HKLM:\SOFTWARE\A B', 'HKLM:\SOFTWARE\C'""#);
}

#[tokio::test]
async fn it_fails_in_time_when_nothing_comes_back() {
    let mut answers = vec![(0, BEFORE), (0, "")];
    answers.extend([(0, BEFORE); 100]);
    let local = Local::printing(&answers);
    let (result, ..) = run(&local, "restart_timeout = \"100ms\"").await;
    assert_snapshot!(result.unwrap_err(), @"the instance did not come back from its restart: it still runs as before");
    let local = Local::printing(&[(0, BEFORE), (5, "")]);
    assert_snapshot!(run(&local, "").await.0.unwrap_err(), @"the restart command exited with status 5");
}
