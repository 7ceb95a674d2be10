//! Data sources and secrets: asked when they are needed, by those that may ask.

use std::path::PathBuf;

use insta::assert_snapshot;

use crate::support::{Endpoint, Outcome, Running, Web, Workspace, readable, root};

/// An image of a source that is looked up, with a text that is.
fn template(workspace: &Workspace, web: &Web) -> PathBuf {
    let url = web.url();
    workspace.write(
        "t.pkr.hcl",
        format!(
            r#"
data "amazon-ami" "base" {{
  filters     = {{ name = "debian-12-amd64-*" }}
  owners      = ["136693071363"]
  most_recent = true
}}
data "http" "greeting" {{ url = "{url}/greeting/${{data.amazon-ami.base.name}}" }}
data "http" "other" {{ url = "{url}/other" }}
locals {{ greeting = trimspace(data.http.greeting.body) }}
source "amazon-ebs" "t" {{
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = data.amazon-ami.base.id
}}
source "amazon-ebs" "other" {{
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = data.http.other.body
}}
build {{
  sources = ["source.amazon-ebs.t", "source.amazon-ebs.other"]
  provisioner "shell" {{ inline = ["echo the server said ${{local.greeting}}"] }}
}}
"#
        ),
    )
}

/// What a command makes of the template where every address leads to `web`.
fn where_nobody_may_be_asked(workspace: &Workspace, web: &Web, arguments: &[&str]) -> Outcome {
    let template = template(workspace, web);
    let mut command = workspace.command(arguments);
    command
        .arg(template)
        .env("AWS_ENDPOINT_URL", web.url())
        .env("VAULT_ADDR", web.url())
        .env("http_proxy", web.url());
    Running::start(command).finish()
}

#[test]
fn checking_and_hashing_ask_nobody() {
    let workspace = Workspace::new();
    let web = Web::start("ami-12345678");
    let outcome = where_nobody_may_be_asked(&workspace, &web, &["validate"]).expect(0);
    assert_eq!(outcome.stdout, "The configuration is valid.\n");
    assert_eq!(outcome.stderr, "");
    let hash = where_nobody_may_be_asked(&workspace, &web, &["hash"]).expect(0).stdout;
    where_nobody_may_be_asked(&workspace, &web, &["inspect"]).expect(0);
    assert_eq!(web.paths(), [""; 0]);
    assert_eq!(hash.lines().count(), 2, "{hash}");
}

#[test]
fn hcp_packer_is_known_and_warned_of() {
    let workspace = Workspace::new();
    workspace.write(
        "t.pkr.hcl",
        r#"
data "hcp-packer-version" "base" {
  bucket_name  = "base"
  channel_name = "production"
}
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = "ami-12345678"
  tags          = { base = data.hcp-packer-version.base.fingerprint }
}
build { sources = ["source.amazon-ebs.t"] }
"#,
    );
    let bake = |arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        command.arg("t.pkr.hcl").current_dir(workspace.path());
        Running::start(command).finish()
    };
    let checked = bake(&["validate"]).expect(0).stderr;
    assert!(checked.starts_with("warning[unsupported]: bake does not ask HCP Packer"), "{checked}");
    assert!(checked.contains("t.pkr.hcl:2:1"), "{checked}");
    let built = bake(&["build"]).expect(1).stderr;
    assert!(built.contains("`data.hcp-packer-version.base`: bake does not ask"), "{built}");
}

#[test]
fn a_build_whose_name_is_looked_up_cannot_be_told_offline() {
    let workspace = Workspace::new();
    workspace.write(
        "t.pkr.hcl",
        r#"
data "http" "name" { url = "http://127.0.0.1:1/" }
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = "ami-12345678"
}
build {
  name    = data.http.name.body
  sources = ["source.amazon-ebs.t"]
}
"#,
    );
    let bake = |command: &str| {
        let mut command = workspace.command([command, "t.pkr.hcl"]);
        command.current_dir(workspace.path());
        Running::start(command).finish().expect(1).stderr
    };
    assert_snapshot!(bake("hash"), @r#"
    error[not-looked-up]: `data.http.name` was not looked up
     --> t.pkr.hcl:2:1
      |
    2 | data "http" "name" { url = "http://127.0.0.1:1/" }
      | ^^^^^^^^^^^^^^^^^^ the hash cannot be known without its value

    error[unknown-value]: this must be known before the build runs
     --> t.pkr.hcl:9:13
      |
    9 |   name    = data.http.name.body
      |             ^^^^^^^^^^^^^^^^^^^
    "#);
    assert!(bake("validate").contains("`bake validate -evaluate-datasources` looks it up"));
}

#[test]
fn validate_looks_up_when_it_is_told_to() {
    if !root("the sandbox as a cloud") {
        return;
    }
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &[]);
    let web = Web::start("ami-12345678");
    let template = template(&workspace, &web);
    let mut command = workspace.command(["validate", "-evaluate-datasources"]);
    command.arg(&template);
    let outcome = Running::start(cloud.used_by(command)).finish().expect(0);
    assert_eq!(outcome.stdout, "The configuration is valid.\n");
    let mut paths = web.paths();
    paths.sort();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[0].starts_with("/greeting/debian-12-amd64-") && paths[1] == "/other");

    let mut command = workspace.command(["validate", "-evaluate-datasources", "t.pkr.hcl"]);
    command.current_dir(workspace.path()).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    command.env("AWS_REGION", "us-east-1");
    let outcome = Running::start(command).finish().expect(1);
    assert!(
        outcome.stderr.contains("error[lookup-failed]: `data.amazon-ami.base`"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("t.pkr.hcl:2:1"), "{}", outcome.stderr);
}

#[test]
fn a_build_in_the_sandbox_looks_up_there_and_knows_its_image_again() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let web = Web::start("good morning\n");
    let template = template(&workspace, &web);
    let build = || workspace.build_with(&["-only=amazon-ebs.t"], &template).expect(0);
    let first = build();
    assert!(first.stdout.contains("the server said good morning"), "{}", first.stdout);
    let found = first.lines_of("amazon-ebs.t").first().map(|line| readable(line));
    assert_snapshot!(found.unwrap_or_default(), @"Found Image ID: ami-[id] (debian-12-amd64-20250530-2128)");
    let paths = web.paths();
    assert_eq!(paths.len(), 1, "nobody needs the other one: {paths:?}");

    let second = build();
    assert!(second.reused(), "{}", second.stdout);
    assert_eq!(second.hash(), first.hash());

    web.serve("good evening");
    let third = build();
    assert!(!third.reused() && third.hash() != first.hash());
    assert!(third.stdout.contains("the server said good evening"), "{}", third.stdout);
    workspace.assert_nothing_runs();
}

#[test]
fn secrets_are_looked_up_and_masked() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let web = Web::start(
        r#"{"data":{"data":{"password":"hunter2-from-vault"},"metadata":{"version":7}}}"#,
    );
    workspace.write("held", "password=hunter2-from-vault\n");
    let template = workspace.write(
        "t.pkr.hcl",
        r#"
locals { password = vault("secret/data/app", "password") }
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = "ami-12345678"
}
build {
  sources = ["source.amazon-ebs.t"]
  provisioner "shell" { inline = ["echo it is ${local.password}"] }
  provisioner "file" {
    content     = "password is ${local.password}"
    destination = "/tmp/content"
  }
  provisioner "file" {
    source      = "${path.root}/held"
    destination = "/tmp/held"
  }
}
"#,
    );
    let mut command = workspace.building(&[], &template);
    command.env("VAULT_ADDR", web.url()).env("VAULT_TOKEN", "t0ken");
    let outcome = Running::start(command).finish().expect(0);
    assert!(outcome.stdout.contains("it is <sensitive>"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("hunter2") && !outcome.stderr.contains("hunter2"));
    assert_eq!(web.paths(), ["/v1/secret/data/app"]);
    let record = format!("state/bake/plans/{}.json", outcome.hash());
    let record = std::fs::read_to_string(workspace.path().join(record)).expect("a record");
    assert!(!record.contains("hunter2"), "{record}");
    assert!(record.contains("secret/data/app"), "{record}");

    let outcome = workspace.build(&template).expect(1);
    assert_snapshot!(outcome.stderr.replace(&format!("{}/", workspace.path().display()), ""), @r#"
    error[function-failed]: `vault`: VAULT_TOKEN is not set
     --> t.pkr.hcl:2:21
      |
    2 | locals { password = vault("secret/data/app", "password") }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: run `vault login`, then `export VAULT_TOKEN=…`
    "#);
}
