//! Instances end by themselves when their build is dead, and only then.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use aws_sdk_ec2::types::InstanceStateName;
use rustix::process::Signal;

use crate::support::{
    Endpoint, Running, Strike, Tap, Workspace, looking_into, root, shell, template, template_with,
};

/// Waits until the one instance is in that state.
fn wait_for(endpoint: &Endpoint, last: &InstanceStateName) {
    let start = Instant::now();
    while endpoint.instances()[0].1 != *last {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", endpoint.instances());
        #[expect(clippy::disallowed_methods, reason = "nothing tells when instances end")]
        sleep(Duration::from_millis(100));
    }
}

/// Kills a build with a short lifetime once it says `moment`, and waits until its instance is gone.
fn killed(template: &str, moment: &str) {
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let path = workspace.write("t.pkr.hcl", template);
    let mut command = workspace.command(["build", "-lifetime=5s"]);
    command.arg(path);
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for(moment);
    running.signal(Signal::KILL);
    running.finish().expect(137);
    let (_, state) = endpoint.instances().remove(0);
    assert!(state != InstanceStateName::Terminated, "it has to live longer than its build");
    wait_for(&endpoint, &InstanceStateName::Terminated);
}

#[test]
fn the_instance_of_a_killed_build_ends_by_itself() {
    if !root("building in the sandbox") {
        return;
    }
    killed(&template(&shell("echo begun; sleep 300")), ": begun");
}

#[test]
fn it_ends_at_whatever_moment_after_its_launch_the_build_was_killed() {
    if !root("building in the sandbox") {
        return;
    }
    // All of them wait for their deadlines at the same time.
    thread::scope(|scope| {
        for moment in ["Instance ID", "Waiting for SSH", "Connected!"] {
            scope.spawn(move || killed(&template(&shell("echo begun; sleep 300")), moment));
        }
    });
}

#[test]
fn one_that_was_stopped_for_its_image_runs_no_more_and_gc_removes_it() {
    if !root("building in the sandbox") {
        return;
    }
    // A stopped instance has no timer. It costs its volumes alone, and waits for `bake gc`.
    for action in ["StopInstances", "CreateImage"] {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        let path = workspace.write("t.pkr.hcl", template(&shell("true")));
        let tap = Tap::to(endpoint.url());
        tap.arm(Some(Strike { action: action.to_owned(), number: 1, answered: false }));
        let mut command = workspace.command(["build"]);
        command.arg(path);
        let mut command = endpoint.used_by(command);
        command.env("AWS_ENDPOINT_URL", tap.url());
        let running = Running::start(command);
        tap.aim(running.pid());
        running.finish().expect(137);
        wait_for(&endpoint, &InstanceStateName::Stopped);
        let mut gc = endpoint.used_by(workspace.command(["gc"]));
        gc.env("AWS_ENDPOINT_URL", tap.url());
        tap.arm(None);
        Running::start(gc).finish().expect(0);
        assert!(endpoint.left().is_empty(), "{action}: {:?}", endpoint.left());
    }
}

#[test]
fn user_data_alone_ends_it_too() {
    if !root("building in the sandbox") {
        return;
    }
    // Nobody has connected by then.
    let never = "source_ami = \"ami-12345678\"\n  pause_before_connecting = \"300s\"";
    killed(&template_with(never, ""), "Waiting for instance");
    let own = "source_ami = \"ami-12345678\"\n  pause_before_connecting = \"300s\"\n  user_data = \"#!/bin/sh\\necho mine > /etc/mine\\n\"";
    killed(&template_with(own, ""), "Waiting for instance");
}

#[test]
fn a_build_that_lives_keeps_its_instance_and_the_image_has_nothing_of_it() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let options =
        "source_ami = \"ami-12345678\"\n  user_data = \"#!/bin/sh\\necho mine > /etc/mine\\n\"";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell("sleep 10")));
    let outcome = endpoint.build(&workspace, &["-lifetime=5s"], &path).expect(0);
    assert!(!outcome.stdout.contains("Warning"), "{}", outcome.stdout);
    let script = "cat /etc/mine; if sudo grep -rl bake-dead[-]man /etc /root /home /tmp /usr/local /var/lib/cloud /var/lib/systemd; then exit 4; fi";
    let look = workspace.write("look.pkr.hcl", looking_into(&outcome.image(), script));
    let looked = endpoint.build(&workspace, &[], &look).expect(0);
    assert!(looked.lines_of("amazon-ebs.t").contains(&"mine"), "{}", looked.stdout);
}

#[test]
fn after_a_restart_the_timer_runs_again() {
    if !root("building in the sandbox") {
        return;
    }
    let restarting = "provisioner \"shell\" {\n    expect_disconnect = true\n    inline = [\"sudo reboot\"]\n  }\n";
    let steps = restarting.to_owned() + &shell("echo begun; sleep 300");
    killed(&template(&steps), ": begun");
}
