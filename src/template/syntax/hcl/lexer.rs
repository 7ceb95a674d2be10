//! Text to tokens.
//!
//! A first pass takes the brackets as they are. If they do not match, a second one trusts the
//! indentation, to find the bracket that is missing and not the one that is left over.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use unicode_ident::{is_xid_continue, is_xid_start};

use super::finding::Findings;
use super::place::Place;
use super::token::{Bracket, Kind, Token};
use crate::diagnostic::{Diagnostic, Source};

/// What a text is to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Attributes and blocks.
    Body,
    /// One expression.
    Expression,
    /// A string template without quotes.
    Template,
}

/// Something that waits for its end.
pub(super) struct Open {
    pub(super) bracket: Bracket,
    /// Whether line ends count inside: in a body and in an object, but not in `{ for … }`.
    pub(super) lines: bool,
    /// Its token.
    pub(super) token: usize,
    /// Where the opening stands.
    pub(super) at: Range<usize>,
    /// The start of its line, and how far that is indented.
    pub(super) line: usize,
    pub(super) indent: usize,
    /// Whether the first line inside is indented deeper: the author indents.
    pub(super) indents: bool,
    /// The marker of a heredoc.
    pub(super) marker: Range<usize>,
}

/// The tokens of a text and what is wrong with them.
pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    pub(super) findings: Findings,
}

pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) place: &'a Place,
    pub(super) at: usize,
    pub(super) form: Form,
    pub(super) stack: Vec<Open>,
    /// Where the line begins that is read, and its indentation.
    pub(super) line: usize,
    pub(super) indent: usize,
    /// Whether brackets are paired by the indentation, too.
    pub(super) recovers: bool,
    /// Whether there are tokens of comments and of all line ends.
    pub(super) keeps: bool,
    /// Whether a bracket had no partner.
    pub(super) unbalanced: bool,
    /// The last token that is no line end.
    pub(super) last: usize,
    /// The line whose last error was a template sequence without an end.
    pub(super) failed_line: Option<usize>,
    /// The last line that holds nothing but this name: where a heredoc can end.
    pub(super) markers: Option<HashMap<&'a str, usize>>,
    pub(super) tokens: Vec<Token>,
    pub(super) findings: Findings,
}

/// The tokens of `text`, which lies at `place`: without comments, and without the line ends that
/// do not count. The last one is [`Kind::End`]. Brackets are balanced.
pub(super) fn lex(text: &str, place: &Place, form: Form) -> Lexed {
    let mut lexer = Lexer::new(text, place, form, false);
    lexer.run();
    if lexer.unbalanced {
        lexer = Lexer::new(text, place, form, true);
        lexer.run();
    }
    lexer.push(Kind::End, 0);
    let Lexer { tokens, mut findings, .. } = lexer;
    findings.sort();
    Lexed { tokens, findings }
}

/// The tokens of a file, with all comments and line ends: between two of them there is nothing but
/// blanks. Of a file that the parser refuses these are not all.
pub(in crate::template) fn layout_tokens(source: &Arc<Source>) -> Vec<Token> {
    let place = Place::part(source, 0);
    let mut lexer = Lexer::new(source.text(), &place, Form::Body, false);
    lexer.keeps = true;
    lexer.run();
    lexer.tokens
}

pub(super) fn is_name_start(c: char) -> bool {
    c == '_' || is_xid_start(c)
}

pub(super) fn is_name(c: char) -> bool {
    c == '-' || is_xid_continue(c)
}

/// Bytes of the name that `text` begins with.
pub(super) fn name_length(text: &str) -> usize {
    if text.starts_with(is_name_start) {
        text.find(|c| !is_name(c)).unwrap_or(text.len())
    } else {
        0
    }
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, place: &'a Place, form: Form, recovers: bool) -> Self {
        Self {
            text,
            place,
            at: 0,
            form,
            stack: Vec::new(),
            line: 0,
            indent: 0,
            recovers,
            keeps: false,
            unbalanced: false,
            last: 0,
            failed_line: None,
            markers: None,
            tokens: Vec::new(),
            findings: Findings::default(),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn error(&mut self, at: usize, report: Diagnostic) {
        self.findings.push(at, report);
    }

    /// Adds a token that ends `length` bytes from here.
    pub(super) fn push(&mut self, kind: Kind, length: usize) {
        let end = self.text.ceil_char_boundary(self.at.saturating_add(length));
        let range = self.at..end;
        if kind != Kind::Newline {
            self.last = self.tokens.len();
        }
        self.tokens.push(Token { kind, range, level: self.stack.len() });
        self.at = end;
    }

    fn run(&mut self) {
        if self.form != Form::Template && self.rest().starts_with('\u{feff}') {
            self.at += '\u{feff}'.len_utf8();
            self.line = self.at;
        }
        self.begin_line(self.at);
        while self.at < self.text.len() {
            // The first pass is over once it cannot be the last one.
            if self.unbalanced && !self.recovers {
                return;
            }
            match self.stack.last().map(|open| open.bracket) {
                Some(Bracket::Quote) => self.quoted(),
                Some(Bracket::Heredoc) => self.heredoc_text(),
                None if self.form == Form::Template => self.bare_text(),
                _ => self.code(),
            }
        }
        self.close_all();
    }

    /// Notes where a line begins and how far it is indented.
    pub(super) fn begin_line(&mut self, at: usize) {
        let rest = self.slice(at..self.text.len());
        self.line = at;
        self.indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn code(&mut self) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let (byte, next) = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied());
        match byte {
            b' ' | b'\t' => {
                self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
            }
            b'\n' => self.newline(1),
            b'\r' if next == Some(b'\n') => self.newline(2),
            b'\r' => self.carriage_return(),
            b'#' => self.line_comment(),
            b'/' if next == Some(b'/') => self.line_comment(),
            b'/' if next == Some(b'*') => self.block_comment(),
            b'"' => self.open(Bracket::Quote, 1),
            b'<' if next == Some(b'<') => self.open_heredoc(),
            b'{' => self.open(Bracket::Brace, 1),
            b'[' => self.open(Bracket::Square, 1),
            b'(' => self.open(Bracket::Round, 1),
            b'~' if next == Some(b'}') && self.within(Bracket::Sequence) => self.close(b'}', 2),
            b'}' | b']' | b')' => self.close(byte, 1),
            b'0'..=b'9' => {
                let length = self.number(bytes);
                self.push(Kind::Number, length);
            }
            b'\'' | b'`' => self.foreign_quotes(char::from(byte)),
            _ => {
                let length = name_length(rest);
                if length > 0 { self.push(Kind::Name, length) } else { self.symbol() }
            }
        }
    }

    pub(super) fn within(&self, bracket: Bracket) -> bool {
        self.stack.last().is_some_and(|open| open.bracket == bracket)
    }

    /// Whether line ends mean something here.
    pub(super) fn lines_count(&self) -> bool {
        match self.stack.last() {
            None => self.form == Form::Body,
            Some(open) => open.lines,
        }
    }

    pub(super) fn newline(&mut self, length: usize) {
        if self.keeps || self.lines_count() {
            self.push(Kind::Newline, length);
        } else {
            self.at += length;
        }
        self.begin_line(self.at);
        self.first_line();
        if self.recovers {
            self.pair_by_indentation();
        }
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        let length = rest.find('\n').unwrap_or(rest.len());
        let comment = rest.get(..length).unwrap_or_default();
        self.comment(comment.strip_suffix('\r').unwrap_or(comment).len());
    }

    fn comment(&mut self, length: usize) {
        if self.keeps {
            self.push(Kind::Comment, length);
        } else {
            self.at += length;
        }
    }

    fn block_comment(&mut self) {
        let (start, rest) = (self.at, self.rest());
        match rest.get(2..).and_then(|rest| rest.find("*/")) {
            Some(length) => self.comment(2 + length + 2),
            None => {
                self.at = self.text.len();
                let at = self.place.span(start..start + 2);
                self.error(
                    start,
                    Diagnostic::error("unterminated-comment", "this comment never ends")
                        .at(&at, "begins here")
                        .help("close it with `*/`"),
                );
                // What is open goes on inside of the comment for all we know.
                self.abandon();
            }
        }
    }

    /// The length of the number here. After a dot it is an index: `a.0.1` has two of them.
    fn number(&self, bytes: &[u8]) -> usize {
        let digits =
            |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = digits(0);
        if self.tokens.last().is_some_and(|token| token.kind == Kind::Dot) {
            return end;
        }
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        end
    }

    fn symbol(&mut self) {
        const LONG: &[(&str, Kind)] = &[
            ("...", Kind::Ellipsis),
            ("=>", Kind::Arrow),
            ("::", Kind::DoubleColon),
            ("==", Kind::Operator),
            ("!=", Kind::Operator),
            ("<=", Kind::Operator),
            (">=", Kind::Operator),
            ("&&", Kind::Operator),
            ("||", Kind::Operator),
        ];
        let rest = self.rest();
        if let Some((text, kind)) = LONG.iter().find(|(text, _)| rest.starts_with(text)) {
            return self.push(*kind, text.len());
        }
        let c = rest.chars().next().unwrap_or(' ');
        let kind = match c {
            '.' => Kind::Dot,
            ',' => Kind::Comma,
            ':' => Kind::Colon,
            '?' => Kind::Question,
            '=' => Kind::Equal,
            '-' => Kind::Minus,
            '!' => Kind::Bang,
            '*' => Kind::Star,
            '+' | '/' | '%' | '<' | '>' => Kind::Operator,
            '&' | '|' => return self.half_operator(c),
            '“' | '”' | '„' | '‘' | '’' | '«' | '»' => return self.foreign_quotes(c),
            c if c.is_control() || c.is_whitespace() || is_invisible(c) => {
                return self.invisible(c);
            }
            _ => Kind::Stray,
        };
        self.push(kind, c.len_utf8());
    }

    fn half_operator(&mut self, c: char) {
        let at = self.place.span(self.at..self.at + 1);
        self.error(
            self.at,
            Diagnostic::error("syntax", format!("there is no operator `{c}`"))
                .at(&at, "not an operator")
                .help(format!("the operator is `{c}{c}`")),
        );
        self.push(Kind::Operator, 1);
    }

    /// A carriage return by itself: told, and taken for the line end that it was meant as.
    fn carriage_return(&mut self) {
        let at = self.place.span(self.at..self.at + 1);
        self.error(
            self.at,
            Diagnostic::error("invalid-character", "a carriage return is no line end of HCL")
                .at(&at, "invisible character")
                .help("end lines with a line feed"),
        );
        self.newline(1);
    }

    fn invisible(&mut self, c: char) {
        let end = self.at + c.len_utf8();
        let at = self.place.span(self.at..end);
        let (what, help) = match c {
            '\0' => (
                "there is a NUL character here".to_owned(),
                "remove it; save the file as UTF-8 if it is in another encoding",
            ),
            c if c.is_whitespace() => (
                format!("U+{:04X} is a blank that HCL does not know", u32::from(c)),
                "replace it with a space",
            ),
            c => {
                (format!("U+{:04X} is a character that cannot be seen", u32::from(c)), "remove it")
            }
        };
        let report = Diagnostic::error("invalid-character", what).at(&at, "invisible character");
        self.error(self.at, report.help(help));
        self.at = end;
    }

    /// Text in quotation marks that are none.
    fn foreign_quotes(&mut self, first: char) {
        let start = self.at;
        let inner = self.rest().get(first.len_utf8()..).unwrap_or_default();
        let closing: &[char] = match first {
            '\'' => &['\'', '\n', '\r'],
            '`' => &['`', '\n', '\r'],
            '‘' | '’' => &['’', '‘', '\n', '\r'],
            '«' | '»' => &['»', '«', '\n', '\r'],
            _ => &['”', '“', '„', '"', '\n', '\r'],
        };
        let end = inner
            .find(closing)
            .filter(|end| !inner.get(*end..).is_some_and(|rest| rest.starts_with(['\n', '\r'])));
        let length = match end {
            Some(end) => {
                let last = inner.get(end..).and_then(|rest| rest.chars().next());
                first.len_utf8() + end + last.map_or(0, char::len_utf8)
            }
            None => first.len_utf8(),
        };
        let at = self.place.span(start..start + length);
        let help = match end.and_then(|end| inner.get(..end)) {
            Some(inside) => format!("write `\"{}\"`", inside.replace('"', "\\\"")),
            None => "write a plain `\"` before and after the text".to_owned(),
        };
        let report = match first {
            '\'' => Diagnostic::error("single-quotes", "strings stand in double quotes"),
            '`' => Diagnostic::error("back-quotes", "strings stand in double quotes"),
            _ => Diagnostic::error(
                "invalid-character",
                format!("`{first}` is not a quotation mark of HCL"),
            ),
        };
        let label = match first {
            '\'' | '`' => "not a string in HCL",
            _ => "typographic quotation mark",
        };
        self.error(start, report.at(&at, label).help(help));
        self.push(Kind::Mistake, length);
    }
}

/// Characters without a width that come with texts from elsewhere.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}
