//! Data sources and locals: one graph, unknown values while a template is checked.

use super::*;

#[test]
fn locals_and_null_data_sources_feed_each_other() {
    let text = r#"
locals {
  last  = "${data.null.second.output}!"
  first = "a"
}
data "null" "second" { input = "${local.middle}-${data.null.first.output}" }
local "middle" { expression = upper(data.null.first.output) }
data "null" "first" { input = local.first }
source "vm" "app" { source = local.last }
build { sources = ["vm.app"] }
"#;
    let plan = one("a.pkr.hcl", text);
    assert_eq!(plan.builder.hashed["source"], "A-a!");
    let json = r#"{
  "locals": { "last": "${data.null.second.output}!", "first": "a" },
  "data": { "null": {
    "second": { "input": "${local.middle}-${data.null.first.output}" },
    "first": { "input": "${local.first}" }
  } },
  "local": { "middle": { "expression": "${upper(data.null.first.output)}" } },
  "source": { "vm": { "app": { "source": "${local.last}" } } },
  "build": { "sources": ["vm.app"] }
}"#;
    assert_eq!(template_hash(&one("a.pkr.json", json)), template_hash(&plan));
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let mut blocks = [
        "locals { a = \"${data.null.x.output}-a\" }",
        "data \"null\" \"x\" { input = local.b }",
        "local \"b\" { expression = var.c }",
        "variable \"c\" { default = \"c\" }",
        "source \"vm\" \"app\" { source = local.a }",
        "build { sources = [\"vm.app\"] }",
    ];
    let expected = template_hash(&one("a.pkr.hcl", &blocks.join("\n")));
    for at in 0..blocks.len() {
        blocks.rotate_left(1);
        let next = (at * 2 + 1) % blocks.len();
        blocks.swap(at, next);
        let plan = one("a.pkr.hcl", &blocks.join("\n"));
        assert_eq!(plan.builder.hashed["source"], "c-a", "{blocks:?}");
        assert_eq!(template_hash(&plan), expected, "{blocks:?}");
    }
}

const OUTSIDE: &str = r#"
data "amazon-ami" "base" {
  filters     = { name = "al2023-*" }
  owners      = ["amazon"]
  most_recent = true
  region      = "eu-west-1"
  assume_role { role_arn = "arn:aws:iam::123456789012:role/build" }
}
data "amazon-secretsmanager" "key" { name = local.secret }
data "http" "list" { url = "https://example.com/${data.amazon-ami.base.id}" }
locals {
  secret = "deploy"
  ami    = data.amazon-ami.base.id
}
source "vm" "app" {
  source = local.ami
  dynamic "disk" {
    for_each = split(",", data.http.list.body)
    content { device = disk.value }
  }
}
build {
  sources = ["vm.app"]
  provisioner "run" { inline = [data.amazon-secretsmanager.key.value] }
}
"#;

#[test]
fn what_is_outside_of_this_machine_is_unknown_while_a_template_is_checked() {
    assert!(one("a.pkr.hcl", OUTSIDE).builder.late.contains("source"));
    let environment = environment_text("a.pkr.hcl", OUTSIDE, &[]).expect("environment");
    let selection = Selection::new(&[], &[]).expect("patterns");
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("a.pkr.hcl");
    fs::write(&path, OUTSIDE).expect("write template");
    let template = load(&path).expect("loads").template;
    let root = Path::new("/");
    super::super::plan(&template, &environment, KINDS, &selection, root, &mut Diagnostics::new())
        .expect("plans");
    // `http` needs an answer for `amazon-ami` before it can be asked.
    let pending = environment.pending();
    let names: Vec<_> = pending.iter().map(|lookup| lookup.asked_by.as_str()).collect();
    assert_eq!(names, ["data.amazon-ami.base", "data.amazon-secretsmanager.key"]);
    assert_eq!(pending[1].span.text(), "data \"amazon-secretsmanager\" \"key\"");
}

#[test]
fn what_is_wrong_with_data_sources_is_said_at_its_place() {
    let text = r#"
data "nul" "a" { input = "x" }
data "null" "b" { inputs = "x" }
data "null" "c" {}
data "null" "d" { input = ["x"] }
data "http" "e" {
  url = var.gone
  dynamic "header" { for_each = [] }
}
data "amazon-ami" "f" { regoin = "x" }
locals {
  one   = data.null.bb.output
  two   = local.tree
  three = local.two
  four  = data.null.good.outptu
}
data "null" "good" { input = "x" }
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[unknown-data-source]: unknown data source `data.null.bb`
      --> a.pkr.hcl:12:11
       |
    12 |   one   = data.null.bb.output
       |           ^^^^^^^^^^^^^^^^^^^ not declared
       |
       = help: did you mean `data.null.b`?

    error[unknown-local]: unknown local `local.tree`
      --> a.pkr.hcl:13:11
       |
    13 |   two   = local.tree
       |           ^^^^^^^^^^ not declared
       |
       = help: did you mean `local.three`?

    error[unknown-attribute]: `data.null.good` has no attribute `outptu`
      --> a.pkr.hcl:15:26
       |
    15 |   four  = data.null.good.outptu
       |                          ^^^^^^ not there
       |
       = help: did you mean `output`?

    error[unknown-component]: there is no data source `nul`
     --> a.pkr.hcl:2:7
      |
    2 | data "nul" "a" { input = "x" }
      |       ^^^ not known to bake
      |
      = help: did you mean `null`?

    error[unknown-option]: unknown option `inputs`
     --> a.pkr.hcl:3:19
      |
    3 | data "null" "b" { inputs = "x" }
      |                   ^^^^^^ not known here
      |
      = help: did you mean `input`?

    error[missing-option]: `input` is required
     --> a.pkr.hcl:3:1
      |
    3 | data "null" "b" { inputs = "x" }
      | ^^^^^^^^^^^^^^^ `input` is not given

    error[missing-option]: `input` is required
     --> a.pkr.hcl:4:1
      |
    4 | data "null" "c" {}
      | ^^^^^^^^^^^^^^^ `input` is not given

    error[wrong-type]: wrong type for `input`: a string is required, but this is a tuple
     --> a.pkr.hcl:5:27
      |
    5 | data "null" "d" { input = ["x"] }
      |                           ^^^^^ string is expected

    error[unknown-variable]: unknown variable `gone`
     --> a.pkr.hcl:7:13
      |
    7 |   url = var.gone
      |             ^^^^ not declared
      |
      = help: declare it with `variable "gone" {}`

    error[unknown-block]: a data source has no `dynamic` blocks
     --> a.pkr.hcl:8:3
      |
    8 |   dynamic "header" { for_each = [] }
      |   ^^^^^^^^^^^^^^^^ write the blocks out

    error[unknown-option]: unknown option `regoin`
      --> a.pkr.hcl:10:25
       |
    10 | data "amazon-ami" "f" { regoin = "x" }
       |                         ^^^^^^ not known here
       |
       = help: did you mean `region`?
    "#);
    let text = r#"
locals {
  a = data.null.b.output
  c = local.a
}
data "null" "b" { input = "${local.c}" }
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[cycle]: locals and data sources need each other: `local.a` → `data.null.b` → `local.c` → `local.a`
     --> a.pkr.hcl:3:3
      |
    3 |   a = data.null.b.output
      |   ^ part of the cycle
    4 |   c = local.a
      |   - part of the cycle
    5 | }
    6 | data "null" "b" { input = "${local.c}" }
      | --------------- part of the cycle
    "#);
    let text = "locals {\n  a = \"x${local.a}\"\n}\n";
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[cycle]: locals need each other: `local.a` → `local.a`
     --> a.pkr.hcl:2:3
      |
    2 |   a = "x${local.a}"
      |   ^ part of the cycle
    "#);
}
