//! The same in legacy JSON.

use super::refusal::Mistake;

const TEMPLATE: &str = r#"{
  "builders": [
    {
      "type": "amazon-ebs",
      "source_ami": "ami-12345678",
      "instance_type": "t3.micro",
      "ssh_username": "admin",
      "ami_name": "web-{{timestamp}}"
    }
  ]
}
"#;

/// What is said about the template after a change.
#[track_caller]
fn refused(from: &str, to: &str) -> String {
    assert!(TEMPLATE.contains(from));
    Mistake::build(&["web.json"]).file("web.json", TEMPLATE.replacen(from, to, 1)).refused()
}

#[test]
fn json_that_is_none() {
    insta::assert_snapshot!(refused("micro\",", "micro\""), @r#"
    error[json-syntax]: expected `,` or `}`, found `"`
     --> web.json:7:7
      |
    6 |       "instance_type": "t3.micro"
      |                                  - a comma is missing here
    7 |       "ssh_username": "admin",
      |       ^ unexpected
    "#);
    insta::assert_snapshot!(refused("stamp}}\"", "stamp}}\","), @r#"
    error[json-syntax]: there is a comma in front of `}`
     --> web.json:8:38
      |
    8 |       "ami_name": "web-{{timestamp}}",
      |                                      ^ remove this comma
      |
      = help: JSON allows no comma behind the last element
    "#);
    insta::assert_snapshot!(refused("\n  ]\n}", ""), @r#"
    error[json-syntax]: this array is not closed
     --> web.json:2:15
      |
    2 |   "builders": [
      |               ^ opened here
    ...
    9 |     }
      |      - the text ends
      |
      = help: add `]`
    "#);
}

#[test]
fn a_key_that_is_given_twice() {
    insta::assert_snapshot!(refused("\"ssh_username\"", "\"instance_type\": \"t2.micro\",\n      \"ssh_username\""), @r#"
    error[duplicate-field]: template has duplicate field `instance_type`
     --> web.json:7:7
      |
    6 |       "instance_type": "t3.micro",
      |       --------------- first given here
    7 |       "instance_type": "t2.micro",
      |       ^^^^^^^^^^^^^^^ given again
      |
      = help: keep one of them; the other would be lost
    "#);
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(refused("\"ssh_username\"", "\"ssh_port\": \"ssh\",\n      \"tags\": \"a\",\n      \"ssh_username\""), @r#"
    error[wrong-type]: wrong type for `ssh_port`: "ssh" is not a number
     --> web.json:7:19
      |
    7 |       "ssh_port": "ssh",
      |                   ^^^^^ number is expected

    error[wrong-type]: wrong type for `tags`: a map of strings is required, but this is a string
     --> web.json:8:15
      |
    8 |       "tags": "a",
      |               ^^^ map(string) is expected
    "#);
}

#[test]
fn an_unknown_option() {
    insta::assert_snapshot!(refused("ssh_username", "ssh_usernam"), @r#"
    error[unknown-option]: unknown option `ssh_usernam`
     --> web.json:7:7
      |
    7 |       "ssh_usernam": "admin",
      |       ^^^^^^^^^^^^^ not known here
      |
      = help: did you mean `ssh_username`?
    "#);
}

#[test]
fn an_unknown_root_key() {
    insta::assert_snapshot!(refused("builders", "builder"), @r#"
    error[unknown-key]: unknown root key `builder`
     --> web.json:2:3
      |
    2 |   "builder": [
      |   ^^^^^^^^^ not known here
      |
      = help: did you mean `builders`?
      = help: keys that begin with `_` are comments
    "#);
}

#[test]
fn an_unknown_builder() {
    insta::assert_snapshot!(refused("amazon-ebs", "amazon-ebss"), @r#"
    error[unknown-component]: there is no builder `amazon-ebss`
     --> web.json:4:15
      |
    4 |       "type": "amazon-ebss",
      |               ^^^^^^^^^^^^^ not known to bake
      |
      = help: did you mean `amazon-ebs`?
    "#);
}

#[test]
fn files_that_do_not_exist() {
    let steps = r#"  ],
  "provisioners": [
    { "type": "shell", "script": "a.sh" },
    { "type": "file", "source": "x", "destination": "/tmp/x" }
  ]"#;
    insta::assert_snapshot!(refused("  ]", steps), @r#"
    error[missing-script]: cannot read `HERE/a.sh`: No such file or directory (os error 2)
      --> web.json:12:34
       |
    12 |     { "type": "shell", "script": "a.sh" },
       |                                  ^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `{{template_dir}}` is the template's

    error[missing-source]: cannot read `HERE/x`: No such file or directory (os error 2)
      --> web.json:13:33
       |
    13 |     { "type": "file", "source": "x", "destination": "/tmp/x" }
       |                                 ^^^
       |
       = help: paths are relative to the directory in which bake runs; `{{template_dir}}` is the template's
       = help: if a step of this build makes it, set `generated = true`
    "#);
}

#[test]
fn a_variable_without_value() {
    insta::assert_snapshot!(refused("\"builders\"", "\"variables\": { \"name\": null },\n  \"builders\""), @r#"
    error[missing-variable]: variable `name` has no value
     --> web.json:2:18
      |
    2 |   "variables": { "name": null },
      |                  ^^^^^^ null makes it required
      |
      = help: give it by `-var name=…` or a variable file
    "#);
}

#[test]
fn a_bad_go_template() {
    insta::assert_snapshot!(refused("timestamp", "timestmp"), @r#"
    error[template-error]: unknown function `timestmp`
     --> web.json:8:26
      |
    8 |       "ami_name": "web-{{timestmp}}"
      |                          ^^^^^^^^ in this template text
      |
      = help: did you mean `timestamp`?
    "#);
}
