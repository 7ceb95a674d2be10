//! Uploads and downloads that meet trouble.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use insta::assert_snapshot;

use super::cut::{self, Failing};
use super::{Access, Drill, file, shell};
use crate::support::root;

/// Some megabytes that cannot be made smaller.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(20 << 20).collect()
}

const UPLOAD: &str = "source = \"HERE/file\"\n    destination = \"REMOTE/file\"";

#[test]
fn a_machine_that_is_gone_in_the_middle_of_an_upload() {
    let Some(drill) = Drill::new() else { return };
    drill.workspace.write("file", noise());
    let port = cut::start(drill.access.port, 5 << 20, Failing::Closes);
    let access = Access { port, ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &file(UPLOAD), 1).text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/file => [remote]/file
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot upload to `[remote]/file`: the connection to MACHINE was lost: the far side closed the connection
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot upload to `[remote]/file`: the connection to MACHINE was lost: the far side closed the connection
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
        hint: if a script before it restarts the machine or sshd on purpose, set `expect_disconnect = true` on that; else see whether the machine runs, and whether something on the way ends connections

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn a_machine_that_is_silent_in_the_middle_of_an_upload() {
    let Some(drill) = Drill::new() else { return };
    drill.workspace.write("file", noise());
    let port = cut::start(drill.access.port, 5 << 20, Failing::Stalls);
    let more = "ssh_read_write_timeout = \"1s\"".to_owned();
    let access = Access { port, more, ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &file(UPLOAD), 1).text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/file => [remote]/file
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot upload to `[remote]/file`: the connection to MACHINE was lost: nothing came for 1s
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot upload to `[remote]/file`: the connection to MACHINE was lost: nothing came for 1s
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
        hint: if a script before it restarts the machine or sshd on purpose, set `expect_disconnect = true` on that; else see whether the machine runs, and whether something on the way ends connections

    ==> Builds finished but no artifacts were created.
    "#);
}

/// A small file system in the directory on the machine, for as long as it lives.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(drill: &Drill) -> Self {
        let place = drill.remote();
        let options = ["-t", "tmpfs", "-o", "size=1m", "none"];
        let mounted = Command::new("mount").args(options).arg(&place).status();
        assert!(mounted.expect("mount").success());
        Self(place)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_disk_that_is_full() {
    if !root("a small file system") {
        return;
    }
    let Some(drill) = Drill::new() else { return };
    let _small = Small::mount(&drill);
    drill.workspace.write("file", noise());
    assert_snapshot!(drill.fail(&file(UPLOAD)).text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/file => [remote]/file
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot upload to `[remote]/file`: No space left on device
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot upload to `[remote]/file`: No space left on device
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
        hint: the file system of the destination is full: give the instance a larger volume, or upload elsewhere

    ==> Builds finished but no artifacts were created.
    "#);
    fs::write(drill.remote().join("filler"), noise()).expect_err("it is full");
    let told = drill.fail(&shell("use_env_var_file = true", "echo hello"));
    assert!(!told.left.iter().any(|name| name.ends_with(".sh")), "{:?}", told.left);
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: dd: error writing '[remote]/varfile_[number].sh': No space left on device
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot put the script at `[remote]/script_[number].sh`: dd: error writing '[remote]/varfile_[number].sh': No space left on device
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot put the script at `[remote]/script_[number].sh`: dd: error writing '[remote]/varfile_[number].sh': No space left on device
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^
        hint: make room there in a step before, or set `remote_folder` to a directory on another file system

    ==> Builds finished but no artifacts were created.
    "#);
}

/// The setting of a machine that finds only these programs.
fn only(programs: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("temporary directory");
    for program in programs.split(' ') {
        let found = ["/usr/bin", "/bin"].iter().map(|at| format!("{at}/{program}"));
        let found = found.into_iter().find(|path| fs::exists(path).unwrap_or_default());
        symlink(found.expect("a program"), folder.path().join(program)).expect("link");
    }
    let setting = format!("SetEnv PATH={0} HOME={0}", folder.path().display());
    (folder, setting)
}

/// A tree there and back.
fn there_and_back() -> String {
    file("source = \"HERE/tree\"\n    destination = \"REMOTE/tree\"")
        + &shell("", "echo arrived")
        + &file(
            "source = \"REMOTE/tree\"\n    destination = \"HERE/back/\"\n    direction = \"download\"",
        )
}

const WITHOUT_TAR: &str = "sh cat chmod mkdir wc rm ls sha256sum tee";

#[test]
fn a_machine_without_tar_takes_trees_by_sftp() {
    let (_programs, setting) = only(WITHOUT_TAR);
    let Some(drill) = Drill::with(&format!("{setting}\nLogLevel VERBOSE")) else { return };
    drill.workspace.write("tree/sub/file", "text");
    let told = drill.run(&drill.access, &there_and_back(), 0);
    assert_snapshot!(told.text, @"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/tree => [remote]/tree
    ==> null.t: Uploaded 4 B in 1 file in [time]
    ==> null.t: Provisioning with shell script: inline
    ==> null.t: arrived
    ==> null.t: Downloading [remote]/tree => [directory]/back/
    ==> null.t: Downloaded 4 B in 1 file in [time]
    ==> null.t: Steps took: connect [time], provision [time]
    Build 'null.t' finished after [time].

    ==> Wait completed after [time]

    ==> Builds finished. The artifacts of successful builds are:
    --> null.t: Did not export anything. This is the null builder
    ");
    assert!(drill.machine.log().contains("subsystem 'sftp'"), "{}", drill.machine.log());
    let back = fs::read_to_string(drill.workspace.path().join("back/tree/sub/file"));
    assert_eq!(back.expect("a file"), "text");
}

#[test]
fn a_machine_without_tar_and_sftp_says_what_to_do() {
    let (_programs, setting) = only(WITHOUT_TAR);
    let Some(drill) = Drill::with(&format!("{setting}\nSubsystem other /bin/false")) else {
        return;
    };
    drill.workspace.write("tree/sub/file", "text");
    let told = drill.fail(&there_and_back());
    assert_snapshot!(told.text, @r#"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    ==> null.t: Connected!
    ==> null.t: Uploading [directory]/tree => [remote]/tree
    ==> null.t: Steps took: connect [time]
    Build 'null.t' errored after [time]: cannot upload to `[remote]/tree`: there is no `tar`; and SFTP: the SSH server refused to start SFTP: it has no such subsystem, and `tar` is missing or not wanted
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot upload to `[remote]/tree`: there is no `tar`; and SFTP: the SSH server refused to start SFTP: it has no such subsystem, and `tar` is missing or not wanted
      --> t.pkr.hcl:10:3
       |
    10 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
        hint: install `tar` in a shell provisioner before, or switch SFTP on in the `sshd_config` of the machine

    ==> Builds finished but no artifacts were created.
    "#);
    assert_eq!(told.left, [""; 0]);
}

#[test]
fn files_go_by_sftp_when_that_is_asked_for() {
    let Some(drill) = Drill::with("LogLevel VERBOSE") else { return };
    drill.workspace.write("tree/sub/file", "text");
    for (method, by_sftp) in [("scp", false), ("sftp", true)] {
        let more = format!("ssh_file_transfer_method = \"{method}\"");
        let access = Access { more, ..drill.access.clone() };
        drop(drill.run(&access, &there_and_back(), 0));
        assert_eq!(drill.machine.log().contains("subsystem 'sftp'"), by_sftp);
    }
}
