//! From a template to its description.

use crate::cli::Exit;
use crate::cli::arguments::ExploreArguments;
use crate::cli::explore::explore;
use crate::cli::outcome::{print, print_row, report};
use crate::render::Mask;
use crate::template::syntax::Dialect;

use super::{hcl, legacy};

/// Shows the variables, locals and builds of a template. Values that cannot be known are reported,
/// and the rest is shown.
pub(in crate::cli) fn run(arguments: &ExploreArguments, mask: &Mask) -> Exit {
    let explored = match explore(arguments, mask) {
        Ok(explored) => explored,
        Err(found) => {
            report(&found, mask);
            return Exit::Failed;
        }
    };
    report(&explored.found, &explored.mask);
    let text = match explored.template.dialect {
        Dialect::Legacy => {
            for (kind, data) in legacy::rows(&explored.template) {
                let data: Vec<_> = data.iter().map(|one| mask.apply(one)).collect();
                print_row(kind, &data.iter().map(String::as_str).collect::<Vec<_>>());
            }
            legacy::describe(&explored.template)
        }
        _ => hcl::describe(&explored),
    };
    print(&explored.mask.apply(&text));
    Exit::Done
}
