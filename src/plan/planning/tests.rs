//! Templates to plans, with a builder and a provisioner that only tests know.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod builds;
mod data;
mod dynamic;
mod fixtures;
mod variables;

use super::*;
use crate::diagnostic::{Style, render};
use crate::plan::identity::{image_hash, template_hash};
use crate::plan::{Planner, Tree};
use crate::template::schema::Deferred;
use crate::template::{Run, VariableInputs, load};

crate::options! {
    /// Options of the test builder.
    struct VmOptions {
        /// The machine's name.
        unhashed name: Option<Deferred>,
        /// Its size.
        hashed size: u32 = 1,
        /// Where it starts from.
        hashed source: Option<String>,
        /// Labels.
        unhashed tags: BTreeMap<String, Deferred>,
        /// A disk.
        hashed disk: Vec<Disk>,
    }
}

crate::options! {
    /// A disk.
    struct Disk {
        /// Its name.
        hashed device: String,
        /// GiB.
        hashed size: Option<u32>,
        /// How it is divided.
        hashed part: Vec<Part>,
    }
}

crate::options! {
    /// A part of a disk.
    struct Part {
        /// Where it is mounted.
        hashed path: String,
    }
}

crate::options! {
    /// Options of the test provisioner.
    struct RunOptions {
        /// Commands.
        hashed inline: Vec<Deferred>,
        /// How long to wait.
        unhashed wait: std::time::Duration = std::time::Duration::ZERO,
    }
}

crate::options! {
    /// Options of a provisioner with blocks.
    struct StepsOptions {
        /// Its steps.
        hashed step: Vec<NamedStep>,
        /// How long to wait.
        unhashed wait: std::time::Duration = std::time::Duration::ZERO,
    }
}

crate::options! {
    /// One step.
    struct NamedStep {
        /// Its name.
        hashed name: String,
    }
}

const KINDS: Kinds<'static> = Kinds {
    builders: &[ComponentKind {
        name: "vm",
        schema: VmOptions::schema,
        plan: |planner: &mut Planner<'_>| {
            planner.decode(VmOptions::schema(), VmOptions::decode_options);
        },
    }],
    provisioners: &[
        ComponentKind {
            name: "run",
            schema: RunOptions::schema,
            plan: |planner: &mut Planner<'_>| {
                if planner.decode(RunOptions::schema(), RunOptions::decode_options).is_some() {
                    planner.add_tree("script", "script.sh", Tree::of_bytes(*b"#!/bin/sh\n", 0o755));
                }
            },
        },
        ComponentKind {
            name: "steps",
            schema: StepsOptions::schema,
            plan: |planner: &mut Planner<'_>| {
                planner.decode(StepsOptions::schema(), StepsOptions::decode_options);
            },
        },
    ],
    post_processors: &[],
};

/// Plans a template given as one file; secrets and the clock are fixed.
fn plan_text(name: &str, text: &str, variables: &[(&str, &str)]) -> Result<Vec<Plan>, String> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join(name);
    fs::write(&path, text).expect("write template");
    plan_path(&path, variables, &[])
        .map_err(|text| text.replace(&format!("{}/", directory.path().display()), ""))
}

fn plan_path(path: &Path, variables: &[(&str, &str)], only: &[&str]) -> Result<Vec<Plan>, String> {
    let only: Vec<_> = only.iter().map(|one| (*one).to_owned()).collect();
    let mut warnings = Diagnostics::new();
    let found = (|| {
        let environment = environment_of(path, variables, &mut warnings)?;
        let selection = Selection::new(&only, &[]).expect("patterns");
        let template = load(path)?.template;
        plan(&template, &environment, KINDS, &selection, Path::new("/"), &mut warnings)
    })();
    found.map_err(|found| render(&found, Style::default()))
}

fn environment_of(
    path: &Path,
    variables: &[(&str, &str)],
    warnings: &mut Diagnostics,
) -> Result<Arc<Environment>, Diagnostics> {
    let loaded = load(path)?;
    let inputs = VariableInputs {
        command_line: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        files: loaded.variable_files,
        ..VariableInputs::default()
    };
    let run = Run {
        now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
        directory: path.parent().unwrap_or(Path::new("/")).to_owned(),
        environment: BTreeMap::from([("STAGE".to_owned(), "prod".to_owned())]),
        random: || [7; 16],
        data_sources: crate::lookup::DATA_SOURCES,
        answers: crate::template::lookup::Answers::default(),
    };
    Environment::new(&loaded.template, &inputs, run, warnings)
}

/// The environment of a template given as one file.
fn environment_text(
    name: &str,
    text: &str,
    variables: &[(&str, &str)],
) -> Result<Arc<Environment>, String> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join(name);
    fs::write(&path, text).expect("write template");
    environment_of(&path, variables, &mut Diagnostics::new())
        .map_err(|found| render(&found, Style::default()))
        .map_err(|text| text.replace(&format!("{}/", directory.path().display()), ""))
}

fn one(name: &str, text: &str) -> Plan {
    let mut plans = plan_text(name, text, &[]).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(plans.len(), 1);
    plans.remove(0)
}

const HCL: &str = r#"
packer {
  required_version = ">= 1.7"
  required_plugins {
    vm = { source = "github.com/example/vm", version = "~> 1" }
  }
}

variable "greeting" {
  type    = string
  default = "hello"
}

locals {
  text = "${local.word}, world"
  word = var.greeting
}

source "vm" "app" {
  name = "app-{{timestamp}}"
  size = 2
  disk {
    device = "/dev/xvda"
    size   = "8"
  }
  tags = { built = "{{isotime}}" }
}

build {
  sources = ["source.vm.app"]

  provisioner "run" {
    inline       = ["echo ${local.text}"]
    pause_before = "5s"
  }
}
"#;

const JSON: &str = r#"{
  "variables": { "greeting": "hello", "text": "{{user `greeting`}}, world" },
  "builders": [{
    "type": "vm", "name": "app", "size": "2",
    "disk": [{ "device": "/dev/xvda", "size": 8 }]
  }],
  "provisioners": [{ "type": "run", "inline": ["echo {{user `text`}}"], "pause_before": "9s" }]
}"#;

#[test]
fn a_template_becomes_a_plan() {
    let plan = one("a.pkr.hcl", HCL);
    assert_eq!(plan.name, "vm.app");
    assert!(plan.is_repeatable());
    let step = plan.steps.first().expect("a step");
    assert_eq!(step.meta.pause_before, std::time::Duration::from_secs(5));
    insta::assert_json_snapshot!(crate::plan::identity::recipe(&plan, &[]), @r#"
    {
      "builder": {
        "type": "vm",
        "options": {
          "size": 2,
          "disk": [
            {
              "device": "/dev/xvda",
              "size": 8
            }
          ]
        },
        "files": {}
      },
      "steps": [
        {
          "type": "run",
          "options": {
            "inline": [
              "echo hello, world"
            ]
          },
          "files": {
            "script": {
              "": {
                "executable": "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"
              }
            }
          }
        }
      ]
    }
    "#);
}

#[test]
fn the_same_recipe_in_json_has_the_same_hash() {
    let (hcl, json) = (one("a.pkr.hcl", HCL), one("a.json", JSON));
    assert_eq!(json.name, "app");
    assert_eq!(template_hash(&hcl), template_hash(&json));
}

#[test]
fn what_does_not_shape_the_image_does_not_move_the_hash() {
    let hash = template_hash(&one("a.pkr.hcl", HCL));
    for (from, to) in [
        ("app-{{timestamp}}", "other"),
        ("{{isotime}}", "never"),
        ("pause_before = \"5s\"", "wait = \"1m\""),
        ("  size = 2\n", "  size = 1 + 1 # two\n"),
        ("packer {", "\n\n# a comment\npacker {"),
    ] {
        assert!(HCL.contains(from), "{from}");
        let changed = one("b.hcl", &HCL.replacen(from, to, 1));
        assert_eq!(template_hash(&changed), hash, "{from} → {to}");
    }
    for (from, to) in [
        ("hello", "hallo"),
        ("size = 2", "size = 3"),
        ("/dev/xvda", "/dev/xvdb"),
        ("inline       = [", "inline       = [\"true\", "),
    ] {
        assert!(HCL.contains(from), "{from}");
        let changed = one("b.hcl", &HCL.replacen(from, to, 1));
        assert_ne!(template_hash(&changed), hash, "{from} → {to}");
    }
}

#[test]
fn the_image_hash_knows_the_image_and_not_how_it_was_looked_for() {
    let by_name = one("a.hcl", &HCL.replacen("size = 2", "size = 2\n  source = \"base\"", 1));
    let by_id = one("a.hcl", &HCL.replacen("size = 2", "size = 2\n  source = \"id-1\"", 1));
    assert_ne!(template_hash(&by_name), template_hash(&by_id));
    let found = serde_json::json!("id-1");
    let other = serde_json::json!("id-2");
    assert_eq!(image_hash(&by_name, &["source"], &found), image_hash(&by_id, &["source"], &found));
    assert_ne!(image_hash(&by_name, &["source"], &found), image_hash(&by_id, &["source"], &other));
}

#[test]
fn a_clock_in_a_hashed_option_makes_an_image_unrepeatable() {
    let plan = one("a.hcl", &HCL.replacen("echo ", "echo {{isotime}} ", 1));
    assert!(!plan.is_repeatable());
    let plan = one("a.hcl", &HCL.replacen("echo ", "echo ${timestamp()} ", 1));
    assert!(!plan.is_repeatable());
}

#[test]
fn steps_and_builds_can_be_selected() {
    let text = r#"
source "vm" "a" {}
source "vm" "b" {}
build {
  name = "web"
  sources = ["source.vm.a", "vm.b"]
  source "vm.a" {
    name = "c"
    size = 3
  }
  provisioner "run" {
    only   = ["vm.c"]
    inline = ["c"]
  }
  provisioner "run" {
    except   = ["vm.c"]
    inline   = ["not c"]
    override = { b = { inline = ["b"] } }
  }
}
"#;
    let plans = plan_text("a.hcl", text, &[]).unwrap_or_else(|found| panic!("{found}"));
    let seen: Vec<_> = plans
        .iter()
        .map(|plan| {
            let inline = plan.steps.iter().map(|step| step.planned.hashed["inline"].to_string());
            format!("{}: {}", plan.name, inline.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(seen, [r#"web.vm.a: ["not c"]"#, r#"web.vm.b: ["b"]"#, r#"web.vm.c: ["c"]"#]);
}

#[test]
fn variables_come_from_files_environment_and_command_line() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("write");
    };
    write(
        "main.pkr.hcl",
        r#"
variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = env("STAGE") }
source "vm" "x" { source = "${var.a} ${var.b} ${var.c}" }
"#,
    );
    write("build.pkr.hcl", "build { sources = [\"source.vm.x\"] }");
    write("x.auto.pkrvars.hcl", "a = \"file\"\nb = \"file\"\n");
    let plans = plan_path(directory.path(), &[("b", "command")], &[]).expect("plans");
    assert_eq!(plans[0].builder.hashed["source"], "file command prod");
}

#[test]
fn mistakes_are_all_shown_at_their_places() {
    let text = r#"
variable "used" {}
source "vm" "app" {
  sise = 2
  disk = "big"
  disk { size = "huge" }
}
build {
  sources = ["source.vm.ap"]
  provisioner "rum" { inline = ["x"] }
}
build {
  sources = ["source.vm.app"]
  provisioner "run" { inline = "x" }
  provisoner "run" { }
}
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[("used", "1")]).expect_err("errors"), @r#"
    error[unknown-block]: unknown block `provisoner`
      --> a.pkr.hcl:15:3
       |
    15 |   provisoner "run" { }
       |   ^^^^^^^^^^ not known here
       |
       = help: did you mean `provisioner`?
    "#);
    insta::assert_snapshot!(plan_text("a.pkr.hcl", &text.replace("provisoner \"run\" { }", ""), &[("used", "1")]).expect_err("errors"), @r#"
    error[unknown-component]: there is no provisioner `rum`
      --> a.pkr.hcl:10:16
       |
    10 |   provisioner "rum" { inline = ["x"] }
       |                ^^^ not known to bake
       |
       = help: did you mean `run`?

    error[unknown-source]: unknown source `source.vm.ap`
     --> a.pkr.hcl:9:14
      |
    9 |   sources = ["source.vm.ap"]
      |              ^^^^^^^^^^^^^^ not declared
      |
      = help: did you mean `source.vm.app`?

    error[unknown-option]: unknown option `sise`
     --> a.pkr.hcl:4:3
      |
    4 |   sise = 2
      |   ^^^^ not known here
      |
      = help: did you mean `size`?

    error[attribute-for-block]: `disk` is a block, not an argument
     --> a.pkr.hcl:5:3
      |
    5 |   disk = "big"
      |   ^^^^
      |
      = help: write `disk { … }` without `=`

    error[missing-option]: `device` is required
     --> a.pkr.hcl:6:3
      |
    6 |   disk { size = "huge" }
      |   ^^^^ `device` is not given

    error[wrong-type]: wrong type for `size`: "huge" is not a number
     --> a.pkr.hcl:6:17
      |
    6 |   disk { size = "huge" }
      |                 ^^^^^^ number is expected

    error[wrong-type]: wrong type for `inline`: a list of strings is required, but this is a string
      --> a.pkr.hcl:14:32
       |
    14 |   provisioner "run" { inline = "x" }
       |                                ^^^ list(string) is expected
    "#);
    insta::assert_snapshot!(plan_text("a.pkr.hcl", &text.replace("provisoner \"run\" { }", ""), &[]).expect_err("errors"), @r#"
    error[missing-variable]: variable `used` has no value
     --> a.pkr.hcl:2:1
      |
    2 | variable "used" {}
      | ^^^^^^^^^^^^^^^ has no default
      |
      = help: give it by `-var used=…`, a variable file, or PKR_VAR_used
    "#);
}

#[test]
fn what_a_legacy_template_gets_wrong_has_a_place_too() {
    let text = r#"{
  "builders": [{ "type": "vm", "sise": "2" }, { "typ": "vm" }],
  "provisioners": [{ "type": "run", "inline": ["{{user `gone`}} {{upper}}"] }],
  "provisionrs": []
}"#;
    insta::assert_snapshot!(plan_text("a.json", text, &[]).expect_err("errors"), @r#"
    error[unknown-key]: unknown root key `provisionrs`
     --> a.json:4:3
      |
    4 |   "provisionrs": []
      |   ^^^^^^^^^^^^^ not known here
      |
      = help: did you mean `provisioners`?
      = help: keys that begin with `_` are comments

    error[missing-type]: a builder needs a `type`
     --> a.json:2:47
      |
    2 |   "builders": [{ "type": "vm", "sise": "2" }, { "typ": "vm" }],
      |                                               ^ `type` is not given
    "#);
    let text = text.replace(", { \"typ\": \"vm\" }", "").replace(",\n  \"provisionrs\": []", "");
    insta::assert_snapshot!(plan_text("a.json", &text, &[]).expect_err("errors"), @r#"
    error[unknown-option]: unknown option `sise`
     --> a.json:2:32
      |
    2 |   "builders": [{ "type": "vm", "sise": "2" }],
      |                                ^^^^^^ not known here
      |
      = help: did you mean `size`?

    error[template-error]: `upper` takes one text, not 0
     --> a.json:3:67
      |
    3 |   "provisioners": [{ "type": "run", "inline": ["{{user `gone`}} {{upper}}"] }]
      |                                                                   ^^^^^ in this template text
    "#);
}
