//! What bake makes of a template: as `bake validate` does, but at a fixed moment.

use std::sync::Arc;

use bake::diagnostic::{Diagnostics, Style, render};
use bake::plan::identity::{template_hash, template_recipe};
use bake::plan::{Kinds, Plan, Selection, plan, without_repeats};
use bake::template::{Environment, Run, VariableInputs, load};

use crate::support::repository;

use super::case::Case;
use super::evaluated;

/// What a user would see of a template, in a stable form.
pub(super) struct Outcome {
    /// The evaluated form, or all that is wrong.
    pub(super) text: String,
    pub(super) accepted: bool,
    /// What must not be in the text.
    pub(super) secrets: Vec<String>,
}

/// A template with everything that is known about it.
pub(super) struct Prepared {
    pub(super) template: bake::template::Template,
    pub(super) environment: Arc<Environment>,
    pub(super) plans: Vec<Plan>,
    pub(super) warnings: Diagnostics,
    pub(super) unsupported: Diagnostics,
}

pub(super) fn of(case: &Case) -> Outcome {
    match prepare(case) {
        Ok(prepared) => Outcome {
            text: without_place(&evaluated::form(&prepared)),
            accepted: true,
            secrets: prepared.environment.secrets().into_iter().filter(|s| s.len() > 2).collect(),
        },
        Err(found) => {
            Outcome { text: without_place(&rendered(&found)), accepted: false, secrets: Vec::new() }
        }
    }
}

/// The template hashes of a valid template that do not depend on where the repository is.
pub(super) fn template_hashes(case: &Case) -> Vec<String> {
    let Ok(prepared) = prepare(case) else { panic!("{} is wrong", case.name()) };
    let here = repository().display().to_string();
    let plans = prepared.plans.iter();
    plans
        .filter(|plan| !template_recipe(plan).to_string().contains(&here))
        .map(|plan| {
            let (hash, path) = (template_hash(plan).hex(), case.template.display());
            format!("{hash}  {path}  {}", plan.name)
        })
        .collect()
}

/// Findings as the commands print them.
pub(super) fn rendered(found: &Diagnostics) -> String {
    render(&found.in_file_order(), Style::default())
}

/// Replaces what depends on where the repository is.
pub(super) fn without_place(text: &str) -> String {
    text.replace(repository().to_str().expect("UTF-8"), "[repository]")
}

fn prepare(case: &Case) -> Result<Prepared, Diagnostics> {
    let directory = repository();
    // Tests run in the package's directory, so paths are as a user in the repository types them.
    let loaded = load(&case.template)?;
    let selection = Selection::of(loaded.template.dialect, &case.only, &case.except)
        .map_err(|message| bake::diagnostic::Diagnostic::error("wrong-pattern", message))?;
    let mut warnings = loaded.warnings;
    let variables = case.environment.iter();
    let inputs = VariableInputs {
        command_line: case.variables.clone(),
        files: loaded.variable_files.iter().chain(&case.variable_files).cloned().collect(),
        environment: variables
            .filter_map(|(name, value)| Some((name.strip_prefix("PKR_VAR_")?.into(), value.into())))
            .collect(),
        warn_of_undeclared: true,
    };
    let run = Run {
        now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
        directory: directory.clone(),
        environment: case.environment.clone(),
        random: || [7; 16],
        data_sources: bake::lookup::DATA_SOURCES,
        answers: bake::template::lookup::Answers::default(),
    };
    let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
    let kinds = Kinds {
        builders: bake::build::KINDS,
        provisioners: bake::provision::KINDS,
        post_processors: bake::publish::KINDS,
    };
    let plans = plan(&loaded.template, &environment, kinds, &selection, &directory, &mut warnings)?;
    let unsupported = without_repeats(plans.iter().flat_map(Plan::unsupported).collect());
    let unsupported = unsupported.as_warnings();
    Ok(Prepared { template: loaded.template, environment, plans, warnings, unsupported })
}
