//! Builds of one hash at the same time make one image, and an image is taken as long as it is young
//! enough.

use crate::support::{Endpoint, Relay, Running, Workspace, root, shell, template};

#[test]
fn builds_started_together_make_one_image() {
    if !root("building in the sandbox") {
        return;
    }
    let count = if std::env::var_os("BAKE_TEST_ALL").is_some() { 20 } else { 5 };
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let path = workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 2")));
    let running: Vec<_> = (0..count)
        .map(|_| {
            let mut command = workspace.command(["build"]);
            command.arg(&path);
            Running::start(endpoint.used_by(command))
        })
        .collect();
    let outcomes: Vec<_> = running.into_iter().map(|one| one.finish().expect(0)).collect();
    let image = outcomes[0].image();
    for outcome in &outcomes {
        assert_eq!(outcome.image(), image);
    }
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.reused()).count(), 1);
    let waited = "Another build makes this image: amazon-ebs.t of run ";
    let waited: Vec<_> = outcomes.iter().filter(|one| one.stdout.contains(waited)).collect();
    assert!(!waited.is_empty(), "{}", outcomes[0].stdout);
    for outcome in waited {
        assert!(outcome.reused() && outcome.stdout.contains("Waiting for its image..."));
    }
    assert_eq!(endpoint.instances().len(), 1, "one instance was launched");
    assert_eq!(endpoint.images().len(), 1);
    endpoint.assert_only_images();
}

#[test]
fn whoever_waits_can_be_interrupted_and_the_holder_goes_on() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let path = workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 3")));
    let start = || {
        let mut command = workspace.command(["build"]);
        command.arg(&path);
        Running::start(endpoint.used_by(command))
    };
    let mut holder = start();
    holder.wait_for(": begun");
    let mut waiting = start();
    waiting.wait_for("Waiting for its image...");
    waiting.signal(rustix::process::Signal::INT);
    let outcome = waiting.finish().expect(130);
    assert!(!outcome.stdout.contains("Left behind"), "{}", outcome.stdout);
    holder.finish().expect(0);
    assert_eq!(endpoint.instances().len(), 1);
    endpoint.assert_only_images();
}

#[test]
fn taking_an_image_makes_no_call_that_changes_anything() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    let first = endpoint.build(&workspace, &[], &path).expect(0);
    let relay = Relay::to(endpoint.url());
    let mut command = workspace.command(["build"]);
    command.arg(&path);
    let mut command = endpoint.used_by(command);
    command.env("AWS_ENDPOINT_URL", relay.url());
    let second = Running::start(command).finish().expect(0);
    assert!(second.reused());
    assert_eq!(second.image(), first.image());
    let actions = relay.actions();
    assert!(actions.iter().any(|action| action == "DescribeImages"), "{actions:?}");
    let reads = |action: &String| action.starts_with("Describe") || action.starts_with("Get");
    assert!(actions.iter().all(reads), "{actions:?}");
}

#[test]
fn an_image_that_is_older_than_asked_for_is_built_again_and_kept() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    let build = |options: &[&str]| endpoint.build(&workspace, options, &path).expect(0);
    let first = build(&[]);
    assert!(build(&["-max-age=7d"]).reused());
    let second = build(&["-max-age", "0d"]);
    assert!(!second.reused());
    assert_ne!(second.image(), first.image());
    assert_eq!(second.hash(), first.hash());
    let told = format!("==> amazon-ebs.t: Not taking {} of ", first.image());
    assert!(second.stdout.contains(&told), "{}", second.stdout);
    assert_eq!(endpoint.images().len(), 2, "the older one stays");
    let third = build(&[]);
    assert!(third.reused());
    assert_eq!(third.image(), second.image(), "the newer one is taken");
    endpoint.assert_only_images();
}
