//! From arguments to plans: what `build`, `validate` and `hash` have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{self, Kinds, Plan, Selection};
use crate::template::{self, Environment, Run, VariableInputs};

use super::arguments::{TemplateArguments, ValueArguments};

/// Prefix of environment variables that set template variables.
const VARIABLE_PREFIX: &str = "PKR_VAR_";

/// A template with everything that could be known about it on this machine.
pub(super) struct Prepared {
    pub(super) environment: Arc<Environment>,
    pub(super) plans: Vec<Plan>,
    pub(super) warnings: Diagnostics,
}

impl Prepared {
    /// Errors about what a build asks for that bake cannot do yet.
    pub(super) fn unsupported(&self) -> Diagnostics {
        plan::without_repeats(self.plans.iter().flat_map(Plan::unsupported).collect())
    }
}

/// Loads, evaluates and plans.
pub(super) fn prepare(arguments: &TemplateArguments) -> Result<Prepared, Diagnostics> {
    let directory = working_directory()?;
    let loaded = template::load(&arguments.template)?;
    let selection = Selection::of(loaded.template.dialect, &arguments.only, &arguments.except)
        .map_err(|message| Diagnostic::error("wrong-pattern", message))?;
    let mut warnings = loaded.warnings;
    let (inputs, run) = process_inputs(&loaded.variable_files, &arguments.values, &directory);
    let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
    let kinds = Kinds {
        builders: crate::build::BUILDERS,
        provisioners: crate::provision::KINDS,
        post_processors: crate::publish::KINDS,
    };
    let plans =
        plan::plan(&loaded.template, &environment, kinds, &selection, &directory, &mut warnings)?;
    Ok(Prepared { environment, plans, warnings })
}

/// The working directory, absolute.
pub(super) fn working_directory() -> Result<PathBuf, Diagnostics> {
    std::env::current_dir().map_err(|error| {
        Diagnostic::error("working-directory", format!("no working directory: {error}")).into()
    })
}

/// What the command line, the environment and this moment contribute to an evaluation, with the
/// variable files of a template's directory.
pub(super) fn process_inputs(
    variable_files: &[PathBuf],
    values: &ValueArguments,
    directory: &Path,
) -> (VariableInputs, Run) {
    // Variables that are not UTF-8 cannot be asked for by a template.
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = VariableInputs {
        command_line: values.variables.clone(),
        files: variable_files.iter().chain(&values.variable_files).cloned().collect(),
        environment: environment
            .iter()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix(VARIABLE_PREFIX)?.to_owned(), value.clone()))
            })
            .collect(),
    };
    let run = Run {
        now: jiff::Timestamp::now(),
        directory: directory.to_owned(),
        environment,
        random: rand::random,
    };
    (inputs, run)
}
