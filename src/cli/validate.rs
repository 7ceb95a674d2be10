//! `bake validate`.

use std::path::Path;

use crate::render::Mask;
use crate::template;

use super::Exit;
use super::arguments::ValidateArguments;
use super::inputs::prepare;
use super::outcome::{print, report};

/// Checks a template and says what is wrong with it.
pub(super) fn run(arguments: &ValidateArguments, mask: &Mask) -> Exit {
    if arguments.syntax_only {
        return parse(&arguments.template.template, mask);
    }
    match prepare(&arguments.template, mask, !arguments.no_warn_undeclared_var) {
        Ok(prepared) => {
            report(&prepared.warnings, mask);
            report(&prepared.unsupported().as_warnings(), mask);
            print("The configuration is valid.\n");
            Exit::Done
        }
        Err(found) => {
            report(&found, mask);
            Exit::Failed
        }
    }
}

/// Parses a template and evaluates nothing.
fn parse(template: &Path, mask: &Mask) -> Exit {
    match template::load(template) {
        Ok(loaded) => {
            report(&loaded.warnings, mask);
            print("Syntax-only check passed. Everything looks okay.\n");
            Exit::Done
        }
        Err(found) => {
            report(&found, mask);
            Exit::Failed
        }
    }
}
