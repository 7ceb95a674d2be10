//! From arguments to plans: what `build`, `validate` and `hash` have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{self, Kinds, Plan, Selection};
use crate::template::schema::Schema;
use crate::template::upgrade::Role;
use crate::template::{self, Environment, Loaded, Run, VariableInputs};

use super::arguments::{TemplateArguments, ValueArguments};

/// Prefix of environment variables that set template variables.
const VARIABLE_PREFIX: &str = "PKR_VAR_";

/// A template with everything that could be known about it on this machine.
pub(super) struct Prepared {
    pub(super) environment: Arc<Environment>,
    pub(super) plans: Vec<Plan>,
    pub(super) warnings: Diagnostics,
}

/// Loads, evaluates and plans.
pub(super) fn prepare(arguments: &TemplateArguments) -> Result<Prepared, Diagnostics> {
    prepare_loaded(template::load(&arguments.template)?, arguments)
}

/// Evaluates and plans.
pub(super) fn prepare_loaded(
    loaded: Loaded,
    arguments: &TemplateArguments,
) -> Result<Prepared, Diagnostics> {
    let directory = working_directory()?;
    let selection = Selection::new(&arguments.only, &arguments.except)
        .map_err(|message| Diagnostic::error("wrong-pattern", message))?;
    let mut warnings = loaded.warnings;
    let (inputs, run) = process_inputs(&loaded.variable_files, &arguments.values, &directory);
    let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
    let plans =
        plan::plan(&loaded.template, &environment, kinds(), &selection, &directory, &mut warnings)?;
    Ok(Prepared { environment, plans, warnings })
}

/// The components that bake has.
pub(super) fn kinds() -> Kinds<'static> {
    Kinds { builders: crate::build::BUILDERS, provisioners: crate::provision::KINDS }
}

/// The options of a component that bake has.
pub(super) fn schema(role: Role, name: &str) -> Option<Schema> {
    let kinds = kinds();
    let of_role = match role {
        Role::Builder => kinds.builders,
        Role::Provisioner => kinds.provisioners,
        Role::PostProcessor => &[],
    };
    of_role.iter().find(|kind| kind.name == name).map(|kind| (kind.schema)())
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
