//! Where a text that is parsed lies in a source.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Source, Span};

/// Maps offsets in the parsed text to spans.
#[derive(Clone, Debug)]
pub(super) struct Place {
    source: Arc<Source>,
    offsets: Offsets,
}

#[derive(Clone, Debug)]
enum Offsets {
    /// The text is a part of the source and begins there.
    From(usize),
    /// The offset in the source of each byte of the text, and of its end.
    Each(Vec<usize>),
}

impl Place {
    /// The text is a part of `source` and begins at `start`.
    pub(super) fn part(source: &Arc<Source>, start: usize) -> Self {
        Self { source: Arc::clone(source), offsets: Offsets::From(start) }
    }

    /// The text was decoded from `source`: `offsets` has one entry for each of its bytes and one
    /// for its end.
    pub(super) fn decoded(source: &Arc<Source>, offsets: Vec<usize>) -> Self {
        Self { source: Arc::clone(source), offsets: Offsets::Each(offsets) }
    }

    /// The span of `range` of the text.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        Span::new(&self.source, self.offset(range.start)..self.offset(range.end))
    }

    fn offset(&self, at: usize) -> usize {
        match &self.offsets {
            Offsets::From(start) => start.saturating_add(at),
            Offsets::Each(all) => all.get(at).or(all.last()).copied().unwrap_or_default(),
        }
    }
}
