//! The description of a legacy JSON template.

use crate::template::syntax::{Expression, ExpressionKind};
use crate::template::{Step, Template};

/// The whole template. Texts are shown as they are written, not rendered.
pub(super) fn describe(template: &Template) -> String {
    let mut text = "Packer Inspect: JSON mode\n".to_owned();
    let description = template.builds.iter().find_map(|build| build.description.as_ref());
    if let Some(description) = description.map(written).filter(|text| !text.is_empty()) {
        text += &format!("Description:\n\n{description}\n\n");
    }
    text += &variables(template);
    text += "\nBuilders:\n\n";
    let mut sources: Vec<_> = template
        .sources
        .iter()
        .map(|one| (one.name.text.as_str(), one.kind.text.as_str()))
        .collect();
    sources.sort_unstable();
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
    let steps: Vec<&Step> = template.builds.iter().flat_map(|build| &build.provisioners).collect();
    if steps.is_empty() {
        text += "  <No provisioners>\n";
    }
    for step in steps {
        text += &format!("  {}\n", step.kind.text);
    }
    text + "\nNote: If your build names contain user variables or template\n\
            functions such as 'timestamp', these are processed at build time,\n\
            and therefore only show in their raw form here.\n"
}

/// Variables with their defaults.
pub(in crate::cli) fn variables(template: &Template) -> String {
    let mut text = String::new();
    let mut variables: Vec<_> = template.variables.iter().collect();
    variables.sort_unstable_by(|one, other| one.name.text.cmp(&other.name.text));
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
        .filter_map(|one| Some((one.name.text.as_str(), one.sensitive, one.default.as_ref()?)))
        .collect();
    let width = width(optional.iter().map(|(name, ..)| *name));
    for (name, sensitive, default) in optional {
        let default = if sensitive { "<sensitive>".to_owned() } else { written(default) };
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
