//! What YAML's plain and tagged texts stand for, by the rules that Packer has.
//!
//! Plain texts are null (nothing, `~`, `null`), bools (`true`, `yes`, `on`, `y` and their
//! opposites, in lower case, upper case or with a capital), decimal numbers (`_` between digits
//! does not count; a leading zero does not make it octal) and binary ones (`0b11`); dates and
//! times become RFC 3339 text. Anything else, hexadecimal and octal numbers too, is text unless
//! tagged.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use saphyr_parser::{ScalarStyle, Tag};

use super::super::time::rfc3339_text;
use crate::value::{Value, parse_number};

/// What a text stands for by its tag, or by what it looks like when it is plain.
pub(super) fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => plain(text),
            _ => Ok(Value::string(text)),
        };
    };
    // `!` alone makes a plain text a text.
    if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(Value::string(text));
    }
    let Some(name) = core(tag) else {
        return Err("only the tags of YAML itself are supported, such as `!!str`".to_owned());
    };
    let wrong = || format!("what is tagged `!!{name}` is none");
    match name {
        "str" => Ok(Value::string(text)),
        "null" => Ok(Value::null()),
        "bool" => truth(text).map(Value::bool).ok_or_else(wrong),
        "int" | "float" => number(text).or_else(|| prefixed(text)).ok_or_else(wrong),
        "timestamp" => timestamp(text).ok_or_else(wrong),
        "binary" => {
            use base64::Engine;
            let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            match base64::engine::general_purpose::STANDARD.decode(&digits) {
                // There are no bytes among values, so the base64 stays.
                Ok(_) => Ok(Value::string(text)),
                Err(_) => Err(wrong()),
            }
        }
        _ => Err(format!("the tag `!!{name}` is not supported")),
    }
}

/// The name of a tag of YAML itself: `str` for `!!str` and `!<tag:yaml.org,2002:str>`.
pub(super) fn core(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    let is_verbatim = tag.handle.is_empty();
    tag.suffix.strip_prefix("tag:yaml.org,2002:").filter(|_| is_verbatim)
}

fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::null()),
        ".nan" | ".NaN" | ".NAN" => return Err("there is no number for `.nan`".into()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            return Err("there is no number for infinity".into());
        }
        _ => {}
    }
    if let Some(value) = truth(text) {
        return Ok(Value::bool(value));
    }
    if let Some(value) = timestamp(text) {
        return Ok(value);
    }
    if let Some(value) = number(text) {
        return Ok(value);
    }
    if text.starts_with("0b") || text.starts_with("-0b") {
        return prefixed(text).ok_or_else(|| "a binary number has other digits".to_owned());
    }
    Ok(Value::string(text))
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

/// A decimal number; underscores in it do not count.
fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let mut digits = text.replace('_', "");
    // `1.` and `1.e3` are numbers here.
    if let Some(at) = digits.find('.')
        && digits.get(..at).is_some_and(|whole| whole.ends_with(|c: char| c.is_ascii_digit()))
        && !digits.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        digits.remove(at);
    }
    parse_number(&digits).map(Value::number)
}

/// A number of 64 bits after `0x`, `0o` or `0b`.
fn prefixed(text: &str) -> Option<Value> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let base = match digits.get(..2)? {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => return None,
    };
    let digits = digits.get(2..)?;
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, base).ok()?);
    let number = if negative { -magnitude } else { magnitude };
    (number >= i128::from(i64::MIN)).then(|| Value::number(number))
}

/// A date, or a date and a time, as RFC 3339 text without fractions of a second.
fn timestamp(text: &str) -> Option<Value> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if rest.is_empty() {
        return Some(rfc3339(date, Time::midnight(), Offset::UTC));
    }
    let zoned = rest.starts_with(['T', 't']);
    let (hour, rest) = digits(rest.strip_prefix(['T', 't', ' '])?, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if after.len() == fraction.len() {
                return None;
            }
            after
        }
        None => rest,
    };
    let small = |part: i16| i8::try_from(part).ok();
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    let offset = match (zoned, rest) {
        (true, "Z") | (false, "") => Offset::UTC,
        (true, zone) => {
            let negative = zone.starts_with('-');
            let (hours, rest) = digits(zone.strip_prefix(['+', '-'])?, 2, 2)?;
            let (minutes, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
            if !rest.is_empty() || hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?
        }
        _ => return None,
    };
    Some(rfc3339(date, time, offset))
}

fn rfc3339(date: Date, time: Time, offset: Offset) -> Value {
    Value::string(rfc3339_text(DateTime::from_parts(date, time), offset))
}

/// A number of at least `least` and at most `most` digits, and what comes after it.
fn digits(text: &str, least: usize, most: usize) -> Option<(i16, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).take(most).count();
    if length < least {
        return None;
    }
    let (digits, rest) = text.split_at(length);
    Some((digits.parse().ok()?, rest))
}
