//! Templates under `fixtures/language`, with the components that bake has.

use super::*;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/language").join(name)
}

fn planned(path: &Path) -> Result<Vec<Plan>, String> {
    let mut warnings = Diagnostics::new();
    let plans = environment_of(path, &[], &mut warnings).and_then(|environment| {
        let template = load(path)?.template;
        let kinds = Kinds {
            builders: crate::build::KINDS,
            provisioners: crate::provision::KINDS,
            post_processors: crate::publish::KINDS,
        };
        let all = Selection::new(&[], &[]).expect("patterns");
        plan(&template, &environment, kinds, &all, Path::new("/"), &mut warnings)
    });
    assert!(warnings.is_empty(), "{}", render(&warnings, Style::default()));
    plans.map_err(|found| render(&found, Style::default()))
}

fn hashes(name: &str) -> Vec<(String, String)> {
    planned(&fixture(name))
        .unwrap_or_else(|found| panic!("{found}"))
        .iter()
        .map(|plan| (plan.name.clone(), template_hash(plan).hex()))
        .collect()
}

#[test]
fn three_spellings_of_one_recipe_have_one_hash() {
    let written = hashes("written.pkr.hcl");
    let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["app.amazon-ebs.hardened", "app.amazon-ebs.plain"]);
    assert_eq!(hashes("generated.pkr.hcl"), written);
    assert_eq!(hashes("generated.pkr.json"), written);
}

#[test]
fn stand_ins_of_data_sources_are_not_checked() {
    let plans = planned(&fixture("data.pkr.hcl")).unwrap_or_else(|found| panic!("{found}"));
    let late = &plans[0].builder.late;
    assert!(late.contains("source_ami") && late.contains("tags") && !late.contains("region"));
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("a.pkr.hcl");
    let text = fs::read_to_string(fixture("data.pkr.hcl")).expect("a fixture");
    let changed = text.replace(
        "= data.amazon-parameterstore.subnet.value",
        "= \"${data.amazon-parameterstore.subnet.value}${build.ID}\"",
    );
    fs::write(&path, changed).expect("write template");
    let found = planned(&path).expect_err("what the build finds out is another matter");
    assert!(found.contains("late-option") && found.contains("`subnet_id`"), "{found}");
    assert_eq!(found.matches("error[").count(), 1, "{found}");
}
