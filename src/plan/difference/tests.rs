//! Recipes side by side.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{difference, of_templates, render_differences};
use crate::plan::{Digest, Record};

fn record(recipe: Json, texts: &[&str]) -> Record {
    Record::of_recipes(recipe, None, texts)
}

/// A recipe of a builder with these options and these steps.
fn recipe(options: Json, steps: &[Json]) -> Json {
    json!({ "builder": { "type": "vm", "options": options, "files": {} }, "steps": steps })
}

fn step(options: Json, files: Json) -> Json {
    json!({ "type": "run", "options": options, "files": files })
}

fn told(old: Json, new: Json) -> String {
    render_differences(&difference(&record(old, &[]), &record(new, &[])))
}

#[test]
fn options_are_told_by_their_names() {
    let old = json!({
        "size": 1, "list": ["a", "b"], "gone": true, "text": "a\nb\n", "pw": { "secret": true },
        "disk": [{ "device": "x", "size": 1 }, { "device": "y" }],
        "from": { "late": "data.x.y\ndata.x.y:1" }, "key": { "sensitive": "var.a" },
    });
    let new = json!({
        "size": 2, "list": ["b", "c"], "text": "a\nc\n", "esc": "\u{1b}[31m",
        "disk": [{ "device": "x", "size": 2 }, { "device": "y" }], "pw": "",
        "from": { "late": "data.x.y\ndata.x.y:2" }, "key": { "sensitive": "var.b" },
    });
    insta::assert_snapshot!(told(recipe(old, &[]), recipe(new, &[])), @r#"
    builder vm: disk[0].size: 2 instead of 1
    builder vm: esc: "\u{1b}[31m" instead of the default
    builder vm: from: changed
      -   2: data.x.y:1
      +   2: data.x.y:2
    builder vm: gone: the default instead of true
    builder vm: key: (sensitive) changed
    builder vm: list: changed
      -   1: a
      +   2: c
    builder vm: pw: "" instead of (sensitive)
    builder vm: size: 2 instead of 1
    builder vm: text: changed
      -   2: b
      +   2: c
    "#);
}

#[test]
fn files_are_told_by_their_paths() {
    let file = |text: &str| json!({ "file": Digest::of(text.as_bytes()) });
    let old = json!({
        "source.0:conf": { "": "directory", "a": file("a"), "b": file("b\nb\n"), "c": { "symlink": "a" }, "e": file("e") },
        "script.0": { "": file("s") }, "script.1": { "": file("t") },
    });
    let new = json!({
        "source.0/": { "": "directory", "A": file("a"), "b": file("b\nB\n"), "c": "directory", "e": { "executable": Digest::of(b"E") } },
        "script.0": { "": file("s") },
    });
    let texts = ["b\nb\n", "b\nB\n"];
    let old = record(recipe(json!({}), &[step(json!({}), old)]), &texts);
    let new = record(recipe(json!({}), &[step(json!({}), new)]), &texts);
    insta::assert_snapshot!(render_differences(&difference(&old, &new)), @"
    step 1 (run): source.0/: sent as `source.0/` instead of `source.0:conf`
    step 1 (run): source.0/b: changed
      -   2: b
      +   2: B
    step 1 (run): source.0/c: a directory instead of a symbolic link
    step 1 (run): source.0/e: changed
    step 1 (run): source.0/e: made executable
    step 1 (run): source.0/A: renamed; it was source.0:conf/a
    step 1 (run): script.1: removed
    ");
}

#[test]
fn parts_are_told() {
    let cleanup = |command: &str| {
        let mut step = step(json!({ "inline": [command] }), json!({}));
        step["on_error"] = json!(true);
        step
    };
    let one = step(json!({ "inline": ["a"] }), json!({}));
    let old = recipe(json!({}), &[one.clone(), cleanup("x")]);
    let mut new = recipe(json!({}), &[cleanup("y")]);
    new["builder"]["type"] = json!("box");
    insta::assert_snapshot!(told(old, new), @"
    builder box: `box` instead of `vm`
    step 1 (run): removed
    error-cleanup step (run): inline: changed
      -   1: x
      +   1: y
    ");
}

#[test]
fn source_images_count_where_both_are_known() {
    let asked = recipe(json!({ "source": "debian-*" }), &[]);
    let image = |id: &str| {
        let mut image = recipe(json!({}), &[]);
        image["source_image"] = json!({ "id": id, "architecture": "x86_64" });
        Record::of_recipes(asked.clone(), Some(image), &[])
    };
    let (old, new) = (image("ami-1"), image("ami-2"));
    let told = render_differences(&difference(&old, &new));
    insta::assert_snapshot!(told, @r#"  source image: id: "ami-2" instead of "ami-1""#);
    assert_eq!(difference(&old, &record(asked.clone(), &[])), []);
    assert_eq!(of_templates(&old, &new), []);
}

#[test]
fn a_difference_is_json() {
    let old = recipe(json!({ "size": 1 }), &[]);
    let new = recipe(json!({}), &[step(json!({}), json!({}))]);
    let found = difference(&record(old, &[]), &record(new, &[]));
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap(), @r#"
    [
      {
        "part": "builder",
        "kind": "vm",
        "change": "option",
        "option": "size",
        "old": {
          "value": 1
        },
        "new": {
          "default": true
        }
      },
      {
        "part": "step",
        "number": 1,
        "kind": "run",
        "change": "added"
      }
    ]
    "#);
}

#[test]
fn thousands_of_steps_take_no_time() {
    let steps = |from: usize| -> Vec<Json> {
        (from..from + 3000).map(|at| step(json!({ "inline": [at] }), json!({}))).collect()
    };
    let found = difference(
        &record(recipe(json!({}), &steps(0)), &[]),
        &record(recipe(json!({}), &steps(3000)), &[]),
    );
    assert!(found.len() >= 3000);
    let mut changed = steps(0);
    changed.swap(10, 2000);
    let (old, new) =
        (record(recipe(json!({}), &steps(0)), &[]), record(recipe(json!({}), &changed), &[]));
    assert!(difference(&old, &new).len() <= 2000);
}

fn any_recipe() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        (0..3_i64).prop_map(|one| json!(one)),
        "[ab\n]{0,3}".prop_map(|one| json!(one)),
        "[ab]".prop_map(|one| json!({ "late": one })),
        "[ab]".prop_map(|one| json!({ "sensitive": one })),
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map("[xy]", inner, 0..3)
                .prop_map(|all| all.into_iter().collect()),
        ]
    });
    let options = prop::collection::btree_map("[op]", value, 0..3);
    let entry = prop_oneof![
        Just(json!("directory")),
        "[ab]".prop_map(|one| json!({ "file": one })),
        "[ab]".prop_map(|one| json!({ "executable": one })),
        "[ab]".prop_map(|one| json!({ "symlink": one })),
    ];
    let tree = prop::collection::btree_map("[fg]?", entry, 0..3);
    let files = prop::collection::btree_map("s[01](:a|/)?", tree, 0..3);
    let component = ("[vw]", options, files).prop_map(
        |(kind, options, files)| json!({ "type": kind, "options": options, "files": files }),
    );
    (component.clone(), prop::collection::vec(component, 0..4))
        .prop_map(|(builder, steps)| json!({ "builder": builder, "steps": steps }))
}

proptest! {
    /// Whatever moves a hash is told, and nothing else.
    #[test]
    fn recipes_differ_where_something_is_told(old in any_recipe(), new in any_recipe()) {
        let (one, other) = (record(old.clone(), &[]), record(new.clone(), &[]));
        let found = difference(&one, &other);
        prop_assert_eq!(found.is_empty(), one.template_hash() == other.template_hash());
        prop_assert!(difference(&one, &one).is_empty());
        prop_assert_eq!(render_differences(&found).is_empty(), found.is_empty());
    }
}
