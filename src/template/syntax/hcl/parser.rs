//! The tokens and how far they are read.

use std::ops::Range;

use super::bracket::too_deep;
use super::finding::Findings;
use super::lexer::Lexed;
use super::place::Place;
use super::token::{Bracket, Kind, Token};
use crate::diagnostic::{Diagnostic, Span};
use crate::template::syntax::Name;

/// How deep expressions, templates and blocks may nest.
const DEPTH: usize = 64;

/// Why something could not be parsed.
pub(super) enum Fault {
    /// It has been told.
    Told,
    /// It is to be told, at this offset, by whoever goes on after it.
    New(Box<(usize, Diagnostic)>),
}

pub(super) type Parsed<T> = Result<T, Fault>;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) place: &'a Place,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Operators that the expressions read so far have along their longest path.
    pub(super) operators: usize,
    /// What the lexer told.
    lexical: Findings,
    findings: Findings,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, place: &'a Place, lexed: Lexed) -> Self {
        let Lexed { tokens, findings: lexical } = lexed;
        let findings = Findings::default();
        Self { text, place, tokens, at: 0, depth: 0, operators: 0, lexical, findings }
    }

    /// What the lexer and the parser told.
    pub(super) fn into_findings(self) -> Findings {
        self.lexical.and(self.findings)
    }

    /// The token here; at the end of the text the last one, which is [`Kind::End`].
    pub(super) fn token(&self) -> &Token {
        const END: &Token = &Token { kind: Kind::End, range: 0..0, level: 0 };
        self.tokens.get(self.at).or(self.tokens.last()).unwrap_or(END)
    }

    pub(super) fn kind(&self) -> Kind {
        self.token().kind
    }

    /// The kind of the token `count` tokens ahead.
    pub(super) fn ahead(&self, count: usize) -> Kind {
        self.tokens.get(self.at + count).map_or(Kind::End, |token| token.kind)
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.token().range.clone()
    }

    pub(super) fn level(&self) -> usize {
        self.token().level
    }

    /// Where the token before this one ends.
    pub(super) fn end(&self) -> usize {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        before.map_or(0, |token| token.range.end)
    }

    /// Reads the token here; gives its place.
    pub(super) fn next(&mut self) -> Range<usize> {
        let range = self.range();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        range
    }

    /// Reads the token here if it is of this kind.
    pub(super) fn take(&mut self, kind: Kind) -> Option<Range<usize>> {
        (self.kind() == kind).then(|| self.next())
    }

    pub(super) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The text of the token here.
    pub(super) fn here(&self) -> &'a str {
        self.slice(&self.range())
    }

    /// Whether the token here is this word.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind() == Kind::Name && self.here() == word
    }

    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        self.place.span(range.clone())
    }

    pub(super) fn name(&self, range: &Range<usize>) -> Name {
        Name { text: self.slice(range).to_owned(), span: self.span(range) }
    }

    /// Tells an error after which reading goes on.
    pub(super) fn tell(&mut self, at: usize, report: Diagnostic) {
        self.findings.push(at, report);
    }

    /// Tells why what begins at `start` could not be parsed, unless the lexer has already told
    /// something about it.
    pub(super) fn tell_fault(&mut self, fault: Fault, start: usize) {
        if let Fault::New(finding) = fault
            && !self.lexical.any_in(&(start..self.range().end.max(finding.0)))
        {
            self.findings.push(finding.0, finding.1);
        }
    }

    /// Goes to the next token of one of these kinds on `level`, or to what closes that level.
    pub(super) fn skip_to(&mut self, level: usize, kinds: &[Kind]) {
        loop {
            let token = self.token();
            let here = token.kind == Kind::End
                || token.level < level
                || token.level == level && kinds.contains(&token.kind);
            if here {
                return;
            }
            self.next();
        }
    }

    /// Reads something that nests.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.deeper(1)?;
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Whether things may nest by this many levels more.
    pub(super) fn deeper(&self, levels: usize) -> Parsed<()> {
        if self.depth + levels > DEPTH {
            let range = self.range();
            let report = too_deep().at(&self.span(&range), "here");
            return Err(Fault::New(Box::new((range.start, report))));
        }
        Ok(())
    }

    /// What stands here, for a message.
    pub(super) fn found(&self) -> String {
        match self.kind() {
            Kind::Newline => "the end of the line".to_owned(),
            Kind::End => "the end of the text".to_owned(),
            Kind::Close(Bracket::Sequence) => "`}`".to_owned(),
            Kind::Open(Bracket::Heredoc) => "`<<`".to_owned(),
            _ if self.range().is_empty() => "the end of the line".to_owned(),
            _ => {
                let text = self.here();
                match text.char_indices().nth(30) {
                    Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
                    None => format!("`{text}`"),
                }
            }
        }
    }

    /// The error that something else was expected than what stands here.
    pub(super) fn unexpected(&self, expected: &str, help: Option<&str>) -> Fault {
        let range = self.range();
        let shown = match self.kind() {
            Kind::Newline | Kind::End => range.start..range.start,
            Kind::Open(Bracket::Heredoc) => range.start..range.start + 2,
            _ => range.clone(),
        };
        let report =
            Diagnostic::error("syntax", format!("expected {expected}, found {}", self.found()))
                .at(&self.span(&shown), "not expected here")
                .maybe_help(help.map(str::to_owned));
        Fault::New(Box::new((range.start, report)))
    }
}

/// The error `report` at `at`.
pub(super) fn fault<T>(at: usize, report: Diagnostic) -> Parsed<T> {
    Err(Fault::New(Box::new((at, report))))
}
