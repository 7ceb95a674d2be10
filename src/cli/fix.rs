//! `bake fix`.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::render::Mask;
use crate::template::fix::{Json, fix};
use crate::template::lookup::Answers;
use crate::template::{self, json, read_source};

use super::Exit;
use super::arguments::FixArguments;
use super::inputs::Inputs;
use super::outcome::{print, report};

/// Prints a legacy template as it is written today, and checks that.
pub(super) fn run(arguments: &FixArguments, mask: &Mask) -> Exit {
    let text = match fixed(arguments) {
        Ok(text) => text,
        Err(found) => {
            report(&found, mask);
            return Exit::Failed;
        }
    };
    print(&text);
    if !arguments.validate {
        return Exit::Done;
    }
    match valid(arguments, text, mask) {
        Ok(warnings) => {
            report(&warnings, mask);
            Exit::Done
        }
        Err(found) => {
            report(&found, mask);
            Exit::Failed
        }
    }
}

fn fixed(arguments: &FixArguments) -> Result<String, Diagnostics> {
    let path = &arguments.template.template;
    let name = path.to_string_lossy();
    if path.is_dir() || name.ends_with(".hcl") || name.ends_with(".pkr.json") {
        return Err(Diagnostic::error("not-legacy", format!("`{name}` is HCL"))
            .help("`bake fix` is for JSON templates with `builders`")
            .into());
    }
    let root = json::parse(
        &read_source(path)?,
        json::ParseOptions { duplicates: json::Duplicates::Refuse },
    )?;
    let mut json = Json::from(&root);
    fix(&mut json);
    Ok(json.spell() + "\n")
}

/// Warnings about what was printed.
fn valid(arguments: &FixArguments, text: String, mask: &Mask) -> Result<Diagnostics, Diagnostics> {
    let path = &arguments.template.template;
    let source: Arc<Source> = Source::new(format!("{} (fixed)", path.display()), text);
    let loaded = template::load_legacy(&source, path)?;
    let inputs = Inputs::of(loaded, &arguments.template, true, mask)?;
    Ok(inputs.evaluate(&Answers::default(), mask).result?.warnings)
}
