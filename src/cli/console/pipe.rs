//! Lines of a pipe.

use std::io::BufRead;

use crate::cli::Exit;
use crate::cli::outcome::{complain, print};

use super::session::{Answer, Session};

/// Evaluates every line and prints the value of the last one, so that a script gets one answer.
/// A last line that fails has none.
pub(super) fn run(session: &Session) -> Exit {
    let mut last = None;
    let mut failed = false;
    for line in std::io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                complain(&format!("error: cannot read standard input: {error}"));
                return Exit::Failed;
            }
        };
        match session.answer(&line) {
            Answer::Nothing => {}
            Answer::Text(text) => last = Some(text),
            Answer::Failed => {
                last = None;
                failed = true;
            }
            Answer::End => break,
        }
    }
    if let Some(text) = last {
        print(&format!("{text}\n"));
    }
    if failed { Exit::Failed } else { Exit::Done }
}
