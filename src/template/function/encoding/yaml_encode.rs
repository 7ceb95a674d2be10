//! YAML as Packer writes it: block style, keys sorted, texts in double quotes, or as a literal
//! block when they have several lines.
//!
//! The layout is that of libyaml: a list that is the value of a key is not indented, a text in
//! double quotes is broken at a blank beyond column 80, a long or multi-line key stands after `?`.

use super::super::string::TEXT_LIMIT;
use crate::value::{Kind, Value, format_number, joins};

/// The column after which a text is broken at the next blank.
const WIDTH: usize = 80;
/// How far a level is indented.
const STEP: usize = 2;
/// The longest key, in bytes and with its quotes not counted, that stands on one line with its
/// value.
const SIMPLE_KEY: usize = 128;

/// Why a value has no YAML text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It, or something in it, is not known yet.
    Unknown,
    /// The text would be longer than functions may make.
    TooLong,
}

/// The value as a YAML document.
pub(super) fn encode(value: &Value) -> Result<String, Refused> {
    let mut writer = Writer { text: String::new(), column: 0 };
    match &value.kind {
        Kind::String(text) => writer.string(text, STEP, true)?,
        _ => writer.node(value, 0)?,
    }
    writer.line();
    // What stands there plain is open at its end.
    if matches!(value.kind, Kind::Null(_) | Kind::Bool(_) | Kind::Number(_)) {
        writer.put("...\n");
    }
    Ok(writer.text)
}

struct Writer {
    text: String,
    /// Characters on the line so far.
    column: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        match text.rfind('\n') {
            Some(at) => self.column = text.get(at + 1..).unwrap_or_default().chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    /// Goes on at the beginning of a line.
    fn line(&mut self) {
        if self.column > 0 {
            self.put("\n");
        }
    }

    /// Goes to column `indent`, on a new line unless nothing but marks like `- ` stands there.
    fn indent(&mut self, indent: usize, compact: bool) {
        if !compact {
            self.line();
        }
        while self.column < indent {
            self.put(" ");
        }
    }

    /// A value whose lines begin at column `indent`; the cursor is where it may begin.
    fn node(&mut self, value: &Value, indent: usize) -> Result<(), Refused> {
        if self.text.len() > TEXT_LIMIT {
            return Err(Refused::TooLong);
        }
        match &value.kind {
            Kind::Unknown(_) => return Err(Refused::Unknown),
            Kind::Null(_) => self.put("null"),
            Kind::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Kind::Number(number) => self.put(&format_number(number)),
            Kind::String(text) => self.string(text, indent, true)?,
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) if all.is_empty() => {
                self.put("[]");
            }
            Kind::Map(_, all) | Kind::Object(all) if all.is_empty() => self.put("{}"),
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                for (at, one) in all.iter().enumerate() {
                    self.indent(indent, at == 0);
                    self.put("- ");
                    self.node(one, indent + STEP)?;
                }
            }
            Kind::Map(_, all) | Kind::Object(all) => {
                for (at, (key, one)) in all.iter().enumerate() {
                    self.indent(indent, at == 0);
                    self.entry(key, one, indent)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, value: &Value, indent: usize) -> Result<(), Refused> {
        if key.len() > SIMPLE_KEY || key.contains(is_break) {
            self.put("? ");
            self.string(key, indent + STEP, true)?;
            self.indent(indent, false);
            self.put(": ");
            return self.node(value, indent + STEP);
        }
        self.string(key, indent, false)?;
        self.put(":");
        let inner = match &value.kind {
            // A list is told from the next key by its dashes.
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) if !all.is_empty() => indent,
            Kind::Map(_, all) | Kind::Object(all) if !all.is_empty() => indent + STEP,
            _ => {
                self.put(" ");
                return self.node(value, indent + STEP);
            }
        };
        self.indent(inner, false);
        self.node(value, inner)
    }

    /// A text whose further lines begin at column `indent`.
    fn string(&mut self, text: &str, indent: usize, breakable: bool) -> Result<(), Refused> {
        // Escaping and indentation multiply the length at worst by what is checked here.
        if text.len().saturating_mul(6) > TEXT_LIMIT
            || text.matches('\n').count().saturating_mul(indent) > TEXT_LIMIT
        {
            return Err(Refused::TooLong);
        }
        if text.contains('\n') && fits_block(text) {
            self.literal(text, indent);
        } else {
            self.quoted(text, indent, breakable);
        }
        Ok(())
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put(&STEP.to_string());
        }
        let mut last = text.chars().rev();
        match (last.next(), last.next()) {
            (Some('\n'), Some('\n') | None) => self.put("+"),
            (Some('\n'), _) => {}
            _ => self.put("-"),
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.put("\n");
            if !line.is_empty() {
                self.indent(indent, true);
                self.put(line);
            }
        }
        if text.ends_with('\n') {
            self.put("\n");
        }
    }

    fn quoted(&mut self, text: &str, indent: usize, breakable: bool) {
        self.put("\"");
        let mut blank = false;
        let mut after_escape = false;
        let mut rest = text.chars().enumerate().peekable();
        while let Some((at, c)) = rest.next() {
            if c != ' ' {
                let escape = escaped(c).or_else(|| {
                    (after_escape && joins(c)).then(|| format!("\\U{:08X}", u32::from(c)))
                });
                after_escape = escape.is_some();
                match escape {
                    Some(escape) => self.put(&escape),
                    None => {
                        self.text.push(c);
                        self.column += 1;
                    }
                }
                blank = false;
                continue;
            }
            after_escape = false;
            let inside = at > 0 && rest.peek().is_some();
            if breakable && !blank && inside && self.column > WIDTH {
                self.put("\n");
                self.indent(indent, true);
                if rest.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.put("\\");
                }
            } else {
                self.put(" ");
            }
            blank = true;
        }
        self.put("\"");
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether all characters of a text of several lines can stand there as they are.
///
/// Packer also leaves U+2028 and U+2029 as they are, which parsers of YAML 1.1 and 1.2 read
/// differently; in double quotes all read the same.
fn fits_block(text: &str) -> bool {
    let plain = |c: char| matches!(c, '\n' | '"' | '\\') || escaped(c).is_none();
    text.chars().all(plain) && !text.ends_with(' ') && !text.contains(" \n")
}

/// How a character is written in double quotes, when it cannot stand for itself.
fn escaped(c: char) -> Option<String> {
    let name = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            return Some(format!("\\u{:04X}", u32::from(c)));
        }
        ' '..='~' | '\u{a0}'..='\u{fffd}' => return None,
        '\0'..='\u{ff}' => return Some(format!("\\x{:02X}", u32::from(c))),
        _ => return Some(format!("\\U{:08X}", u32::from(c))),
    };
    Some(format!("\\{name}"))
}
