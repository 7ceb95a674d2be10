//! A build that is asked to stop, or killed.

use std::os::unix::process::CommandExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Endpoint, Running, Workspace, readable, root, shell, template};

/// A template whose script says so and then takes long.
fn slow(workspace: &Workspace) -> std::path::PathBuf {
    workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 300")))
}

#[test]
fn ctrl_c_in_the_middle_of_a_script_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let mut command = workspace.command(["build"]);
    command.arg(slow(&workspace));
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for(": begun");
    running.signal(Signal::INT);
    let outcome = running.finish().expect(130);
    assert!(outcome.elapsed < Duration::from_secs(30));
    assert_eq!(endpoint.instances().len(), 1);
    assert!(endpoint.images().is_empty());
    endpoint.assert_only_images();
    endpoint.stop();
    workspace.assert_nothing_runs();
    assert_snapshot!(readable(&outcome.stdout), @r#"
    ==> amazon-ebs.t: Found Image ID: ami-[id] (stand-in-for-ami-[id])
    ==> amazon-ebs.t: Sandbox base that stands in for it: host ([system])
    ==> amazon-ebs.t: Image hash: [hash]
    ==> amazon-ebs.t: Image name: t-[hash]
    ==> amazon-ebs.t: Prevalidating AMI Name: t-[hash]
    ==> amazon-ebs.t: Creating temporary keypair: packer_[uuid]
    ==> amazon-ebs.t: Keypair: packer_[uuid]
    ==> amazon-ebs.t: Creating temporary security group for this instance: packer_[uuid]
    ==> amazon-ebs.t: Security group: sg-[id] (packer_[uuid])
    ==> amazon-ebs.t: Authorizing access to port 22 from [0.0.0.0/0] in the temporary security group...
    ==> amazon-ebs.t: Launching a source AWS instance...
    ==> amazon-ebs.t: Instance ID: i-[id] (t3.micro)
    ==> amazon-ebs.t: Waiting for instance (i-[id]) to become running...
    ==> amazon-ebs.t: Using SSH communicator to connect: [address]
    ==> amazon-ebs.t: Waiting for SSH to become available...
    ==> amazon-ebs.t: Connected!
    ==> amazon-ebs.t: Provisioning with shell script: inline
    ==> amazon-ebs.t: begun
    ==> Cancelling build after receiving interrupt
    ==> amazon-ebs.t: Deleting temporary keypair...
    ==> amazon-ebs.t: Deleted keypair: packer_[uuid]
    ==> amazon-ebs.t: Terminating the source AWS instance...
    ==> amazon-ebs.t: Terminated instance: i-[id]
    ==> amazon-ebs.t: Deleting temporary security group...
    ==> amazon-ebs.t: Deleted security group: sg-[id]
    ==> amazon-ebs.t: Steps took: prepare [time], launch [time], connect [time], teardown [time]
    Build 'amazon-ebs.t' errored after [time]: the build was interrupted

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: the build was interrupted

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn a_termination_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let mut running = Running::start(workspace.building(&[], slow(&workspace)));
    running.wait_for(": begun");
    running.signal(Signal::TERM);
    running.finish().expect(143);
    workspace.assert_nothing_runs();
    assert!(workspace.images().is_empty());
}

#[test]
fn ctrl_c_reaches_the_whole_process_group_as_at_a_terminal() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let mut command = workspace.building(&[], slow(&workspace));
    command.process_group(0);
    let mut running = Running::start(command);
    running.wait_for(": begun");
    running.signal_group(Signal::INT);
    let outcome = running.finish().expect(130);
    assert!(outcome.stdout.contains("Terminated instance"), "{}", outcome.stdout);
    workspace.assert_nothing_runs();
}

#[test]
fn an_interruption_at_any_moment_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    for moment in [
        "Found Image ID",
        "Creating temporary keypair",
        "Launching",
        "Instance ID",
        "Waiting for SSH",
        "Connected!",
        "Stopping",
        "Creating AMI",
        "AMI: ami-",
        "Deleting",
    ] {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        let path = workspace.write("t.pkr.hcl", template(&shell("true")));
        let mut command = workspace.command(["build"]);
        command.arg(path);
        let mut running = Running::start(endpoint.used_by(command));
        running.wait_for(moment);
        running.signal(Signal::INT);
        let outcome = running.finish();
        // It may have been done before the signal came.
        let done = outcome.code == 0 && endpoint.images().len() == 1;
        assert!(
            done || (outcome.code == 130 && endpoint.images().is_empty()),
            "{moment}: {}\n{}{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
        endpoint.assert_only_images();
    }
}

#[test]
fn a_second_ctrl_c_leaves_out_everything_but_the_teardown() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let steps = shell("echo begun; sleep 300")
        + "error-cleanup-provisioner \"shell\" {\n    inline = [\"echo cleaning\", \"sleep 300\"]\n  }\n";
    let path = workspace.write("t.pkr.hcl", template(&steps));
    let mut running = Running::start(workspace.building(&[], path));
    running.wait_for(": begun");
    running.signal(Signal::INT);
    running.wait_for(": cleaning");
    running.signal(Signal::INT);
    let outcome = running.finish().expect(130);
    assert!(outcome.elapsed < Duration::from_secs(30));
    assert!(outcome.stdout.contains("leaving out everything but the teardown"));
    assert!(outcome.stdout.contains("Terminated instance"), "{}", outcome.stdout);
    workspace.assert_nothing_runs();
}

#[test]
fn a_third_ctrl_c_leaves_and_says_what_is_left() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--fault", "TerminateInstances:*:throttle"]);
    let mut command = workspace.command(["build"]);
    command.arg(slow(&workspace));
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for(": begun");
    running.signal(Signal::INT);
    running.wait_for("Terminating the source");
    running.signal(Signal::INT);
    running.wait_for("leaving out");
    running.signal(Signal::INT);
    let outcome = running.finish().expect(3);
    let (instance, _) = endpoint.instances().remove(0);
    let left = format!("Left behind in us-east-1: instance {instance}");
    assert!(outcome.stdout.contains(&left), "{}", outcome.stdout);
}

#[test]
fn a_killed_bake_leaves_no_process_and_no_mount() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let mut running = Running::start(workspace.building(&[], slow(&workspace)));
    running.wait_for(": begun");
    // Otherwise what follows would prove nothing: bake itself, the instance's init, its script.
    assert!(workspace.running().len() >= 3, "{:?}", workspace.running());
    running.signal(Signal::KILL);
    running.finish().expect(137);
    let start = Instant::now();
    while !workspace.running().is_empty() && start.elapsed() < Duration::from_secs(10) {
        #[expect(clippy::disallowed_methods, reason = "nothing tells when processes end")]
        sleep(Duration::from_millis(20));
    }
    assert_eq!(workspace.running(), Vec::<String>::new());
    // What it left in the store is swept by the next one.
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    workspace.build(path).expect(0);
    workspace.assert_nothing_runs();
    assert_eq!(workspace.images().len(), 1);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_build() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write("t.pkr.hcl", template(&shell("sleep 1; yes | head -n 5000")));
    let mut child = workspace.building(&[], path).spawn().expect("start bake");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    assert_eq!(workspace.images().len(), 1);
    workspace.assert_nothing_runs();
}
