//! Go's `fmt`: `print`, `println` and `printf`.

use super::quote::{fits_back_quotes, is_printable, quote, quote_character};
use super::{Data, float};

/// Widths and precisions above this are refused, as in Go.
const WIDEST: usize = 1_000_000;

/// A text that stops growing at a limit.
pub(super) struct Buffer {
    text: String,
    limit: usize,
    full: bool,
}

impl Buffer {
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, full: false }
    }

    /// The text, or `None` when it did not fit.
    pub(super) fn finish(self) -> Option<String> {
        (!self.full).then_some(self.text)
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if self.full || text.len() > self.limit - self.text.len() {
            self.full = true;
        } else {
            self.text.push_str(text);
        }
    }

    pub(super) fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    fn pad(&mut self, c: char, count: usize) {
        // At most `WIDEST` characters.
        self.push_str(&String::from(c).repeat(count));
    }
}

/// Blanks go between two values when neither is a string.
pub(super) fn print(buffer: &mut Buffer, values: &[Data]) {
    let mut string_before = true;
    for value in values {
        let string = matches!(value, Data::String(_));
        if !string && !string_before {
            buffer.push(' ');
        }
        print_value(buffer, value);
        string_before = string;
    }
}

/// Blanks go between all values, and a line feed ends them.
pub(super) fn print_line(buffer: &mut Buffer, values: &[Data]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            buffer.push(' ');
        }
        print_value(buffer, value);
    }
    buffer.push('\n');
}

/// The value as `%v` prints it.
pub(super) fn print_value(buffer: &mut Buffer, value: &Data) {
    Flags::default().value(buffer, value, 'v');
}

/// `printf`: faults show up in the text, as in Go.
pub(super) fn print_format(buffer: &mut Buffer, format: &str, values: &[Data]) {
    let mut directives =
        Directives { rest: format, values, next: 0, reordered: false, good_index: true };
    while let Some(start) = directives.rest.find('%') {
        if buffer.full {
            return;
        }
        let (text, rest) = directives.rest.split_at(start);
        buffer.push_str(text);
        directives.rest = rest.get(1..).unwrap_or_default();
        directives.one(buffer);
    }
    buffer.push_str(directives.rest);
    if !directives.reordered && directives.next < values.len() {
        buffer.push_str("%!(EXTRA ");
        for (index, value) in values.iter().skip(directives.next).enumerate() {
            if index > 0 {
                buffer.push_str(", ");
            }
            if let Data::Nil = value {
                buffer.push_str("<nil>");
            } else {
                buffer.push_str(value.go_type());
                buffer.push('=');
                print_value(buffer, value);
            }
        }
        buffer.push(')');
    }
}

/// A format string on its way.
struct Directives<'a> {
    rest: &'a str,
    values: &'a [Data],
    /// The next value to print.
    next: usize,
    /// Whether an index such as `%[2]d` was used; then left-over values are no fault.
    reordered: bool,
    good_index: bool,
}

impl Directives<'_> {
    /// Handles what follows a `%`.
    fn one(&mut self, buffer: &mut Buffer) {
        let mut flags = Flags::default();
        self.good_index = true;
        let mut after_index = false;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = true,
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                ' ' => flags.space = true,
                _ => break,
            }
            self.skip(1);
        }
        after_index |= self.index();
        if self.rest.starts_with('*') {
            self.skip(1);
            match self.star() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => buffer.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else if let Some(width) = self.digits() {
            flags.width = width;
            if after_index {
                self.good_index = false;
            }
        }
        // A point at the very end is taken for a verb.
        if self.rest.starts_with('.') && self.rest.len() > 1 {
            self.skip(1);
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.rest.starts_with('*') {
                self.skip(1);
                match self.star().map(usize::try_from) {
                    Some(Ok(precision)) => flags.precision = Some(precision),
                    Some(Err(_)) | None => buffer.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                flags.precision = self.digits().unwrap_or(Some(0));
            }
        }
        if !after_index {
            self.index();
        }
        flags.zero &= !flags.minus;
        let Some(verb) = self.rest.chars().next() else {
            buffer.push_str("%!(NOVERB)");
            return;
        };
        self.skip(verb.len_utf8());
        if verb == '%' {
            buffer.push('%');
            return;
        }
        if !self.good_index {
            buffer.push_str("%!");
            buffer.push(verb);
            buffer.push_str("(BADINDEX)");
            return;
        }
        let Some(value) = self.values.get(self.next) else {
            buffer.push_str("%!");
            buffer.push(verb);
            buffer.push_str("(MISSING)");
            return;
        };
        self.next += 1;
        if verb == 'v' {
            flags.syntax = std::mem::take(&mut flags.sharp);
            flags.plus = false;
        }
        flags.argument(buffer, value, verb);
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// A number; `Some(None)` when it is too large, and then nothing is left to read.
    fn digits(&mut self) -> Option<Option<usize>> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.rest.get(..length).filter(|digits| !digits.is_empty())?;
        let number = digits.parse().ok().filter(|number| *number <= WIDEST);
        if number.is_none() {
            self.rest = "";
        }
        self.skip(length);
        Some(number)
    }

    /// The value for a `*`, when it is a whole number of fair size.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Data::Integer(number) if number.unsigned_abs() <= WIDEST as u64 => Some(*number),
            _ => None,
        }
    }

    /// Reads `[3]`; gives whether there was one.
    fn index(&mut self) -> bool {
        if !self.rest.starts_with('[') {
            return false;
        }
        self.reordered = true;
        let Some(close) = self.rest.find(']').filter(|_| self.rest.len() > 2) else {
            self.good_index = false;
            self.skip(1);
            return false;
        };
        let number: Option<usize> = self.rest.get(1..close).and_then(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        });
        self.skip(close + 1);
        match number {
            Some(number) if (1..=self.values.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            other => {
                self.good_index = false;
                other.is_some()
            }
        }
    }
}

/// How one directive is to print.
#[derive(Clone, Copy, Default)]
struct Flags {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    /// `%#v`: as Go source.
    syntax: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

impl Flags {
    /// Prints a value that was given to `printf`.
    fn argument(self, buffer: &mut Buffer, value: &Data, verb: char) {
        match (value, verb) {
            (Data::Nil, 'T' | 'v') => self.padded(buffer, "<nil>"),
            (_, 'T') => self.string(buffer, value.go_type(), 's'),
            (Data::Nil, _) => self.bad_verb(buffer, value, verb),
            _ => self.value(buffer, value, verb),
        }
    }

    fn value(self, buffer: &mut Buffer, value: &Data, verb: char) {
        if buffer.full {
            return;
        }
        match (value, verb) {
            (Data::Nil, _) => {
                buffer.push_str(if self.syntax { "interface {}(nil)" } else { "<nil>" });
            }
            (Data::Bool(value), 't' | 'v') => {
                self.padded(buffer, if *value { "true" } else { "false" });
            }
            (Data::Integer(value), 'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' | 'c' | 'q' | 'U') => {
                self.integer(buffer, *value, verb);
            }
            (Data::Float(value), 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') => {
                self.float(buffer, *value, verb);
            }
            (Data::String(text), 'v' | 's' | 'x' | 'X' | 'q') => self.string(buffer, text, verb),
            (Data::List(items), verb) if !matches!(verb, 'p' | 'w') => {
                let (open, separator, close) =
                    if self.syntax { ("{", ", ", "}") } else { ("[", " ", "]") };
                if self.syntax {
                    buffer.push_str(value.go_type());
                }
                buffer.push_str(open);
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        buffer.push_str(separator);
                    }
                    self.value(buffer, item, verb);
                }
                buffer.push_str(close);
            }
            (Data::Map(fields), verb) if !matches!(verb, 'p' | 'w') => {
                let (open, separator, close) =
                    if self.syntax { ("{", ", ", "}") } else { ("[", " ", "]") };
                buffer.push_str(if self.syntax { value.go_type() } else { "map" });
                buffer.push_str(open);
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        buffer.push_str(separator);
                    }
                    self.value(buffer, &Data::String(name.clone()), verb);
                    buffer.push(':');
                    self.value(buffer, value, verb);
                }
                buffer.push_str(close);
            }
            _ => self.bad_verb(buffer, value, verb),
        }
    }

    fn bad_verb(self, buffer: &mut Buffer, value: &Data, verb: char) {
        buffer.push_str("%!");
        buffer.push(verb);
        buffer.push('(');
        if let Data::Nil = value {
            buffer.push_str("<nil>");
        } else {
            buffer.push_str(value.go_type());
            buffer.push('=');
            self.value(buffer, value, 'v');
        }
        buffer.push(')');
    }

    /// Fills the text up to the width.
    fn padded(self, buffer: &mut Buffer, text: &str) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if !self.minus {
            buffer.pad(if self.zero { '0' } else { ' ' }, missing);
        }
        buffer.push_str(text);
        if self.minus {
            buffer.pad(' ', missing);
        }
    }

    fn string(self, buffer: &mut Buffer, text: &str, verb: char) {
        if matches!(verb, 'x' | 'X') {
            return self.bytes(buffer, text.as_bytes(), verb);
        }
        let text = match self.precision.and_then(|most| text.char_indices().nth(most)) {
            Some((end, _)) => text.get(..end).unwrap_or_default(),
            None => text,
        };
        let quotes = verb == 'q' || self.syntax;
        if !quotes {
            self.padded(buffer, text);
        } else if verb == 'q' && self.sharp && fits_back_quotes(text) {
            self.padded(buffer, &format!("`{text}`"));
        } else {
            self.padded(buffer, &quote(text, self.plus));
        }
    }

    /// The bytes in hexadecimal.
    fn bytes(self, buffer: &mut Buffer, bytes: &[u8], verb: char) {
        let bytes = bytes.get(..self.precision.unwrap_or(bytes.len())).unwrap_or(bytes);
        let prefix = if verb == 'x' { "0x" } else { "0X" };
        let mut text = String::new();
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && self.space {
                text.push(' ');
            }
            if self.sharp && (index == 0 || self.space) {
                text.push_str(prefix);
            }
            text += &if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
        }
        self.padded(buffer, &text);
    }

    fn integer(self, buffer: &mut Buffer, value: i64, verb: char) {
        match verb {
            'c' => self.padded(buffer, &character(value).to_string()),
            'q' => self.padded(buffer, &quote_character(character(value), self.plus)),
            'U' => self.code_point(buffer, value),
            _ => self.number(buffer, value, verb),
        }
    }

    fn number(self, buffer: &mut Buffer, value: i64, verb: char) {
        let size = value.unsigned_abs();
        let sign = match value {
            ..0 => "-",
            _ if self.plus => "+",
            _ if self.space => " ",
            _ => "",
        };
        let blank = Self { zero: false, ..self };
        let width = match self.precision {
            Some(0) if value == 0 => return blank.padded(buffer, ""),
            Some(precision) => precision,
            None if self.zero => self.width.unwrap_or(0).saturating_sub(sign.len()),
            None => 0,
        };
        let digits = match verb {
            'b' => format!("{size:b}"),
            'o' | 'O' => format!("{size:o}"),
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            _ => size.to_string(),
        };
        let digits = "0".repeat(width.saturating_sub(digits.len())) + &digits;
        let prefix = match verb {
            'O' if self.sharp && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'b' if self.sharp => "0b",
            'o' if self.sharp && !digits.starts_with('0') => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        blank.padded(buffer, &format!("{sign}{prefix}{digits}"));
    }

    fn code_point(self, buffer: &mut Buffer, value: i64) {
        let width = self.precision.unwrap_or(4).max(4);
        let digits = format!("{value:X}");
        let mut text = format!("U+{}{digits}", "0".repeat(width.saturating_sub(digits.len())));
        let known = u32::try_from(value).ok().and_then(char::from_u32);
        if let Some(c) = known.filter(|c| self.sharp && is_printable(*c)) {
            text += &format!(" '{c}'");
        }
        Self { zero: false, ..self }.padded(buffer, &text);
    }

    fn float(self, buffer: &mut Buffer, value: f64, verb: char) {
        let verb = if verb == 'v' { 'g' } else { verb };
        let precision = match verb {
            'e' | 'E' | 'f' | 'F' => Some(self.precision.unwrap_or(6)),
            _ => self.precision,
        };
        let mut text = float::spell(value, verb, precision);
        let mut flags = self;
        if !value.is_finite() {
            flags.zero = false;
            if value.is_nan() && !self.plus && !self.space {
                text.remove(0);
            }
        } else if self.sharp && verb != 'b' {
            text = with_point(&text, verb, precision);
        }
        if self.space && !self.plus && text.starts_with('+') {
            text.replace_range(..1, " ");
        }
        if !self.plus && text.starts_with('+') {
            text.remove(0);
        } else if flags.zero && text.len() < self.width.unwrap_or(0) {
            // The sign stands before the zeros.
            let digits = text.split_off(1);
            buffer.push_str(&text);
            flags.width = self.width.map(|width| width - 1);
            return flags.padded(buffer, &digits);
        }
        flags.padded(buffer, &text);
    }
}

fn character(value: i64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `%#g` and its like: a decimal point always, and trailing zeros up to the precision.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let mut missing = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E'] };
    let (number, exponent) = text.split_at(text.find(marks).unwrap_or(text.len()));
    let mut shown = number.to_owned();
    let mut counts = false;
    for c in number.chars().skip(1).filter(|c| *c != '.') {
        counts |= c != '0';
        missing = missing.saturating_sub(usize::from(counts));
    }
    if !number.contains('.') {
        // A lone zero in front counts once.
        if number.len() == 2 && number.ends_with('0') {
            missing = missing.saturating_sub(1);
        }
        shown.push('.');
    }
    shown + &"0".repeat(missing) + exponent
}
