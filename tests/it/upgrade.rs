//! Legacy templates become HCL, and stay the same recipes.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::support::{Outcome, Workspace, repository, root};

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
    { "type": "shell", "inline": ["echo {{user `my name`}} {{user `mode` | printf `%q`}}"] }
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
    assert_snapshot!(outcome.stderr, @r#"
    warning[renamed-variable]: the variable `my name` is now `my_name`
     --> web.json:2:32
      |
    2 |   "variables": { "mode": null, "my name": "web" },
      |                                ^^^^^^^^^ this is no name in HCL
      |
      = help: write `-var my_name=…`, and so in variable files

    warning[missing-variable]: variable `mode` has no value
     --> web.json:2:18
      |
    2 |   "variables": { "mode": null, "my name": "web" },
      |                  ^^^^^^ null makes it required
      |
      = help: give it by `-var mode=…` or a variable file

    warning[not-compared]: the template hashes are not compared: the JSON template itself cannot be planned, for the reasons above
     |
     = help: give -var mode=… to compare them
    "#);
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
    assert_snapshot!(written, @r#"
    # Plugins are for Packer; bake needs none.
    packer {
      required_plugins {
        amazon = {
          source  = "github.com/hashicorp/amazon"
          version = "~> 1"
        }
      }
    }

    # All variables of a JSON template are texts. Give them by -var, -var-file or PKR_VAR_NAME.
    variable "mode" {
      type = string
    }

    # was called `my name`, which is no name in HCL
    variable "my_name" {
      type    = string
      default = "web"
    }

    # The builders: where the images are made.
    source "amazon-ebs" "amazon-ebs" {
      region        = "eu-central-1"
      source_ami    = "ami-12345678"
      instance_type = "t3.micro"
      ssh_username  = "admin"
      ami_name      = "${var.my_name}-{{timestamp}}"
    }

    # What is done to them, for all sources unless `only` or `except` says so.
    build {
      sources = ["source.amazon-ebs.amazon-ebs"]

      provisioner "file" {
        source      = "${abspath("${path.root}/../..")}/motd"
        destination = "/etc/motd"
      }

      # `{{user `mode` | printf `%q`}}` stays a Go template
      provisioner "shell" {
        inline = ["echo ${var.my_name} {{${jsonencode(var.mode)} | printf `%q`}}"]
      }
    }
    "#);
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
    assert_snapshot!(outcome.stderr, @"
    error[not-legacy]: `web.pkr.hcl` is HCL already
     |
     = help: `bake upgrade` is for legacy JSON templates, with `builders`
    ");
}

#[test]
fn what_cannot_be_upgraded_is_marked_in_the_file() {
    let workspace = Workspace::new();
    let directory = copied(&workspace);
    let outcome = upgrade(&workspace, &directory, &["not-upgradable.json"]).expect(1);
    assert_snapshot!(outcome.stderr, @r#"
    error[not-upgraded]: how many elements `{{if eq (user `mode`) `prod`}}echo a,echo b{{end}}` has is decided by a Go template
      --> not-upgradable.json:14:15
       |
    14 |     { "type": "shell", "inline": "{{if eq (user `mode`) `prod`}}echo a,echo b{{end}}" }
       |               ^^^^^^^
       |
       = help: the written file says `TODO` there: put it right by hand

    error[not-equal]: the template hash of `amazon-ebs.amazon-ebs` is another one in `not-upgradable.json.pkr.hcl`
     |
     = note: before: 8ac23ff968be097cd79a55b8a49c11057d3e0c9238b1cc87325b435ce355b0a2
     = note: after:  e9008652f22391ab0f9fada79bb3ac095a694e38d00f3ce9b96479743edd6993
     = note: steps[0].options.inline: ["echo a","echo b"] before, ["echo a,echo b"] after
     = help: put the upgraded file right by hand, then compare `bake hash` of both
    "#);
    let written = fs::read_to_string(directory.join("not-upgradable.json.pkr.hcl"));
    assert!(written.expect("a file").contains("  # TODO: how many elements "));
}

const OLD: &str = r#"{
  "_note": "<kept>",
  "builders": [{
    "type": "amazon-ebs", "region": "eu-central-1", "source_ami": "ami-12345678",
    "instance_type": "t3.micro", "ssh_username": "admin", "ssh_private_ip": true,
    "ssh_wait_timeout": "5m", "shutdown_behaviour": "terminate",
    "temporary_security_group_source_cidr": "10.0.0.0/8",
    "ami_name": "web {{.CreateTime}} {{clean_ami_name `a:b`}}"
  }]
}"#;

#[test]
fn fix_prints_the_template_as_it_is_written_today() {
    let workspace = Workspace::new();
    workspace.write("old.json", OLD);
    let run = |arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        command.current_dir(workspace.path());
        crate::support::Running::start(command).finish()
    };
    let outcome = run(&["fix", "old.json"]).expect(0);
    assert_snapshot!(outcome.stdout, @r#"
    {
      "_note": "<kept>",
      "builders": [
        {
          "type": "amazon-ebs",
          "region": "eu-central-1",
          "source_ami": "ami-12345678",
          "instance_type": "t3.micro",
          "ssh_username": "admin",
          "ssh_interface": "private_ip",
          "ssh_timeout": "5m",
          "shutdown_behavior": "terminate",
          "temporary_security_group_source_cidrs": [
            "10.0.0.0/8"
          ],
          "ami_name": "web {{timestamp}} {{clean_resource_name `a:b`}}"
        }
      ]
    }
    "#);
    assert_eq!(outcome.stderr, "");
    // What is wrong else is told, behind the template.
    workspace.write("wrong.json", OLD.replace("ssh_username", "ssh_user"));
    let outcome = run(&["fix", "wrong.json"]).expect(1);
    assert!(outcome.stdout.ends_with("}\n"), "{}", outcome.stdout);
    assert_snapshot!(outcome.stderr, @r#"
    error[unknown-option]: unknown option `ssh_user`
     --> wrong.json (fixed):9:7
      |
    9 |       "ssh_user": "admin",
      |       ^^^^^^^^^^ not known here
    "#);
    let outcome = run(&["fix", "-validate=false", "wrong.json"]).expect(0);
    assert_eq!(outcome.stderr, "");
    // Who meets the old name is told about the command.
    let outcome = run(&["validate", "old.json"]).expect(1);
    assert_snapshot!(outcome.stderr, @r#"
    error[unknown-option]: unknown option `ssh_private_ip`
     --> old.json:5:59
      |
    5 |     "instance_type": "t3.micro", "ssh_username": "admin", "ssh_private_ip": true,
      |                                                           ^^^^^^^^^^^^^^^^ not known here
      |
      = help: it is `ssh_interface` now; `bake fix` prints the template as it is written today

    error[unknown-option]: unknown option `shutdown_behaviour`
     --> old.json:6:31
      |
    6 |     "ssh_wait_timeout": "5m", "shutdown_behaviour": "terminate",
      |                               ^^^^^^^^^^^^^^^^^^^^ not known here
      |
      = help: it is `shutdown_behavior` now; `bake fix` prints the template as it is written today

    error[unknown-option]: unknown option `temporary_security_group_source_cidr`
     --> old.json:7:5
      |
    7 |     "temporary_security_group_source_cidr": "10.0.0.0/8",
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not known here
      |
      = help: it is `temporary_security_group_source_cidrs` now; `bake fix` prints the template as it is written today

    error[template-error]: unknown function `clean_ami_name`
     --> old.json:8:40
      |
    8 |     "ami_name": "web {{.CreateTime}} {{clean_ami_name `a:b`}}"
      |                                        ^^^^^^^^^^^^^^ in this template text
      |
      = help: for a text with braces that another program reads, write {{`{{`}}clean_ami_name …}}
    "#);
    workspace.write("new.pkr.hcl", "");
    let outcome = run(&["fix", "new.pkr.hcl"]).expect(1);
    assert_snapshot!(outcome.stderr, @"
    error[not-legacy]: `new.pkr.hcl` is HCL
     |
     = help: `bake fix` is for JSON templates with `builders`
    ");
}

/// A secret, what only the build knows, and Go templates that stay, all in hashed options.
const REUSED: &str = r#"{
  "variables": { "who": "world", "password": "s3cret!" },
  "sensitive-variables": ["password"],
  "builders": [{
    "type": "amazon-ebs", "name": "reused", "region": "eu-central-1",
    "instance_type": "t3.micro", "ssh_username": "admin",
    "source_ami_filter": {
      "filters": { "name": "debian-12-amd64-*" }, "owners": "136693071363", "most_recent": "true"
    },
    "ami_name": "reused-{{uuid}}"
  }],
  "provisioners": [{
    "type": "shell",
    "environment_vars": "PASSWORD={{user `password`}}",
    "inline": ["echo {{build `ID`}} {{user `who`}} {{if eq (user `who`) `world`}}yes{{end}}"]
  }]
}"#;

#[test]
fn the_upgraded_template_finds_the_image_of_the_json_one() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let json = workspace.write("t/reused.json", REUSED);
    upgrade(&workspace, &workspace.path().join("t"), &["reused.json"]).expect(0);
    let built = workspace.build(&json).expect(0);
    assert!(built.stdout.contains("AMIs were created:"), "{}", built.stdout);
    let hcl = workspace.path().join("t/reused.json.pkr.hcl");
    let reused = workspace.build(&hcl).expect(0);
    assert!(reused.stdout.contains("AMIs were reused:"), "{}", reused.stdout);
    // And what it would build says the same.
    let again = workspace.build_with(&["--force"], &hcl).expect(0);
    assert!(again.stdout.contains(" world yes"), "{}", again.stdout);
}
