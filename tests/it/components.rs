//! What holds for every component: each has an option for all that Packer's has, each option is
//! documented, a default may be written out, and HCL and legacy JSON are one recipe.

mod options;
mod spelling;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bake::build::BUILDERS;
use bake::diagnostic::{Diagnostics, Style, render};
use bake::plan::{ComponentKind, Kinds, Plan, Selection};
use bake::template::{Environment, Run, VariableInputs};
use bake::{plan, provision, publish, template};

use crate::support::repository;

/// Where components stand in templates, with what there is.
fn roles() -> [(&'static str, &'static [ComponentKind]); 3] {
    [("builder", BUILDERS), ("provisioner", provision::KINDS), ("post-processor", publish::KINDS)]
}

/// All plans of a template; paths in it start at the repository.
fn plans(path: &Path) -> Result<Vec<Plan>, String> {
    let mut warnings = Diagnostics::new();
    let found = (|| {
        let loaded = template::load(path)?;
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
            directory: repository(),
            environment: BTreeMap::new(),
            random: || [7; 16],
        };
        let inputs = VariableInputs::default();
        let environment: Arc<Environment> =
            Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
        let kinds = Kinds {
            builders: BUILDERS,
            provisioners: provision::KINDS,
            post_processors: publish::KINDS,
        };
        let all = Selection::new(&[], &[]).expect("patterns");
        plan::plan(&loaded.template, &environment, kinds, &all, &repository(), &mut warnings)
    })();
    found.map_err(|found: Diagnostics| render(&found, Style::default()))
}
