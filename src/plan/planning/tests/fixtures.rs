//! Templates under `fixtures/language`, with the components that bake has.

use super::*;

fn hashes(name: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/language").join(name);
    let mut warnings = Diagnostics::new();
    let plans = environment_of(&path, &[], &mut warnings).and_then(|environment| {
        let template = load(&path)?.template;
        let kinds =
            Kinds { builders: crate::build::BUILDERS, provisioners: crate::provision::KINDS };
        let all = Selection::new(&[], &[]).expect("patterns");
        plan(&template, &environment, kinds, &all, Path::new("/"), &mut warnings)
    });
    assert!(warnings.is_empty(), "{}", render(&warnings, Style::default()));
    plans
        .unwrap_or_else(|found| panic!("{}", render(&found, Style::default())))
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
