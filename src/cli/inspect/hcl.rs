//! The description of an HCL template.

use crate::cli::explore::Explored;
use crate::cli::values::{UNKNOWN, display};
use crate::template::go_template::go_quote;
use crate::template::{Build, Step};

/// The whole template.
pub(super) fn describe(explored: &Explored) -> String {
    let mut text = format!("Packer Inspect: HCL2 mode\n\n{}\n> builds:\n\n", variables(explored));
    for (number, build) in explored.template.builds.iter().enumerate() {
        describe_build(explored, build, number, &mut text);
    }
    text
}

/// Variables and locals with their values.
pub(in crate::cli) fn variables(explored: &Explored) -> String {
    let template = &explored.template;
    let variables = template.variables.iter().map(|variable| variable.name.text.as_str());
    let locals = template.locals.iter().map(|local| local.name.text.as_str());
    format!(
        "> input-variables:\n\n{}\n> local-variables:\n\n{}",
        values(explored, "var", variables.collect()),
        values(explored, "local", locals.collect())
    )
}

fn values(explored: &Explored, root: &str, mut names: Vec<&str>) -> String {
    names.sort_unstable();
    names
        .iter()
        .map(|name| {
            let value = explored.value(root, name);
            let value = value.as_ref().map_or_else(|| UNKNOWN.to_owned(), display);
            format!("{root}.{name}: {}\n", go_quote(&explored.mask.apply(&value), false))
        })
        .collect()
}

fn describe_build(explored: &Explored, build: &Build, number: usize, text: &mut String) {
    let known = |expression| explored.environment.text(expression).ok();
    let name = match &build.name {
        None => format!("<unnamed build {number}>"),
        Some(name) => known(name).unwrap_or_else(|| UNKNOWN.to_owned()),
    };
    *text += &format!("  > {name}:\n\n");
    if let Some(description) = &build.description {
        let description = known(description).unwrap_or_else(|| UNKNOWN.to_owned());
        *text += &format!("  > Description: {description}\n\n");
    }
    *text += "    sources:\n\n";
    let sources = sources(explored, build);
    if sources.is_empty() {
        *text += "      <no source>\n\n";
    }
    for source in sources {
        *text += &format!("      {source}\n\n");
    }
    *text += "    provisioners:\n\n";
    if build.provisioners.is_empty() {
        *text += "      <no provisioner>\n";
    }
    for step in &build.provisioners {
        *text += &format!("      {}\n", step_name(explored, step));
    }
    *text += "\n    post-processors:\n\n";
    if build.post_processors.is_empty() {
        *text += "      <no post-processor>\n\n";
    }
    for (number, chain) in build.post_processors.iter().enumerate() {
        *text += &format!("      {number}:\n");
        for step in chain {
            *text += &format!("        {}\n", step_name(explored, step));
        }
        text.push('\n');
    }
}

/// The sources of a build as `type.name`.
fn sources(explored: &Explored, build: &Build) -> Vec<String> {
    let listed = match &build.sources {
        None => Vec::new(),
        Some(list) => match explored.environment.texts(list) {
            Ok(all) => all.into_iter().map(|(source, _)| source).collect(),
            Err(_) => vec![UNKNOWN.to_owned()],
        },
    };
    let blocks = build.source_blocks.iter().map(|block| block.reference.text.clone());
    listed
        .into_iter()
        .chain(blocks)
        .map(|source| source.strip_prefix("source.").unwrap_or(&source).to_owned())
        .collect()
}

/// The type of a step, with its name when it has one.
fn step_name(explored: &Explored, step: &Step) -> String {
    let name = step.meta.attributes.iter().find(|attribute| attribute.name.text == "name");
    match name {
        None => step.kind.text.clone(),
        Some(attribute) => {
            let name = explored.environment.text(&attribute.expression);
            format!("{}.{}", step.kind.text, name.unwrap_or_else(|_| UNKNOWN.to_owned()))
        }
    }
}
