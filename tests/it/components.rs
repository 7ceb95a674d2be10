//! What holds for every component: each has an option for all that Packer's has, each option is
//! documented, a default may be written out, and HCL and legacy JSON are one recipe.

mod chains;
mod options;
mod plugins;
mod spelling;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bake::diagnostic::{Diagnostics, Style, render};
use bake::plan::{ComponentKind, Kinds, Plan, Selection};
use bake::template::{Environment, Run, VariableInputs};
use bake::{build, plan, provision, publish, template};

use crate::support::repository;

/// Where components stand in templates, with what there is.
fn roles() -> [(&'static str, &'static [ComponentKind]); 3] {
    [
        ("builder", build::KINDS),
        ("provisioner", provision::KINDS),
        ("post-processor", publish::KINDS),
    ]
}

/// All plans of a template; paths in it start at the repository.
fn plans(path: &Path) -> Result<Vec<Plan>, String> {
    selected(path, &[], &[]).0
}

/// The plans of a template that are selected, and the warnings.
fn selected(path: &Path, only: &[&str], except: &[&str]) -> (Result<Vec<Plan>, String>, String) {
    let mut warnings = Diagnostics::new();
    let found = (|| {
        let loaded = template::load(path)?;
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
            directory: repository(),
            environment: BTreeMap::new(),
            random: || [7; 16],
            data_sources: bake::lookup::DATA_SOURCES,
            answers: bake::template::lookup::Answers::default(),
        };
        let inputs = VariableInputs::default();
        let environment: Arc<Environment> =
            Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
        let kinds = Kinds {
            builders: build::KINDS,
            provisioners: provision::KINDS,
            post_processors: publish::KINDS,
        };
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let selection =
            Selection::of(loaded.template.dialect, &owned(only), &owned(except)).expect("patterns");
        plan::plan(&loaded.template, &environment, kinds, &selection, &repository(), &mut warnings)
    })();
    let directory = path.parent().map(|parent| format!("{}/", parent.display()));
    let shown = |found: &Diagnostics| {
        render(found, Style::default()).replace(&directory.clone().unwrap_or_default(), "")
    };
    (found.map_err(|found: Diagnostics| shown(&found)), shown(&warnings))
}

/// The same for a template given as text.
fn selected_text(
    name: &str,
    text: &str,
    only: &[&str],
    except: &[&str],
) -> (Result<Vec<Plan>, String>, String) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join(name);
    fs::write(&path, text).expect("write a template");
    selected(&path, only, except)
}
