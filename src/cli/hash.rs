//! `bake hash`.

use crate::plan::identity::template_hash;
use crate::render::Mask;
use crate::template::UNKNOWN_VALUE;
use crate::template::lookup::Answers;

use super::Exit;
use super::arguments::TemplateArguments;
use super::inputs::{Inputs, not_looked_up};
use super::outcome::{print, report};

/// Prints the template hash of each build: the hash alone when there is one, else a line for each
/// with its name. Nothing is looked up: where a value would be, the hash covers how it comes about.
pub(super) fn run(arguments: &TemplateArguments, mask: &Mask) -> Exit {
    let inputs = match Inputs::read(arguments, true, mask) {
        Ok(inputs) => inputs,
        Err(found) => {
            report(&found, mask);
            return Exit::Failed;
        }
    };
    let round = inputs.evaluate(&Answers::default(), mask);
    let prepared = match round.result {
        Ok(prepared) => prepared,
        Err(mut found) => {
            if found.iter().any(|one| one.code == UNKNOWN_VALUE) {
                found.extend(not_looked_up(&round.pending, "the hash cannot be known", None));
            }
            report(&found, mask);
            return Exit::Failed;
        }
    };
    report(&prepared.warnings, mask);
    if let [plan] = prepared.plans.as_slice() {
        print(&format!("{}\n", template_hash(plan)));
    } else {
        for plan in &prepared.plans {
            print(&format!("{}  {}\n", template_hash(plan), plan.name));
        }
    }
    Exit::Done
}
