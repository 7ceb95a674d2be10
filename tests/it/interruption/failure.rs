//! A build that fails, and clouds that do.

use aws_sdk_ec2::types::InstanceStateName;
use insta::assert_snapshot;

use crate::support::{Endpoint, Outcome, Workspace, readable, root, shell, template};

/// A build at an endpoint with these faults.
fn with_faults(faults: &[&str], options: &[&str], script: &str) -> (Workspace, Endpoint, Outcome) {
    let workspace = Workspace::new();
    let faults: Vec<_> = faults.iter().flat_map(|rule| ["--fault", rule]).collect();
    let endpoint = Endpoint::start(&workspace, &faults);
    let path = workspace.write("t.pkr.hcl", template(&shell(script)));
    let outcome = endpoint.build(&workspace, options, &path);
    (workspace, endpoint, outcome)
}

#[test]
fn a_failing_script_leaves_an_empty_sandbox() {
    if !root("building in the sandbox") {
        return;
    }
    let (workspace, endpoint, outcome) =
        with_faults(&[], &[], "echo to standard output; echo the reason >&2; exit 3");
    let outcome = outcome.expect(1);
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
    ==> amazon-ebs.t: to standard output
    ==> amazon-ebs.t: the reason
    ==> amazon-ebs.t: Deleting temporary keypair...
    ==> amazon-ebs.t: Deleted keypair: packer_[uuid]
    ==> amazon-ebs.t: Terminating the source AWS instance...
    ==> amazon-ebs.t: Terminated instance: i-[id]
    ==> amazon-ebs.t: Deleting temporary security group...
    ==> amazon-ebs.t: Deleted security group: sg-[id]
    ==> amazon-ebs.t: Steps took: prepare [time], launch [time], connect [time], teardown [time]
    Build 'amazon-ebs.t' errored after [time]: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
     --> [directory]/t.pkr.hcl:8:3
      |
    8 |   provisioner "shell" {
      |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
     --> [directory]/t.pkr.hcl:8:3
      |
    8 |   provisioner "shell" {
      |   ^^^^^^^^^^^^^^^^^^^

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn abort_leaves_the_instance_and_lists_it() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, endpoint, outcome) = with_faults(&[], &["-on-error=abort"], "exit 3");
    let outcome = outcome.expect(3);
    let (instance, state) = endpoint.instances().remove(0);
    assert_eq!(state, InstanceStateName::Running);
    let left = format!("Left behind in us-east-1: instance {instance}");
    assert!(outcome.stdout.contains(&left), "{}", outcome.stdout);
    assert_eq!(outcome.stdout.matches("Left behind").count(), 3, "{}", outcome.stdout);
}

#[test]
fn an_image_that_cannot_be_made_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = "CreateImage:1:error=ResourceLimitExceeded/no more images for you";
    let (_workspace, endpoint, outcome) = with_faults(&[fault], &[], "true");
    let outcome = outcome.expect(1);
    for word in ["CreateImage", "ResourceLimitExceeded", "no more images for you"] {
        assert!(outcome.stdout.contains(word), "no {word} in\n{}", outcome.stdout);
    }
    assert!(endpoint.images().is_empty());
    endpoint.assert_only_images();
}

#[test]
fn an_instance_that_cannot_be_launched_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, endpoint, outcome) =
        with_faults(&["RunInstances:*:unauthorized"], &[], "true");
    let outcome = outcome.expect(1);
    assert!(outcome.stdout.contains("UnauthorizedOperation"), "{}", outcome.stdout);
    assert!(endpoint.instances().is_empty());
    endpoint.assert_only_images();
}

#[test]
fn a_group_that_is_still_in_use_is_deleted_later() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = "DeleteSecurityGroup:3:error=DependencyViolation/has a dependent object";
    let (_workspace, endpoint, outcome) = with_faults(&[fault], &[], "true");
    let outcome = outcome.expect(0);
    assert!(!outcome.stdout.contains("Left behind"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("panicked") && outcome.stderr.is_empty());
    assert_eq!(endpoint.images().len(), 1);
    endpoint.assert_only_images();
}

#[test]
fn what_cannot_be_deleted_is_listed_with_an_exit_code_of_its_own() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, endpoint, outcome) = with_faults(
        &["DeleteSecurityGroup:*:unauthorized", "DeleteKeyPair:*:unauthorized"],
        &[],
        "true",
    );
    let outcome = outcome.expect(3);
    let left: Vec<_> =
        outcome.stdout.lines().filter(|line| line.contains("Left behind in us-east-1: ")).collect();
    // Key pair, security group, lease.
    assert_eq!(left.len(), 3, "{}", outcome.stdout);
    assert!(left.iter().all(|line| line.contains("UnauthorizedOperation")), "{left:?}");
    // The image is there all the same.
    assert_eq!(endpoint.images()[0].image_id(), Some(outcome.image().as_str()));
}

#[test]
fn lost_answers_and_throttling_lead_to_one_image_and_nothing_else() {
    if !root("building in the sandbox") {
        return;
    }
    let faults = [
        "ImportKeyPair:#1:cut",
        "CreateSecurityGroup:#1:cut",
        "RunInstances:#1:cut",
        "DescribeInstances:#2:throttle",
        "StopInstances:#1:drop",
        "CreateImage:#1:cut",
        "TerminateInstances:#1:unavailable",
        "CreateTags:#1:internal",
    ];
    let (_workspace, endpoint, outcome) = with_faults(&faults, &[], "true");
    outcome.expect(0);
    assert_eq!(endpoint.images().len(), 1);
    assert_eq!(endpoint.instances().len(), 1);
    endpoint.assert_only_images();
}

#[test]
fn ids_that_take_time_to_be_found_are_waited_for() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let latency =
        "visible=300ms,running=200ms,stopped=200ms,snapshot=200ms,image=200ms,terminated=200ms";
    let endpoint = Endpoint::start(&workspace, &["--latency", latency]);
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    endpoint.build(&workspace, &[], &path).expect(0);
    assert_eq!(endpoint.images().len(), 1);
    endpoint.assert_only_images();
}
