//! Templates: escapes, strip marks, and the indentation of heredocs.
//!
//! As in HCL's own implementation a template is first a flat row of pieces, one for each line; strip marks and the removal of indentation work on pieces, and the tree is made
//! from the row afterwards. This shows: a piece that a strip mark emptied does not begin a line,
//! so the line after `~}` keeps its indentation.

use std::ops::Range;

use crate::template::syntax::{Expression, Name, TemplatePart};

use super::place::Place;

/// A piece of a template before it becomes a tree.
pub(super) enum Piece {
    Text(String, Range<usize>),
    Interpolation(Expression),
    If(Expression),
    Else,
    EndIf,
    For { key: Option<Name>, value: Name, collection: Expression },
    EndFor,
}

/// Collects the pieces of a template in order.
#[derive(Default)]
pub(super) struct Row {
    pieces: Vec<Piece>,
    /// Whether the next text loses the blanks at its beginning.
    strip_next: bool,
}

impl Row {
    /// Adds text.
    pub(super) fn text(&mut self, mut text: String, range: Range<usize>) {
        if std::mem::take(&mut self.strip_next) {
            text = text.trim_start().to_owned();
        }
        self.pieces.push(Piece::Text(text, range));
    }

    /// Adds a sequence, which may strip the text on either side.
    pub(super) fn sequence(&mut self, piece: Piece, strip_before: bool, strip_after: bool) {
        if strip_before && let Some(Piece::Text(text, _)) = self.pieces.last_mut() {
            text.truncate(text.trim_end().len());
        }
        self.pieces.push(piece);
        self.strip_next = strip_after;
    }

    /// Takes the indentation that all lines share out of a `<<-` heredoc.
    pub(super) fn dedent(&mut self) {
        let mut least = usize::MAX;
        let mut adjusted = Vec::new();
        let mut begins_line = true;
        for (at, piece) in self.pieces.iter().enumerate() {
            if begins_line {
                begins_line = false;
                let mut blanks = 0;
                if let Piece::Text(text, _) = piece {
                    let trimmed = text.trim_start();
                    if trimmed.is_empty() && text.ends_with('\n') {
                        // An empty line does not count.
                        blanks = usize::MAX;
                    } else {
                        blanks = text.chars().count() - trimmed.chars().count();
                        adjusted.push(at);
                    }
                }
                least = least.min(blanks);
            }
            if let Piece::Text(text, _) = piece
                && text.ends_with('\n')
            {
                begins_line = true;
            }
        }
        for at in adjusted {
            if let Some(Piece::Text(text, _)) = self.pieces.get_mut(at) {
                *text = text.chars().skip(least).collect();
            }
        }
    }

    /// The tree of the row.
    pub(super) fn into_parts(self, place: &Place) -> Vec<TemplatePart> {
        let mut pieces = self.pieces.into_iter().peekable();
        parts(&mut pieces, place)
    }
}

type Pieces = std::iter::Peekable<std::vec::IntoIter<Piece>>;

fn parts(pieces: &mut Pieces, place: &Place) -> Vec<TemplatePart> {
    let mut parts = Vec::new();
    loop {
        match pieces.peek() {
            None | Some(Piece::Else | Piece::EndIf | Piece::EndFor) => return parts,
            Some(_) => {}
        }
        match pieces.next() {
            Some(Piece::Text(text, range)) => add_text(&mut parts, &text, place, range),
            Some(Piece::Interpolation(expression)) => {
                parts.push(TemplatePart::Interpolation(expression));
            }
            Some(Piece::If(condition)) => {
                let then = self::parts(pieces, place);
                let mut otherwise = Vec::new();
                if let Some(Piece::Else) = pieces.peek() {
                    pieces.next();
                    otherwise = self::parts(pieces, place);
                }
                pieces.next();
                parts.push(TemplatePart::If { condition, then, otherwise });
            }
            Some(Piece::For { key, value, collection }) => {
                let body = self::parts(pieces, place);
                pieces.next();
                parts.push(TemplatePart::For { key, value, collection, body });
            }
            Some(Piece::Else | Piece::EndIf | Piece::EndFor) | None => return parts,
        }
    }
}

fn add_text(parts: &mut Vec<TemplatePart>, text: &str, place: &Place, range: Range<usize>) {
    if text.is_empty() {
        return;
    }
    let span = place.span(range);
    if let Some(TemplatePart::Text(before, before_span)) = parts.last_mut() {
        before.push_str(text);
        *before_span = before_span.to(&span);
    } else {
        parts.push(TemplatePart::Text(text.to_owned(), span));
    }
}

/// The text of a quoted string: escapes and doubled template marks resolved. The scan has refused
/// all other escapes.
pub(super) fn unescape_quoted(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '$', '%']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        rest = match special.strip_prefix('\\') {
            Some(escaped) => escape(escaped, &mut text),
            None => doubled(special, &mut text),
        };
    }
    text.push_str(rest);
    text
}

fn escape<'a>(escaped: &'a str, text: &mut String) -> &'a str {
    let mut characters = escaped.chars();
    let digits = match characters.next() {
        Some('n') => return push(text, '\n', characters.as_str()),
        Some('r') => return push(text, '\r', characters.as_str()),
        Some('t') => return push(text, '\t', characters.as_str()),
        Some('u') => 4,
        Some('U') => 8,
        Some(other) => return push(text, other, characters.as_str()),
        None => return "",
    };
    let rest = characters.as_str();
    let code = rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match code.and_then(char::from_u32) {
        Some(c) => push(text, c, rest.get(digits..).unwrap_or_default()),
        None => rest,
    }
}

fn push<'a>(text: &mut String, c: char, rest: &'a str) -> &'a str {
    text.push(c);
    rest
}

/// The text of a heredoc or a template file: only doubled template marks are resolved.
pub(super) fn unescape_plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['$', '%']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        rest = doubled(special, &mut text);
    }
    text.push_str(rest);
    text
}

/// `special` begins with `$` or `%`.
fn doubled<'a>(special: &'a str, text: &mut String) -> &'a str {
    let (mark, rest) = special.split_at(1);
    text.push_str(mark);
    if special.starts_with("$${") || special.starts_with("%%{") {
        text.push('{');
        return special.get(3..).unwrap_or_default();
    }
    rest
}
