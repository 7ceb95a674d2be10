//! Windows machines over WinRM, through the `null` builder.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Outcome, Running, Workspace};

#[path = "../../../src/communicator/winrm/tests/windows.rs"]
#[expect(dead_code, reason = "the tests of the room need more of the machine")]
mod windows;

use windows::Windows;

const PASSWORD: &str = "correct-horse-battery";

/// A template for a machine, with these steps.
fn template(port: u16, steps: &str) -> String {
    format!(
        "variable \"password\" {{
  type      = string
  sensitive = true
}}
source \"null\" \"t\" {{
  communicator   = \"winrm\"
  winrm_host     = \"127.0.0.1\"
  winrm_port     = {port}
  winrm_username = \"Administrator\"
  winrm_password = var.password
  winrm_timeout  = \"1m\"
}}
build {{
  sources = [\"source.null.t\"]
  {steps}
}}
"
    )
}

/// bake at work on such a template.
fn start(workspace: &Workspace, port: u16, password: &str, steps: &str) -> Running {
    let path = workspace.write("t.pkr.hcl", template(port, steps));
    let mut command = workspace.command([Path::new("build"), path.as_path()]);
    command.env("PKR_VAR_password", password);
    Running::start(command)
}

fn build(workspace: &Workspace, port: u16, password: &str, steps: &str) -> Outcome {
    start(workspace, port, password, steps).finish()
}

/// Without the port and how long things took.
fn readable(text: &str, port: u16, workspace: &Workspace) -> String {
    let home = workspace.path().display().to_string();
    let text = text.replace(&port.to_string(), "[port]").replace(&home, "[home]");
    let time = r"\d+(\.\d+)? ?(ms|s|milliseconds?|seconds?)\b( \d+ milliseconds?)?";
    let time = regex::Regex::new(time).expect("is one");
    time.replace_all(&text, "[time]").into_owned()
}

#[test]
fn steps_for_windows_run_and_survive_a_restart() {
    let workspace = Workspace::new();
    let drive = workspace.path().join("drive");
    let windows = Windows::start(&drive, "Administrator", PASSWORD);
    workspace.write("tree/deep/data.txt", "from here\n");
    workspace.write("script.ps1", "Write-Output \"script of $env:PACKER_BUILDER_TYPE\"\nexit 3\n");
    let at = |name: &str| workspace.path().join(name).display().to_string();
    let (tree, script, back) = (at("tree"), at("script.ps1"), at("back/"));
    let steps = format!(
        "provisioner \"file\" {{
    source      = \"{tree}/\"
    destination = \"C:\\\\app\"
  }}
  provisioner \"powershell\" {{
    environment_vars = [\"GREETING=hello\"]
    inline           = [\"Write-Output \\\"$env:GREETING from PowerShell\\\"\", \"[Console]::Error.WriteLine('careful')\"]
  }}
  provisioner \"powershell\" {{
    script           = \"{script}\"
    valid_exit_codes = [3]
  }}
  provisioner \"windows-shell\" {{
    environment_vars = [\"NAME=cmd\"]
    inline           = [\"@echo off\", \"echo hello from %NAME%\"]
  }}
  provisioner \"windows-restart\" {{}}
  provisioner \"powershell\" {{
    inline = [\"Write-Output 'the password is ${{build.Password}} of ${{build.ConnType}}'\"]
  }}
  provisioner \"file\" {{
    source      = \"c:/app/deep\"
    destination = \"{back}\"
    direction   = \"download\"
  }}
"
    );
    let outcome = build(&workspace, windows.port, PASSWORD, &steps).expect(0);
    assert_eq!(fs::read_to_string(drive.join("app/deep/data.txt")).expect("a file"), "from here\n");
    let returned = workspace.path().join("back/deep/data.txt");
    assert_eq!(fs::read_to_string(returned).expect("a file"), "from here\n");
    assert!(!outcome.stdout.contains(PASSWORD) && !outcome.stderr.contains(PASSWORD));
    assert_snapshot!(readable(&outcome.stdout, windows.port, &workspace), @r"
    ==> null.t: Using WinRM communicator to connect: 127.0.0.1:[port]
    ==> null.t: Waiting for WinRM to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [home]/tree/ => C:\app
    ==> null.t: Uploaded 10 B in 1 file in [time]
    ==> null.t: Provisioning with powershell script: inline
    ==> null.t: hello from PowerShell
    ==> null.t: careful
    ==> null.t: Provisioning with powershell script: script.ps1
    ==> null.t: script of null
    ==> null.t: Provisioning with windows-shell script: inline
    ==> null.t: hello from cmd
    ==> null.t: Restarting Machine
    ==> null.t: Waiting for machine to restart...
    ==> null.t: WINBOX restarted.
    ==> null.t: Machine successfully restarted, moving on
    ==> null.t: Provisioning with powershell script: inline
    ==> null.t: the password is <sensitive> of winrm
    ==> null.t: Downloading c:/app/deep => [home]/back/
    ==> null.t: Downloaded 10 B in 1 file in [time]
    ==> null.t: Steps took: connect [time], provision [time]
    Build 'null.t' finished after [time].

    ==> Wait completed after [time]

    ==> Builds finished. The artifacts of successful builds are:
    --> null.t: Did not export anything. This is the null builder
    ");
    assert!(windows.wait_until_idle(), "a shell is left");
    let left: Vec<_> = fs::read_dir(drive.join("Windows/Temp"))
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    // As in Packer, that of `windows-shell` stays.
    assert_eq!(left, ["script.bat"]);
}

#[test]
fn a_wrong_password_is_told_after_a_few_tries() {
    let workspace = Workspace::new();
    let windows = Windows::start(workspace.path(), "Administrator", PASSWORD);
    let outcome = build(&workspace, windows.port, "incorrect-horse", "").expect(1);
    let shown = readable(&outcome.stdout, windows.port, &workspace);
    assert_snapshot!(shown, @"
    ==> null.t: Using WinRM communicator to connect: 127.0.0.1:[port]
    ==> null.t: Waiting for WinRM to become available...
    Build 'null.t' errored after [time]: cannot connect to the instance
    127.0.0.1:[port] does not let user `Administrator` log in: it refuses the user name or the password; the service takes Basic, Negotiate (3 attempts in [time])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot connect to the instance
    127.0.0.1:[port] does not let user `Administrator` log in: it refuses the user name or the password; the service takes Basic, Negotiate (3 attempts in [time])
        hint: check `winrm_username` (`Administrator` here) and `winrm_password`; Windows may lock the account after some wrong passwords

    ==> Builds finished but no artifacts were created.
    ");
    assert!(windows.log().is_empty(), "{:?}", windows.log());
}

#[test]
fn a_failed_script_is_told_with_its_status() {
    let workspace = Workspace::new();
    let windows = Windows::start(workspace.path(), "Administrator", PASSWORD);
    let steps = "provisioner \"powershell\" {\n    inline = [\"exit 4\"]\n  }";
    let outcome = build(&workspace, windows.port, PASSWORD, steps).expect(1);
    let text = "Script exited with non-zero exit status: 4. Allowed exit codes are: [0]";
    assert!(outcome.stdout.contains(text), "{}", outcome.stdout);
    assert!(windows.wait_until_idle(), "a shell is left");
}

#[test]
fn an_interruption_ends_what_runs_there() {
    let workspace = Workspace::new();
    let windows = Windows::start(workspace.path(), "Administrator", PASSWORD);
    let steps = "provisioner \"windows-shell\" {
    inline          = [\"echo x\"]
    execute_command = \"sh:echo running; sleep 60\"
  }";
    let mut running = start(&workspace, windows.port, PASSWORD, steps);
    running.wait_for("running");
    running.signal(Signal::INT);
    let outcome = running.finish();
    assert_eq!(outcome.code, 130, "{}", outcome.stdout);
    assert!(windows.wait_until_idle(), "the command goes on: {:?}", windows.log());
    assert!(windows.log().iter().any(|asked| asked == "Signal"));
}
