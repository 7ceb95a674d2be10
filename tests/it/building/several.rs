//! Several builds of one template.

use crate::support::{Outcome, Workspace, root};

/// Two sources in one build block and one in another.
const THREE: &str = r#"
source "amazon-ebs" "one" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = "ami-12345678"
}
source "amazon-ebs" "two" {
  instance_type = "t3.micro"
  ssh_username  = "ubuntu"
  source_ami    = "ami-12345678"
}
build {
  name    = "pair"
  sources = ["source.amazon-ebs.one", "source.amazon-ebs.two"]
  provisioner "shell" {
    inline = ["date +'%s%N begin'", "echo ${source.name} as $(id -un)", "sleep 1", "date +'%s%N end'"]
  }
  provisioner "shell" {
    only   = ["amazon-ebs.two"]
    inline = ["echo only for two"]
  }
}
build {
  sources = ["source.amazon-ebs.one"]
  provisioner "shell" {
    inline = ["echo alone"]
  }
}
"#;

fn build(options: &[&str]) -> Outcome {
    let workspace = Workspace::new();
    let outcome = workspace.build_with(options, workspace.write("t.pkr.hcl", THREE));
    workspace.assert_nothing_runs();
    outcome
}

/// When the script of a build began and ended, in nanoseconds of its clock.
fn times(outcome: &Outcome, build: &str) -> (u128, u128) {
    let lines = outcome.lines_of(build);
    let at = |word| {
        let time = lines.iter().find_map(|line| line.strip_suffix(word));
        time.unwrap_or_else(|| panic!("no {word} of {build}:\n{}", outcome.stdout)).parse()
    };
    (at(" begin").expect("a number"), at(" end").expect("a number"))
}

#[test]
fn all_builds_of_a_template_run_side_by_side() {
    if !root("building in the sandbox") {
        return;
    }
    let outcome = build(&[]).expect(0);
    assert_eq!(outcome.images().len(), 3, "{}", outcome.stdout);
    let lines = outcome.lines_of("pair.amazon-ebs.two");
    assert!(lines.contains(&"two as ubuntu") && lines.contains(&"only for two"), "{lines:?}");
    let lines = outcome.lines_of("pair.amazon-ebs.one");
    assert!(lines.contains(&"one as admin") && !lines.contains(&"only for two"), "{lines:?}");
    assert!(outcome.lines_of("amazon-ebs.one").contains(&"alone"));
    let (one, two) =
        (times(&outcome, "pair.amazon-ebs.one"), times(&outcome, "pair.amazon-ebs.two"));
    assert!(one.0 < two.1 && two.0 < one.1, "one after the other: {one:?}, {two:?}");
}

#[test]
fn builds_are_chosen_by_name() {
    if !root("building in the sandbox") {
        return;
    }
    let outcome =
        build(&["-only=pair.amazon-ebs.one,*.two", "-except=pair.amazon-ebs.one"]).expect(0);
    assert_eq!(outcome.images().len(), 1, "{}", outcome.stdout);
    assert!(outcome.lines_of("pair.amazon-ebs.two").contains(&"only for two"));
}

#[test]
fn builds_run_one_after_the_other_when_only_one_may_run() {
    if !root("building in the sandbox") {
        return;
    }
    let outcome = build(&["-parallel-builds=1", "-only=pair.*"]).expect(0);
    let (one, two) =
        (times(&outcome, "pair.amazon-ebs.one"), times(&outcome, "pair.amazon-ebs.two"));
    assert!(one.1 <= two.0 || two.1 <= one.0, "side by side: {one:?}, {two:?}");
}

#[test]
fn a_failing_build_does_not_stop_its_neighbours() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let text = THREE.replace("echo alone", "exit 4");
    let outcome = workspace.build(workspace.write("t.pkr.hcl", text)).expect(1);
    assert_eq!(outcome.images().len(), 2, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("exit status: 4"), "{}", outcome.stdout);
    workspace.assert_nothing_runs();
}
