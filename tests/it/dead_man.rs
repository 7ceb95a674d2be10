//! Instances end by themselves when their build is dead, and only then.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aws_sdk_ec2::types::InstanceStateName;
use rustix::process::Signal;

use crate::support::{
    Endpoint, Running, Workspace, looking_into, root, shell, template, template_with,
};

/// Kills a build with that lifetime once it says `moment`, and waits for the end of its instance.
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
    let start = Instant::now();
    while endpoint.instances()[0].1 != InstanceStateName::Terminated {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", endpoint.instances());
        #[expect(clippy::disallowed_methods, reason = "nothing tells when instances end")]
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_instance_of_a_killed_build_ends_by_itself() {
    if !root("building in the sandbox") {
        return;
    }
    killed(&template(&shell("echo begun; sleep 300")), ": begun");
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
