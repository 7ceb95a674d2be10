//! Legacy templates become HCL, and stay the same recipes.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::support::{Outcome, Workspace, repository};

/// Reasons for which a template's hashes cannot be compared that are no fault of the upgrade: what
/// bake does not have yet, and secrets that would have to be looked up.
const MAY_WAIT: [&str; 6] = [
    "not-compared",
    "template-error",
    "unknown-component",
    "unsupported-function",
    "unsupported-option",
    "unsupported-post-processor",
];

/// Copies `fixtures/upgrade` into a workspace.
fn copied(workspace: &Workspace) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("make directory");
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).expect("copy file");
            }
        }
    }
    let target = workspace.path().join("upgrade");
    copy(&repository().join("fixtures/upgrade"), &target);
    target
}

/// Runs `bake upgrade` in a directory.
fn upgrade(workspace: &Workspace, directory: &Path, arguments: &[&str]) -> Outcome {
    let mut command = workspace.command(["upgrade"]);
    command.args(arguments).current_dir(directory).env("BAKE_TEST_HOME", "/home/x");
    crate::support::Running::start(command).finish()
}

/// Codes of all findings in what a command wrote.
fn codes(stderr: &str) -> Vec<&str> {
    stderr
        .lines()
        .filter_map(|line| {
            let (_, rest) = line
                .strip_prefix("warning[")
                .or_else(|| line.strip_prefix("error["))
                .map(|rest| ("", rest))?;
            rest.split(']').next()
        })
        .collect()
}

#[test]
fn every_template_is_written_as_expected_and_keeps_its_hashes() {
    let workspace = Workspace::new();
    let directory = copied(&workspace);
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("fixtures")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| !name.ends_with(".vars"))
        .collect();
    names.sort();
    assert!(names.len() >= 25, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let template = format!("{name}.json");
        let variables = format!("-var-file={name}.vars.json");
        let mut arguments = vec![template.as_str()];
        if directory.join(format!("{name}.vars.json")).exists() {
            arguments.insert(0, &variables);
        }
        let outcome = upgrade(&workspace, &directory, &arguments);
        let written = fs::read_to_string(directory.join(format!("{name}.json.pkr.hcl")));
        let expected = fs::read_to_string(directory.join(format!("{name}.pkr.hcl")));
        if written.as_deref().ok() != expected.as_deref().ok() {
            wrong.push(format!("{name}: written is\n{}", written.unwrap_or_default()));
        }
        let equal = outcome.stdout.contains(" same before and after:");
        let waits = codes(&outcome.stderr).iter().all(|code| MAY_WAIT.contains(code));
        let right = match name.as_str() {
            "not-upgradable" => outcome.code == 1 && !equal,
            _ => outcome.code == 0 && (equal || waits),
        };
        if !right {
            wrong.push(format!("{name}: {}\n{}{}", outcome.code, outcome.stdout, outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is written needs no layout.
    workspace.bake(["fmt", "-check", directory.to_str().expect("UTF-8")]).expect(0);
}

const WEB: &str = r#"{
  "variables": { "mode": null, "my name": "web" },
  "builders": [
    {
      "type": "amazon-ebs",
      "region": "eu-central-1",
      "source_ami": "ami-12345678",
      "instance_type": "t3.micro",
      "ssh_username": "admin",
      "ami_name": "{{user `my name`}}-{{timestamp}}"
    }
  ],
  "provisioners": [
    { "type": "file", "source": "{{template_dir}}/motd", "destination": "/etc/motd" },
    { "type": "shell", "inline": "echo {{user `my name`}} {{user `mode` | printf `%q`}}" }
  ]
}"#;

fn web(workspace: &Workspace) -> PathBuf {
    workspace.write("t/motd", "hello\n");
    workspace.write("t/web.json", WEB);
    workspace.path().join("t")
}

#[test]
fn what_is_missing_for_the_proof_is_said() {
    let workspace = Workspace::new();
    let directory = web(&workspace);
    let outcome = upgrade(&workspace, &directory, &["web.json"]).expect(0);
    assert_eq!(outcome.stdout, "Wrote web.json.pkr.hcl\n");
    assert_snapshot!(outcome.stderr, @"");
    let outcome = upgrade(
        &workspace,
        &directory,
        &["-var", "mode=fast", "-var", "my name=other", "web.json"],
    )
    .expect(0);
    assert!(outcome.stdout.contains("The template hash is the same before and after:\n"));
}

#[test]
fn the_file_may_go_elsewhere_and_say_what_it_is() {
    let workspace = Workspace::new();
    let directory = web(&workspace);
    let arguments =
        ["-with-annotations", "-output-file=new/hcl/web.pkr.hcl", "-var=mode=fast", "web.json"];
    let outcome = upgrade(&workspace, &directory, &arguments).expect(0);
    assert!(outcome.stdout.contains(" same before and after:\n"), "{}", outcome.stdout);
    let written = fs::read_to_string(directory.join("new/hcl/web.pkr.hcl")).expect("a file");
    assert_snapshot!(written, @"");
}

#[test]
fn standard_output_is_the_template_alone() {
    let workspace = Workspace::new();
    let directory = web(&workspace);
    let outcome =
        upgrade(&workspace, &directory, &["-output-file=-", "-var=mode=fast", "web.json"]);
    let outcome = outcome.expect(0);
    assert!(outcome.stdout.starts_with("packer {\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("}\n"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains(" same before and after:\n"), "{}", outcome.stderr);
    // The old name of the command, and a template that needs no upgrade.
    workspace.write("t/web.pkr.hcl", &outcome.stdout);
    let mut command = workspace.command(["hcl2_upgrade", "web.pkr.hcl"]);
    command.current_dir(&directory);
    let outcome = crate::support::Running::start(command).finish().expect(1);
    assert_snapshot!(outcome.stderr, @"");
}

#[test]
fn what_cannot_be_upgraded_is_marked_in_the_file() {
    let workspace = Workspace::new();
    let directory = copied(&workspace);
    let outcome = upgrade(&workspace, &directory, &["not-upgradable.json"]).expect(1);
    assert_snapshot!(outcome.stderr, @"");
    let written = fs::read_to_string(directory.join("not-upgradable.json.pkr.hcl"));
    assert!(written.expect("a file").contains("  # TODO: how many elements "));
}
