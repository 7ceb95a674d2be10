//! Texts and places in them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A text that bake read: a template file, a variable file, a command-line value.
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins; made when it is first asked for.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    /// Keeps `text` under the `name` that diagnostics show: the path as the user typed it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// The name that diagnostics show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn line_starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
        })
    }

    /// The line that `offset` lies on, from zero.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The lines that `range` lies on, without the last line end.
    pub(super) fn lines_around(&self, range: Range<usize>) -> Range<usize> {
        let starts = self.line_starts();
        let start = starts.get(self.line_of(range.start)).copied().unwrap_or(0);
        let next = starts.get(self.line_of(range.end) + 1).copied();
        let end = next.map_or(self.text.len(), |next| next - 1);
        start..end.max(start)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// A range of bytes in a [`Source`].
///
/// Ends are clamped to the text and to character borders when they are used, so
/// a span made from a peer parser's offsets can never cause a panic.
#[derive(Clone)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

/// A place as people count it: both from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from one.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
}

impl Span {
    /// The bytes `range` of `source`.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let text = source.text();
        let start = text.floor_char_boundary(range.start.min(text.len()));
        let end = text.floor_char_boundary(range.end.clamp(start, text.len()));
        Self { source: Arc::clone(source), start, end }
    }

    /// The whole of `source`.
    pub fn whole(source: &Arc<Source>) -> Self {
        Self::new(source, 0..source.text().len())
    }

    /// The text that this span lies in.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The byte range, always on character borders.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text inside the span.
    pub fn text(&self) -> &str {
        &self.source.text()[self.start..self.end]
    }

    /// A part of this span, in bytes from its start.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let start = self.start.saturating_add(range.start).min(self.end);
        let end = self.start.saturating_add(range.end).min(self.end);
        Self::new(&self.source, start..end)
    }

    /// The smallest span that covers both; this one when they lie in different sources.
    pub fn to(&self, other: &Span) -> Self {
        if !Arc::ptr_eq(&self.source, &other.source) {
            return self.clone();
        }
        Self::new(&self.source, self.start.min(other.start)..self.end.max(other.end))
    }

    /// Where the span begins.
    pub fn position(&self) -> Position {
        let line = self.source.line_of(self.start);
        let line_start = self.source.line_starts().get(line).copied().unwrap_or(0);
        let before = self.source.text().get(line_start..self.start).unwrap_or_default();
        Position { line: line + 1, column: before.chars().count() + 1 }
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.range() == other.range()
    }
}

impl Eq for Span {}

/// `file:line:column`, as editors understand it.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.position();
        write!(f, "{}:{}:{}", self.source.name(), at.line, at.column)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}+{}", self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("a.hcl", "é = 1\nname = \"ü\"\n");
        let span = Span::new(&source, 14..18);
        assert_eq!(span.text(), "\"ü\"");
        assert_eq!(span.to_string(), "a.hcl:2:8");
    }

    #[test]
    fn spans_outside_the_text_are_clamped() {
        let source = Source::new("a.hcl", "é");
        assert_eq!(Span::new(&source, 1..90).range(), 0..2);
        let (start, end) = (50, 40);
        assert_eq!(Span::new(&source, start..end).range(), 2..2);
    }
}
