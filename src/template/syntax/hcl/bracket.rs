//! Brackets: which closing belongs to which opening.

use std::ops::Range;

use super::lexer::{Lexer, Open, name_length};
use super::token::{Bracket, Kind, Token};
use crate::diagnostic::Diagnostic;

impl Bracket {
    /// What closes it.
    fn closing(self) -> &'static str {
        match self {
            Bracket::Brace | Bracket::Sequence => "}",
            Bracket::Square => "]",
            Bracket::Round => ")",
            Bracket::Quote => "\"",
            Bracket::Heredoc => "",
        }
    }

    /// Whether what is inside of it is text.
    pub(in crate::template) fn is_template(self) -> bool {
        matches!(self, Bracket::Quote | Bracket::Heredoc)
    }
}

/// How many brackets may be open: more than the parser accepts, so that its error is the one that
/// is told. It bounds what a bracket without a partner can cost.
const DEPTH: usize = 256;

/// What a line begins with, as far as brackets care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// `name =`, or the header of a block.
    Item,
    Closing(u8),
    Else,
}

impl Lexer<'_> {
    /// Opens a bracket of `length` bytes.
    pub(super) fn open(&mut self, bracket: Bracket, length: usize) {
        let at = self.at..self.at + length;
        if self.stack.len() >= DEPTH {
            self.error(at.start, too_deep().at(&self.place.span(at.clone()), "here"));
            self.abandon();
            self.at = self.text.len();
            return;
        }
        let token = self.tokens.len();
        self.push(Kind::Open(bracket), length);
        let lines = bracket == Bracket::Brace && !self.for_follows();
        self.stack.push(Open {
            bracket,
            lines,
            token,
            at,
            line: self.line,
            indent: self.indent,
            indents: false,
            marker: 0..0,
        });
    }

    /// Whether the first word inside of a brace is the `for` of an expression, not a key.
    fn for_follows(&self) -> bool {
        let rest = skip_blanks(self.rest());
        let Some(after) = rest.strip_prefix("for") else { return false };
        if name_length(rest) != 3 || after.starts_with(['(', '.']) {
            return false;
        }
        let after = skip_blanks(after);
        let key = after.starts_with(':') || after.starts_with('=') && !after.starts_with("==");
        !key
    }

    /// Closes the bracket on top of the stack with a token of `length` bytes.
    pub(super) fn pop(&mut self, length: usize) {
        if let Some(open) = self.stack.pop() {
            self.push(Kind::Close(open.bracket), length);
        }
    }

    /// Closes the bracket on top of the stack where the text does not: before the line ends that
    /// came last, so that they count for what is around it.
    fn pop_missing(&mut self) {
        let Some(open) = self.stack.pop() else { return };
        let level = self.stack.len();
        let mut index = self.tokens.len();
        while let Some(token) = index.checked_sub(1).and_then(|last| self.tokens.get_mut(last))
            && token.kind == Kind::Newline
            && index - 1 > open.token
        {
            token.level = level;
            index -= 1;
        }
        let at = self.tokens.get(index).map_or(self.at, |token| token.range.start);
        let close = Token { kind: Kind::Close(open.bracket), range: at..at, level };
        self.tokens.insert(index, close);
        // Line ends inside of `[` have no tokens, but where it ends early one counts.
        let counts = self.lines_count();
        if !open.lines && counts && !open.bracket.is_template() && self.at == self.line {
            self.tokens.push(Token { kind: Kind::Newline, range: self.at..self.at, level });
        }
    }

    fn unclosed(&mut self) {
        let Some(open) = self.stack.last() else { return };
        self.unbalanced = true;
        let (at, bracket) = (open.at.clone(), open.bracket);
        let report = match bracket {
            Bracket::Sequence => unclosed_sequence(),
            _ => Diagnostic::error(
                "unclosed-bracket",
                format!("`{}` is never closed", self.slice(at.clone())),
            )
            .help(format!("close it with `{}`", bracket.closing())),
        };
        let report = report.at(&self.place.span(at.clone()), "opened here");
        self.error(at.start, report);
        self.pop_missing();
    }

    /// `byte` is here and closes something.
    pub(super) fn close(&mut self, byte: u8, length: usize) {
        let closes = |open: &Open| open.bracket.closing().bytes().next() == Some(byte);
        let code = self.stack.iter().rposition(|open| open.bracket.is_template());
        let code = code.map_or(0, |template| template + 1);
        let here = self.at..self.at + length;
        let Some(open) = self.stack.last().filter(|_| code < self.stack.len()) else {
            self.unbalanced = true;
            self.error(
                here.start,
                Diagnostic::error(
                    "unexpected-closing",
                    format!("nothing is open that `{}` could close", char::from(byte)),
                )
                .at(&self.place.span(here.clone()), "not expected here")
                .help("remove it, or look for a bracket above that was closed too early"),
            );
            self.at = here.end;
            return;
        };
        if closes(open) {
            return self.pop(length);
        }
        self.unbalanced = true;
        let same_line =
            self.stack.iter().skip(code).any(|open| closes(open) && open.line == self.line);
        if same_line {
            while !self.stack.last().is_none_or(closes) {
                self.unclosed();
            }
            return self.pop(length);
        }
        let (opening, expected) = (open.at.clone(), open.bracket.closing());
        let report = Diagnostic::error(
            "mismatched-bracket",
            format!("expected `{expected}`, found `{}`", char::from(byte)),
        )
        .at(&self.place.span(here.clone()), format!("expected `{expected}`"))
        .also(&self.place.span(opening), "opened here");
        self.error(here.start, report);
        self.pop(length);
    }

    /// At the beginning of a line: whether it is the first one inside of a bracket, and deeper.
    pub(super) fn first_line(&mut self) {
        let (indent, last) = (self.indent, self.last);
        let blank = self.rest().trim_start_matches([' ', '\t']).starts_with(['\n', '\r', '#']);
        if let Some(open) = self.stack.last_mut()
            && !blank
            && open.token == last
        {
            open.indents = indent > open.indent;
        }
    }

    /// At the beginning of a line: closes what by the indentation cannot go on here.
    pub(super) fn pair_by_indentation(&mut self) {
        let line = self.rest().trim_start_matches([' ', '\t']);
        let beginning = beginning(line);
        if beginning == Beginning::Else {
            return;
        }
        while let Some(open) = self.stack.last() {
            let outside = match beginning {
                Beginning::Item => match open.bracket {
                    Bracket::Brace => open.indents && self.indent <= open.indent,
                    Bracket::Sequence => open.line < self.line && self.indent <= open.indent,
                    _ => self.indent <= open.indent,
                },
                Beginning::Closing(byte) if open.bracket.closing().as_bytes() == [byte] => {
                    open.bracket == Bracket::Brace && open.indents && self.indent < open.indent
                }
                Beginning::Closing(byte) => {
                    let around = self
                        .stack
                        .iter()
                        .rev()
                        .skip(1)
                        .take_while(|open| !open.bracket.is_template())
                        .find(|open| open.bracket.closing().as_bytes() == [byte]);
                    around.is_some_and(|around| {
                        around.indent == self.indent
                            && (open.line > around.line || open.indent > around.indent)
                    })
                }
                Beginning::Else => false,
            };
            if !outside || open.bracket.is_template() {
                return;
            }
            let sequence = open.bracket == Bracket::Sequence;
            if sequence
                && !self
                    .stack
                    .iter()
                    .rev()
                    .nth(1)
                    .is_some_and(|around| around.bracket == Bracket::Quote)
            {
                return;
            }
            self.unclosed();
            if sequence {
                self.pop_missing();
            }
        }
    }

    /// Closes what is open at the end of the text.
    pub(super) fn close_all(&mut self) {
        while let Some(open) = self.stack.last() {
            match open.bracket {
                Bracket::Heredoc => return self.unterminated_heredoc(),
                Bracket::Quote => self.unterminated_string(),
                _ => {
                    self.unclosed();
                    // In a heredoc nothing is sure from here on.
                    if self.stack.iter().any(|open| open.bracket == Bracket::Heredoc) {
                        return self.abandon();
                    }
                }
            }
        }
    }

    /// Closes all that is open without a word, because what follows is unknown.
    pub(super) fn abandon(&mut self) {
        while !self.stack.is_empty() {
            self.pop_missing();
        }
    }

    /// Closes brackets that were opened on this line without a word: an error in the line has been
    /// told, and their closing may be a part of it.
    pub(super) fn close_line(&mut self) {
        while let Some(open) = self.stack.last()
            && open.line == self.line
            && !open.bracket.is_template()
        {
            self.pop_missing();
        }
    }
}

pub(super) fn too_deep() -> Diagnostic {
    Diagnostic::error("too-deep", "this is nested too deeply")
        .note("expressions, templates and blocks nest at most 64 levels, and operators at most 128")
        .help("move a part into a `local`")
}

pub(super) fn unclosed_sequence() -> Diagnostic {
    Diagnostic::error("unclosed-bracket", "this template sequence is never closed")
        .help("close it with `}`, or write `$${` for a plain `${`")
}

/// Without blanks, line ends and comments at the beginning.
fn skip_blanks(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let comment: Range<usize> = if rest.starts_with('#') || rest.starts_with("//") {
            0..rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inside) = rest.strip_prefix("/*") {
            0..inside.find("*/").map_or(rest.len(), |length| length + 4)
        } else {
            return rest;
        };
        rest = rest.get(comment.end..).unwrap_or_default();
    }
}

fn beginning(line: &str) -> Beginning {
    if let Some(byte @ (b'}' | b']' | b')')) = line.bytes().next() {
        return Beginning::Closing(byte);
    }
    let length = name_length(line);
    let blanks = [' ', '\t'];
    let mut rest = line.get(length..).unwrap_or_default().trim_start_matches(blanks);
    if length == 0 {
        return Beginning::Else;
    }
    if rest.starts_with('=') {
        let sets = !rest.starts_with("==") && !rest.starts_with("=>");
        return if sets { Beginning::Item } else { Beginning::Else };
    }
    // Labels up to the brace, on this line.
    loop {
        if rest.starts_with('{') {
            return Beginning::Item;
        }
        let label = match rest.strip_prefix('"') {
            Some(inside) => match inside.find(['"', '\n']) {
                Some(end) if inside[end..].starts_with('"') => end + 2,
                _ => 0,
            },
            None => name_length(rest),
        };
        if label == 0 {
            return Beginning::Else;
        }
        rest = rest.get(label..).unwrap_or_default().trim_start_matches(blanks);
    }
}
