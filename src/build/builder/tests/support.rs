//! Templates that are planned and never run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::diagnostic::{Diagnostics, Style, render};
use crate::plan::{ComponentKind, Kinds, Plan, Selection, plan};
use crate::template::{Environment, Run, VariableInputs, load};

/// A template that was planned: its plan, unless there were errors, and all that was said.
pub(in crate::build::builder) struct Checked {
    pub(in crate::build::builder) plan: Option<Plan>,
    pub(in crate::build::builder) found: String,
}

/// Plans the only build of a template of its own, in `directory`.
pub(in crate::build::builder) fn check_in(
    directory: &Path,
    name: &str,
    text: &str,
    builders: &[ComponentKind],
) -> Checked {
    let path = directory.join(name);
    fs::write(&path, text).expect("write template");
    let mut warnings = Diagnostics::new();
    let planned = (|| {
        let loaded = load(&path)?;
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
            directory: directory.to_owned(),
            environment: BTreeMap::new(),
            random: || [7; 16],
            data_sources: crate::lookup::DATA_SOURCES,
            answers: crate::template::lookup::Answers::default(),
        };
        let inputs = VariableInputs::default();
        let environment = Environment::new(&loaded.template, &inputs, run, &mut warnings)?;
        let kinds = Kinds { builders, provisioners: &[], post_processors: &[] };
        let selection = Selection::new(&[], &[]).expect("no patterns");
        plan(&loaded.template, &environment, kinds, &selection, directory, &mut warnings)
    })();
    let mut found = warnings;
    let plan = match planned {
        Ok(mut plans) => {
            found.extend(plans[0].unsupported());
            Some(plans.remove(0))
        }
        Err(errors) => {
            found.extend(errors);
            None
        }
    };
    let found = render(&found, Style::default()).replace(&format!("{}/", directory.display()), "");
    Checked { plan, found }
}

/// The same in a directory of its own, with the builders that there are.
pub(super) fn check(name: &str, text: &str) -> Checked {
    let directory = tempfile::tempdir().expect("temporary directory");
    check_in(directory.path(), name, text, crate::build::KINDS)
}

/// What is said about the body of a source. The headings alone, one a line: what they point at is
/// for the tests of one builder to look at.
pub(super) fn said(builder: &str, body: &str) -> String {
    headings(&check("a.pkr.hcl", &hcl(builder, body)).found)
}

/// The first line of each finding, and its help.
pub(super) fn headings(found: &str) -> String {
    let lines = found.lines().filter_map(|line| {
        let line =
            line.strip_prefix("error[").or_else(|| line.strip_prefix("warning[")).map_or_else(
                || line.trim_start().strip_prefix("= help: ").map(|help| format!("  {help}")),
                |_| Some(line.to_owned()),
            )?;
        Some(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A template around the body of a source.
pub(in crate::build::builder) fn hcl(builder: &str, body: &str) -> String {
    format!(
        "source \"{builder}\" \"app\" {{\n{body}\n}}\nbuild {{\n  sources = [\"source.{builder}.app\"]\n}}\n"
    )
}

/// A legacy template around the options of a builder, which are JSON without the braces.
pub(super) fn legacy(builder: &str, options: &str) -> String {
    format!("{{ \"builders\": [{{ \"type\": \"{builder}\", \"name\": \"app\", {options} }}] }}")
}
