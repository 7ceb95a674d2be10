//! `bake validate`.

use crate::render::Mask;

use super::Exit;
use super::arguments::TemplateArguments;
use super::inputs::prepare;
use super::outcome::{print, report};

/// Checks a template and says what is wrong with it.
pub(super) fn run(arguments: &TemplateArguments, mask: &Mask) -> Exit {
    match prepare(arguments, mask) {
        Ok(prepared) => {
            report(&prepared.warnings, mask);
            print("The configuration is valid.\n");
            Exit::Done
        }
        Err(found) => {
            report(&found, mask);
            Exit::Failed
        }
    }
}
