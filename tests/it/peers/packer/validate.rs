//! `validate` of both programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::support::{all_suites, repository};

use super::differences::{assert_known, known};
use super::program::{Programs, argument, for_each};

/// Templates below `accepted` and `refused`, by their names from there.
fn templates() -> Vec<(String, PathBuf)> {
    let root = repository().join("fixtures/peers/packer");
    let mut all = Vec::new();
    for folder in ["accepted", "refused"] {
        for entry in fs::read_dir(root.join(folder)).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(&root).expect("below").display().to_string();
            all.push((name, path));
        }
    }
    all.sort();
    all
}

#[test]
fn the_same_templates_are_accepted() {
    if !all_suites("validate against Packer 1.6.6") {
        return;
    }
    let programs = Programs::new();
    let templates = templates();
    assert!(templates.len() >= 60, "{} templates", templates.len());
    let outcomes = for_each(&templates, |(_, path)| {
        let arguments = ["validate", argument(path)];
        (programs.bake(&arguments, ""), programs.packer(&arguments, ""))
    });
    let listed = known("template");
    let mut differences = BTreeMap::new();
    let mut unexpected = Vec::new();
    for ((name, _), (bake, packer)) in templates.iter().zip(outcomes) {
        if bake.succeeded != name.starts_with("accepted") && !listed.contains_key(name) {
            unexpected.push(format!("{name}:\n{}", bake.all));
        }
        if bake.succeeded != packer.succeeded {
            let verb = |succeeded| if succeeded { "accepts" } else { "refuses" };
            let text = format!(
                "bake {} it:\n{}\nPacker {} it:\n{}",
                verb(bake.succeeded),
                bake.all,
                verb(packer.succeeded),
                packer.all
            );
            differences.insert(name.clone(), text);
        }
    }
    assert!(unexpected.is_empty(), "not as the folder says:\n\n{}", unexpected.join("\n"));
    assert_known("template", &differences);
}
