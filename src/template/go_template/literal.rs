//! Go's strings, characters and numbers as written in a template.

use std::ops::Range;

/// A fault in a quoted text; the range counts from behind the opening quote.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) range: Range<usize>,
}

/// Resolves the escapes of a quoted text. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn unquote(inside: &str, quote: char) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut at = 0;
    while let Some(c) = inside.get(at..).and_then(|rest| rest.chars().next()) {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            at += c.len_utf8();
            continue;
        }
        let rest = inside.get(at + 1..).unwrap_or_default();
        let (escaped, length) = escape(rest, quote).ok_or_else(|| {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            Fault {
                message: format!("unknown escape `\\{}`", rest.get(..length).unwrap_or_default()),
                range: at..at + 1 + length,
            }
        })?;
        match escaped {
            Escaped::Byte(byte) => bytes.push(byte),
            Escaped::Character(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        at += 1 + length;
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The code point between single quotes; `None` unless it is exactly one.
pub(super) fn character(inside: &str) -> Option<i64> {
    let first = inside.chars().next()?;
    let (value, length) = match first {
        '\\' => {
            let (escaped, length) = escape(inside.get(1..)?, '\'')?;
            let value = match escaped {
                Escaped::Byte(byte) => i64::from(byte),
                Escaped::Character(c) => i64::from(u32::from(c)),
            };
            (value, length + 1)
        }
        c => (i64::from(u32::from(c)), c.len_utf8()),
    };
    (length == inside.len()).then_some(value)
}

enum Escaped {
    Byte(u8),
    Character(char),
}

/// Reads what follows a backslash; gives its length in bytes too.
fn escape(rest: &str, quote: char) -> Option<(Escaped, usize)> {
    let digits = |from: usize, count: usize, radix: u32| -> Option<u32> {
        let digits = rest.get(from..from + count)?;
        // `from_str_radix` would take a sign.
        digits.chars().all(|c| c.is_digit(radix)).then_some(())?;
        u32::from_str_radix(digits, radix).ok()
    };
    let simple = |c: char| Some((Escaped::Character(c), 1));
    match rest.chars().next()? {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        '\\' => simple('\\'),
        c if c == quote => simple(quote),
        'x' => Some((Escaped::Byte(u8::try_from(digits(1, 2, 16)?).ok()?), 3)),
        'u' => Some((Escaped::Character(char::from_u32(digits(1, 4, 16)?)?), 5)),
        'U' => Some((Escaped::Character(char::from_u32(digits(1, 8, 16)?)?), 9)),
        '0'..='7' => Some((Escaped::Byte(u8::try_from(digits(0, 3, 8)?).ok()?), 3)),
        _ => None,
    }
}

/// What a run of digits turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
    TooLarge,
    Complex,
    Malformed,
}

/// How many bytes at the start of `text` belong to a number.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    let is = |at: usize, set: &[u8]| bytes.get(at).is_some_and(|byte| set.contains(byte));
    let run = |mut at: usize, set: &[u8]| {
        while is(at, set) {
            at += 1;
        }
        at
    };
    let mut digits: &[u8] = b"0123456789_";
    let mut exponent: &[u8] = b"eE";
    at += usize::from(is(at, b"+-"));
    if is(at, b"0") {
        at += 1;
        if is(at, b"xX") {
            (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            at += 1;
        } else if is(at, b"oO") {
            digits = b"01234567_";
            at += 1;
        } else if is(at, b"bB") {
            digits = b"01_";
            at += 1;
        }
    }
    at = run(at, digits);
    if is(at, b".") {
        at = run(at + 1, digits);
    }
    if is(at, exponent) {
        at += 1;
        at += usize::from(is(at, b"+-"));
        at = run(at, b"0123456789_");
    }
    at + usize::from(is(at, b"i"))
}

/// Reads a whole number or a float in any of Go's notations.
pub(super) fn number(text: &str) -> Number {
    if text.ends_with('i') {
        return Number::Complex;
    }
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = unsigned.to_ascii_lowercase();
    if !underscores_are_fine(&lower) {
        return Number::Malformed;
    }
    let plain = lower.replace('_', "");
    let (radix, digits) = match plain.as_bytes() {
        [b'0', b'x', ..] => (16, &plain[2..]),
        [b'0', b'o', ..] => (8, &plain[2..]),
        [b'0', b'b', ..] => (2, &plain[2..]),
        [b'0', _, ..] if plain.bytes().all(|byte| byte.is_ascii_digit()) => (8, &plain[1..]),
        _ => (10, plain.as_str()),
    };
    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
        return i64::from_str_radix(&signed, radix).map_or(Number::TooLarge, Number::Integer);
    }
    let float = match radix {
        16 => hexadecimal_float(digits),
        10 if digits.bytes().any(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    match float {
        Some(value) if value.is_finite() => Number::Float(if negative { -value } else { value }),
        _ => Number::Malformed,
    }
}

/// Underscores stand between digits, or between a base prefix and a digit.
fn underscores_are_fine(text: &str) -> bool {
    let bytes = text.as_bytes();
    let prefixed = matches!(bytes, [b'0', b'x' | b'o' | b'b', ..]);
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at).map(|byte| (at, byte))).is_some_and(|(at, byte)| {
            byte.is_ascii_digit()
                || (prefixed && at == 1)
                || (bytes.get(1) == Some(&b'x') && byte.is_ascii_hexdigit())
        })
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| digit(at.checked_sub(1)) && digit(Some(at + 1)) && at + 1 != 1)
}

/// `1.8p1`: hexadecimal digits times a power of two.
fn hexadecimal_float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(shift)?))
}
