//! What holds for every template: layout, order and spelling never change what it means, and no
//! text makes the parsers panic.
//!
//! The cases are the same in every run; `BAKE_TEST_ALL` makes more of them.

mod meaning;
mod recipe;
mod survival;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake::diagnostic::{Diagnostics, Source, Style, render};
use bake::plan::{Kinds, Plan, Selection, identity, plan};
use bake::template::syntax::parse_expression;
use bake::template::{Environment, Run, VariableInputs, load};
use bake::value::{Kind, Value};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs `cases` of them, or many more.
fn runner(cases: u32) -> TestRunner {
    let all = std::env::var_os("BAKE_TEST_ALL").is_some();
    let config = Config {
        cases: if all { cases * 5 } else { cases },
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// What a template means: the hash of each of its builds, and its locals.
#[derive(Debug, PartialEq)]
struct Meaning {
    hashes: BTreeMap<String, String>,
    locals: String,
}

/// The meaning of the template at `path`.
fn meaning(path: &Path) -> Result<Meaning, String> {
    try_meaning(path).map_err(|found| render(&found, Style::default()))
}

fn try_meaning(path: &Path) -> Result<Meaning, Diagnostics> {
    let loaded = load(path)?;
    let run = Run {
        now: "2026-11-21T07:08:09Z".parse().expect("a timestamp"),
        directory: PathBuf::from("/"),
        environment: BTreeMap::new(),
        random: || [7; 16],
        data_sources: bake::lookup::DATA_SOURCES,
        answers: bake::template::lookup::Answers::default(),
    };
    let mut warnings = Diagnostics::new();
    let inputs = VariableInputs::default();
    let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
    let kinds = Kinds {
        builders: bake::build::KINDS,
        provisioners: bake::provision::KINDS,
        post_processors: bake::publish::KINDS,
    };
    let everything = Selection::new(&[], &[]).expect("a selection");
    let plans =
        plan(&loaded.template, &environment, kinds, &everything, Path::new("/"), &mut warnings)?;
    let local = parse_expression(&Source::new("locals", "local"), None)?;
    let locals = match environment.evaluate(&local).map(|value| value.kind) {
        // A random value is another one at another place.
        Ok(Kind::Object(mut all)) => {
            all.retain(|_, value| !value.all_marks().volatile);
            Value::object(all)
        }
        _ => Value::null(),
    };
    let hash = |plan: &Plan| match plan.is_repeatable() {
        true => identity::template_hash(plan).hex(),
        false => "another one in each run".to_owned(),
    };
    let hashes = plans.iter().map(|plan| (plan.name.to_string(), hash(plan))).collect();
    Ok(Meaning { hashes, locals: locals.to_string() })
}

/// The files of `fixtures` and `templates` with one of these endings, and their text.
fn fixtures(endings: &[&str]) -> Vec<(PathBuf, String)> {
    fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
        let entries = std::fs::read_dir(directory).expect("a directory");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                collect(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for directory in ["fixtures", "templates"] {
        collect(&crate::support::repository().join(directory), &mut files);
    }
    let wanted = |path: &PathBuf| {
        let name = path.to_string_lossy().into_owned();
        endings.iter().any(|ending| name.ends_with(ending))
    };
    files
        .into_iter()
        .filter(wanted)
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?)))
        .collect()
}
