//! `bake hash`.

use crate::plan::identity::template_hash;
use crate::render::Mask;

use super::Exit;
use super::arguments::TemplateArguments;
use super::inputs::prepare;
use super::outcome::{print, report};

/// Prints the template hash of each build: the hash alone when there is one, else a line for each
/// with its name.
pub(super) fn run(arguments: &TemplateArguments, mask: &Mask) -> Exit {
    let prepared = match prepare(arguments, mask, true) {
        Ok(prepared) => prepared,
        Err(found) => {
            report(&found, mask);
            return Exit::Failed;
        }
    };
    report(&prepared.warnings, mask);
    let unread = prepared.environment.unread("the hash cannot be known");
    if unread.has_errors() {
        report(&unread, mask);
        return Exit::Failed;
    }
    if let [plan] = prepared.plans.as_slice() {
        print(&format!("{}\n", template_hash(plan)));
    } else {
        for plan in &prepared.plans {
            print(&format!("{}  {}\n", template_hash(plan), plan.name));
        }
    }
    Exit::Done
}
