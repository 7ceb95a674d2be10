//! Steps for Windows over `communicator = "ssm"`, on an instance that is played by a fake.

use tokio_util::sync::CancellationToken;

use super::test_support::{plan_steps, run_all, said};
use crate::communicator::ssm::fake_windows::FakeWindows;

#[tokio::test]
async fn steps_for_windows_run_as_they_do_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.txt"), "an app").unwrap();
    let steps = r#"
  provisioner "powershell" {
    inline = ["Write-Output hello"]
  }
  provisioner "windows-shell" {
    inline = ["dir"]
  }
  provisioner "file" {
    source      = "app.txt"
    destination = "c:/app.txt"
  }
  provisioner "windows-restart" {
  }
"#;
    let steps = steps.replace(
        "app.txt\"\n    dest",
        &format!("{}\"\n    dest", folder.path().join("app.txt").display()),
    );
    let plan = plan_steps(folder.path(), &steps).unwrap_or_else(|found| panic!("{found}"));
    let windows = FakeWindows::new();
    let ssm = windows.communicator();
    let (result, told) = run_all(&plan, &ssm, &CancellationToken::new()).await;
    result.unwrap();
    let story = windows.story();
    let id = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    insta::assert_snapshot!(id.replace_all(&story, "ID"), @r#"
    put c:/Windows/Temp/script-ID.ps1: "$ProgressPreference = 'SilentlyContinue'\n$bakeStatus = 0\ntry {\n$env:PACKER_BUILDER_TYPE=\"vm\"; $env:PACKER_BUILD_NAME=\"app\"; \nWrite-Output hello\n} catch {\nWrite-Error -ErrorRecord $_ -ErrorAction Continue\n$bakeStatus = 1\n}\nif ((Test-Path Variable:Global:LastExitCode) -and $Global:LastExitCode -ne 0) {\n$bakeStatus = $Global:LastExitCode\n}\nexit $bakeStatus\n"
    run powershell -executionpolicy bypass -file c:/Windows/Temp/script-ID.ps1
    run powershell -NoProfile -Command "Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath 'c:/Windows/Temp/script-ID.ps1'"
    put c:/Windows/Temp/script.bat: "dir\r\n"
    run set "PACKER_BUILDER_TYPE=vm" && set "PACKER_BUILD_NAME=app" && "c:/Windows/Temp/script.bat"
    put c:/app.txt: "an app"
    run shutdown /r /f /t 0 /c "packer restart"
    run powershell -NoProfile -Command "Write-Output ([System.Net.Dns]::GetHostName() + ' restarted.')"
    "#);
    assert!(said(&told).iter().any(|line| line.contains("restarted")), "{:?}", said(&told));
}

#[tokio::test]
async fn the_status_of_a_script_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let steps = "provisioner \"powershell\" {\n  inline = [\"exit 42\"]\n}";
    let plan = plan_steps(folder.path(), steps).unwrap_or_else(|found| panic!("{found}"));
    let windows = FakeWindows::new();
    windows.answer(42, "");
    let (result, _) = run_all(&plan, &windows.communicator(), &CancellationToken::new()).await;
    insta::assert_snapshot!(result.unwrap_err(), @"Script exited with non-zero exit status: 42. Allowed exit codes are: [0]");
}
