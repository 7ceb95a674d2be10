//! What `bake fmt` does with each file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::cli::Exit;
use crate::cli::arguments::FmtArguments;
use crate::cli::outcome::{print, report};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::render::Mask;
use crate::template::layout::format_hcl;
use crate::template::read_source;

use super::difference::difference;
use super::file::{files, replace};

/// Bytes of the longest text that is read from standard input.
const LONGEST: u64 = 16 << 20;

/// Brings files into canonical layout and names those that change. A file that cannot be parsed
/// is reported and left as it is; the others are still done.
pub(in crate::cli) fn run(arguments: &FmtArguments) -> Exit {
    let mut changed = false;
    let mut failed = false;
    let mut note = |outcome: Result<bool, Diagnostics>| match outcome {
        Ok(changes) => changed |= changes,
        Err(found) => {
            report(&found, &Mask::default());
            failed = true;
        }
    };
    for path in &arguments.paths {
        if path.as_os_str() == "-" {
            note(standard_input(arguments));
            continue;
        }
        match files(path, arguments.recursive) {
            Ok(all) => all.iter().for_each(|file| note(one(file, arguments))),
            Err(found) => note(Err(found)),
        }
    }
    match (failed, arguments.check && changed) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::WouldChange,
        (false, false) => Exit::Done,
    }
}

/// Formats a file; whether that changes it.
fn one(path: &Path, arguments: &FmtArguments) -> Result<bool, Diagnostics> {
    let source = read_source(path)?;
    let formatted = format_hcl(&source)?;
    if formatted == source.text() {
        return Ok(false);
    }
    if arguments.write && !arguments.check {
        replace(path, &formatted).map_err(|error| {
            Diagnostic::error("unwritable", format!("cannot write `{}`: {error}", path.display()))
                .note("the file is as it was")
        })?;
    }
    print(&format!("{}\n", path.display()));
    if arguments.diff {
        print(&difference(&path.display().to_string(), source.text(), &formatted));
    }
    Ok(true)
}

/// Formats standard input; whether that changes it.
fn standard_input(arguments: &FmtArguments) -> Result<bool, Diagnostics> {
    let source = read_standard_input()?;
    let formatted = format_hcl(&source)?;
    if arguments.diff {
        print(&difference(source.name(), source.text(), &formatted));
    } else if arguments.write && !arguments.check {
        print(&formatted);
    }
    Ok(formatted != source.text())
}

fn read_standard_input() -> Result<Arc<Source>, Diagnostics> {
    let failed = |what: String| {
        Diagnostics::from(Diagnostic::error(
            "unreadable",
            format!("cannot read standard input: {what}"),
        ))
    };
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(LONGEST + 1);
    let length = input.read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if u64::try_from(length).is_ok_and(|length| length > LONGEST) {
        return Err(failed(format!("it is longer than {LONGEST} bytes")));
    }
    String::from_utf8(bytes)
        .map(|text| Source::new("<stdin>", text))
        .map_err(|error| failed(format!("it is not UTF-8: {}", error.utf8_error())))
}
