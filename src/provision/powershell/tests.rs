//! `powershell` steps from the template to what an instance is asked to do.

use std::fs;

use insta::assert_snapshot;
use tokio_util::sync::CancellationToken;

use crate::communicator::{CommunicatorError, Exit};
use crate::provision::ProvisionError;
use crate::provision::test_support::{Answer, Local, plan_steps, run_all, said, story};

/// Runs a step with this body; all commands after those that are answered succeed.
async fn run(
    body: &str,
    answers: impl IntoIterator<Item = Answer>,
) -> (Result<(), ProvisionError>, String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one.ps1"), "Write-Output one\r\n").unwrap();
    fs::write(folder.path().join("two.ps1"), "Write-Output two\r\n").unwrap();
    let text = format!("provisioner \"powershell\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let fine = (0..8).map(|_| Ok(Exit::Code(0)));
    let local = Local::answering(answers.into_iter().chain(fine));
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    (result, story(&local), said(&told))
}

/// What a step that must succeed asks for.
async fn asked(body: &str) -> String {
    let (result, story, _) = run(body, []).await;
    result.unwrap();
    story
}

#[tokio::test]
async fn commands_are_one_script_with_their_variables() {
    let body = r#"
        environment_vars = ["WORD=it's $5 \"net\""]
        debug_mode       = 1
        inline           = ["Get-Date", "Write-Output {{ .Host }}"]"#;
    assert_snapshot!(asked(body).await, @r#"
    put c:/Windows/Temp/script-ID.ps1:
    $ProgressPreference = 'SilentlyContinue'
    Set-PsDebug -Trace 1
    $bakeStatus = 0
    try {
    $env:PACKER_BUILDER_TYPE="vm"; $env:PACKER_BUILD_NAME="app"; $env:WORD="it`'s `$5 `"net`""; 
    Get-Date
    Write-Output 198.51.100.7
    } catch {
    Write-Error -ErrorRecord $_ -ErrorAction Continue
    $bakeStatus = 1
    }
    if ((Test-Path Variable:Global:LastExitCode) -and $Global:LastExitCode -ne 0) {
    $bakeStatus = $Global:LastExitCode
    }
    exit $bakeStatus

    run powershell -executionpolicy bypass -file c:/Windows/Temp/script-ID.ps1
    run powershell -NoProfile -Command "Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath 'c:/Windows/Temp/script-ID.ps1'"
    "#);
}

#[tokio::test]
async fn scripts_are_called_with_a_file_of_variables() {
    let (result, story, said) = run("scripts = [\"one.ps1\", \"two.ps1\"]", []).await;
    result.unwrap();
    assert_snapshot!(story, @r#"
    put c:/Windows/Temp/packer-ps-env-vars-ID.ps1: "$env:PACKER_BUILDER_TYPE=\"vm\"; $env:PACKER_BUILD_NAME=\"app\"; "
    put c:/Windows/Temp/script-ID.ps1: "Write-Output one\r\n"
    run powershell -executionpolicy bypass "& { Set-Variable -Scope Global -Name ProgressPreference -Value SilentlyContinue; . 'c:/Windows/Temp/packer-ps-env-vars-ID.ps1'; & 'c:/Windows/Temp/script-ID.ps1'; exit $LastExitCode }"
    run powershell -NoProfile -Command "Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath 'c:/Windows/Temp/packer-ps-env-vars-ID.ps1', 'c:/Windows/Temp/script-ID.ps1'"
    put c:/Windows/Temp/packer-ps-env-vars-ID.ps1: "$env:PACKER_BUILDER_TYPE=\"vm\"; $env:PACKER_BUILD_NAME=\"app\"; "
    put c:/Windows/Temp/script-ID.ps1: "Write-Output two\r\n"
    run powershell -executionpolicy bypass "& { Set-Variable -Scope Global -Name ProgressPreference -Value SilentlyContinue; . 'c:/Windows/Temp/packer-ps-env-vars-ID.ps1'; & 'c:/Windows/Temp/script-ID.ps1'; exit $LastExitCode }"
    run powershell -NoProfile -Command "Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath 'c:/Windows/Temp/packer-ps-env-vars-ID.ps1', 'c:/Windows/Temp/script-ID.ps1'"
    "#);
    assert_eq!(said[1], "Provisioning with powershell script: one.ps1");
}

#[tokio::test]
async fn the_shell_and_its_policy_can_be_chosen() {
    let commands = |story: String| {
        let commands = story.lines().filter(|line| line.starts_with("run "));
        commands.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    let body = "script = \"one.ps1\"\nuse_pwsh = true\nexecution_policy = \"allsigned\"\n\
                debug_mode = 2\nskip_clean = true\nremote_path = \"d:/x.ps1\"\n\
                remote_env_var_path = \"d:/v.ps1\"";
    assert_snapshot!(commands(asked(body).await), @r#"run pwsh -executionpolicy allsigned -command "& { Set-Variable -Scope Global -Name ProgressPreference -Value SilentlyContinue; Set-PsDebug -Trace 2; . 'd:/v.ps1'; & 'd:/x.ps1'; exit $LastExitCode }""#);
    let body = "inline = [\"x\"]\nexecution_policy = \"none\"\nskip_clean = true";
    assert_snapshot!(commands(asked(body).await), @"run powershell -file c:/Windows/Temp/script-ID.ps1");
    let body = "inline = [\"x\"]\nskip_clean = true\nremote_path = \"d:/x.ps1\"\n\
                execute_command = \"pwsh -noprofile -file {{ .Path }}\"";
    assert_snapshot!(commands(asked(body).await), @"run pwsh -noprofile -file d:/x.ps1");
}

#[tokio::test]
async fn a_script_that_fails_is_removed_too() {
    let (result, story, _) = run("inline = [\"exit 3\"]", [Ok(Exit::Code(3))]).await;
    assert_snapshot!(result.unwrap_err(), @"Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
    assert!(story.lines().last().unwrap().contains("Remove-Item"), "{story}");
    let (result, ..) =
        run("inline = [\"exit 3\"]\nvalid_exit_codes = [3]", [Ok(Exit::Code(3))]).await;
    result.unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_let_it_start_is_tried_again() {
    let lost = CommunicatorError::Lost { address: "i-1".into(), reason: "reset".into() };
    let (result, story, said) = run("inline = [\"x\"]", [Err(lost)]).await;
    result.unwrap();
    assert_eq!(story.matches("put ").count(), 2);
    assert!(said[1].starts_with("Cannot start the script, trying again"), "{said:?}");
}

#[tokio::test]
async fn another_user_runs_it_as_a_scheduled_task() {
    let body = r#"
        elevated_user     = "Administrator"
        elevated_password = "it's secret"
        skip_clean        = true
        remote_path       = "c:/s.ps1"
        inline            = ["whoami"]"#;
    let story = asked(body).await;
    let (_, elevated) = story.split_once("put c:/Windows").unwrap();
    assert_snapshot!(elevated, @r#"
    /Temp/packer-elevated-shell-ID.ps1:
    $name = 'packer-ID'
    $log = Join-Path $env:SystemRoot 'Temp\packer-ID.out'
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
      $action.Arguments = '/c "powershell -executionpolicy bypass -file c:/s.ps1 > %SYSTEMROOT%\Temp\packer-ID.out 2>&1"'
      $folder = $service.GetFolder('\')
      $task = $folder.RegisterTaskDefinition($name, $definition, 6, 'Administrator', 'it''s secret', 1)
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
      Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath $log, 'c:/Windows/Temp/packer-elevated-shell-ID.ps1'
    }
    exit $status

    run powershell -executionpolicy bypass -file "c:/Windows/Temp/packer-elevated-shell-ID.ps1"
    run powershell -NoProfile -Command "Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath 'c:/Windows/Temp/packer-elevated-shell-ID.ps1'"
    "#);
    let story = asked("elevated_user = \"SYSTEM\"\nscript = \"one.ps1\"").await;
    let lines: Vec<_> = story.lines().filter(|line| line.contains("$action.Arguments")).collect();
    assert_snapshot!(lines.join("\n"), @r#"  $action.Arguments = '/c "powershell -executionpolicy bypass "& { Set-Variable -Scope Global -Name ProgressPreference -Value SilentlyContinue; . ''c:/Windows/Temp/packer-ps-env-vars-ID.ps1''; & ''c:/Windows/Temp/script-ID.ps1''; exit $LastExitCode }" > %SYSTEMROOT%\Temp\packer-ID.out 2>&1"'"#);
}

#[tokio::test]
async fn variables_are_written_as_the_template_says() {
    let body = r#"
        inline         = ["dir"]
        env            = { WORD = "x" }
        env_var_format = "$env:%s='%s' # "
    "#;
    let story = asked(body).await;
    assert!(story.contains("\n$env:PACKER_BUILDER_TYPE='vm' # "), "{story}");
    assert!(story.contains("$env:WORD='x' # \n"), "{story}");
}

#[tokio::test]
async fn another_user_has_a_command_and_variables_of_its_own() {
    let body = r#"
        elevated_user            = "SYSTEM"
        elevated_env_var_format  = "(%s=%s)"
        elevated_execute_command = "run {{.Path}} with {{.Vars}}"
        execute_command          = "never"
        env_var_format           = "never %s %s"
        env                      = { WORD = "x" }
        script                   = "one.ps1"
        remote_path              = "d:/x.ps1"
        remote_env_var_path      = "d:/v.ps1"
    "#;
    let story = asked(body).await;
    assert!(story.contains(r#"'/c "run d:/x.ps1 with d:/v.ps1 > %SYSTEMROOT%"#), "{story}");
    let variables = "put d:/v.ps1: \"(PACKER_BUILDER_TYPE=vm)(PACKER_BUILD_NAME=app)(WORD=x)\"";
    assert!(story.contains(variables), "{story}");
    assert!(!story.contains("never"), "{story}");
}

#[tokio::test]
async fn a_script_gets_a_byte_order_mark_unless_it_is_binary() {
    let body = "inline = [\"'gr\u{fc}n'\"]";
    assert_eq!(asked(body).await.matches('\u{feff}').count(), 1);
    assert_eq!(asked(&format!("{body}\nbinary = true")).await.matches('\u{feff}').count(), 0);
}

#[tokio::test]
async fn starting_is_tried_again_for_as_long_as_the_template_says() {
    let lost = CommunicatorError::Lost { address: "i-1".into(), reason: "reset".into() };
    let body = "inline = [\"x\"]\nstart_retry_timeout = \"1s\"";
    let (result, story, _) = run(body, [Err(lost)]).await;
    assert!(matches!(result, Err(ProvisionError::Communicator(CommunicatorError::Lost { .. }))));
    assert_eq!(story.matches("put ").count(), 1);
}

#[tokio::test]
async fn a_pause_comes_after_the_last_script() {
    let start = std::time::Instant::now();
    let body = "scripts = [\"one.ps1\", \"two.ps1\"]\npause_after = \"30ms\"";
    let (result, _, said) = run(body, []).await;
    result.unwrap();
    assert!(start.elapsed().as_millis() >= 30);
    assert_eq!(said.last().unwrap(), "Pausing 30ms after this provisioner...");
    assert_eq!(said.iter().filter(|text| text.starts_with("Pausing")).count(), 1);
}
