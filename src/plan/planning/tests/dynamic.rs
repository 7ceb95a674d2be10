//! `dynamic` blocks: the same plan as when everything is written out.

use super::*;

fn hashes(name: &str, text: &str) -> Vec<(String, String)> {
    plan_text(name, text, &[])
        .unwrap_or_else(|found| panic!("{found}"))
        .iter()
        .map(|plan| (plan.name.clone(), template_hash(plan).hex()))
        .collect()
}

const WRITTEN: &str = r#"
variable "secret" {
  default   = { a = "s3cret" }
  sensitive = true
}
source "vm" "app" {
  disk {
    device = "xvda-0"
    size   = 8
    part { path = "/" }
    part { path = "/home" }
  }
  disk {
    device = "xvdb-1"
    size   = 9
  }
  disk { device = "last-${build.ID}" }
}
build {
  source "vm.app" { name = "one" }
  source "vm.app" { name = "two" }
  provisioner "run" { inline = ["echo 80 ${build.ID}"] }
  provisioner "run" { inline = ["echo 443 ${build.ID}"] }
  provisioner "run" { inline = ["${var.secret["a"]}"] }
  error-cleanup-provisioner "run" { inline = ["sorry"] }
}
"#;

const DYNAMIC: &str = r#"
variable "secret" {
  default   = { a = "s3cret" }
  sensitive = true
}
locals {
  disks = [
    { device = "xvda", size = 8, parts = ["/", "/home"] },
    { device = "xvdb", size = 9, parts = [] },
  ]
}
source "vm" "app" {
  dynamic "disk" {
    for_each = local.disks
    content {
      device = "${disk.value.device}-${disk.key}"
      size   = disk.value.size
      dynamic "part" {
        for_each = disk.value.parts
        iterator = it
        content { path = it.value }
      }
    }
  }
  disk { device = "last-${build.ID}" }
}
build {
  dynamic "source" {
    for_each = toset(["two", "one"])
    labels   = ["vm.app"]
    content { name = source.value }
  }
  dynamic "provisioner" {
    for_each = { x = 80, y = 443 }
    iterator = port
    labels   = [lower("RUN")]
    content { inline = ["echo ${port.value} ${build.ID}"] }
  }
  dynamic "provisioner" {
    for_each = var.secret
    iterator = one
    labels   = ["run"]
    content { inline = ["${one.value}"] }
  }
  dynamic "error-cleanup-provisioner" {
    for_each = [1]
    labels   = ["run"]
    content { inline = ["sorry"] }
  }
}
"#;

const JSON: &str = r#"{
  "variable": { "secret": { "default": { "a": "s3cret" }, "sensitive": true } },
  "locals": {
    "disks": [
      { "device": "xvda", "size": 8, "parts": ["/", "/home"] },
      { "device": "xvdb", "size": 9, "parts": [] }
    ]
  },
  "source": { "vm": { "app": {
    "dynamic": { "disk": {
      "for_each": "${local.disks}",
      "content": {
        "device": "${disk.value.device}-${disk.key}",
        "size": "${disk.value.size}",
        "dynamic": { "part": [{
          "for_each": "${disk.value.parts}",
          "iterator": "it",
          "content": { "path": "${it.value}" }
        }] }
      }
    } },
    "disk": { "device": "last-${build.ID}" }
  } } },
  "build": {
    "dynamic": [
      { "source": {
        "for_each": "${toset([\"two\", \"one\"])}",
        "labels": ["vm.app"],
        "content": { "name": "${source.value}" }
      } },
      { "provisioner": [
        {
          "for_each": { "x": 80, "y": 443 },
          "iterator": "port",
          "labels": ["run"],
          "content": { "inline": ["echo ${port.value} ${build.ID}"] }
        },
        {
          "for_each": "${var.secret}",
          "iterator": "one",
          "labels": ["run"],
          "content": { "inline": ["${one.value}"] }
        }
      ] },
      { "error-cleanup-provisioner": {
        "for_each": [1], "labels": ["run"], "content": { "inline": ["sorry"] }
      } }
    ]
  }
}"#;

#[test]
fn generated_blocks_are_hashed_like_written_ones() {
    let written = hashes("a.pkr.hcl", WRITTEN);
    let recipe = |text: &str| {
        let plans = plan_text("a.pkr.hcl", text, &[]).unwrap_or_else(|found| panic!("{found}"));
        crate::plan::identity::recipe(&plans[0], &[])
    };
    assert_eq!(recipe(DYNAMIC), recipe(WRITTEN));
    assert_eq!(written.len(), 2);
    assert_eq!(hashes("b.pkr.hcl", DYNAMIC), written);
    assert_eq!(hashes("c.pkr.json", JSON), written);
    for (from, to) in [("443", "444"), ("\"/home\"", "\"/var\""), ("s3cret", "other")] {
        assert_eq!(
            hashes("b.pkr.hcl", &DYNAMIC.replace(from, to)) == written,
            from == "s3cret",
            "{from} → {to}"
        );
    }
}

#[test]
fn a_secret_does_not_get_into_the_recipe() {
    let plans = plan_text("a.pkr.hcl", DYNAMIC, &[]).expect("plans");
    for plan in &plans {
        let recipe = crate::plan::identity::recipe(plan, &[]).to_string();
        assert!(!recipe.contains("s3cret"), "{recipe}");
        let step = plan.steps.last().expect("a step");
        assert!(step.planned.secrets.contains("s3cret"));
    }
}

#[test]
fn an_inner_iterator_hides_an_outer_one() {
    let text = r#"
source "vm" "app" {
  dynamic "disk" {
    for_each = ["a"]
    iterator = it
    content {
      device = join(",", [for it in ["x", "y"] : it])
      dynamic "part" {
        for_each = ["${it.value}1", "${it.value}2"]
        iterator = it
        content { path = "${it.key}${it.value}" }
      }
    }
  }
}
build { sources = ["vm.app"] }
"#;
    let plan = one("a.pkr.hcl", text);
    insta::assert_snapshot!(plan.builder.hashed["disk"], @r#"[{"device":"x,y","part":[{"path":"0a1"},{"path":"1a2"}]}]"#);
    let json = r#"{
  "source": { "vm": { "app": { "dynamic": { "disk": {
    "for_each": ["a"], "iterator": "it",
    "content": {
      "device": "x,y",
      "dynamic": { "part": {
        "for_each": ["${it.value}1", "${it.value}2"], "iterator": "it",
        "content": { "path": "${it.key}${it.value}" }
      } }
    }
  } } } } },
  "build": { "sources": ["vm.app"] }
}"#;
    assert_eq!(template_hash(&one("a.pkr.json", json)), template_hash(&plan));
}

#[test]
fn what_cannot_be_expanded_is_said_at_its_place() {
    let text = r#"
source "vm" "app" {
  dynamic "disk" {
    for_each = null
    content { device = "x" }
  }
  dynamic "disk" {
    for_each = [build.ID, "a"]
    content { device = disk.valeu }
  }
  dynamic "disk" {
    for_each = toset([build.ID])
    content { device = "x" }
  }
  dynamic "disk" {
    for_each = "a,b"
    iterator = "it"
    content { device = "x" }
  }
  dynamic "disk" {
    for_each = 1
    content { device = "x" }
  }
  dynamic "disc" {
    for_each = []
    content {}
  }
  dynamic "size" {
    for_each = []
    content {}
  }
  dynamic "disk" {
    foreach = []
  }
  dynamic "disk" {
    for_each = [1, 2]
    labels   = ["x"]
    content { device = "x" }
    content { device = "y" }
  }
}
build { sources = ["vm.app"] }
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[not-iterable]: `for_each` cannot be null
     --> a.pkr.hcl:4:16
      |
    4 |     for_each = null
      |                ^^^^ this is null
      |
      = help: `for_each` takes a list, a set, a map or an object

    error[unknown-value]: `for_each` must be known before the build runs
      --> a.pkr.hcl:12:16
       |
    12 |     for_each = toset([build.ID])
       |                ^^^^^^^^^^^^^^^^^ not known yet
       |
       = help: which blocks there are cannot depend on what only the build finds out

    error[wrong-iterator]: `iterator` must be a name
      --> a.pkr.hcl:17:16
       |
    17 |     iterator = "it"
       |                ^^^^ not a name
       |
       = help: write `iterator = it`

    error[not-iterable]: `for_each` cannot be a number
      --> a.pkr.hcl:21:16
       |
    21 |     for_each = 1
       |                ^ this is a number
       |
       = help: `for_each` takes a list, a set, a map or an object

    error[unknown-option]: unknown block `disc`
      --> a.pkr.hcl:24:12
       |
    24 |   dynamic "disc" {
       |            ^^^^ not known here
       |
       = help: did you mean `disk`?

    error[block-for-attribute]: `size` is an argument, not a block
      --> a.pkr.hcl:28:3
       |
    28 |   dynamic "size" {
       |   ^^^^^^^^^^^^^^
       |
       = help: write `size = …`

    error[unknown-argument]: unknown argument `foreach`
      --> a.pkr.hcl:33:5
       |
    33 |     foreach = []
       |     ^^^^^^^ not known here
       |
       = help: did you mean `for_each`?

    error[missing-argument]: `for_each` is required
      --> a.pkr.hcl:32:3
       |
    32 |   dynamic "disk" {
       |   ^^^^^^^^^^^^^^ `for_each` is not given

    error[missing-block]: a `dynamic` block needs a `content` block
      --> a.pkr.hcl:32:3
       |
    32 |   dynamic "disk" {
       |   ^^^^^^^^^^^^^^ has no `content`

    error[duplicate-block]: a `dynamic` block has one `content` block
      --> a.pkr.hcl:39:5
       |
    38 |     content { device = "x" }
       |     ------- first here
    39 |     content { device = "y" }
       |     ^^^^^^^ again here

    error[unknown-attribute]: `disk` has no attribute `valeu`
     --> a.pkr.hcl:9:29
      |
    9 |     content { device = disk.valeu }
      |                             ^^^^^ not there
      |
      = help: did you mean `value`?
    "#);
    let text = r#"
source "vm" "app" {}
build {
  sources = ["vm.app"]
  dynamic "provisioner" {
    for_each = [["a"], []]
    labels   = provisioner.value
    content {}
  }
  dynamic "provisioner" {
    for_each = ["run", "rnu"]
    labels   = [provisioner.value]
    content {}
  }
  dynamic "provisioner" {
    for_each = build.ID
    content {}
  }
}
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[wrong-labels]: a `provisioner` block has one label
     --> a.pkr.hcl:5:3
      |
    5 |   dynamic "provisioner" {
      |   ^^^^^^^^^^^^^^^^^^^^^ has 0
      |
      = help: write `provisioner "TYPE" {`

    error[unknown-name]: unknown name `build`
      --> a.pkr.hcl:16:16
       |
    16 |     for_each = build.ID
       |                ^^^^^ not known here
       |
       = help: `build` is known in provisioners and post-processors
    "#);
    let text = r#"
build {
  dynamic "provisoner" {
    for_each = []
    content {}
  }
  dynamic {
    for_each = []
  }
}
dynamic "source" {
}
"#;
    insta::assert_snapshot!(plan_text("a.pkr.hcl", text, &[]).expect_err("errors"), @r#"
    error[unknown-block]: unknown block `dynamic`
      --> a.pkr.hcl:11:1
       |
    11 | dynamic "source" {
       | ^^^^^^^ not known here

    error[wrong-labels]: a `dynamic` block has one label
     --> a.pkr.hcl:7:3
      |
    7 |   dynamic {
      |   ^^^^^^^ has 0
      |
      = help: write `dynamic "TYPE" {`

    error[unknown-block]: unknown block `provisoner`
     --> a.pkr.hcl:3:12
      |
    3 |   dynamic "provisoner" {
      |            ^^^^^^^^^^ not known here
      |
      = help: did you mean `provisioner`?
    "#);
}
