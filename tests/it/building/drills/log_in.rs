//! Machines that let nobody in.

use insta::assert_snapshot;

use super::{Access, Drill, shell};
use crate::support::openssh::{free_port, make_key};

#[test]
fn the_wrong_key() {
    let Some(drill) = Drill::new() else { return };
    let key = drill.workspace.path().join("other");
    make_key(&key);
    let more = "ssh_handshake_attempts = 2".to_owned();
    let access = Access { key, more, ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &shell("", "echo hello"), 1).text, @"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    Build 'null.t' errored after [time]: cannot connect to the instance
    MACHINE does not let user `[user]` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot connect to the instance
    MACHINE does not let user `[user]` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey ([attempts])
        hint: check `ssh_username` (`[user]` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn the_wrong_user() {
    let Some(drill) = Drill::new() else { return };
    let more = "ssh_handshake_attempts = 1".to_owned();
    let access = Access { user: "nobody-here".to_owned(), more, ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &shell("", "echo hello"), 1).text, @"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    Build 'null.t' errored after [time]: cannot connect to the instance
    MACHINE does not let user `[user]` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot connect to the instance
    MACHINE does not let user `[user]` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey ([attempts])
        hint: check `ssh_username` (`[user]` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_closed_port() {
    let Some(drill) = Drill::new() else { return };
    let more = "ssh_timeout = \"1s\"".to_owned();
    let access = Access { port: free_port(), more, ..drill.access.clone() };
    assert_snapshot!(drill.run(&access, &shell("", "echo hello"), 1).text, @"
    ==> null.t: Using SSH communicator to connect: MACHINE
    ==> null.t: Waiting for SSH to become available...
    Build 'null.t' errored after [time]: cannot connect to the instance
    no TCP connection to MACHINE: connection refused ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> null.t: cannot connect to the instance
    no TCP connection to MACHINE: connection refused ([attempts])
        hint: check that the security group and the network let this machine reach MACHINE, and that sshd runs on the instance

    ==> Builds finished but no artifacts were created.
    ");
}
