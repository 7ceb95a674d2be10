//! The parser.

use std::collections::HashMap;
use std::sync::Arc;

use super::string::Escape;
use super::{Kind, Member, Node, StringNode};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 128;

/// As many findings are kept, of which the first are told: a bound on memory.
const KEPT: usize = 10_000;

/// What is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// What to do with a key that an object has twice.
    pub duplicates: Duplicates,
}

/// What to do with a key that an object has twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// Keep both, in order: HCL-JSON repeats blocks that way.
    Keep,
    /// Report each: a legacy template would lose one of them.
    Refuse,
}

/// Parses a whole text.
///
/// # Errors
///
/// Syntax faults up to the first one after which nothing is clear, and repeated keys when they are
/// refused.
pub fn parse(source: &Arc<Source>, options: ParseOptions) -> Result<Node, Diagnostics> {
    let mut parser = Parser {
        source,
        text: source.text(),
        at: if source.text().starts_with('\u{feff}') { 3 } else { 0 },
        depth: 0,
        options,
        found: Diagnostics::new(),
    };
    match parser.document() {
        Ok(node) => parser.found.limited().into_result(node),
        Err(fault) => {
            parser.tell(*fault);
            Err(parser.found.limited())
        }
    }
}

type Parsed<T> = Result<T, Box<Diagnostic>>;

struct Parser<'s> {
    source: &'s Arc<Source>,
    text: &'s str,
    at: usize,
    depth: usize,
    options: ParseOptions,
    found: Diagnostics,
}

impl<'s> Parser<'s> {
    fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start..end)
    }

    /// The character here; empty at the end of the text.
    fn here(&self) -> Span {
        self.span(self.at, self.at + self.peek().map_or(0, char::len_utf8))
    }

    fn fault(&self, summary: impl Into<String>, span: &Span, label: &str) -> Diagnostic {
        Diagnostic::error("json-syntax", summary).at(span, label)
    }

    /// Reports a fault after which it is clear how to go on.
    fn tell(&mut self, fault: Diagnostic) {
        if self.found.len() < KEPT {
            self.found.push(fault);
        }
    }

    /// Skips white space. Comments are told here, wherever one could stand.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let rest = self.rest();
            let length = if rest.starts_with("//") || rest.starts_with('#') {
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                return;
            };
            let span = self.span(self.at, self.at + length);
            self.tell(self.fault("JSON has no comments", &span, "a comment").help(
                "remove it; a template keeps notes in a key such as `\"_comment\"` (legacy JSON) or \
                 `\"//\"` (`.pkr.json`)",
            ));
            self.at += length;
        }
    }

    fn document(&mut self) -> Parsed<Node> {
        self.space();
        if self.peek().is_none() {
            let span = self.here();
            return Err(Box::new(
                self.fault("there is no JSON value here", &span, "the text ends")
                    .help("the smallest template is an object: `{}`"),
            ));
        }
        let node = self.value()?;
        self.space();
        let Some(c) = self.peek() else { return Ok(node) };
        let span = self.here();
        let summary = format!("unexpected `{}` behind the JSON value", shown(c));
        Err(Box::new(
            self.fault(summary, &span, "expected the end of the text")
                .also(&node.span.slice(0..1), "the value starts here"),
        ))
    }

    /// Parses the value here; white space was skipped.
    fn value(&mut self) -> Parsed<Node> {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => Kind::Object(self.nested(Self::object)?),
            Some('[') => Kind::Array(self.nested(Self::array)?),
            Some('"') => Kind::String(self.string()?),
            Some('-' | '0'..='9') => Kind::Number(self.number()),
            Some(c) if c.is_alphabetic() || c == '_' || c == '$' => self.word(),
            Some('\'') if let Some(length) = self.single_quoted() => {
                self.tell(*self.no_value());
                self.at += length;
                Kind::Null
            }
            _ => return Err(self.no_value()),
        };
        Ok(Node { kind, span: self.span(start, self.at) })
    }

    /// The length of the text in single quotes here, if it ends on its line.
    fn single_quoted(&self) -> Option<usize> {
        let inside = self.rest().strip_prefix('\'')?;
        let end = inside.find(['\'', '\n', '\r'])?;
        inside.get(end..)?.starts_with('\'').then_some(end + 2)
    }

    fn no_value(&self) -> Box<Diagnostic> {
        let span = self.here();
        let Some(c) = self.peek() else {
            return Box::new(self.fault("expected a value", &span, "the text ends"));
        };
        let fault = self.fault(
            format!("expected a value, found `{}`", shown(c)),
            &span,
            "not the start of a value",
        );
        Box::new(match c {
            '\'' => fault.help("strings stand in double quotes"),
            '+' => fault.help("numbers have no `+` in front"),
            '.' => fault.help("a number starts with a digit: `0.5`"),
            ',' => fault.help("remove the comma, or put a value in front of it"),
            '“' | '”' => fault.help("strings stand in straight double quotes: `\"`"),
            _ => fault,
        })
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let span = self.here();
            let summary = format!("this is nested more than {MAX_DEPTH} levels deep");
            return Err(Box::new(self.fault(summary, &span, "one level too many")));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    /// Reads what stands between two members or elements. Gives whether another one follows.
    /// `open` is where the array or object starts and `close` what ends it.
    fn separator(&mut self, open: usize, close: char, after: usize) -> Parsed<bool> {
        self.space();
        match self.peek() {
            Some(c) if c == close => {
                self.at += 1;
                Ok(false)
            }
            Some(',') => {
                let comma = self.here();
                self.at += 1;
                self.space();
                while self.peek() == Some(',') {
                    let second = self.here();
                    let summary = "there are two commas in a row";
                    self.tell(self.fault(summary, &second, "remove this comma"));
                    self.at += 1;
                    self.space();
                }
                match self.peek() {
                    Some(c) if c == close => {
                        let summary = format!("there is a comma in front of `{close}`");
                        let fault = self.fault(summary, &comma, "remove this comma");
                        self.tell(fault.help("JSON allows no comma behind the last element"));
                        self.at += 1;
                        Ok(false)
                    }
                    Some(_) => Ok(true),
                    None => Err(self.unclosed(open, close)),
                }
            }
            Some(c) => {
                let summary = format!("expected `,` or `{close}`, found `{}`", shown(c));
                let fault = self.fault(summary, &self.here(), "unexpected");
                if matches!(c, '"' | '{' | '[' | '-') || c.is_alphanumeric() {
                    self.tell(fault.also(&self.span(after, after), "a comma is missing here"));
                    return Ok(true);
                }
                Err(Box::new(fault.also(&self.span(open, open + 1), "opened here")))
            }
            None => Err(self.unclosed(open, close)),
        }
    }

    fn unclosed(&self, open: usize, close: char) -> Box<Diagnostic> {
        let what = if close == '}' { "object" } else { "array" };
        Box::new(
            self.fault(
                format!("this {what} is not closed"),
                &self.span(open, open + 1),
                "opened here",
            )
            .also(&self.here(), "the text ends")
            .help(format!("add `{close}`")),
        )
    }

    fn array(&mut self) -> Parsed<Vec<Node>> {
        let open = self.at;
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        match self.peek() {
            Some(']') => {
                self.at += 1;
                return Ok(items);
            }
            None => return Err(self.unclosed(open, ']')),
            Some(_) => {}
        }
        loop {
            items.push(self.value()?);
            if !self.separator(open, ']', self.at)? {
                return Ok(items);
            }
        }
    }

    fn object(&mut self) -> Parsed<Vec<Member>> {
        let open = self.at;
        let mut members: Vec<Member> = Vec::new();
        let mut known: HashMap<String, Span> = HashMap::new();
        self.at += 1;
        self.space();
        match self.peek() {
            Some('}') => {
                self.at += 1;
                return Ok(members);
            }
            None => return Err(self.unclosed(open, '}')),
            Some(_) => {}
        }
        loop {
            let member = self.member(open)?;
            if self.options.duplicates == Duplicates::Refuse {
                match known.get(&member.key) {
                    Some(first) => self.tell(
                        Diagnostic::error(
                            "duplicate-field",
                            format!("template has duplicate field `{}`", member.key),
                        )
                        .at(&member.key_span, "given again")
                        .also(first, "first given here")
                        .help("keep one of them; the other would be lost"),
                    ),
                    None => {
                        known.insert(member.key.clone(), member.key_span.clone());
                    }
                }
            }
            members.push(member);
            if !self.separator(open, '}', self.at)? {
                return Ok(members);
            }
        }
    }

    fn member(&mut self, open: usize) -> Parsed<Member> {
        let start = self.at;
        let key = match self.peek() {
            Some('"') => self.string()?.into_value(),
            None => return Err(self.unclosed(open, '}')),
            Some(c) => {
                let rest = self.rest();
                let word = rest.len()
                    - rest
                        .trim_start_matches(|c: char| c.is_alphanumeric() || "_-'$".contains(c))
                        .len();
                let word = self.single_quoted().unwrap_or(word);
                let span = self.span(start, start + word.max(c.len_utf8()));
                let fault = self.fault(
                    format!(
                        "expected a key in double quotes, found `{}`",
                        span.text().chars().map(shown).collect::<String>()
                    ),
                    &span,
                    "not a key",
                );
                let name = span.text().trim_matches('\'').to_owned();
                if word == 0 || name.is_empty() {
                    return Err(Box::new(fault));
                }
                self.tell(fault.help(format!("write `\"{name}\"`")));
                self.at += word;
                name
            }
        };
        let key_span = self.span(start, self.at);
        self.space();
        match self.peek() {
            Some(':') => self.at += 1,
            Some('=') => {
                let fault = self.fault("expected `:`, found `=`", &self.here(), "write `:`");
                self.tell(fault.help("in JSON a key is followed by a colon"));
                self.at += 1;
            }
            other => {
                let found = other.map_or_else(
                    || "the end of the text".to_owned(),
                    |c| format!("`{}`", shown(c)),
                );
                let summary = format!("expected `:`, found {found}");
                let fault = self.fault(summary, &self.here(), "expected `:`");
                return Err(Box::new(fault.also(&key_span, "this key has no value")));
            }
        }
        self.space();
        let value = self.value()?;
        Ok(Member { key, key_span, value })
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        let rest = self.rest();
        let after = rest.trim_start_matches(|c: char| c.is_alphanumeric() || "_$.-".contains(c));
        let word = rest.get(..rest.len() - after.len()).unwrap_or_default();
        self.at += word.len();
        let meant = match word {
            "null" => return Kind::Null,
            "true" => return Kind::Bool(true),
            "false" => return Kind::Bool(false),
            "None" | "nil" | "NULL" | "Null" | "undefined" => Some("null"),
            "True" | "TRUE" | "yes" | "on" => Some("true"),
            "False" | "FALSE" | "no" | "off" => Some("false"),
            _ => None,
        };
        let span = self.span(start, self.at);
        let fault = self.fault(format!("unknown word `{word}`"), &span, "not a JSON value");
        self.tell(match meant {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None if matches!(word, "NaN" | "Infinity") => fault.help("JSON has no such number"),
            None => fault.help(format!("a string stands in double quotes: `\"{word}\"`")),
        });
        Kind::Null
    }

    fn number(&mut self) -> String {
        let start = self.at;
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let run =
            |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let is = |at: usize, set: &[u8]| bytes.get(at).is_some_and(|byte| set.contains(byte));
        let mut end = usize::from(is(0, b"-"));
        let whole = run(end);
        let mut help = None;
        if whole == 0 {
            help = Some("digits are missing behind `-`");
        } else if whole > 1 && is(end, b"0") {
            help = Some("a number has no leading zeros; a string in double quotes keeps them");
        }
        end += whole;
        if is(end, b".") {
            let digits = run(end + 1);
            if digits == 0 {
                help = help.or(Some("digits are missing behind the point"));
            }
            end += 1 + digits;
        }
        if is(end, b"eE") {
            end += 1 + usize::from(is(end + 1, b"+-"));
            let digits = run(end);
            if digits == 0 {
                help = help.or(Some("digits are missing in the exponent"));
            }
            end += digits;
        }
        let tail = rest.get(end..).unwrap_or_default();
        let tail = tail.len()
            - tail.trim_start_matches(|c: char| c.is_alphanumeric() || "_.+-".contains(c)).len();
        if tail > 0 {
            help = help.or(Some("a text that starts with digits stands in double quotes"));
        }
        self.at += end + tail;
        let span = self.span(start, self.at);
        if let Some(help) = help {
            let summary = format!("`{}` is not a JSON number", span.text());
            self.tell(self.fault(summary, &span, "not a number").help(help));
        }
        span.text().to_owned()
    }

    /// Parses the string here, from quote to quote.
    fn string(&mut self) -> Parsed<StringNode> {
        let open = self.at;
        let inside = open + 1;
        self.at = inside;
        let mut value = String::new();
        let mut escapes = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\u{1f}'));
            let plain = plain.unwrap_or(rest.len());
            value.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some('"') => {
                    let span = self.span(inside, self.at);
                    self.at += 1;
                    return Ok(StringNode::new(value, span, escapes));
                }
                Some('\\') => {
                    let (start, decoded) = (self.at, value.len());
                    value.push(self.escape());
                    escapes.push(Escape {
                        decoded: decoded..value.len(),
                        written: start - inside..self.at - inside,
                    });
                }
                Some('\n' | '\r') => return Err(self.open_on_its_line(open)),
                Some(c) => {
                    self.control_character(c);
                    value.push(c);
                }
                None => {
                    let span = self.span(open, self.at);
                    return Err(Box::new(
                        self.fault("this string is not closed", &span, "starts here")
                            .help("add `\"`"),
                    ));
                }
            }
        }
    }

    fn open_on_its_line(&self, open: usize) -> Box<Diagnostic> {
        let span = self.span(open, self.at);
        let fault = self.fault("this string is not closed on its line", &span, "starts here");
        Box::new(fault.help("add `\"`; a line break inside of a string is written `\\n`"))
    }

    fn control_character(&mut self, c: char) {
        let written = match c {
            '\t' => "\\t".to_owned(),
            c => format!("\\u{:04x}", u32::from(c)),
        };
        let summary = format!("a string cannot hold the control character U+{:04X}", u32::from(c));
        let fault = self.fault(summary, &self.here(), "here");
        self.tell(fault.help(format!("write `{written}`")));
        self.at += c.len_utf8();
    }

    /// Decodes the escape here; a wrong one is left as it is written.
    fn escape(&mut self) -> char {
        let start = self.at;
        let rest = self.rest();
        let simple = match rest.chars().nth(1) {
            Some('"') => '"',
            Some('\\') => '\\',
            Some('/') => '/',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let Some(unit) = code_unit(rest) else {
                    let digits = rest.chars().skip(2).take(4);
                    let length: usize =
                        digits.take_while(char::is_ascii_hexdigit).map(char::len_utf8).sum();
                    let span = self.span(start, start + 2 + length);
                    return self.no_escape(
                        "`\\u` needs four hexadecimal digits",
                        "too few digits",
                        &span,
                    );
                };
                self.at += 6;
                let second = code_unit(self.rest());
                let pair = second.map(|second| char::decode_utf16([unit, second]).next());
                return match (char::from_u32(u32::from(unit)), pair) {
                    (Some(c), _) => c,
                    (None, Some(Some(Ok(c)))) => {
                        self.at += 6;
                        c
                    }
                    // Half of a pair; Go replaces it, too.
                    (None, _) => char::REPLACEMENT_CHARACTER,
                };
            }
            other => {
                let length = 1 + other.map_or(0, char::len_utf8);
                let span = self.span(start, start + length);
                let summary = format!("unknown escape `{}`", span.text());
                return self.no_escape(&summary, "unknown", &span);
            }
        };
        self.at += 2;
        simple
    }

    /// Tells of an escape that is none; its backslash is taken for one.
    fn no_escape(&mut self, summary: &str, label: &str, span: &Span) -> char {
        let fault = self.fault(summary, span, label);
        self.tell(fault.help("a backslash itself is written `\\\\`"));
        self.at += 1;
        '\\'
    }
}

/// The character as a message shows it: control characters as escapes.
fn shown(c: char) -> String {
    if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }
}

/// The value of `\uXXXX` at the start of the text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    // `from_str_radix` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}
