//! Where the lines come from.

use std::io::IsTerminal;

use crate::cli::Exit;
use crate::cli::arguments::ExploreArguments;
use crate::cli::explore::explore;
use crate::cli::outcome::report;
use crate::render::Mask;

use super::session::Session;
use super::{pipe, terminal};

/// Evaluates lines with the values of a template: typed ones one after the other, those of a pipe
/// for the last of them.
pub(in crate::cli) fn run(arguments: &ExploreArguments, mask: &Mask) -> Exit {
    let explored = match explore(arguments, mask) {
        Ok(explored) => explored,
        Err(found) => {
            report(&found, mask);
            return Exit::Failed;
        }
    };
    report(&explored.found, &explored.mask);
    let session = Session::new(explored);
    if std::io::stdin().is_terminal() { terminal::run(&session) } else { pipe::run(&session) }
}
