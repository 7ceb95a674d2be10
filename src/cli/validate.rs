//! `bake validate`.

use std::path::Path;

use crate::diagnostic::Diagnostics;
use crate::lookup::Round;
use crate::plan::lock::Pins;
use crate::render::Mask;
use crate::template::lookup::Answers;
use crate::template::{self, UNKNOWN_VALUE};

use super::arguments::ValidateArguments;
use super::inputs::{Inputs, Prepared, not_looked_up};
use super::outcome::{failed, print, refused, report};
use super::{Exit, runtime};

/// Checks a template and says what is wrong with it. Touches the network only when it is asked to
/// evaluate data sources.
pub(super) fn run(arguments: &ValidateArguments, mask: &Mask) -> Exit {
    if arguments.syntax_only {
        return parse(&arguments.template.template, mask);
    }
    let warn_of_undeclared = !arguments.no_warn_undeclared_var;
    let inputs = match Inputs::read(&arguments.template, warn_of_undeclared, mask) {
        Ok(inputs) => inputs,
        Err(found) => return refused(&found, mask),
    };
    let pins = match arguments.evaluate_datasources {
        true => Pins::of_template(&arguments.template.template, arguments.locked, false),
        false => Ok(Pins::default()),
    };
    let pins = match pins {
        Ok(pins) => pins,
        Err(found) => return refused(&found, mask),
    };
    let first = inputs.evaluate(&Answers::default(), mask);
    let checked = if arguments.evaluate_datasources {
        match runtime::block_on(inputs.look_up(first, None, &pins, mask)) {
            Ok(looked_up) => looked_up,
            Err(error) => return failed(&error),
        }
    } else {
        without_lookups(first)
    };
    match checked {
        Ok(prepared) => {
            report(&prepared.warnings, mask);
            report(&prepared.unsupported().as_warnings(), mask);
            print("The configuration is valid.\n");
            Exit::Done
        }
        Err(found) => refused(&found, mask),
    }
}

fn without_lookups(round: Round<Prepared>) -> Result<Prepared, Diagnostics> {
    round.result.map_err(|mut found| {
        if found.iter().any(|one| one.code == UNKNOWN_VALUE) {
            let help = Some("`bake validate -evaluate-datasources` looks it up");
            found.extend(not_looked_up(&round.pending, "what is built cannot be known", help));
        }
        found
    })
}

/// Parses a template and evaluates nothing.
fn parse(template: &Path, mask: &Mask) -> Exit {
    match template::load(template) {
        Ok(loaded) => {
            report(&loaded.warnings, mask);
            print("Syntax-only check passed. Everything looks okay.\n");
            Exit::Done
        }
        Err(found) => refused(&found, mask),
    }
}
