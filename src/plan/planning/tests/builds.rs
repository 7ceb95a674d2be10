//! Build blocks: sources, names, selection, overrides.

use super::*;

fn warnings_of(text: &str) -> String {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("a.pkr.hcl");
    fs::write(&path, text).expect("write template");
    let mut warnings = Diagnostics::new();
    let environment = environment_of(&path, &[], &mut warnings).expect("environment");
    let template = load(&path).expect("a template").template;
    let all = Selection::new(&[], &[]).expect("patterns");
    plan(&template, &environment, KINDS, &all, Path::new("/"), &mut warnings)
        .unwrap_or_else(|found| panic!("{}", render(&found, Style::default())));
    let text = render(&warnings, Style::default());
    text.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn what_selects_nothing_is_a_warning() {
    let text = r#"
source "vm" "app" {}
build {
  name    = null
  sources = ["vm.app"]
  provisioner "run" {
    only   = ["vm.ap", "vm.app"]
    inline = ["x"]
  }
  provisioner "run" {
    except   = ["elsewhere"]
    inline   = ["x"]
    override = { api = { inline = [] } }
  }
}
build { sources = ["vm.app"] }
"#;
    insta::assert_snapshot!(warnings_of(text), @r#"
    warning[unknown-source]: `vm.ap` is no source of this build
     --> a.pkr.hcl:7:15
      |
    7 |     only   = ["vm.ap", "vm.app"]
      |               ^^^^^^^
      |
      = help: did you mean `vm.app`?

    warning[unknown-source]: `elsewhere` is no source of this build
      --> a.pkr.hcl:11:17
       |
    11 |     except   = ["elsewhere"]
       |                 ^^^^^^^^^^^
       |
       = note: sources of this build: vm.app

    warning[unknown-source]: `api` is no source of this build
      --> a.pkr.hcl:13:18
       |
    13 |     override = { api = { inline = [] } }
       |                  ^^^ overrides nothing
       |
       = help: did you mean `app`?

    warning[same-name]: two builds are named `vm.app`
      --> a.pkr.hcl:16:1
       |
    16 | build { sources = ["vm.app"] }
       | ^^^^^ the second one
       |
       = help: `-only` and `-except` cannot tell them apart: give this `build` block a `name`
    "#);
}

#[test]
fn mistakes_in_builds_are_said_at_their_places() {
    let text = r#"
source "vm" "app" {}
build {
  description = var.gone
  sources     = [source.vm.app, vm.app]
}
build {
  sources = ["vm.ap"]
  provisioner "rum" {}
}
build {
  sources = ["vm.app"]
  provisioner "run" {
    only   = ["vm.app"]
    except = ["vm.app"]
    inline = []
  }
  provisioner "run" { override = { app = "x" } }
}
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[unknown-variable]: unknown variable `gone`
     --> a.pkr.hcl:4:21
      |
    4 |   description = var.gone
      |                     ^^^^ not declared
      |
      = help: declare it with `variable "gone" {}`

    error[unquoted-source]: a source is referred to in quotes
     --> a.pkr.hcl:5:18
      |
    5 |   sources     = [source.vm.app, vm.app]
      |                  ^^^^^^^^^^^^^ without quotes
      |
      = help: write `"source.vm.app"`

    error[unquoted-source]: a source is referred to in quotes
     --> a.pkr.hcl:5:33
      |
    5 |   sources     = [source.vm.app, vm.app]
      |                                 ^^^^^^ without quotes
      |
      = help: write `"vm.app"`

    error[unknown-component]: there is no provisioner `rum`
     --> a.pkr.hcl:9:16
      |
    9 |   provisioner "rum" {}
      |                ^^^ not known to bake
      |
      = help: did you mean `run`?

    error[unknown-source]: unknown source `vm.ap`
     --> a.pkr.hcl:8:14
      |
    8 |   sources = ["vm.ap"]
      |              ^^^^^^^ not declared
      |
      = help: did you mean `source.vm.app`?

    error[only-and-except]: `only` and `except` exclude each other
      --> a.pkr.hcl:15:14
       |
    15 |     except = ["vm.app"]
       |              ^^^^^^^^^^

    error[wrong-type]: `override` must be an object of objects
      --> a.pkr.hcl:18:42
       |
    18 |   provisioner "run" { override = { app = "x" } }
       |                                          ^^^ an object is expected
    "#);
    let twice = "source \"vm\" \"app\" {}\nbuild {\n  sources = [\"vm.app\"]\n  provisioner \"run\" {\n    inline = []\n    inline = [\"x\"]\n  }\n}\n";
    insta::assert_snapshot!(plan_text("a.pkr.hcl", twice, &[]).expect_err("errors"), @r#"
    error[duplicate-attribute]: `inline` is set twice
     --> a.pkr.hcl:6:5
      |
    5 |     inline = []
      |     ------ first set here
    6 |     inline = ["x"]
      |     ^^^^^^ set again here
      |
      = help: keep one of the two
    "#);
    let json = r#"{
  "builders": [{ "type": "vm", "name": "app" }],
  "provisioners": [{ "type": "run", "inline": ["x"], "only": ["ap"] }]
}"#;
    insta::assert_snapshot!(plan_text("a.json", json, &[]).expect_err("errors"), @r#"
    error[unknown-source]: `ap` is no source of this build
     --> a.json:3:63
      |
    3 |   "provisioners": [{ "type": "run", "inline": ["x"], "only": ["ap"] }]
      |                                                               ^^^^
      |
      = help: did you mean `app`?
    "#);
}

#[test]
fn a_build_adds_options_and_blocks_to_a_source() {
    let text = r#"
source "vm" "app" {
  size = 2
  disk { device = "a" }
}
build {
  name = "web"
  source "vm.app" {
    source = "base"
    disk { device = "b" }
  }
}
"#;
    let plan = one("a.pkr.hcl", text);
    insta::assert_snapshot!(
        serde_json::Value::Object(plan.builder.hashed.clone()),
        @r#"{"size":2,"source":"base","disk":[{"device":"a"},{"device":"b"}]}"#
    );
    let json = r#"{
  "source": { "vm": { "app": { "size": 2, "disk": { "device": "a" } } } },
  "build": {
    "name": "web",
    "source": { "vm.app": { "source": "base", "disk": [{ "device": "b" }] } }
  }
}"#;
    let same = one("a.pkr.json", json);
    assert_eq!((template_hash(&same), same.name), (template_hash(&plan), plan.name));
    let wrong = text.replace("source = \"base\"", "size = 3");
    insta::assert_snapshot!(plan_text("a.pkr.hcl", &wrong, &[]).expect_err("an error"), @"
    error[duplicate-option]: `size` is already set in the source
     --> a.pkr.hcl:9:5
      |
    3 |   size = 2
      |   ---- set here
    ...
    9 |     size = 3
      |     ^^^^ a build can only add options
    ");
}

/// Nested blocks of provisioners are written as objects in an override.
#[test]
fn an_override_replaces_options_and_blocks() {
    let text = r#"
locals { over = { app = { wait = "1s", step = [{ name = "z" }] } } }
source "vm" "app" {}
source "vm" "db" {}
build {
  sources = ["vm.app", "vm.db"]
  provisioner "steps" {
    dynamic "step" {
      for_each = ["a", "b"]
      content { name = step.value }
    }
    step { name = "c" }
    override = OVERRIDE
  }
}
"#;
    let steps = |name: &str, text: &str| -> Vec<String> {
        plan_text(name, text, &[])
            .unwrap_or_else(|found| panic!("{found}"))
            .iter()
            .map(|plan| plan.steps[0].planned.hashed["step"].to_string())
            .collect()
    };
    let expected = [r#"[{"name":"z"}]"#, r#"[{"name":"a"},{"name":"b"},{"name":"c"}]"#];
    let written = "{ app = { wait = \"1s\", step = [{ name = \"z\" }] } }";
    assert_eq!(steps("a.pkr.hcl", &text.replace("OVERRIDE", written)), expected);
    assert_eq!(steps("a.pkr.hcl", &text.replace("OVERRIDE", "local.over")), expected);
    let json = r#"{
  "source": { "vm": { "app": {}, "db": {} } },
  "build": {
    "sources": ["vm.app", "vm.db"],
    "provisioner": { "steps": {
      "step": [{ "name": "a" }, { "name": "b" }, { "name": "c" }],
      "override": { "app": { "step": { "name": "z" } } }
    } }
  }
}"#;
    assert_eq!(steps("a.pkr.json", json), expected);
}

#[test]
fn builds_of_a_legacy_template_run_in_the_order_of_their_names() {
    let text = r#"{
  "variables": { "stage": "b" },
  "builders": [
    { "type": "vm", "name": "c" },
    { "type": "vm", "name": "{{user `stage`}}" },
    { "type": "vm", "name": "A" }
  ]
}"#;
    let plans = plan_text("a.json", text, &[]).unwrap_or_else(|found| panic!("{found}"));
    // What a script sees in PACKER_BUILD_NAME is rendered, too.
    let seen: Vec<_> =
        plans.iter().map(|plan| (plan.name.as_str(), plan.source_name.as_str())).collect();
    assert_eq!(seen, [("A", "A"), ("b", "b"), ("c", "c")]);
}

#[test]
fn a_script_sees_the_name_of_the_source_whatever_the_build_calls_it() {
    let text = r#"
source "vm" "app" {}
build {
  source "vm.app" { name = "renamed" }
}
"#;
    let plan = one("a.pkr.hcl", text);
    assert_eq!((plan.name.as_str(), plan.source_name.as_str()), ("vm.renamed", "app"));
}

#[test]
fn what_is_no_source_is_said_to_be_none() {
    let text = r#"
source "vm" "app" {}
build { sources = [1, null, "app", "vm.app"] }
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[null-value]: a text is expected, but this is null
     --> a.pkr.hcl:3:23
      |
    3 | build { sources = [1, null, "app", "vm.app"] }
      |                       ^^^^
      |
      = help: null is no source: a source is `"TYPE.NAME"`
    "#);
    let text = text.replace("1, null, ", "");
    insta::assert_snapshot!(plan_text("a.pkr.hcl", &text, &[]).expect_err("errors"), @r#"
    error[unknown-source]: unknown source `app`
     --> a.pkr.hcl:3:20
      |
    3 | build { sources = ["app", "vm.app"] }
      |                    ^^^^^ not declared
      |
      = note: a source is referred to as `TYPE.NAME`
      = help: did you mean `source.vm.app`?
    "#);
}

#[test]
fn a_step_may_not_name_a_source_by_half() {
    let text = r#"
source "vm" "web" {}
build {
  name    = "site"
  sources = ["vm.web"]
  provisioner "run" {
    only   = ["vm.web", "web"]
    inline = ["x"]
  }
  provisioner "run" {
    except = ["site.vm.web"]
    inline = ["x"]
  }
}
"#;
    insta::assert_snapshot!(warnings_of(text), @r#"
    warning[unknown-source]: `web` is no source of this build
     --> a.pkr.hcl:7:25
      |
    7 |     only   = ["vm.web", "web"]
      |                         ^^^^^
      |
      = help: did you mean `vm.web`?

    warning[unknown-source]: `site.vm.web` is no source of this build
      --> a.pkr.hcl:11:15
       |
    11 |     except = ["site.vm.web"]
       |               ^^^^^^^^^^^^^
       |
       = help: did you mean `vm.web`?
    "#);
}

#[test]
fn an_override_in_a_legacy_template_may_spell_names_otherwise() {
    let text = r#"{
  "builders": [{ "type": "vm", "name": "app" }],
  "provisioners": [
    { "type": "run", "Inline": ["x"], "override": { "app": { "inline": ["y"] } } }
  ]
}"#;
    let plan = one("a.json", text);
    assert_eq!(plan.steps[0].planned.hashed["inline"], serde_json::json!(["y"]));
}
