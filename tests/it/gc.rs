//! `bake gc` and `bake runs`: a bake that is killed leaves nothing once they have run.

use aws_sdk_ec2::types::InstanceStateName;
use rustix::process::Signal;

use crate::support::{Endpoint, Outcome, Running, Workspace, all_suites, root, shell, template};

/// Runs bake against an endpoint.
#[track_caller]
fn bake(workspace: &Workspace, endpoint: &Endpoint, arguments: &[&str]) -> Outcome {
    Running::start(endpoint.used_by(workspace.command(arguments))).finish()
}

/// Kills a build as soon as it has said something.
fn kill_at(workspace: &Workspace, endpoint: &Endpoint, script: &str, moment: &str) {
    let path = workspace.write("t.pkr.hcl", template(&shell(script)));
    let mut command = workspace.command(["build"]);
    command.arg(path);
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for(moment);
    running.signal(Signal::KILL);
    // It may have been done just before.
    let code = running.finish().code;
    assert!(code == 137 || code == 0, "{moment}: {code}");
}

#[test]
fn wherever_a_bake_is_killed_gc_leaves_nothing_and_the_next_build_succeeds() {
    if !root("building in the sandbox") {
        return;
    }
    let all = [
        "Creating temporary keypair",
        "Instance ID",
        "Creating AMI",
        "AMI: ami-",
        "Found Image ID",
        "Security group: sg-",
        "Launching",
        "Waiting for SSH",
        "Connected!",
        "Stopping",
        "Adding tags",
        "Deleting",
    ];
    let count = if all_suites("a kill at each moment of a build") { all.len() } else { 4 };
    for moment in &all[..count] {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        kill_at(&workspace, &endpoint, "true", moment);
        let collected = bake(&workspace, &endpoint, &["gc"]);
        assert_eq!(collected.code, 0, "{moment}:\n{}{}", collected.stdout, collected.stderr);
        endpoint.assert_only_images();
        let hashed = |image: &aws_sdk_ec2::types::Image| {
            image.tags().iter().any(|tag| tag.key() == Some("bake:image-hash"))
        };
        assert!(endpoint.images().iter().all(hashed), "{moment}: a half-made image is left");
        let again = bake(&workspace, &endpoint, &["gc", "-json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&again.stdout).expect("JSON");
        assert_eq!(report["left"], serde_json::json!([]), "{moment}: {report}");
        assert_eq!(report["removed"], serde_json::json!([]), "{moment}: {report}");
        endpoint.build(&workspace, &[], &workspace.path().join("t.pkr.hcl")).expect(0);
        assert_eq!(endpoint.images().len(), 1, "{moment}");
        endpoint.assert_only_images();
    }
}

#[test]
fn a_dry_run_lists_what_gc_removes_and_a_run_under_way_is_passed_over() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    kill_at(&workspace, &endpoint, "echo begun; sleep 300", ": begun");
    let listed = bake(&workspace, &endpoint, &["gc", "-dry-run"]).expect(3);
    for word in ["instance", "key pair", "lease", "security group", "its run died"] {
        assert!(listed.stdout.contains(word), "no {word} in\n{}", listed.stdout);
    }
    let (instance, state) = endpoint.instances().remove(0);
    assert_eq!(state, InstanceStateName::Running, "a dry run changes nothing");
    let runs = bake(&workspace, &endpoint, &["runs"]).expect(0).stdout;
    assert!(runs.contains("died, 4 left"), "{runs}");
    let run = runs.lines().nth(1).and_then(|line| line.split(' ').next()).expect("a run");
    let shown = bake(&workspace, &endpoint, &["runs", "show", run]).expect(0).stdout;
    assert!(shown.contains(&format!("bake gc -run {run}")), "{shown}");
    assert!(shown.contains(&instance), "{shown}");
    // Younger than asked for.
    bake(&workspace, &endpoint, &["gc", "-older-than", "1h"]).expect(0);
    assert_eq!(endpoint.instances()[0].1, InstanceStateName::Running);

    let path = workspace.write("alive.pkr.hcl", template(&shell("echo begun alive; sleep 300")));
    let mut command = workspace.command(["build"]);
    command.arg(path);
    let mut alive = Running::start(endpoint.used_by(command));
    alive.wait_for(": begun alive");
    let collected = bake(&workspace, &endpoint, &["gc"]).expect(0);
    assert!(collected.stdout.contains("it is under way (process"), "{}", collected.stdout);
    let running = endpoint.instances();
    let running: Vec<_> =
        running.iter().filter(|(_, state)| *state == InstanceStateName::Running).collect();
    assert!(running.len() == 1 && running[0].0 != instance, "{running:?}");
    alive.signal(Signal::INT);
    alive.finish().expect(130);
    endpoint.assert_only_images();
}

#[test]
fn an_embedded_sandbox_takes_its_resources_along() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 300")));
    let mut running = Running::start(workspace.building(&[], path));
    running.wait_for(": begun");
    running.signal(Signal::KILL);
    running.finish().expect(137);
    let collected = workspace.bake(["gc"]).expect(0);
    assert!(collected.stderr.contains("nothing was looked for by tags"), "{}", collected.stderr);
    let runs = workspace.bake(["runs"]).expect(0).stdout;
    assert!(runs.contains("died, cleaned up"), "{runs}");
}

#[test]
fn what_a_build_could_not_remove_is_listed_with_the_next_step() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--fault", "DeleteKeyPair:2:unauthorized"]);
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    // It is tried when the image is safe, and at the end.
    let built = endpoint.build(&workspace, &[], &path).expect(3);
    let next = built.stdout.lines().find_map(|line| line.trim().strip_prefix("next: bake "));
    let next: Vec<_> = next.expect("a next step").split(' ').collect();
    let collected = bake(&workspace, &endpoint, &next).expect(0);
    assert!(collected.stdout.contains("Removed 1. Nothing is left"), "{}", collected.stdout);
    endpoint.assert_only_images();
    assert_eq!(endpoint.images().len(), 1);
}
