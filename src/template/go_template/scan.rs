//! From text to tokens: finds the actions, trims the text around them.

use std::ops::Range;

use super::literal::{self, Number};
use super::{Data, SyntaxError};

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text to copy, already trimmed; never empty.
    Text(Range<usize>),
    /// An action with its delimiters in `range`.
    Action { range: Range<usize>, tokens: Vec<Token> },
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A name: a keyword, `true`, `false`, `nil` or a function.
    Word(String),
    /// `.name`.
    Field(String),
    /// `.`.
    Dot,
    /// `$` or `$name`.
    Variable(String),
    /// A string, character or number.
    Literal(Data),
    Pipe,
    /// `:=`.
    Declare,
    /// `=`.
    Assign,
    Comma,
    Open,
    Close,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Go's white space: what trim markers eat and what separates operands.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Splits a template into text and actions. Comments are dropped.
pub(super) fn scan(text: &str) -> Result<Vec<Piece>, SyntaxError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim_start = false;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let open = rest.find(OPEN).map(|offset| at + offset);
        let end = open.unwrap_or(text.len());
        let after = open.map_or("", |open| text.get(open + OPEN.len()..).unwrap_or_default());
        let trim_end = after.starts_with('-') && after.chars().nth(1).is_some_and(is_space);
        push_text(&mut pieces, text, at..end, trim_start, trim_end);
        let Some(open) = open else { return Ok(pieces) };
        let start = open + OPEN.len() + if trim_end { 2 } else { 0 };
        if text.get(start..).is_some_and(|inside| inside.starts_with("/*")) {
            (at, trim_start) = comment(text, open, start)?;
        } else {
            let scanned = Scanner { text, action: open, at: start, depth: Vec::new() }.action()?;
            pieces.push(Piece::Action { range: open..scanned.end, tokens: scanned.tokens });
            (at, trim_start) = (scanned.end, scanned.trims);
        }
    }
}

fn push_text(
    pieces: &mut Vec<Piece>,
    text: &str,
    mut range: Range<usize>,
    trim_start: bool,
    trim_end: bool,
) {
    let part = text.get(range.clone()).unwrap_or_default();
    if trim_start {
        range.start += part.len() - part.trim_start_matches(is_space).len();
    }
    if trim_end {
        let kept = text.get(range.clone()).unwrap_or_default().trim_end_matches(is_space).len();
        range.end = range.start + kept;
    }
    if range.start < range.end {
        pieces.push(Piece::Text(range));
    }
}

/// Skips a comment that starts at `start`, in the action that starts at `open`.
/// Gives where the text goes on and whether it is trimmed there.
fn comment(text: &str, open: usize, start: usize) -> Result<(usize, bool), SyntaxError> {
    let inside = text.get(start + 2..).unwrap_or_default();
    let Some(length) = inside.find("*/") else {
        return Err(SyntaxError::new("this comment is not closed", open..start + 2)
            .help("end it with `*/}}`"));
    };
    let end = start + 2 + length + 2;
    let rest = text.get(end..).unwrap_or_default();
    if rest.starts_with(CLOSE) {
        return Ok((end + CLOSE.len(), false));
    }
    let mut characters = rest.chars();
    if characters.next().is_some_and(is_space) && characters.as_str().starts_with("-}}") {
        return Ok((end + 4, true));
    }
    Err(SyntaxError::new("a comment must fill its whole action", open..end)
        .help("write `{{/* … */}}`"))
}

struct Scanned {
    tokens: Vec<Token>,
    /// Behind the closing delimiter.
    end: usize,
    /// Whether the text behind is trimmed.
    trims: bool,
}

struct Scanner<'t> {
    text: &'t str,
    /// Where the action starts, for messages.
    action: usize,
    at: usize,
    /// Where the open parentheses stand.
    depth: Vec<usize>,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn action(mut self) -> Result<Scanned, SyntaxError> {
        let mut tokens = Vec::new();
        loop {
            let mut spaced = false;
            while let Some(c) = self.peek().filter(|c| is_space(*c)) {
                self.at += c.len_utf8();
                spaced = true;
            }
            let trims = spaced && self.rest().starts_with("-}}");
            if trims || self.rest().starts_with(CLOSE) {
                if let Some(open) = self.depth.pop() {
                    return Err(SyntaxError::new("this parenthesis is not closed", open..open + 1));
                }
                let end = self.at + CLOSE.len() + usize::from(trims);
                return Ok(Scanned { tokens, end, trims });
            }
            let Some(c) = self.peek() else {
                return Err(SyntaxError::new(
                    "this action is not closed",
                    self.action..self.action + OPEN.len(),
                )
                .help("end it with `}}`; for a literal `{{` write {{`{{`}}"));
            };
            tokens.push(self.token(c)?);
        }
    }

    fn token(&mut self, c: char) -> Result<Token, SyntaxError> {
        let start = self.at;
        let kind = match c {
            '"' => self.string()?,
            '`' => self.raw_string()?,
            '\'' => self.character()?,
            '$' => {
                self.at += 1;
                TokenKind::Variable(format!("${}", self.word(start)?))
            }
            '.' if !self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                let name = self.word(start)?;
                if name.is_empty() { TokenKind::Dot } else { TokenKind::Field(name) }
            }
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            c if is_word(c) => TokenKind::Word(self.word(start)?),
            '|' => self.sign(1, TokenKind::Pipe),
            ',' => self.sign(1, TokenKind::Comma),
            ':' if self.rest().starts_with(":=") => self.sign(2, TokenKind::Declare),
            '=' => self.sign(1, TokenKind::Assign),
            '(' => {
                self.depth.push(start);
                self.sign(1, TokenKind::Open)
            }
            ')' => {
                if self.depth.pop().is_none() {
                    return Err(SyntaxError::new(
                        "this parenthesis was never opened",
                        start..start + 1,
                    ));
                }
                self.sign(1, TokenKind::Close)
            }
            c => return Err(unexpected_character(c, start)),
        };
        Ok(Token { kind, range: start..self.at })
    }

    fn sign(&mut self, length: usize, kind: TokenKind) -> TokenKind {
        self.at += length;
        kind
    }

    /// A name from here on, maybe empty; `start` is where its token starts.
    fn word(&mut self, start: usize) -> Result<String, SyntaxError> {
        let rest = self.rest();
        let word = rest.trim_start_matches(is_word);
        let word = rest.get(..rest.len() - word.len()).unwrap_or_default().to_owned();
        self.at += word.len();
        match self.peek() {
            None => Ok(word),
            Some(c) if is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '(') => Ok(word),
            Some(_) if self.rest().starts_with(CLOSE) => Ok(word),
            Some(c) => {
                let error = unexpected_character(c, self.at);
                let name = self.text.get(start..self.at).unwrap_or_default();
                Err(match c {
                    '=' => error.help("set a blank before `=`".to_owned()),
                    '-' => error.help(format!(
                        "names have no `-` in templates: try `index . \"{}…\"`",
                        name.trim_start_matches('.')
                    )),
                    _ => error,
                })
            }
        }
    }

    /// The length of a quoted text, quotes included.
    fn quoted(&self, quote: char, what: &str) -> Result<usize, SyntaxError> {
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = characters.next() {
            match c {
                '\\' if characters.next().is_none_or(|(_, c)| c == '\n') => break,
                '\n' => break,
                c if c == quote => return Ok(offset + 1),
                _ => {}
            }
        }
        let line = self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
        Err(SyntaxError::new(format!("this {what} is not closed"), self.at..self.at + line))
    }

    fn string(&mut self) -> Result<TokenKind, SyntaxError> {
        let length = self.quoted('"', "string")?;
        let inside = self.rest().get(1..length - 1).unwrap_or_default();
        let text = literal::unquote(inside, '"').map_err(|fault| {
            let start = self.at + 1 + fault.range.start;
            SyntaxError::new(fault.message, start..self.at + 1 + fault.range.end)
                .help("a string in back quotes takes every character as it is")
        })?;
        self.at += length;
        Ok(TokenKind::Literal(Data::String(text)))
    }

    fn raw_string(&mut self) -> Result<TokenKind, SyntaxError> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let Some(length) = inside.find('`') else {
            return Err(SyntaxError::new("this raw string is not closed", self.at..self.at + 1));
        };
        // Go drops carriage returns from raw strings.
        let text = inside.get(..length).unwrap_or_default().replace('\r', "");
        self.at += length + 2;
        Ok(TokenKind::Literal(Data::String(text)))
    }

    fn character(&mut self) -> Result<TokenKind, SyntaxError> {
        let length = self.quoted('\'', "character constant")?;
        let range = self.at..self.at + length;
        let inside = self.rest().get(1..length - 1).unwrap_or_default();
        let Some(value) = literal::character(inside) else {
            return Err(SyntaxError::new("this is not one character", range)
                .help("a string is written in double quotes"));
        };
        self.at += length;
        Ok(TokenKind::Literal(Data::Integer(value)))
    }

    fn number(&mut self) -> Result<TokenKind, SyntaxError> {
        let length = literal::number_length(self.rest());
        let start = self.at;
        self.at += length;
        let bad = |end| SyntaxError::new("this is not a number", start..end);
        if let Some(c) = self.peek().filter(|c| is_word(*c) || matches!(c, '+' | '-')) {
            return Err(bad(self.at + c.len_utf8()));
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        match literal::number(digits) {
            Number::Integer(value) => Ok(TokenKind::Literal(Data::Integer(value))),
            Number::Float(value) => Ok(TokenKind::Literal(Data::Float(value))),
            Number::TooLarge => {
                Err(SyntaxError::new("this number does not fit 64 bits", start..self.at))
            }
            Number::Complex => {
                Err(SyntaxError::new("complex numbers are not supported", start..self.at))
            }
            Number::Malformed => Err(bad(self.at.max(start + 1))),
        }
    }
}

fn unexpected_character(c: char, at: usize) -> SyntaxError {
    SyntaxError::new(format!("unexpected character `{c}`"), at..at + c.len_utf8())
}
