//! A pass over the characters of HCL before it is parsed.
//!
//! It knows strings, heredocs, comments and brackets, nothing else. It finds what never ends, and
//! says where that began; and it makes the *masked* text that the parser gets: of the same
//! length, but without what the parser does not take the way HCL does. Names, numbers and texts
//! are then read from the original by their spans.
//!
//! Masked are: a byte-order mark; comments; line ends where HCL ignores them; long numbers; the
//! key `for` of an object; lines of a heredoc that only begin like its end.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Diagnostics};

use super::place::Place;

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

/// What the pass found.
pub(super) struct Scan {
    /// The text for the parser.
    pub(super) masked: Vec<u8>,
    /// The attributes and blocks of the outermost body, each from its first character to its end.
    pub(super) items: Vec<Range<usize>>,
    /// Spots that nothing can be made of.
    pub(super) errors: Vec<(usize, Diagnostic)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// A body or an object: line ends count.
    Brace,
    /// `{ for … }`: they do not.
    ForBrace,
    Parenthesis,
    Bracket,
    /// `${` or `%{` up to `}`.
    Sequence,
    Quote,
    Heredoc,
    Bare,
}

impl Context {
    fn closing(self) -> Option<u8> {
        match self {
            Context::Brace | Context::ForBrace | Context::Sequence => Some(b'}'),
            Context::Parenthesis => Some(b')'),
            Context::Bracket => Some(b']'),
            Context::Quote => Some(b'"'),
            Context::Heredoc | Context::Bare => None,
        }
    }

    fn is_template(self) -> bool {
        matches!(self, Context::Quote | Context::Heredoc | Context::Bare)
    }
}

struct Open {
    context: Context,
    /// Where the opening stands.
    at: Range<usize>,
    /// The end marker of a heredoc.
    marker: Range<usize>,
    /// Directives of a template that wait for their end: whether it is an `if`, and where.
    directives: Vec<(bool, Range<usize>)>,
}

struct Scanner<'a> {
    place: &'a Place,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    form: Form,
    stack: Vec<Open>,
    /// A brace that by its indentation is the one that was not closed.
    suspect: Option<Range<usize>>,
    item: Option<usize>,
    /// The operator that waits for its operand.
    operator: Option<Range<usize>>,
    scan: Scan,
}

/// Goes over `text`, which lies at `place`.
pub(super) fn scan(text: &str, place: &Place, form: Form) -> Scan {
    let mut scanner = Scanner {
        place,
        text,
        bytes: text.as_bytes(),
        at: 0,
        form,
        stack: Vec::new(),
        suspect: None,
        item: None,
        operator: None,
        scan: Scan { masked: text.as_bytes().to_vec(), items: Vec::new(), errors: Vec::new() },
    };
    if form == Form::Template {
        scanner.push(Context::Bare, 0..0);
    } else if text.starts_with('\u{feff}') {
        scanner.mask(0..3);
        scanner.at = 3;
    }
    scanner.run();
    scanner.scan
}

impl Scanner<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let before = self.at;
            match self.stack.last().map(|open| open.context) {
                Some(context) if context.is_template() => self.template(context),
                _ => self.code(),
            }
            if self.at == before {
                self.at += 1;
            }
        }
        self.finish();
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn mask(&mut self, range: Range<usize>) {
        if let Some(bytes) = self.scan.masked.get_mut(range) {
            bytes.fill(b' ');
        }
    }

    fn push(&mut self, context: Context, at: Range<usize>) {
        self.stack.push(Open { context, at, marker: 0..0, directives: Vec::new() });
    }

    fn error(&mut self, at: usize, diagnostic: Diagnostic) {
        self.scan.errors.push((at, diagnostic));
    }

    fn line_end_counts(&self) -> bool {
        match self.stack.last() {
            None => self.form == Form::Body,
            Some(open) => open.context == Context::Brace,
        }
    }

    fn code(&mut self) {
        let byte = self.byte(0);
        if self.stack.is_empty() && self.item.is_none() && !byte.is_ascii_whitespace() {
            self.item = Some(self.at);
        }
        self.operand(byte);
        match byte {
            b'\n' => {
                if !self.line_end_counts() {
                    let from = if self.at > 0 && self.bytes.get(self.at - 1) == Some(&b'\r') {
                        self.at - 1
                    } else {
                        self.at
                    };
                    self.mask(from..self.at + 1);
                } else if self.stack.is_empty() {
                    self.end_item();
                }
                self.at += 1;
            }
            b'#' => self.line_comment(),
            b'/' if self.byte(1) == b'/' => self.line_comment(),
            b'/' if self.byte(1) == b'*' => self.block_comment(),
            b'"' => {
                self.push(Context::Quote, self.at..self.at + 1);
                self.at += 1;
            }
            b'<' if self.byte(1) == b'<' => self.heredoc(),
            b'(' => self.open(Context::Parenthesis),
            b'[' => self.open(Context::Bracket),
            b'{' => self.open_brace(),
            b')' | b']' | b'}' => self.close(byte),
            b'0'..=b'9' => self.number(),
            b'\'' => self.single_quotes(),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'!' | b'<' | b'>' | b'=' => {
                self.operator(byte);
            }
            _ if byte == b'_' || byte >= 0x80 || byte.is_ascii_alphabetic() => self.word(),
            _ => self.at += 1,
        }
    }

    /// `byte` begins a token: is it what an operator before it waits for?
    fn operand(&mut self, byte: u8) {
        let ends = match byte {
            b'\n' => self.line_end_counts(),
            b')' | b']' | b'}' | b',' | b':' | b'?' => true,
            b' ' | b'\t' | b'\r' | b'#' => return,
            b'/' if matches!(self.byte(1), b'/' | b'*') => return,
            _ => {
                self.operator = None;
                return;
            }
        };
        if ends {
            self.missing_operand();
        }
    }

    fn missing_operand(&mut self) {
        if let Some(operator) = self.operator.take() {
            let at = self.place.span(operator.clone());
            let report =
                Diagnostic::error("syntax", format!("a value is missing after `{}`", at.text()))
                    .at(&at, "not followed by a value");
            let report = if self.byte(0) == b'\n' {
                report
                    .help("put the value on the same line, or the whole expression in parentheses")
            } else {
                report
            };
            self.error(operator.start, report);
        }
    }

    fn operator(&mut self, byte: u8) {
        let start = self.at;
        let next = self.byte(1);
        self.at += match (byte, next) {
            (b'=' | b'!' | b'<' | b'>', b'=') | (b'=', b'>') | (b'&', b'&') | (b'|', b'|') => 2,
            _ => 1,
        };
        let previous = self.text.get(..start).unwrap_or_default().trim_end().bytes().next_back();
        match byte {
            // A setting of a value, or the arrow of a `for`: their errors are the parser's.
            b'=' if next != b'=' => {}
            // A splat.
            b'*' if matches!(previous, Some(b'.' | b'[')) => {}
            b'&' | b'|' if next != byte => {
                let at = self.place.span(start..self.at);
                let two = at.text().repeat(2);
                self.error(
                    start,
                    Diagnostic::error("syntax", format!("there is no operator `{}`", at.text()))
                        .at(&at, "not an operator")
                        .help(format!("the operator is `{two}`")),
                );
            }
            _ => self.operator = Some(start..self.at),
        }
    }

    fn end_item(&mut self) {
        if let Some(start) = self.item.take() {
            self.scan.items.push(start..self.at);
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        let length = self.rest().iter().position(|byte| *byte == b'\n');
        self.at += length.unwrap_or(self.rest().len());
        let end = if self.at > start && self.bytes.get(self.at - 1) == Some(&b'\r') {
            self.at - 1
        } else {
            self.at
        };
        self.mask(start..end);
        if self.item == Some(start) {
            self.item = None;
        }
    }

    fn block_comment(&mut self) {
        let start = self.at;
        match self.text.get(start + 2..).and_then(|rest| rest.find("*/")) {
            Some(length) => {
                self.at = start + 2 + length + 2;
                self.mask(start..self.at);
            }
            None => {
                self.at = self.bytes.len();
                self.mask(start..self.at);
                let at = self.place.span(start..start + 2);
                self.error(
                    start,
                    Diagnostic::error("unterminated-comment", "this comment never ends")
                        .at(&at, "begins here")
                        .help("close it with `*/`"),
                );
            }
        }
        if self.item == Some(start) {
            self.item = None;
        }
    }

    fn open(&mut self, context: Context) {
        self.push(context, self.at..self.at + 1);
        self.at += 1;
    }

    fn open_brace(&mut self) {
        let after = self.at + 1;
        let context = match self.for_after(after) {
            Some((start, true)) => {
                // `for` is a key here. The parser takes any name but that one.
                if let Some(key) = self.scan.masked.get_mut(start..start + 3) {
                    key.copy_from_slice(b"f_r");
                }
                Context::Brace
            }
            Some((_, false)) => Context::ForBrace,
            None => Context::Brace,
        };
        self.open(context);
    }

    /// Whether the first word from `at` on is `for`: where, and whether it is a key.
    fn for_after(&self, mut at: usize) -> Option<(usize, bool)> {
        let mut start = None;
        loop {
            let rest = self.text.get(at..)?;
            let blank = rest.len() - rest.trim_start().len();
            let rest = rest.trim_start();
            at += blank;
            let comment = if rest.starts_with('#') || rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |length| length + 2)
            } else {
                0
            };
            if comment > 0 {
                at += comment;
            } else if let Some(start) = start {
                let key =
                    rest.starts_with(':') || (rest.starts_with('=') && !rest.starts_with("=="));
                return Some((start, key));
            } else if rest.starts_with("for")
                && !rest.chars().nth(3).is_some_and(|c| c.is_alphanumeric() || "_-(.".contains(c))
            {
                start = Some(at);
                at += 3;
            } else {
                return None;
            }
        }
    }

    fn close(&mut self, byte: u8) {
        let here = self.at..self.at + 1;
        self.at += 1;
        let Some(open) = self.stack.last() else {
            let at = self.place.span(here.clone());
            self.error(
                here.start,
                Diagnostic::error(
                    "unexpected-closing",
                    format!("nothing is open that `{}` could close", char::from(byte)),
                )
                .at(&at, "not expected here")
                .help("remove it, or look for a bracket above that was closed too early"),
            );
            return;
        };
        if open.context.closing() == Some(byte) {
            if byte == b'}' && open.context == Context::Brace && self.suspect.is_none() {
                let opening = open.at.clone();
                let (own, other) = (self.indent(here.start), self.indent(opening.start));
                if let (Some(own), Some(other)) = (own, self.line_indent(opening.start).or(other))
                    && own < other
                {
                    self.suspect = Some(opening);
                }
            }
            self.stack.pop();
            return;
        }
        let (opening, expected) = (open.at.clone(), open.context.closing().unwrap_or(b'}'));
        let report = Diagnostic::error(
            "mismatched-bracket",
            format!("expected `{}`, found `{}`", char::from(expected), char::from(byte)),
        )
        .at(&self.place.span(here.clone()), format!("expected `{}`", char::from(expected)))
        .also(&self.place.span(opening), "opened here");
        self.error(here.start, report);
        // Go on as if what is closed here were all that it could close.
        while let Some(open) = self.stack.last() {
            if open.context.is_template() {
                break;
            }
            let closes = open.context.closing() == Some(byte);
            self.stack.pop();
            if closes {
                break;
            }
        }
    }

    /// The indentation of the line of `at`, if nothing but blanks stands before it.
    fn indent(&self, at: usize) -> Option<usize> {
        let before = self.text.get(..at)?;
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let blanks = before.get(line..)?;
        blanks.trim().is_empty().then_some(blanks.len())
    }

    fn line_indent(&self, at: usize) -> Option<usize> {
        let before = self.text.get(..at)?;
        let line = self.text.get(before.rfind('\n').map_or(0, |at| at + 1)..)?;
        Some(line.len() - line.trim_start_matches([' ', '\t']).len())
    }

    fn number(&mut self) {
        let start = self.at;
        let after_dot = start > 0 && self.bytes.get(start - 1) == Some(&b'.');
        let digits = |at: usize| {
            self.bytes
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let mut end = start + digits(start);
        if !after_dot {
            if self.bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
                end += 1 + digits(end + 1);
            }
            if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
                let exponent = digits(end + 1 + sign);
                if exponent > 0 {
                    end += 1 + sign + exponent;
                }
            }
        }
        let token = self.bytes.get(start..end).unwrap_or_default();
        let long = token.len() > 15 || token.iter().any(|byte| matches!(byte, b'e' | b'E'));
        if long && let Some(masked) = self.scan.masked.get_mut(start..end) {
            masked.fill(b'0');
        }
        self.at = end;
    }

    fn word(&mut self) {
        let Some(rest) = self.text.get(self.at..) else {
            self.at += 1;
            return;
        };
        let first = rest.chars().next().unwrap_or(' ');
        if !(first.is_alphanumeric() || first == '_') {
            let end = self.at + first.len_utf8();
            if matches!(first, '“' | '”' | '‘' | '’' | '„' | '«' | '»') {
                let at = self.place.span(self.at..end);
                self.error(
                    self.at,
                    Diagnostic::error(
                        "invalid-character",
                        format!("`{first}` is not a quotation mark of HCL"),
                    )
                    .at(&at, "typographic quotation mark")
                    .help("write a plain `\"`"),
                );
            } else if first.is_whitespace() || matches!(first, '\u{200b}' | '\u{feff}') {
                let at = self.place.span(self.at..end);
                self.error(
                    self.at,
                    Diagnostic::error(
                        "invalid-character",
                        format!("U+{:04X} is a blank that HCL does not know", u32::from(first)),
                    )
                    .at(&at, "invisible character")
                    .help("replace it with a space"),
                );
            }
            self.at = end;
            return;
        }
        let length: usize = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '-' || is_combining(*c))
            .map(char::len_utf8)
            .sum();
        self.at += length.max(1);
    }

    fn single_quotes(&mut self) {
        let start = self.at;
        let line = self.text.get(start + 1..).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default();
        let length = line.find('\'').map_or(0, |at| at + 1);
        self.at = start + 1 + length;
        let at = self.place.span(start..self.at);
        let inside = line.get(..length.saturating_sub(1)).unwrap_or_default();
        let help = if length > 0 {
            format!("write `\"{}\"`", inside.replace('"', "\\\""))
        } else {
            "strings stand in double quotes".into()
        };
        self.error(
            start,
            Diagnostic::error("single-quotes", "strings stand in double quotes")
                .at(&at, "not a string in HCL")
                .help(help),
        );
        self.mask(start..self.at);
        if let Some(zero) = self.scan.masked.get_mut(start) {
            *zero = b'0';
        }
    }

    fn heredoc(&mut self) {
        let start = self.at;
        let mut end = start + 2;
        if self.bytes.get(end) == Some(&b'-') {
            end += 1;
        }
        let rest = self.text.get(end..).unwrap_or_default();
        let length: usize = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '-')
            .map(char::len_utf8)
            .sum();
        let marker = end..end + length;
        self.at = marker.end;
        let after = self.text.get(marker.end..).unwrap_or_default();
        let line_end =
            if after.starts_with("\r\n") { 2 } else { usize::from(after.starts_with('\n')) };
        let name = rest.get(..length).unwrap_or_default();
        let problem = if name.is_empty() {
            Some("a heredoc needs a marker, such as `<<EOT`")
        } else if line_end == 0 {
            Some("the text of a heredoc begins on the next line")
        } else {
            None
        };
        if let Some(problem) = problem {
            let at = self.place.span(start..marker.end.max(start + 2));
            let mut report = Diagnostic::error("invalid-heredoc", problem).at(&at, "begins here");
            if !name.is_empty() {
                report = report.help("put nothing after the marker, not even a blank");
            } else if rest.starts_with(['"', '\'']) {
                report = report.help("write the marker without quotes");
            }
            self.error(start, report);
            self.skip_heredoc(name, rest);
            return;
        }
        self.at += line_end;
        let (context, at) = (Context::Heredoc, start..marker.end);
        self.stack.push(Open { context, at, marker, directives: Vec::new() });
        self.heredoc_line();
    }

    /// Skips what was meant as a heredoc, up to its marker if there is one.
    fn skip_heredoc(&mut self, name: &str, rest: &str) {
        let quoted = rest.strip_prefix(['"', '\'']).and_then(|rest| rest.split(['"', '\'']).next());
        let marker = if name.is_empty() { quoted.unwrap_or_default() } else { name };
        if marker.is_empty() {
            return;
        }
        let mut at = self.at;
        for line in self.text.get(self.at..).unwrap_or_default().split_inclusive('\n') {
            if at > self.at && line.trim() == marker {
                self.at = at + line.trim_end().len();
                return;
            }
            at += line.len();
        }
    }

    /// At the beginning of a line of a heredoc: ends it here if this is its marker.
    fn heredoc_line(&mut self) {
        let Some(open) = self.stack.last() else { return };
        let marker = self.text.get(open.marker.clone()).unwrap_or_default();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let blanks = line.len() - line.trim_start().len();
        if line.trim() == marker {
            self.at += blanks + marker.len();
            self.pop_template();
        } else if line.trim_start().starts_with(marker) {
            // To the parser this would be the end.
            let at = self.at + blanks;
            if let Some(first) = self.scan.masked.get_mut(at..at + marker.len()) {
                first.fill(b'.');
            }
        }
    }

    fn template(&mut self, context: Context) {
        let (byte, next) = (self.byte(0), self.byte(1));
        match byte {
            b'"' if context == Context::Quote => {
                self.at += 1;
                self.pop_template();
            }
            b'\\' if context == Context::Quote => self.escape(),
            b'\n' if context == Context::Quote => self.unterminated_string(),
            b'\n' if context == Context::Heredoc => {
                self.at += 1;
                self.heredoc_line();
            }
            b'$' | b'%' if next == byte && self.byte(2) == b'{' => self.at += 3,
            b'$' | b'%' if next == b'{' => {
                if byte == b'%' {
                    self.directive();
                }
                self.push(Context::Sequence, self.at..self.at + 2);
                self.at += 2;
            }
            _ => self.at += 1,
        }
    }

    /// At `%{`: what begins or ends a part of the template.
    fn directive(&mut self) {
        let rest = self.text.get(self.at + 2..).unwrap_or_default();
        let rest = rest.strip_prefix('~').unwrap_or(rest).trim_start();
        let length =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let word = rest.get(..length).unwrap_or_default();
        let start = self.text.len() - rest.len();
        let at = self.at;
        let span = self.place.span(at..(start + length).max(at + 2));
        let Some(open) = self.stack.last_mut() else { return };
        let last = open.directives.last().map(|(is_if, _)| *is_if);
        let problem = match (word, last) {
            ("if", _) => {
                open.directives.push((true, at..start + length));
                return;
            }
            ("for", _) => {
                open.directives.push((false, at..start + length));
                return;
            }
            ("else", Some(true)) => return,
            ("endif", Some(true)) | ("endfor", Some(false)) => {
                open.directives.pop();
                return;
            }
            ("else" | "endif", _) => "there is no `%{ if … }` that this belongs to",
            ("endfor", _) => "there is no `%{ for … }` that this belongs to",
            _ => "this is not a template directive",
        };
        let report = Diagnostic::error("invalid-directive", problem)
            .at(&span, "not expected here")
            .help("directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`");
        self.error(at, report);
    }

    /// The template on top of the stack ends here.
    fn pop_template(&mut self) {
        let Some(open) = self.stack.pop() else { return };
        self.unfinished_directives(&open);
    }

    fn unfinished_directives(&mut self, open: &Open) {
        if let Some((is_if, range)) = open.directives.last() {
            let end = if *is_if { "endif" } else { "endfor" };
            let at = self.place.span(range.clone());
            self.error(
                range.start,
                Diagnostic::error("unclosed-directive", format!("this directive has no `{end}`"))
                    .at(&at, "begins here")
                    .help(format!("close it with `%{{ {end} }}`")),
            );
        }
    }

    fn escape(&mut self) {
        let start = self.at;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let c = rest.chars().next().unwrap_or('\n');
        let digits = match c {
            'n' | 'r' | 't' | '"' | '\\' => {
                self.at = start + 2;
                return;
            }
            '\n' | '\r' => {
                self.at = start + 1;
                return;
            }
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let hex: usize =
            rest.bytes().skip(1).take(digits).take_while(u8::is_ascii_hexdigit).count();
        let length = 1 + c.len_utf8() + hex;
        self.at = start + length;
        let valid = digits > 0
            && hex == digits
            && rest
                .get(1..=digits)
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .and_then(char::from_u32)
                .is_some();
        if !valid {
            let at = self.place.span(start..self.at);
            let escape = self.text.get(start..self.at).unwrap_or_default();
            let mut report = Diagnostic::error(
                "invalid-escape",
                format!("`{escape}` is not an escape sequence"),
            )
            .at(&at, "not an escape sequence");
            report = if digits > 0 {
                report.help(format!(
                    "`\\{c}` is followed by the {digits} hexadecimal digits of a character"
                ))
            } else {
                report
                    .note("the escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`")
                    .help(format!("write `\\\\{c}` for a backslash and `{c}`"))
            };
            self.error(start, report);
            let from = start..self.at;
            if let Some(masked) = self.scan.masked.get_mut(from) {
                masked.fill(b'.');
            }
        }
    }

    fn unterminated_string(&mut self) {
        let Some(open) = self.stack.pop() else { return };
        // In `"${ x"` what looks like the beginning of a string is the end of one.
        let around = match self.stack.as_slice() {
            [.., outer, sequence]
                if sequence.context == Context::Sequence && outer.context == Context::Quote =>
            {
                Some(sequence.at.clone())
            }
            _ => None,
        };
        if let Some(sequence) = around {
            self.stack.truncate(self.stack.len() - 2);
            let report = unclosed_sequence().at(&self.place.span(sequence.clone()), "opened here");
            self.error(sequence.start, report);
            return;
        }
        let report =
            Diagnostic::error("unterminated-string", "this string is not closed on its line")
                .at(&self.place.span(open.at.start..self.at), "no closing `\"`")
                .help(
                    "close it with `\"`; for text of several lines use `\\n` or a heredoc `<<EOT`",
                );
        self.error(open.at.start, report);
    }

    fn finish(&mut self) {
        self.at = self.bytes.len();
        self.missing_operand();
        let mut unclosed = self.stack.iter().rposition(|open| open.context != Context::Bare);
        if let [.., outer, sequence, Open { context: Context::Quote, .. }] = self.stack.as_slice()
            && sequence.context == Context::Sequence
            && outer.context == Context::Quote
        {
            unclosed = self.stack.len().checked_sub(2);
        }
        if unclosed.is_none()
            && let Some(open) = self.stack.pop()
        {
            self.unfinished_directives(&open);
        }
        if let Some(open) = unclosed.and_then(|at| self.stack.get(at)) {
            let opening = match (&self.suspect, open.context) {
                (Some(suspect), Context::Brace) => suspect.clone(),
                _ => open.at.clone(),
            };
            let span = self.place.span(opening.clone());
            let report = match open.context {
                Context::Heredoc => {
                    let marker = self.text.get(open.marker.clone()).unwrap_or_default();
                    Diagnostic::error("unterminated-heredoc", "this heredoc never ends")
                        .at(&span, "begins here")
                        .help(format!("put `{marker}` on a line of its own after the text"))
                }
                Context::Quote => {
                    Diagnostic::error("unterminated-string", "this string is never closed")
                        .at(&span, "begins here")
                        .help("close it with `\"`")
                }
                Context::Sequence => unclosed_sequence().at(&span, "opened here"),
                context => {
                    let closing = char::from(context.closing().unwrap_or(b'}'));
                    Diagnostic::error(
                        "unclosed-bracket",
                        format!("`{}` is never closed", span.text()),
                    )
                    .at(&span, "opened here")
                    .help(format!("close it with `{closing}`"))
                }
            };
            self.error(opening.start, report);
        }
        self.end_item();
    }
}

fn unclosed_sequence() -> Diagnostic {
    Diagnostic::error("unclosed-bracket", "this template sequence is never closed")
        .help("close it with `}`, or write `$${` for a plain `${`")
}

fn is_combining(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

impl Scan {
    /// Takes item `at` of the outermost body out of what the parser gets.
    pub(super) fn blank(&mut self, item: &Range<usize>) {
        if let Some(bytes) = self.masked.get_mut(item.clone()) {
            for byte in bytes {
                if *byte != b'\n' && *byte != b'\r' {
                    *byte = b' ';
                }
            }
        }
    }

    /// The item that `offset` lies in.
    pub(super) fn item_at(&self, offset: usize) -> Option<Range<usize>> {
        let before = self.items.iter().rev().find(|item| item.start <= offset);
        before.or(self.items.first()).cloned()
    }

    /// All errors in the order of the text.
    pub(super) fn into_diagnostics(mut self) -> Diagnostics {
        self.errors.sort_by_key(|(at, _)| *at);
        self.errors.into_iter().map(|(_, report)| report).collect()
    }
}
