//! What Packer has in plugins is told apart from a typo.

use super::selected_text;

fn refused(name: &str, text: &str) -> String {
    selected_text(name, text, &[], &[]).0.expect_err("a component that bake does not have")
}

#[test]
fn components_of_plugins_are_known_by_name() {
    insta::assert_snapshot!(refused("a.pkr.hcl", r#"
data "git-commit" "head" {}
locals { head = data.git-commit.head.hash }
source "docker" "app" { image = local.head }
build { sources = ["docker.app"] }
"#), @r#"
    error[unknown-component]: there is no data source `git-commit`
     --> a.pkr.hcl:2:7
      |
    2 | data "git-commit" "head" {}
      |       ^^^^^^^^^^ not known to bake
      |
      = note: `git-commit` is in the Packer plugin `ethanmdavidson/git`; bake runs no plugins
      = help: look it up before, and pass it as a variable: `-var NAME=…`
    "#);
    insta::assert_snapshot!(refused("a.pkr.hcl", r#"
source "docker" "app" {
  image = "debian"
}
build {
  sources = ["docker.app"]
  provisioner "chef-solo" {}
  provisioner "chef-sola" {}
  post-processor "docker-tag" {}
}
"#), @r#"
    error[unknown-component]: there is no provisioner `chef-solo`
     --> a.pkr.hcl:7:16
      |
    7 |   provisioner "chef-solo" {}
      |                ^^^^^^^^^ not known to bake
      |
      = note: `chef-solo` is in the Packer plugin `hashicorp/chef`; bake runs no plugins
      = help: upload what it applies with a `file` provisioner, then run it in a `shell` one

    error[unknown-component]: there is no provisioner `chef-sola`
     --> a.pkr.hcl:8:16
      |
    8 |   provisioner "chef-sola" {}
      |                ^^^^^^^^^ not known to bake
      |
      = note: known: ansible, ansible-local, breakpoint, file, hcp-sbom, powershell, shell, shell-local, sleep, windows-restart, windows-shell

    error[unknown-component]: there is no post-processor `docker-tag`
     --> a.pkr.hcl:9:19
      |
    9 |   post-processor "docker-tag" {}
      |                   ^^^^^^^^^^ not known to bake
      |
      = note: `docker-tag` is in the Packer plugin `hashicorp/docker`; bake runs no plugins
      = help: do the same in a `shell-local` post-processor, or after bake has ended

    error[unknown-component]: there is no builder `docker`
     --> a.pkr.hcl:2:9
      |
    2 | source "docker" "app" {
      |         ^^^^^^ not known to bake
      |
      = note: `docker` is in the Packer plugin `hashicorp/docker`; bake runs no plugins
      = help: bake makes Amazon images: leave this build out with `-except`, or keep it with Packer
    "#);
    insta::assert_snapshot!(refused("a.json", r#"{
  "builders": [{ "type": "vmware-iso" }],
  "post-processors": ["vagrant"]
}"#), @r#"
    error[unknown-component]: there is no post-processor `vagrant`
     --> a.json:3:23
      |
    3 |   "post-processors": ["vagrant"]
      |                       ^^^^^^^^^ not known to bake
      |
      = note: `vagrant` is in the Packer plugin `hashicorp/vagrant`; bake runs no plugins
      = help: do the same in a `shell-local` post-processor, or after bake has ended

    error[unknown-component]: there is no builder `vmware-iso`
     --> a.json:2:26
      |
    2 |   "builders": [{ "type": "vmware-iso" }],
      |                          ^^^^^^^^^^^^ not known to bake
      |
      = note: `vmware-iso` is in the Packer plugin `vmware/vmware`; bake runs no plugins
      = help: bake makes Amazon images: leave this build out with `-except`, or keep it with Packer
    "#);
}

/// So a template for several platforms can be used for the one that bake knows.
#[test]
fn a_build_that_is_left_out_may_be_of_a_plugin() {
    let text = r#"{
  "builders": [
    { "type": "vmware-iso", "boot_wait": "5s" },
    { "type": "amazon-ebs", "instance_type": "t3.micro", "source_ami": "ami-12345678", "ssh_username": "admin", "ami_name": "web" }
  ]
}"#;
    let (plans, warnings) = selected_text("a.json", text, &["amazon-ebs"], &[]);
    let plans = plans.unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(plans.len(), 1);
    assert_eq!(warnings, "");
}
