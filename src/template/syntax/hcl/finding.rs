//! Errors on their way to the reader.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// As many errors of one text are told in full.
pub(super) const MOST: usize = 100;

/// Errors with the offsets they are about.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<(usize, Diagnostic)>,
    /// Errors that are only counted.
    more: usize,
}

impl Findings {
    pub(super) fn push(&mut self, at: usize, report: Diagnostic) {
        // More are kept than are told, since they do not come in the order of the text.
        if self.found.len() < 10 * MOST {
            self.found.push((at, report));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn sort(&mut self) {
        self.found.sort_by_key(|(at, _)| *at);
    }

    /// Whether one lies within `range`; only after [`Findings::sort`].
    pub(super) fn any_in(&self, range: &Range<usize>) -> bool {
        let before = self.found.partition_point(|(at, _)| *at < range.start);
        self.found.get(before).is_some_and(|(at, _)| *at <= range.end)
    }

    /// Those of both.
    pub(super) fn and(mut self, other: Findings) -> Self {
        self.found.extend(other.found);
        self.more += other.more;
        self
    }

    /// In the order of the text, and not more of them than anybody reads.
    pub(super) fn into_diagnostics(mut self) -> Diagnostics {
        self.sort();
        let more = self.more + self.found.len().saturating_sub(MOST);
        let told = self.found.into_iter().take(MOST).map(|(_, report)| report);
        let mut diagnostics: Diagnostics = told.collect();
        if more > 0 {
            let errors = if more == 1 { "error" } else { "errors" };
            diagnostics
                .push(Diagnostic::error("too-many-errors", format!("and {more} more {errors}")));
        }
        diagnostics
    }
}
