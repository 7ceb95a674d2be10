//! From arguments to plans: what `build`, `validate` and `hash` have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{self, Kinds, Plan, Selection};
use crate::render::Mask;
use crate::template::schema::Schema;
use crate::template::upgrade::Role;
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

/// Loads, evaluates and plans. All secrets are in `mask` before anything can be told of them, also
/// where this fails.
pub(super) fn prepare(
    arguments: &TemplateArguments,
    mask: &Mask,
    warn_of_undeclared: bool,
) -> Result<Prepared, Diagnostics> {
    let directory = working_directory()?;
    let selection = Selection::new(&arguments.only, &arguments.except)
        .map_err(|message| Diagnostic::error("wrong-pattern", message))?;
    let loaded = template::load(&arguments.template)?;
    let mut warnings = loaded.warnings;
    let (mut inputs, run) = process_inputs(&loaded.variable_files, &arguments.values, &directory);
    inputs.warn_of_undeclared = warn_of_undeclared;
    mask.add(template::given_secrets(&loaded.template, &inputs));
    let (environment, found) = Environment::as_far_as_possible(&loaded.template, &inputs, run);
    mask.add(environment.secrets());
    if found.has_errors() {
        return Err(found);
    }
    warnings.extend(found);
    let plans =
        plan::plan(&loaded.template, &environment, kinds(), &selection, &directory, &mut warnings)?;
    for component in plans.iter().flat_map(Plan::all_components) {
        mask.add(&component.secrets);
    }
    Ok(Prepared { environment, plans, warnings })
}

/// The components that bake has.
pub(super) fn kinds() -> Kinds<'static> {
    Kinds {
        builders: crate::build::BUILDERS,
        provisioners: crate::provision::KINDS,
        post_processors: crate::publish::KINDS,
    }
}

/// The options of a component that bake has.
pub(super) fn schema(role: Role, name: &str) -> Option<&'static Schema> {
    let kinds = kinds();
    let of_role = match role {
        Role::Builder => kinds.builders,
        Role::Provisioner => kinds.provisioners,
        Role::PostProcessor => kinds.post_processors,
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
        warn_of_undeclared: false,
    };
    let run = Run {
        now: jiff::Timestamp::now(),
        directory: directory.to_owned(),
        environment,
        random: rand::random,
    };
    (inputs, run)
}
