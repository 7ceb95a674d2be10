//! Names and values that are not there, or do not fit.

use super::refusal::{Mistake, after, refused, with_options};
use crate::support::Running;

const SIZE: &str = "variable \"size\" {\n  type    = number\n  default = 8\n}\n";

/// A template with a variable `size`, and a command line in front of it.
fn with_size(arguments: &[&str]) -> Mistake {
    let arguments: Vec<_> = arguments.iter().copied().chain(["web.pkr.hcl"]).collect();
    Mistake::build(&arguments).file("web.pkr.hcl", after(SIZE))
}

#[test]
fn an_unknown_source() {
    insta::assert_snapshot!(refused(&with_options("").replace("web\"]", "wed\"]")), @r#"
    error[unknown-source]: unknown source `source.amazon-ebs.wed`
     --> web.pkr.hcl:9:14
      |
    9 |   sources = ["source.amazon-ebs.wed"]
      |              ^^^^^^^^^^^^^^^^^^^^^^^ not declared
      |
      = help: did you mean `source.amazon-ebs.web`?
    "#);
    insta::assert_snapshot!(refused(&with_options("").replace("source.amazon-ebs.web\"]", "database\"]")), @r#"
    error[unknown-source]: unknown source `database`
     --> web.pkr.hcl:9:14
      |
    9 |   sources = ["database"]
      |              ^^^^^^^^^^ not declared
      |
      = note: declared sources: source.amazon-ebs.web
      = note: a source is referred to as `TYPE.NAME`
    "#);
}

#[test]
fn an_unknown_variable() {
    insta::assert_snapshot!(refused(&format!("{SIZE}\n{}", with_options("  ssh_port      = var.sise"))), @"
    error[unknown-variable]: unknown variable `sise`
      --> web.pkr.hcl:10:23
       |
    10 |   ssh_port      = var.sise
       |                       ^^^^ not declared
       |
       = help: did you mean `size`?
    ");
}

#[test]
fn an_unknown_local() {
    insta::assert_snapshot!(refused(&with_options("  region        = local.place")), @"
    error[unknown-local]: unknown local `place`
     --> web.pkr.hcl:5:25
      |
    5 |   region        = local.place
      |                         ^^^^^ not declared
      |
      = help: declare it in a `locals` block: `place = …`
    ");
}

#[test]
fn an_unknown_function() {
    insta::assert_snapshot!(refused(&with_options("  ami_name      = \"web-${uper(\"x\")}\"")), @r#"
    error[unknown-function]: unknown function `uper`
     --> web.pkr.hcl:5:26
      |
    5 |   ami_name      = "web-${uper("x")}"
      |                          ^^^^ not a function
      |
      = help: did you mean `upper`?
    "#);
}

#[test]
fn a_variable_without_value() {
    insta::assert_snapshot!(refused(&after("variable \"region\" {\n  type = string\n}\n")), @r#"
    error[missing-variable]: variable `region` has no value
     --> web.pkr.hcl:1:1
      |
    1 | variable "region" {
      | ^^^^^^^^^^^^^^^^^ has no default
      |
      = help: give it by `-var region=…`, a variable file, or PKR_VAR_region
    "#);
}

#[test]
fn a_default_of_the_wrong_type() {
    insta::assert_snapshot!(refused(&after(&SIZE.replace('8', "\"big\""))), @r#"
    error[wrong-type]: wrong type for variable `size`: "big" is not a number
     --> web.pkr.hcl:3:13
      |
    2 |   type    = number
      |             ------ declared here
    3 |   default = "big"
      |             ^^^^^
    "#);
}

#[test]
fn a_value_that_the_variable_refuses() {
    insta::assert_snapshot!(refused(&after("variable \"region\" {\n  default = \"mars\"\n  validation {\n    condition     = length(var.region) > 5\n    error_message = \"A region is longer than that.\"\n  }\n}\n")), @r#"
    error[invalid-variable]: invalid value for variable `region`: A region is longer than that.
     --> web.pkr.hcl:4:21
      |
    1 | variable "region" {
      | ----------------- declared here
    ...
    4 |     condition     = length(var.region) > 5
      |                     ^^^^^^^^^^^^^^^^^^^^^^ this is false
      |
      = note: `var.region` is "mars"
    "#);
}

#[test]
fn locals_that_need_each_other() {
    insta::assert_snapshot!(refused(&after("locals {\n  a = local.b\n  b = local.a\n}\n")), @"
    error[cycle]: locals need each other: `local.a` → `local.b` → `local.a`
     --> web.pkr.hcl:2:3
      |
    2 |   a = local.b
      |   ^ part of the cycle
    3 |   b = local.a
      |   - part of the cycle
    ");
}

#[test]
fn a_value_of_the_wrong_type_on_the_command_line() {
    insta::assert_snapshot!(with_size(&["-var", "size=big"]).refused(), @r#"
    error[wrong-type]: wrong type for variable `size`: "big" is not a number
     --> <-var size>:1:1
      |
    1 | big
      | ^^^
      |
     ::: web.pkr.hcl:2:13
      |
    2 |   type    = number
      |             ------ declared here
    "#);
}

#[test]
fn an_undeclared_variable_on_the_command_line() {
    insta::assert_snapshot!(with_size(&["-var", "sise=9"]).refused(), @"
    error[undeclared-variable]: variable `sise` is not declared
     |
     = note: it was given as `-var sise=…`
     = help: did you mean `size`?
    ");
}

#[test]
fn a_variable_file_with_mistakes() {
    insta::assert_snapshot!(with_size(&["-var-file", "a.pkrvars.hcl"]).file("a.pkrvars.hcl", "size =\n").refused(), @"
    error[syntax]: a value is missing after `=`
     --> a.pkrvars.hcl:1:6
      |
    1 | size =
      |      ^ not followed by a value
      |
      = help: put the value on the same line as the `=`
    ");
    insta::assert_snapshot!(with_size(&["-var-file", "a.pkrvars.hcl"]).file("a.pkrvars.hcl", "size = [\"x\"]\n").refused(), @r#"
    error[wrong-type]: wrong type for variable `size`: a number is required, but this is a tuple
     --> a.pkrvars.hcl:1:8
      |
    1 | size = ["x"]
      |        ^^^^^
      |
     ::: web.pkr.hcl:2:13
      |
    2 |   type    = number
      |             ------ declared here
    "#);
    insta::assert_snapshot!(with_size(&["-var-file", "a.pkrvars.hcl"]).refused(), @"
    error[unreadable]: cannot read `a.pkrvars.hcl`: No such file or directory (os error 2)
     |
     = help: check the path
    ");
}

#[test]
fn a_value_of_the_wrong_type_in_the_environment() {
    let mistake = with_size(&[]);
    let mut command = mistake.command("http://127.0.0.1:9");
    command.env("PKR_VAR_size", "big");
    let outcome = Running::start(command).finish().expect(1);
    insta::assert_snapshot!(outcome.stderr, @r#"
    error[wrong-type]: wrong type for variable `size`: "big" is not a number
     --> <PKR_VAR_size>:1:1
      |
    1 | big
      | ^^^
      |
     ::: web.pkr.hcl:2:13
      |
    2 |   type    = number
      |             ------ declared here
    "#);
}

#[test]
fn a_selection_that_takes_nothing() {
    insta::assert_snapshot!(with_size(&["-only=amazon-ebs.wed"]).refused(), @"
    error[nothing-selected]: no builds to run
     |
     = note: builds of this template: amazon-ebs.web
    ");
}
