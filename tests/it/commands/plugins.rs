//! `init`, `plugins` and `version`: there is nothing to install.

use insta::assert_snapshot;

use super::bake;
use crate::support::Workspace;

const REQUIRES: &str = r#"
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.8, < 2"
    }
    docker = {
      source  = "github.com/hashicorp/docker"
      version = "~> 1"
    }
  }
}
"#;

#[test]
fn init_says_what_is_built_in() {
    let workspace = Workspace::new();
    workspace.write("a.pkr.hcl", REQUIRES);
    let outcome = bake(&workspace, &["init", "-upgrade", "a.pkr.hcl"], "").expect(0);
    assert_snapshot!(outcome.stdout, @"
    amazon: github.com/hashicorp/amazon is built in
    docker: github.com/hashicorp/docker is not part of bake
    ");
    assert_snapshot!(outcome.stderr, @"warning: builds that use components of plugins which are not part of bake are refused");
    workspace.write("b.pkr.hcl", "variable \"a\" {}\n");
    let outcome = bake(&workspace, &["init", "b.pkr.hcl"], "").expect(0);
    assert_snapshot!(outcome.stdout, @"The template requires no plugins; nothing has to be installed.");
}

#[test]
fn init_refuses_legacy_templates_and_wrong_requirements() {
    let workspace = Workspace::new();
    workspace.write("a.json", r#"{"builders": [{ "type": "null" }]}"#);
    assert_snapshot!(bake(&workspace, &["init", "a.json"], "").expect(1).stderr, @r#"
    error[legacy-template]: a legacy JSON template does not say which plugins it needs
     --> a.json:1:1
      |
    1 | {"builders": [{ "type": "null" }]}
      | ^
      |
      = help: nothing has to be installed: build it as it is
    "#);
    workspace.write("b.pkr.hcl", "packer {\n  required_plugins {\n    a = 1\n  }\n}\n");
    assert_snapshot!(bake(&workspace, &["init", "b.pkr.hcl"], "").expect(1).stderr, @r#"
    error[wrong-type]: a required plugin is an object
     --> b.pkr.hcl:3:9
      |
    3 |     a = 1
      |         ^
      |
      = help: write `{ source = "github.com/hashicorp/amazon", version = ">= 1" }`
    "#);
}

#[test]
fn plugins_are_built_in_or_not_there() {
    let workspace = Workspace::new();
    workspace.write("a.pkr.hcl", REQUIRES);
    let plugins = |arguments: &[&str]| bake(&workspace, &[&["plugins"], arguments].concat(), "");
    assert_snapshot!(plugins(&["installed"]).expect(0).stdout, @"
    github.com/hashicorp/amazon (built in)
    github.com/hashicorp/ansible (built in)
    ");
    assert_snapshot!(plugins(&["required", "a.pkr.hcl"]).expect(0).stdout, @r#"
    amazon github.com/hashicorp/amazon ">= 1.2.8, < 2": built in
    docker github.com/hashicorp/docker "~> 1": none
    "#);
    assert_snapshot!(
        plugins(&["install", "github.com/hashicorp/amazon", "1.3.0"]).expect(0).stdout,
        @"github.com/hashicorp/amazon is built in; nothing has to be installed."
    );
    assert_snapshot!(plugins(&["install", "github.com/x/y"]).expect(1).stderr, @"
    error: `github.com/x/y` is not part of bake, and bake takes no plugins
    = help: built in are github.com/hashicorp/amazon, github.com/hashicorp/ansible
    ");
    assert_snapshot!(plugins(&["remove", "hashicorp/amazon"]).expect(1).stderr, @"error: `hashicorp/amazon` is built in and stays");
}

#[test]
fn version_says_which_packer_is_meant() {
    let workspace = Workspace::new();
    let outcome = bake(&workspace, &["version"], "").expect(0);
    assert!(outcome.stdout.starts_with("bake v"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("(reads templates as Packer v1.16.0 does)\n"));
}
