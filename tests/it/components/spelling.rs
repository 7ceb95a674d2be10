//! Pairs of templates for each component, in `fixtures/components`: together they give every
//! option something else than its default.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bake::plan::identity::template_hash;
use bake::plan::{Plan, Planned};
use bake::template::schema::{Schema, Shape};
use bake::value::Type;
use serde_json::Value as Json;

use crate::support::repository;

use super::{plans, roles};

fn fixture(role: &str, name: &str) -> PathBuf {
    repository().join("fixtures/components").join(role).join(name)
}

fn planned(path: &Path) -> Plan {
    let mut plans = plans(path).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(plans.len(), 1);
    plans.remove(0)
}

/// The uses of a component in a plan.
fn uses<'a>(plan: &'a Plan, kind: &'a str) -> impl Iterator<Item = &'a Planned> {
    plan.all_components().skip(1).filter(move |one| one.component.kind == kind)
}

#[test]
fn hcl_and_legacy_json_are_one_recipe() {
    for (role, kinds) in roles().into_iter().skip(1) {
        for kind in kinds {
            let hcl = planned(&fixture(role, &format!("{}.pkr.hcl", kind.name)));
            let json = planned(&fixture(role, &format!("{}.json", kind.name)));
            assert_eq!(template_hash(&hcl), template_hash(&json), "{role} {}", kind.name);
            let evaluated = |plan: &Plan| -> Vec<Json> {
                uses(plan, kind.name)
                    .map(|one| without_paths(Json::Object(one.evaluated.clone())))
                    .collect()
            };
            assert_eq!(evaluated(&hcl), evaluated(&json), "{role} {}", kind.name);
        }
    }
}

/// How the template's directory is called differs.
fn without_paths(form: Json) -> Json {
    let root = format!("{}/", repository().display());
    let text = form.to_string().replace(&root, "");
    serde_json::from_str(&text).expect("still JSON")
}

/// So a pair that forgets an option of a component does not prove anything about it.
#[test]
fn pairs_give_every_option() {
    for (role, kinds) in roles().into_iter().skip(1) {
        for kind in kinds {
            let plan = planned(&fixture(role, &format!("{}.pkr.hcl", kind.name)));
            let given: BTreeSet<_> = uses(&plan, kind.name)
                .flat_map(|one| one.evaluated.keys().map(String::as_str))
                .collect();
            let schema = (kind.schema)();
            let missing: Vec<_> = schema
                .options
                .iter()
                .filter(|option| matches!(option.shape, Shape::Attribute(_)))
                .map(|option| option.name)
                .filter(|name| !given.contains(name))
                .collect();
            assert!(missing.is_empty(), "{role} {}: {missing:?}", kind.name);
        }
    }
}

/// Written out where it is left out, a default changes nothing.
#[test]
fn a_default_may_be_written_out() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut written = 0;
    for (role, kinds) in roles() {
        for kind in kinds {
            let source = match role {
                "builder" => repository().join("fixtures/spelling/web.pkr.hcl"),
                _ => fixture(role, &format!("{}.pkr.hcl", kind.name)),
            };
            let text = fs::read_to_string(&source).expect("a fixture");
            let root = source.parent().expect("a directory").display().to_string();
            let text = text.replace("${path.root}", &root);
            let path = directory.path().join("template.pkr.hcl");
            let plan_of = |text: &str| {
                fs::write(&path, text).expect("write a template");
                planned(&path)
            };
            let original = plan_of(&text);
            let header = match role {
                "builder" => format!("source \"{}\" \"web\" {{\n", kind.name),
                role => format!("{role} \"{}\" {{\n", kind.name),
            };
            // All at once in each use; what is given there stays.
            let mut uses = text.split(&header);
            let mut changed = uses.next().expect("what comes before").to_owned();
            for body in uses {
                let own = body.split("\n  }").next().unwrap_or(body);
                let (lines, count) = defaults((kind.schema)(), own);
                changed = format!("{changed}{header}{lines}{body}");
                written += count;
            }
            let changed = plan_of(&changed);
            for (one, other) in original.all_components().zip(changed.all_components()) {
                assert_eq!(other.hashed, one.hashed, "{role} {}", kind.name);
                assert_eq!(other.evaluated, one.evaluated, "{role} {}", kind.name);
            }
            assert_eq!(template_hash(&changed), template_hash(&original));
        }
    }
    assert!(written > 200, "{written} options");
}

/// The options of a schema that a body does not give, with their defaults.
fn defaults(schema: &Schema, body: &str) -> (String, usize) {
    let mut lines = String::new();
    let mut count = 0;
    for option in &schema.options {
        let given = |line: &str| line.trim_start().split(' ').next() == Some(option.name);
        let (Some(default), Shape::Attribute(of)) = (&option.default, &option.shape) else {
            continue;
        };
        if body.lines().any(given) {
            continue;
        }
        let value = match (default, of) {
            (Json::Object(_), Type::String) => continue, // a secret
            (Json::String(bytes), Type::List(_)) if bytes.is_empty() => "[]".to_owned(),
            _ => default.to_string().replace("${", "$${").replace("%{", "%%{"),
        };
        lines += &format!("{} = {value}\n", option.name);
        count += 1;
    }
    (lines, count)
}
