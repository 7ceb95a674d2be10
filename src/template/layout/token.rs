//! HCL text to tokens.
//!
//! Only for text that the parser accepts: nothing is checked here. Between two tokens there is
//! nothing but blanks.

use std::ops::Range;

use unicode_ident::{is_xid_continue, is_xid_start};

/// What a token is, as far as layout cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line end.
    Newline,
    /// `#` or `//` with the line end it goes up to, or `/* … */`.
    Comment,
    Name,
    Number,
    /// The `"` that begins a string.
    OpenQuote,
    /// The `"` that ends one.
    CloseQuote,
    /// Text of a string or heredoc.
    Text,
    /// `<<MARKER` with its line end.
    OpenHeredoc,
    /// The last line of a heredoc without its line end.
    CloseHeredoc,
    Open(Bracket),
    Close(Bracket),
    Dot,
    Comma,
    Ellipsis,
    Colon,
    Question,
    /// `=`
    Equal,
    Minus,
    Bang,
    /// Any operator of two operands but `-`.
    Operator,
    /// Anything else, such as `=>`.
    Other,
}

/// What opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Brace,
    Square,
    Round,
    /// `${` or `%{` up to `}`.
    Sequence,
}

/// A piece of the text.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// What the characters at hand are part of.
enum Within {
    Brace,
    Sequence,
    Quote,
    /// A heredoc and its marker.
    Heredoc(Range<usize>),
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    within: Vec<Within>,
    tokens: Vec<Token>,
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lexer = Lexer { text, at: start, within: Vec::new(), tokens: Vec::new() };
    while lexer.at < text.len() {
        match lexer.within.last() {
            Some(Within::Quote) => lexer.string(),
            Some(Within::Heredoc(_)) => lexer.heredoc(),
            _ => lexer.code(),
        }
    }
    lexer.tokens
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let end = self.text.ceil_char_boundary(self.at.saturating_add(length.max(1)));
        self.tokens.push(Token { kind, range: self.at..end });
        self.at = end;
    }

    fn code(&mut self) {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '\n' => self.push(Kind::Newline, 1),
            '\r' if rest.starts_with("\r\n") => self.push(Kind::Newline, 2),
            ' ' | '\t' | '\r' => self.at += 1,
            '#' => self.line_comment(),
            '/' if rest.starts_with("//") => self.line_comment(),
            '/' if rest.starts_with("/*") => {
                let length = rest.find("*/").map_or(rest.len(), |at| at + 2);
                self.push(Kind::Comment, length);
            }
            '"' => {
                self.within.push(Within::Quote);
                self.push(Kind::OpenQuote, 1);
            }
            '<' if rest.starts_with("<<") => self.open_heredoc(),
            '{' => {
                self.within.push(Within::Brace);
                self.push(Kind::Open(Bracket::Brace), 1);
            }
            '}' | '~' => self.close(),
            '(' => self.push(Kind::Open(Bracket::Round), 1),
            ')' => self.push(Kind::Close(Bracket::Round), 1),
            '[' => self.push(Kind::Open(Bracket::Square), 1),
            ']' => self.push(Kind::Close(Bracket::Square), 1),
            _ if first.is_ascii_digit() => {
                let length = self.number();
                self.push(Kind::Number, length);
            }
            _ if first == '_' || is_xid_start(first) => {
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                self.push(Kind::Name, length);
            }
            _ => self.symbol(),
        }
    }

    fn symbol(&mut self) {
        let rest = self.rest();
        let (kind, length) = if rest.starts_with("...") {
            (Kind::Ellipsis, 3)
        } else if rest.starts_with("::") {
            // In the name of a function.
            (Kind::Dot, 2)
        } else if rest.starts_with("=>") {
            (Kind::Other, 2)
        } else if ["==", "!=", "<=", ">=", "&&", "||"].iter().any(|two| rest.starts_with(two)) {
            (Kind::Operator, 2)
        } else {
            let kind = match rest.as_bytes().first() {
                Some(b'.') => Kind::Dot,
                Some(b',') => Kind::Comma,
                Some(b':') => Kind::Colon,
                Some(b'?') => Kind::Question,
                Some(b'=') => Kind::Equal,
                Some(b'-') => Kind::Minus,
                Some(b'!') => Kind::Bang,
                Some(b'+' | b'*' | b'/' | b'%' | b'<' | b'>') => Kind::Operator,
                _ => Kind::Other,
            };
            (kind, 1)
        };
        self.push(kind, length);
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        self.push(Kind::Comment, rest.find('\n').map_or(rest.len(), |at| at + 1));
    }

    /// The length of the number here. After a dot it is an index: `a.0.1` has two of them.
    fn number(&self) -> usize {
        let bytes = self.rest().as_bytes();
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

    fn close(&mut self) {
        let length = if self.rest().starts_with("~}") { 2 } else { 1 };
        match self.within.pop() {
            Some(Within::Sequence) => self.push(Kind::Close(Bracket::Sequence), length),
            _ => self.push(Kind::Close(Bracket::Brace), length),
        }
    }

    fn open_heredoc(&mut self) {
        let rest = self.rest();
        let start = if rest.starts_with("<<-") { 3 } else { 2 };
        let after = rest.get(start..).unwrap_or_default();
        let length = after.find(|c| !is_name(c)).unwrap_or(after.len());
        let line_end = after.get(length..).unwrap_or_default();
        let line_end = if line_end.starts_with("\r\n") { 2 } else { 1 };
        let marker = self.at + start..self.at + start + length;
        self.within.push(Within::Heredoc(marker));
        self.push(Kind::OpenHeredoc, start + length + line_end);
        self.end_heredoc();
    }

    /// At the beginning of a line of a heredoc: whether it ends here, and its last token if so.
    fn end_heredoc(&mut self) -> bool {
        let Some(Within::Heredoc(marker)) = self.within.last() else { return false };
        let line = self.rest().split('\n').next().unwrap_or_default();
        let ends = self.text.get(marker.clone()) == Some(line.trim());
        if ends {
            self.within.pop();
            self.push(Kind::CloseHeredoc, line.trim_end().len());
        }
        ends
    }

    /// Text up to a sequence or the end of the line, which may be the last one.
    fn heredoc(&mut self) {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            let next = bytes.get(length + 1);
            length += match byte {
                b'\n' => {
                    self.text_of(length + 1);
                    self.end_heredoc();
                    return;
                }
                b'$' | b'%' if next == Some(&b'{') => break,
                b'$' | b'%' if next == Some(byte) && bytes.get(length + 2) == Some(&b'{') => 3,
                _ => 1,
            };
        }
        self.text_of(length);
        self.open_sequence();
    }

    /// Text of a template; the lines of a heredoc are one token.
    fn text_of(&mut self, length: usize) {
        if length == 0 {
            return;
        }
        let end = self.at + length;
        match self.tokens.last_mut() {
            Some(Token { kind: Kind::Text, range }) if range.end == self.at => {
                range.end = end;
                self.at = end;
            }
            _ => self.push(Kind::Text, length),
        }
    }

    fn string(&mut self) {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            let next = bytes.get(length + 1);
            length += match byte {
                b'"' => break,
                b'\\' => 2,
                b'$' | b'%' if next == Some(&b'{') => break,
                b'$' | b'%' if next == Some(byte) && bytes.get(length + 2) == Some(&b'{') => 3,
                _ => 1,
            };
        }
        self.text_of(length.min(bytes.len()));
        if self.rest().starts_with('"') {
            self.within.pop();
            self.push(Kind::CloseQuote, 1);
        } else {
            self.open_sequence();
        }
    }

    fn open_sequence(&mut self) {
        let rest = self.rest();
        if rest.starts_with("${") || rest.starts_with("%{") {
            self.within.push(Within::Sequence);
            let trims = rest.get(2..).is_some_and(|rest| rest.starts_with('~'));
            self.push(Kind::Open(Bracket::Sequence), if trims { 3 } else { 2 });
        }
    }
}

fn is_name(c: char) -> bool {
    c == '-' || is_xid_continue(c)
}
