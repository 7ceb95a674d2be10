//! Scripts that do not end as they should, and login shells that talk.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{Access, Drill, file, names, shell};
use crate::support::openssh::user;

#[test]
fn a_script_that_is_killed() {
    let Some(drill) = Drill::new() else { return };
    let told = drill.fail(&shell("", "echo before; kill -KILL $$"));
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: before
    ==> null.t: Killed
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: Script exited with non-zero exit status: 137. Allowed exit codes are: [0]
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: Script exited with non-zero exit status: 137. Allowed exit codes are: [0]
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^
        hint: status 137: killed by SIGKILL; the instance may be out of memory: look for `Out of memory` in `dmesg`

    ==> Builds finished but no artifacts were created.
    "#);
    assert_eq!(told.left, [""; 0]);
}

#[test]
fn a_script_that_is_killed_with_all_that_started_it() {
    let Some(drill) = Drill::new() else { return };
    let told = drill.fail(&shell("execute_command = \"kill -KILL $PPID\"", "echo before"));
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: the script was killed by SIGKILL
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: the script was killed by SIGKILL
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^
        hint: the instance may be out of memory: look for `Out of memory` in `dmesg`

    ==> Builds finished but no artifacts were created.
    "#);
    assert_eq!(told.left, [""; 0]);
}

#[test]
fn a_script_that_takes_too_long() {
    let Some(drill) = Drill::new() else { return };
    let told = drill.fail(&shell("timeout = \"1s\"", "echo before; sleep 3"));
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Setting a 1s timeout for the next provisioner...
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: before
    ==> null.t: Cancelling provisioner after a timeout...
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: the provisioner was not done after 1s
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: the provisioner was not done after 1s
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^
        hint: raise `timeout`, or find out what the step waits for

    ==> Builds finished but no artifacts were created.
    "#);
    // OpenSSH passes no signals on to commands of root: there the script goes on to its end.
    let start = Instant::now();
    while user() != "root" && !names(&drill.remote()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", names(&drill.remote()));
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_that_ends_with_the_script() {
    let Some(drill) = Drill::new() else { return };
    // The process of the server for this connection.
    let script = "set -- $(ps -o ppid= -p $PPID); kill -KILL $1; sleep 20";
    let told = drill.fail(&shell("", script));
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: the connection was lost while the script ran: the far side closed the connection
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: the connection was lost while the script ran: the far side closed the connection
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^
        hint: if the script restarts the machine on purpose, set `expect_disconnect = true`

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn a_login_shell_that_prints_a_banner_disturbs_nothing() {
    let Some(drill) = Drill::with(
        "ForceCommand echo Welcome; echo careful >&2; exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
    ) else {
        return;
    };
    drill.workspace.write("tree/sub/file", "of the tree");
    let steps = file("source = \"HERE/tree\"\n    destination = \"REMOTE/tree\"")
        + &shell(
            "use_env_var_file = true\n    env = { WORD = \"x\" }",
            "cat REMOTE/tree/sub/file; echo; echo $WORD",
        )
        + &file(
            "source = \"REMOTE/tree/sub/file\"\n    destination = \"HERE/back\"\n    direction = \"download\"",
        );
    let told = drill.run(&drill.access, &steps, 0);
    assert_snapshot!(told.text, @"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/tree => [remote]/tree
    ==> null.t: Uploaded 11 B in 1 file in [time]
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: Welcome
    ==> null.t: careful
    ==> null.t: of the tree
    ==> null.t: x
    ==> null.t: Downloading [remote]/tree/sub/file => [directory]/back
    ==> null.t: Downloaded 11 B in 1 file in [time]
    ==> null.t: Steps took: connect [time], provision [time]
    Build 'null.t' finished after [time].

    ==> Wait completed after [time]

    ==> Builds finished. The artifacts of successful builds are:
    --> null.t: Did not export anything. This is the null builder
    ");
    assert_eq!(told.left, ["tree"]);
    let back = std::fs::read_to_string(drill.workspace.path().join("back")).expect("a file");
    assert_eq!(back, "of the tree");
}

#[test]
fn an_account_that_runs_nothing() {
    let settings = "ForceCommand echo 'This account is currently not available.'; exit 1";
    let Some(drill) = Drill::with(settings) else { return };
    drill.workspace.write("file", "text");
    let access = Access { more: "ssh_timeout = \"5s\"".to_owned(), ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &shell("", "echo hello"), 1).text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: This account is currently not available.
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: Script exited with non-zero exit status: 1. Allowed exit codes are: [0]
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: Script exited with non-zero exit status: 1. Allowed exit codes are: [0]
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Builds finished but no artifacts were created.
    "#);
    let upload = file("source = \"HERE/file\"\n    destination = \"REMOTE/file\"");
    assert_snapshot!(drill.run(&access, &upload, 1).text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/file => [remote]/file
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot upload to `[remote]/file`: it says nothing; and SFTP: the SSH server refused to start SFTP: it ends at once, as for an account that may not run commands
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot upload to `[remote]/file`: it says nothing; and SFTP: the SSH server refused to start SFTP: it ends at once, as for an account that may not run commands
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
        hint: give the login user a login shell that runs commands

    ==> Builds finished but no artifacts were created.
    "#);
}
