//! The description of a legacy JSON template.

use crate::cli::values::SENSITIVE;
use crate::template::syntax::{Expression, ExpressionKind};
use crate::template::{Template, Variable};

/// The whole template. Texts are shown as they are written, not rendered.
pub(super) fn describe(template: &Template) -> String {
    let mut text = "Packer Inspect: JSON mode\n".to_owned();
    let description = template.builds.iter().find_map(|build| build.description.as_ref());
    if let Some(description) = description.map(written).filter(|text| !text.is_empty()) {
        text += &format!("Description:\n\n{description}\n\n");
    }
    text += &variables(template);
    text += "\nBuilders:\n\n";
    let sources = builders(template);
    let width = width(sources.iter().map(|(name, _)| *name));
    for (name, kind) in &sources {
        if name == kind {
            text += &format!("  {name}\n");
        } else {
            text += &format!("  {name:width$} ({kind})\n");
        }
    }
    if sources.is_empty() {
        text += "  <No builders>\n";
    }
    text += "\nProvisioners:\n\n";
    let steps = provisioners(template);
    if steps.is_empty() {
        text += "  <No provisioners>\n";
    }
    for kind in steps {
        text += &format!("  {kind}\n");
    }
    text + "\nNote: If your build names contain user variables or template\n\
            functions such as 'timestamp', these are processed at build time,\n\
            and therefore only show in their raw form here.\n"
}

/// The same for programs: rows by their kind (`packer-core.md` section 6.2).
pub(super) fn rows(template: &Template) -> Vec<(&'static str, Vec<String>)> {
    let variables = sorted(template).into_iter().map(|variable| {
        let name = variable.name.text.clone();
        let default = variable.default.as_ref();
        let required = if default.is_none() { "1" } else { "0" };
        let default = default.map(|one| shown(variable, one)).unwrap_or_default();
        ("template-variable", vec![name, default, required.to_owned()])
    });
    let builders = builders(template)
        .into_iter()
        .map(|(name, kind)| ("template-builder", vec![name.to_owned(), kind.to_owned()]));
    let provisioners = provisioners(template)
        .into_iter()
        .map(|kind| ("template-provisioner", vec![kind.to_owned()]));
    variables.chain(builders).chain(provisioners).collect()
}

fn sorted(template: &Template) -> Vec<&Variable> {
    let mut variables: Vec<_> = template.variables.iter().collect();
    variables.sort_unstable_by(|one, other| one.name.text.cmp(&other.name.text));
    variables
}

fn shown(variable: &Variable, default: &Expression) -> String {
    if variable.sensitive { SENSITIVE.to_owned() } else { written(default) }
}

/// Name and type of the builders, by name.
fn builders(template: &Template) -> Vec<(&str, &str)> {
    let mut builders: Vec<_> = template
        .sources
        .iter()
        .map(|one| (one.name.text.as_str(), one.kind.text.as_str()))
        .collect();
    builders.sort_unstable();
    builders
}

/// Types of the provisioners, in order.
fn provisioners(template: &Template) -> Vec<&str> {
    let builds = template.builds.iter();
    builds.flat_map(|build| &build.provisioners).map(|step| step.kind.text.as_str()).collect()
}

/// Variables with their defaults.
pub(in crate::cli) fn variables(template: &Template) -> String {
    let mut text = String::new();
    let variables = sorted(template);
    if variables.is_empty() {
        return "Variables:\n\n  <No variables>\n".to_owned();
    }
    let required: Vec<_> = variables.iter().filter(|one| one.default.is_none()).collect();
    if !required.is_empty() {
        text += "Required variables:\n\n";
        for variable in required {
            text += &format!("  {}\n", variable.name.text);
        }
        text.push('\n');
    }
    text += "Optional variables and their defaults:\n\n";
    let optional: Vec<_> = variables
        .iter()
        .filter_map(|one| Some((one.name.text.as_str(), shown(one, one.default.as_ref()?))))
        .collect();
    let width = width(optional.iter().map(|(name, _)| *name));
    for (name, default) in optional {
        text += &format!("  {name:width$} = {default}\n");
    }
    text
}

/// The longest of `names`, in characters.
fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or_default()
}

/// The text of an expression of a legacy template, which is always a literal.
fn written(expression: &Expression) -> String {
    match &expression.kind {
        ExpressionKind::Literal(value) => value.as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}
