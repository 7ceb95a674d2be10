//! What is no HCL, or no template.

use super::refusal::{BUILD, Mistake, after, refused, with_options};

#[test]
fn an_unclosed_brace() {
    insta::assert_snapshot!(refused(&format!("build {{\n{BUILD}")), @"
    error[unclosed-bracket]: `{` is never closed
     --> web.pkr.hcl:1:7
      |
    1 | build {
      |       ^ opened here
      |
      = help: close it with `}`
    ");
    insta::assert_snapshot!(refused(with_options("").trim_end().trim_end_matches('}')), @"
    error[unclosed-bracket]: `{` is never closed
     --> web.pkr.hcl:8:7
      |
    8 | build {
      |       ^ opened here
      |
      = help: close it with `}`
    ");
}

#[test]
fn an_unclosed_string() {
    insta::assert_snapshot!(refused(&with_options(r#"  ami_name      = "web"#)), @r#"
    error[unterminated-string]: this string is not closed on its line
     --> web.pkr.hcl:5:19
      |
    5 |   ami_name      = "web
      |                   ^^^^ no closing `"`
      |
      = help: close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`
    "#);
}

#[test]
fn a_missing_equals_sign() {
    insta::assert_snapshot!(refused(&with_options(r#"  ami_name        "web""#)), @r#"
    error[syntax]: expected `{`, found the end of the line
     --> web.pkr.hcl:5:24
      |
    5 |   ami_name        "web"
      |                        ^ not expected here
      |
      = help: to set `ami_name`, write `ami_name = …`; the `{` of a block stands on the same line
    "#);
}

#[test]
fn a_missing_value() {
    insta::assert_snapshot!(refused(&with_options("  ami_name =")), @"
    error[syntax]: a value is missing after `=`
     --> web.pkr.hcl:5:12
      |
    5 |   ami_name =
      |            ^ not followed by a value
      |
      = help: put the value on the same line as the `=`
    ");
}

#[test]
fn an_unknown_block() {
    insta::assert_snapshot!(refused(&after("sourc \"amazon-ebs\" \"db\" {\n}\n")), @r#"
    error[unknown-block]: unknown block `sourc`
     --> web.pkr.hcl:1:1
      |
    1 | sourc "amazon-ebs" "db" {
      | ^^^^^ not known here
      |
      = help: did you mean `source`?
    "#);
}

#[test]
fn a_source_without_name() {
    insta::assert_snapshot!(refused(&after("source \"amazon-ebs\" {\n}\n")), @r#"
    error[wrong-labels]: a `source` block has 2 labels
     --> web.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" {
      | ^^^^^^^^^^^^^^^^^^^ has 1
      |
      = help: write `source "TYPE" "NAME" {`
    "#);
}

#[test]
fn a_template_without_builds() {
    insta::assert_snapshot!(refused(""), @r#"
    error[missing-build]: the template has no `build` block
     --> web.pkr.hcl:1:1
      |
    1 |
      | ^
      |
      = help: add `build { sources = ["source.TYPE.NAME"] }`
    "#);
}

#[test]
fn two_mistakes_are_told_in_the_order_of_the_file() {
    insta::assert_snapshot!(refused(&with_options("  tags {\n    a = \"b\"\n  }\n  ami_users     = 12\n  source_ami_filter = {}")), @"
    error[block-for-attribute]: `tags` is an argument, not a block
     --> web.pkr.hcl:5:3
      |
    5 |   tags {
      |   ^^^^
      |
      = help: write `tags = …`

    error[wrong-type]: wrong type for `ami_users`: a list of strings is required, but this is a number
     --> web.pkr.hcl:8:19
      |
    8 |   ami_users     = 12
      |                   ^^ list(string) is expected

    error[attribute-for-block]: `source_ami_filter` is a block, not an argument
     --> web.pkr.hcl:9:3
      |
    9 |   source_ami_filter = {}
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: write `source_ami_filter { … }` without `=`
    ");
}

#[test]
fn an_attribute_that_is_set_twice() {
    insta::assert_snapshot!(refused(&with_options("  ssh_username  = \"root\"")), @r#"
    error[duplicate-attribute]: `ssh_username` is set twice
     --> web.pkr.hcl:5:3
      |
    4 |   ssh_username  = "admin"
      |   ------------ first set here
    5 |   ssh_username  = "root"
      |   ^^^^^^^^^^^^ set again here
      |
      = help: keep one of the two
    "#);
}

#[test]
fn a_source_that_is_declared_twice() {
    insta::assert_snapshot!(refused(&after("source \"amazon-ebs\" \"web\" {\n}\n")), @r#"
    error[duplicate]: source `amazon-ebs.web` is declared twice
     --> web.pkr.hcl:4:22
      |
    1 | source "amazon-ebs" "web" {
      |                      --- first here
    ...
    4 | source "amazon-ebs" "web" {
      |                      ^^^ again here
    "#);
}

#[test]
fn a_version_that_bake_does_not_have() {
    insta::assert_snapshot!(refused(&after("packer {\n  required_version = \">= 99\"\n}\n")), @r#"
    error[required-version]: the template asks for Packer `>= 99`
     --> web.pkr.hcl:2:22
      |
    2 |   required_version = ">= 99"
      |                      ^^^^^^^ bake reads templates as Packer 1.16.0 does
    "#);
}

#[test]
fn text_that_is_not_utf_8() {
    let mistake = Mistake::build(&["web.pkr.hcl"])
        .file("web.pkr.hcl", [b"# ok\n# caf\xe9\n", after("").as_bytes()].concat());
    insta::assert_snapshot!(mistake.refused(), @"
    error[not-utf-8]: `web.pkr.hcl` is not UTF-8
     --> web.pkr.hcl:2:6
      |
    2 | # caf�
      |      ^ no character begins with this byte
      |
      = help: save the file as UTF-8
    ");
}
