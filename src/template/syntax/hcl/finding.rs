//! Errors on their way to the reader.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// As many errors are kept, of which the first in the text are told: a bound on memory.
const KEPT: usize = 10_000;

/// Errors with the offsets they are about.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<(usize, Diagnostic)>,
}

impl Findings {
    pub(super) fn push(&mut self, at: usize, report: Diagnostic) {
        if self.found.len() < KEPT {
            self.found.push((at, report));
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
        self
    }

    /// In the order of the text, and not more of them than anybody reads.
    pub(super) fn into_diagnostics(mut self) -> Diagnostics {
        self.sort();
        self.found.into_iter().map(|(_, report)| report).collect::<Diagnostics>().limited()
    }
}
