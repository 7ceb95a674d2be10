//! `validate` and its flags.

use insta::assert_snapshot;

use super::bake;
use crate::support::Workspace;

#[test]
fn syntax_only_evaluates_nothing() {
    let workspace = Workspace::new();
    workspace.write("a.pkr.hcl", "locals {\n  a = var.missing\n}\n");
    let outcome = bake(&workspace, &["validate", "-syntax-only", "a.pkr.hcl"], "").expect(0);
    assert_snapshot!(outcome.stdout, @"Syntax-only check passed. Everything looks okay.");
    workspace.write("b.pkr.hcl", "locals {\n  a = \n}\n");
    bake(&workspace, &["validate", "-syntax-only", "b.pkr.hcl"], "").expect(1);
    bake(&workspace, &["validate", "a.pkr.hcl"], "").expect(1);
}

#[test]
fn a_legacy_template_may_come_from_standard_input() {
    let workspace = Workspace::new();
    let template = r#"{"builders": [{"type": "amazon-ebs", "ami_name": "abc", "source_ami": "ami-12345678",
        "instance_type": "t3.micro", "ssh_username": "admin"}]}"#;
    bake(&workspace, &["validate", "-"], template).expect(0);
    assert_snapshot!(bake(&workspace, &["validate", "-"], "{\"builders\": 1").expect(1).stderr, @r#"
    error[json-syntax]: this object is not closed
     --> <standard input>:1:1
      |
    1 | {"builders": 1
      | ^ opened here - the text ends
      |
      = help: add `}`
    "#);
}

#[test]
fn undeclared_variables_are_warned_of_on_request() {
    let workspace = Workspace::new();
    workspace.write(
        "a.pkr.hcl",
        r#"
        source "amazon-ebs" "a" {
          ami_name      = "abc"
          source_ami    = "ami-12345678"
          instance_type = "t3.micro"
          ssh_username  = "admin"
        }
        build { sources = ["source.amazon-ebs.a"] }
        "#,
    );
    workspace.write("v.pkrvars.hcl", "nobody = 1\n");
    let arguments = ["-var-file=v.pkrvars.hcl", "a.pkr.hcl"];
    let validate = |flags: &[&str]| {
        bake(&workspace, &[&["validate"], flags, &arguments[..]].concat(), "").expect(0).stderr
    };
    assert!(validate(&[]).contains("warning[undeclared-variable]: variable `nobody`"));
    assert_eq!(validate(&["-no-warn-undeclared-var"]), "");
}
