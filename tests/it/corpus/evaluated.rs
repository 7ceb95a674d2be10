//! A template's values and plans as text that people can check line by line.

use std::collections::BTreeMap;

use bake::diagnostic::{Diagnostics, Source, Span};
use bake::plan::{Entry, Plan, Planned, PostProcessorPlan, StepPlan, Tree, canonical_json};
use bake::template::schema::Resolve as _;
use bake::template::syntax::{Dialect, parse_expression};
use bake::value::{Kind, Value};

use super::form::of_value;
use super::outcome::{Prepared, rendered};

/// What stands between the plans and what bake warns of.
const WARNINGS: &str = "\n# warnings\n\n";

/// Everything that was found out about a template.
pub(super) fn form(prepared: &Prepared) -> String {
    let mut text = "# values\n\n".to_owned();
    if prepared.template.dialect == Dialect::Legacy {
        for variable in &prepared.template.variables {
            let name = &variable.name.text;
            text += &format!("{name} = {}\n", user_variable(prepared, name));
        }
    } else {
        for root in ["var", "local", "data"] {
            for (name, value) in members(prepared, root) {
                text += &format!("{root}.{name} = {}\n", of_value(&value));
            }
        }
    }
    for plan in &prepared.plans {
        text += &plan_form(plan);
    }
    let said = rendered(&prepared.warnings) + &rendered(&prepared.unsupported);
    if !said.is_empty() {
        text += &format!("{WARNINGS}{said}");
    }
    text
}

/// The warnings in a [`form`].
pub(super) fn warnings(form: &str) -> &str {
    form.split_once(WARNINGS).map_or("", |(_, warnings)| warnings)
}

fn members(prepared: &Prepared, root: &str) -> BTreeMap<String, Value> {
    let expression = parse_expression(&Source::new("<root>", root), None).expect("an expression");
    match prepared.environment.evaluate(&expression).map(|value| value.kind) {
        Ok(Kind::Object(all)) => all,
        _ => BTreeMap::new(),
    }
}

/// A legacy variable: what `user` makes of its name.
fn user_variable(prepared: &Prepared, name: &str) -> String {
    let text = format!("{{{{user `{name}`}}}}");
    let span = Span::whole(&Source::new("<user>", text.as_str()));
    let mut found = Diagnostics::new();
    match prepared.environment.plain().render(&text, &span, false, &mut found) {
        Some(value) if value.marks.sensitive => "<sensitive>".to_owned(),
        Some(value) => format!("{value}"),
        None => format!("nothing: {}", rendered(&found)),
    }
}

fn plan_form(plan: &Plan) -> String {
    let mut text = format!("\n# {}\n\n", plan.name);
    if !plan.name.ends_with(&plan.source_name) {
        text += &format!("PACKER_BUILD_NAME = {}\n", plan.source_name);
    }
    text += &component("builder", &plan.builder, "");
    for step in &plan.steps {
        text += &step_form("provisioner", step);
    }
    if let Some(step) = &plan.error_cleanup {
        text += &step_form("error-cleanup-provisioner", step);
    }
    for (number, chain) in plan.post_processors.iter().enumerate() {
        for one in chain {
            text += &post_processor(number + 1, one);
        }
    }
    text
}

fn step_form(what: &str, step: &StepPlan) -> String {
    let meta = &step.meta;
    let mut said = String::new();
    if !meta.pause_before.is_zero() {
        said += &format!(" after {:?}", meta.pause_before);
    }
    if let Some(timeout) = meta.timeout {
        said += &format!(" within {timeout:?}");
    }
    if meta.max_retries > 0 {
        said += &format!(" with {} retries", meta.max_retries);
    }
    if meta.continue_on_error {
        said += " ignoring errors";
    }
    component(what, &step.planned, &said)
}

fn post_processor(chain: usize, one: &PostProcessorPlan) -> String {
    let mut said = format!(" in chain {chain}");
    if let Some(name) = &one.name {
        said += &format!(" called {name}");
    }
    match one.keep_input_artifact {
        Some(true) => said += " keeping its input",
        Some(false) => said += " dropping its input",
        None => {}
    }
    component("post-processor", &one.planned, &said)
}

/// A component: options that do not have their default, one a line, then the rest.
fn component(what: &str, planned: &Planned, said: &str) -> String {
    let kind = &planned.component.kind;
    let mut text = format!("{what} {kind}{said}\n");
    if planned.title != *kind {
        text += &format!("  title: {}\n", planned.title.replace('\n', "\\n"));
    }
    let mut options: Vec<_> = planned.evaluated.iter().collect();
    options.sort_by_key(|(name, _)| *name);
    for (name, form) in options {
        let mark = if planned.hashed.contains_key(name) { "" } else { " (not hashed)" };
        text += &format!("  {name} = {}{mark}\n", canonical_json(form));
    }
    // Secrets are hashed by a keyed digest.
    for name in planned.hashed.keys().filter(|name| !planned.evaluated.contains_key(*name)) {
        text += &format!("  {name} = <hashed only>\n");
    }
    for (name, tree) in &planned.trees {
        for line in tree_form(tree) {
            text += &format!("  file {name}: {line}\n");
        }
    }
    let late: Vec<_> = planned.late.iter().map(String::as_str).collect();
    if !late.is_empty() {
        text += &format!("  late: {}\n", late.join(", "));
    }
    let volatile: Vec<_> = planned.volatile.iter().map(|(name, _)| name.as_str()).collect();
    if !volatile.is_empty() {
        text += &format!("  volatile: {}\n", volatile.join(", "));
    }
    if !planned.secrets.is_empty() {
        text += &format!("  secrets: {}\n", planned.secrets.len());
    }
    text
}

fn tree_form(tree: &Tree) -> Vec<String> {
    tree.entries
        .iter()
        .map(|(path, entry)| {
            let path = if path.is_empty() { "." } else { path };
            match entry {
                Entry::Directory { .. } => format!("{path} directory"),
                Entry::Symlink { target } => format!("{path} -> {target}"),
                Entry::File { mode, size, digest, .. } => {
                    let executable = if mode & 0o111 != 0 { ", executable" } else { "" };
                    format!("{path} {size} bytes, {}{executable}", &digest.hex()[..8])
                }
            }
        })
        .collect()
}
