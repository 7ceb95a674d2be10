//! Templates go in, images come out.

mod ansible;
mod drills;
mod host;
mod image;
mod languages;
mod reach;
mod several;
mod step;
mod upload;
mod winrm;

use std::path::Path;

use insta::assert_snapshot;

use crate::support::{Endpoint, Workspace, readable, root, shell, template};

#[test]
fn the_quickstart_ends_with_an_image_and_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = workspace.build("templates/quickstart.pkr.hcl").expect(0);
    workspace.assert_nothing_runs();

    let (image, hash) = (outcome.image(), outcome.hash());
    assert_eq!(hash.len(), 64);
    let listed = workspace.images();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let name = format!("quickstart-{}", &hash[..12]);
    for word in [&image, &name, &hash[..12]] {
        assert!(listed[0].contains(word), "{word} is not in {listed:?}");
    }
    assert_eq!(outcome.stderr, "");
    assert_snapshot!(readable(&outcome.stdout), @r#"
    ==> amazon-ebs.quickstart: Found Image ID: ami-[id] (debian-12-amd64-20250530-2128)
    ==> amazon-ebs.quickstart: Sandbox base that stands in for it: host ([system])
    ==> amazon-ebs.quickstart: Image hash: [hash]
    ==> amazon-ebs.quickstart: Image name: quickstart-[hash]
    ==> amazon-ebs.quickstart: Prevalidating AMI Name: quickstart-[hash]
    ==> amazon-ebs.quickstart: Creating temporary keypair: packer_[uuid]
    ==> amazon-ebs.quickstart: Keypair: packer_[uuid]
    ==> amazon-ebs.quickstart: Creating temporary security group for this instance: packer_[uuid]
    ==> amazon-ebs.quickstart: Security group: sg-[id] (packer_[uuid])
    ==> amazon-ebs.quickstart: Authorizing access to port 22 from [0.0.0.0/0] in the temporary security group...
    ==> amazon-ebs.quickstart: Launching a source AWS instance...
    ==> amazon-ebs.quickstart: Instance ID: i-[id] (t3.micro)
    ==> amazon-ebs.quickstart: Waiting for instance (i-[id]) to become running...
    ==> amazon-ebs.quickstart: Using SSH communicator to connect: [address]
    ==> amazon-ebs.quickstart: Waiting for SSH to become available...
    ==> amazon-ebs.quickstart: Connected!
    ==> amazon-ebs.quickstart: Uploading templates/quickstart/ => /tmp/quickstart
    ==> amazon-ebs.quickstart: Uploaded 63 B in 1 file in [time]
    ==> amazon-ebs.quickstart: Provisioning with shell script: inline
    ==> amazon-ebs.quickstart: hello from bake
    ==> amazon-ebs.quickstart: Stopping the source instance...
    ==> amazon-ebs.quickstart: Waiting for instance (i-[id]) to become stopped...
    ==> amazon-ebs.quickstart: Creating AMI quickstart-[hash] from instance i-[id]
    ==> amazon-ebs.quickstart: AMI: ami-[id]
    ==> amazon-ebs.quickstart: Waiting for AMI (ami-[id]) to become available...
    ==> amazon-ebs.quickstart: Deleting temporary keypair...
    ==> amazon-ebs.quickstart: Deleted keypair: packer_[uuid]
    ==> amazon-ebs.quickstart: Terminating the source AWS instance...
    ==> amazon-ebs.quickstart: Terminated instance: i-[id]
    ==> amazon-ebs.quickstart: Deleting temporary security group...
    ==> amazon-ebs.quickstart: Deleted security group: sg-[id]
    ==> amazon-ebs.quickstart: Adding tags to AMI (ami-[id])...
    ==> amazon-ebs.quickstart: Adding tag: "Name": "quickstart"
    ==> amazon-ebs.quickstart: Adding tag: "Source": "debian-12-amd64-20250530-2128"
    ==> amazon-ebs.quickstart: Adding tag: "bake:build": "amazon-ebs.quickstart"
    ==> amazon-ebs.quickstart: Adding tag: "bake:image-hash": "[hash]"
    ==> amazon-ebs.quickstart: Adding tag: "bake:run-id": "[uuid]"
    ==> amazon-ebs.quickstart: Steps took: prepare [time], launch [time], connect [time], provision [time], stop [time], image [time], publish [time]
    Build 'amazon-ebs.quickstart' finished after [time].

    ==> Wait completed after [time]

    ==> Builds finished. The artifacts of successful builds are:
    --> amazon-ebs.quickstart: AMIs were created:
    us-east-1: ami-[id]
    image hash: [hash]
    "#);
}

#[test]
fn a_build_at_an_endpoint_leaves_only_the_image() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let template = Path::new("templates/quickstart.pkr.hcl");
    let outcome = endpoint.build(&workspace, &[], template).expect(0);
    let images = endpoint.images();
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].image_id(), Some(outcome.image().as_str()));
    let tags: Vec<_> =
        images[0].tags().iter().filter_map(|tag| tag.key().zip(tag.value())).collect();
    assert!(tags.contains(&("bake:image-hash", &outcome.hash())), "{tags:?}");
    assert!(tags.contains(&("Name", "quickstart")), "{tags:?}");
    assert_eq!(endpoint.instances().len(), 1);
    endpoint.assert_only_images();
    endpoint.stop();
    workspace.assert_nothing_runs();
}

#[test]
fn the_fixture_for_amazon_linux_builds_unmodified() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = workspace.build("fixtures/al2023/app.pkr.hcl").expect(0);
    let lines = outcome.lines_of("amazon-ebs.app");
    assert!(lines.contains(&"building app of amazon-ebs"), "{}", outcome.stdout);
    assert!(lines.contains(&"ec2-user"), "{}", outcome.stdout);
    assert!(lines.iter().any(|line| line.ends_with(" current.conf -> conf/app.conf")));
    let seconds = lines.iter().find_map(|line| line.strip_prefix("Image name: x-"));
    let seconds: u64 = seconds.expect("a name").parse().expect("a timestamp");
    assert!(seconds > 1_600_000_000);
    workspace.assert_nothing_runs();
}

#[test]
fn the_legacy_fixture_builds_unmodified() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = workspace.build("fixtures/legacy/web.json").expect(0);
    let lines = outcome.lines_of("amazon-ebs");
    assert!(lines.contains(&"installed by amazon-ebs in us-east-1"), "{}", outcome.stdout);
    assert!(lines.contains(&r#"Adding tag: "Base": "ami-12345678""#), "{}", outcome.stdout);
    assert!(lines.iter().any(|line| line.starts_with("Image name: web-1")));
    workspace.assert_nothing_runs();
}

#[test]
fn what_a_script_prints_arrives_line_by_line() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let steps = shell(
        "echo to standard output; echo to standard error >&2; printf 'no end'; sleep 0.2; \
         printf ' of line\\n\\nlast: gr\\303\\266\\303\\237e'",
    );
    let path = workspace.write("t.pkr.hcl", template(&steps));
    let outcome = workspace.build(&path).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    for line in ["to standard output", "to standard error", "no end of line", "last: größe"] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
    }
}
