//! Whether two spellings of a template are one recipe: their template hashes are equal.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::arguments::TemplateArguments;
use crate::cli::inputs::{kinds, process_inputs, working_directory};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::identity::{recipe, template_hash};
use crate::plan::{Digest, Plan, Selection, plan};
use crate::render::Mask;
use crate::template::{Environment, Loaded, Run};

use super::difference::differences;

/// What was found out.
pub(super) enum Proof {
    /// The builds by their new names, with the hash that each has before and after.
    Equal(Vec<(String, Digest)>),
    /// At least one build is another one now.
    Differs(Vec<Difference>),
    /// The legacy template itself cannot be planned, for these reasons.
    Unknown(Diagnostics),
    /// The legacy template can be planned and the upgraded one cannot.
    Broken(Diagnostics),
}

/// A build that is not what it was.
pub(super) struct Difference {
    /// Its new name.
    pub(super) name: String,
    /// Its hash before; `None` when it is new.
    pub(super) before: Option<Digest>,
    /// Its hash after; `None` when it is gone.
    pub(super) after: Option<Digest>,
    /// What differs, a line each.
    pub(super) what: Vec<String>,
}

/// Plans both templates with the same values at the same moment and compares the template hash of
/// each build that is selected. Secrets that come up are added to `mask`.
pub(super) fn prove(
    legacy: &Loaded,
    upgraded: Result<Loaded, Diagnostics>,
    renamed: &[(String, String)],
    arguments: &TemplateArguments,
    mask: &Mask,
) -> Result<Proof, Diagnostics> {
    let directory = working_directory()?;
    let selection = Selection::new(&arguments.builds.only, &arguments.builds.except)
        .map_err(|message| Diagnostic::error("wrong-pattern", message))?;
    let every =
        Selection::new(&[], &[]).map_err(|message| Diagnostic::error("wrong-pattern", message))?;
    let now = jiff::Timestamp::now();
    let planned = |loaded: &Loaded, selection: &Selection, renamed: &[(String, String)]| {
        let (mut inputs, run) =
            process_inputs(&loaded.variable_files, &arguments.values, &directory);
        // Legacy templates do not read them.
        inputs.environment.clear();
        for (name, _) in &mut inputs.command_line {
            if let Some((_, new)) = renamed.iter().find(|(old, _)| old == name) {
                name.clone_from(new);
            }
        }
        // What comes from a clock or is random must not differ for that reason alone.
        let run = Run { now, random: || [0; 16], ..run };
        plans(loaded, selection, inputs, run, &directory, mask)
    };
    let before = match planned(legacy, &selection, &[]) {
        Ok(plans) => plans,
        Err(reasons) => return Ok(Proof::Unknown(reasons)),
    };
    let after = match upgraded.and_then(|upgraded| planned(&upgraded, &every, renamed)) {
        Ok(plans) => plans,
        Err(reasons) => return Ok(Proof::Broken(reasons)),
    };
    Ok(compare(&before, after, !arguments.builds.are_all()))
}

fn plans(
    loaded: &Loaded,
    selection: &Selection,
    inputs: crate::template::VariableInputs,
    run: Run,
    directory: &Path,
    mask: &Mask,
) -> Result<Vec<Plan>, Diagnostics> {
    // Warnings are for those who build the template.
    let mut warnings = Diagnostics::new();
    let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
    mask.add(environment.secrets());
    plan(&loaded.template, &environment, kinds(), selection, directory, &mut warnings)
}

fn compare(before: &[Plan], after: Vec<Plan>, partly: bool) -> Proof {
    let mut after: BTreeMap<String, Plan> =
        after.into_iter().map(|plan| (plan.name.clone(), plan)).collect();
    let mut equal = Vec::new();
    let mut different = Vec::new();
    for old in before {
        let name = new_name(old);
        let hash = template_hash(old);
        match after.remove(&name) {
            Some(new) if template_hash(&new) == hash => equal.push((name, hash)),
            Some(new) => different.push(Difference {
                name,
                before: Some(hash),
                after: Some(template_hash(&new)),
                what: differences(&recipe(old, &[]), &recipe(&new, &[])),
            }),
            None => different.push(Difference {
                name,
                before: Some(hash),
                after: None,
                what: Vec::new(),
            }),
        }
    }
    if !partly {
        different.extend(after.into_iter().map(|(name, plan)| Difference {
            name,
            before: None,
            after: Some(template_hash(&plan)),
            what: Vec::new(),
        }));
    }
    if different.is_empty() { Proof::Equal(equal) } else { Proof::Differs(different) }
}

/// What a build of a legacy template is called in HCL.
fn new_name(plan: &Plan) -> String {
    format!("{}.{}", plan.builder.component.kind, plan.name)
}
