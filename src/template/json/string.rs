//! Strings, decoded, with the way back to the source.

use std::ops::Range;

use crate::diagnostic::Span;

/// A decoded string that knows which source byte each of its bytes came from.
#[derive(Clone, Debug, PartialEq)]
pub struct StringNode {
    value: String,
    /// What stands between the quotes.
    inside: Span,
    /// The escapes, in order.
    escapes: Vec<Escape>,
}

/// An escape: bytes of the value and the bytes of the source between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Escape {
    pub(super) decoded: Range<usize>,
    pub(super) written: Range<usize>,
}

impl StringNode {
    pub(super) fn new(value: String, inside: Span, escapes: Vec<Escape>) -> Self {
        Self { value, inside, escapes }
    }

    /// The decoded text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The decoded text, as the owner.
    pub fn into_value(self) -> String {
        self.value
    }

    /// What stands between the quotes.
    pub fn inside(&self) -> &Span {
        &self.inside
    }

    /// Where bytes of the decoded text stand in the source. A byte that an escape gave is at
    /// the whole escape; bytes outside of the text are clamped.
    pub fn span_of(&self, range: Range<usize>) -> Span {
        let start = self.written(range.start, |escape| escape.written.start);
        let end = self.written(range.end.max(range.start), |escape| escape.written.end);
        self.inside.slice(start..end.max(start))
    }

    /// The written offset of a decoded one; `inside_escape` says which end of an escape to take
    /// for an offset that falls into it.
    fn written(&self, offset: usize, inside_escape: impl Fn(&Escape) -> usize) -> usize {
        let offset = offset.min(self.value.len());
        let before = self.escapes.partition_point(|escape| escape.decoded.start < offset);
        match before.checked_sub(1).and_then(|last| self.escapes.get(last)) {
            Some(escape) if offset < escape.decoded.end => inside_escape(escape),
            Some(escape) => escape.written.end + (offset - escape.decoded.end),
            None => offset,
        }
    }
}
