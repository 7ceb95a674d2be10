//! boto3, the SDK for Python, against `bake sandbox serve`: its waiters and its paginators.

use std::process::Command;

use super::python;
use crate::support::{Endpoint, Workspace, all_suites, root};

#[test]
fn waiters_and_paginators_of_boto3_work_against_the_sandbox() {
    if !all_suites("boto3 against the sandbox") || !root("instances in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    // Long enough for a waiter to have to ask more than once.
    let latency = "--latency=running=1s,image=1s,terminated=1s";
    let endpoint = Endpoint::start(&workspace, &[latency]);
    let mut command = Command::new(python::programs().join("python3"));
    command.args(["-c", include_str!("boto3.py")]).env("HOME", workspace.path());
    command.env("AWS_DEFAULT_REGION", "us-east-1");
    let output = endpoint.used_by(command).output().expect("start python3");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @"
    image_exists at once
    launched: pending
    instance_running after some time
    image_available after some time
    image: from-boto3
    the same name: InvalidAMIName.Duplicate
    pages of tags: [5, 5, 2]
    pages of images hold them all: True True
    instance_terminated after some time
    own images: 0
    ");
    endpoint.assert_only_images();
    drop(endpoint);
    workspace.assert_nothing_runs();
}
