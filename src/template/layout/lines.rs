//! Tokens to lines: indentation, and columns that align.

use std::ops::Range;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use super::spacing::apart;
use crate::diagnostic::Source;
use crate::template::syntax::layout_tokens;
use crate::template::syntax::token::{Kind, Token};

/// Blanks for each level of indentation.
const INDENT: usize = 2;

/// The tokens of a line, by number, without its line end. What spans lines without a line end
/// between tokens, a heredoc, is one line here.
struct Line {
    /// All of it, or what stands before the value of an attribute.
    lead: Range<usize>,
    /// From `=` on, when the whole value stands on the line.
    value: Range<usize>,
    /// A comment that follows something.
    comment: Option<usize>,
}

impl Line {
    fn code(&self) -> Range<usize> {
        self.lead.start..self.value.end
    }
}

struct Arrangement<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Blanks before each token.
    blanks: Vec<usize>,
}

/// A text that parses in canonical layout.
pub(super) fn arrange(source: &Arc<Source>) -> String {
    let tokens = layout_tokens(source);
    let blanks = vec![0; tokens.len()];
    let mut arrangement = Arrangement { text: source.text(), tokens, blanks };
    let lines = arrangement.lines();
    arrangement.indent(&lines);
    arrangement.space(&lines);
    arrangement.align_values(&lines);
    arrangement.align_comments(&lines);
    arrangement.write()
}

impl Arrangement<'_> {
    fn kind(&self, token: usize) -> Option<Kind> {
        self.tokens.get(token).map(|token| token.kind)
    }

    fn text(&self, token: usize) -> &str {
        self.tokens.get(token).and_then(|token| self.text.get(token.range.clone())).unwrap_or("")
    }

    fn set(&mut self, token: usize, blanks: usize) {
        if let Some(slot) = self.blanks.get_mut(token) {
            *slot = blanks;
        }
    }

    fn lines(&self) -> Vec<Line> {
        let mut end = 0;
        let lines = self.tokens.split_inclusive(|token| token.kind == Kind::Newline);
        lines
            .map(|line| {
                let start = end;
                end += line.len();
                self.line(start..end)
            })
            .collect()
    }

    fn line(&self, all: Range<usize>) -> Line {
        let Range { start, mut end } = all;
        let mut comment = None;
        end -= usize::from(self.kind(end - 1) == Some(Kind::Newline));
        // A `/* … */` is a part of the line.
        if end > start + 1
            && self.kind(end - 1) == Some(Kind::Comment)
            && !self.text(end - 1).starts_with("/*")
        {
            end -= 1;
            comment = Some(end);
        }
        let equal = (start + 1..end).find(|token| self.kind(*token) == Some(Kind::Equal));
        let value = equal.filter(|equal| self.opened(*equal..end) == 0).unwrap_or(end);
        Line { lead: start..value, value: value..end, comment }
    }

    /// How many brackets more are opened than closed, but for those of strings and heredocs.
    fn opened(&self, range: Range<usize>) -> isize {
        range
            .map(|token| match self.kind(token) {
                Some(Kind::Open(bracket)) if !bracket.is_template() => 1,
                Some(Kind::Close(bracket)) if !bracket.is_template() => -1,
                _ => 0,
            })
            .sum()
    }

    /// Indents each line by the lines, not the brackets, that are open around it: `foo({` opens
    /// two brackets and is one level. A line that closes more than it opens is as far out as
    /// what it closes.
    fn indent(&mut self, lines: &[Line]) {
        let mut open: Vec<usize> = Vec::new();
        for line in lines {
            let first = line.lead.start;
            if line.lead.is_empty() {
                continue;
            }
            let change = self.opened(line.code());
            if change < 0 {
                let mut closed = change.unsigned_abs();
                while closed > 0
                    && let Some(last) = open.last_mut()
                {
                    let now = closed.min(*last);
                    closed -= now;
                    *last -= now;
                    if *last == 0 {
                        open.pop();
                    }
                }
            }
            self.set(first, INDENT * open.len());
            if change > 0 {
                open.push(change.unsigned_abs());
            }
        }
    }

    fn space(&mut self, lines: &[Line]) {
        for line in lines {
            for right in line.code().skip(1) {
                let (before, left) = (right.checked_sub(2), right - 1);
                let before = before.filter(|before| *before >= line.lead.start);
                let apart = match (self.tokens.get(left), self.tokens.get(right)) {
                    (Some(left), Some(right)) => {
                        let before = before.and_then(|before| self.tokens.get(before));
                        apart(self.text, before, left, right)
                    }
                    _ => false,
                };
                self.set(right, usize::from(apart));
            }
        }
    }

    /// Aligns the `=` of attributes on consecutive lines.
    fn align_values(&mut self, lines: &[Line]) {
        for run in lines.chunk_by(|one, next| one.value.is_empty() == next.value.is_empty()) {
            let cells: Vec<_> = run
                .iter()
                .filter(|line| !line.value.is_empty())
                .map(|line| (line.lead.clone(), line.value.start))
                .collect();
            self.align(&cells);
        }
    }

    /// Aligns the comments at the ends of consecutive lines.
    fn align_comments(&mut self, lines: &[Line]) {
        for run in lines.chunk_by(|one, next| one.comment.is_some() == next.comment.is_some()) {
            let cells: Vec<_> =
                run.iter().filter_map(|line| Some((line.code(), line.comment?))).collect();
            self.align(&cells);
        }
    }

    /// Puts the second of each pair into one column behind the longest of the first.
    fn align(&mut self, cells: &[(Range<usize>, usize)]) {
        let widths: Vec<_> = cells.iter().map(|(before, _)| self.columns(before.clone())).collect();
        let widest = widths.iter().copied().max().unwrap_or_default();
        for ((_, token), width) in cells.iter().zip(widths) {
            self.set(*token, widest - width + 1);
        }
    }

    /// Where the last line of these tokens ends, in characters as people see them.
    fn columns(&self, range: Range<usize>) -> usize {
        range.fold(0, |columns, token| {
            let text = self.text(token);
            let (before, last) = match text.rsplit_once('\n') {
                Some((_, last)) => (0, last),
                None => (columns + self.blanks.get(token).copied().unwrap_or_default(), text),
            };
            before + last.graphemes(true).count()
        })
    }

    fn write(&self) -> String {
        let mut written = String::with_capacity(self.text.len());
        for (token, blanks) in self.blanks.iter().enumerate() {
            written.extend(std::iter::repeat_n(' ', *blanks));
            written += self.text(token);
        }
        written
    }
}
