//! The functions that text/template brings along.

use super::Data;
use super::format::{self, Buffer};

/// The names; `and` and `or` are evaluated by the renderer, which may skip their arguments.
pub(super) const NAMES: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// Calls a built-in function. A result longer than `limit` bytes is an error.
pub(super) fn call(name: &str, arguments: &[Data], limit: usize) -> Result<Data, String> {
    match name {
        "print" => text(limit, |buffer| format::print(buffer, arguments)),
        "println" => text(limit, |buffer| format::print_line(buffer, arguments)),
        "printf" => match arguments {
            [Data::String(format), values @ ..] => {
                text(limit, |buffer| format::print_format(buffer, format, values))
            }
            [other, ..] => {
                Err(format!("the first argument of `printf` is a format, not {}", other.kind()))
            }
            [] => Err("`printf` needs a format".to_owned()),
        },
        "html" => escape(arguments, limit, escape_html),
        "js" => escape(arguments, limit, escape_js),
        "urlquery" => escape(arguments, limit, escape_query),
        "not" => match arguments {
            [value] => Ok(Data::Bool(!value.is_true())),
            _ => Err(count("not", "1", arguments)),
        },
        "len" => match arguments {
            [value] => length(value),
            _ => Err(count("len", "1", arguments)),
        },
        "index" => index(arguments),
        "slice" => slice(arguments),
        "eq" => equal_any(arguments),
        "ne" => two(name, arguments).and_then(|(a, b)| Ok(Data::Bool(!equal(a, b)?))),
        "lt" | "le" | "gt" | "ge" => {
            let (a, b) = two(name, arguments)?;
            let less = less(a, b)?;
            Ok(Data::Bool(match name {
                "lt" => less,
                "le" => less || equal(a, b)?,
                "gt" => !(less || equal(a, b)?),
                _ => !less,
            }))
        }
        "call" => Err("`call` needs a function as a value, and there are none here".to_owned()),
        _ => Err(format!("`{name}` is not a function")),
    }
}

fn count(name: &str, wanted: &str, arguments: &[Data]) -> String {
    let plural = if wanted == "1" { "" } else { "s" };
    format!("`{name}` takes {wanted} argument{plural}, not {}", arguments.len())
}

fn two<'a>(name: &str, arguments: &'a [Data]) -> Result<(&'a Data, &'a Data), String> {
    match arguments {
        [a, b] => Ok((a, b)),
        _ => Err(count(name, "2", arguments)),
    }
}

fn text(limit: usize, fill: impl FnOnce(&mut Buffer)) -> Result<Data, String> {
    let mut buffer = Buffer::new(limit);
    fill(&mut buffer);
    buffer.finish().map(Data::String).ok_or_else(|| too_long(limit))
}

/// The message for a text that outgrew its limit.
pub(super) fn too_long(limit: usize) -> String {
    format!("the result would be longer than {limit} bytes")
}

fn escape(
    arguments: &[Data],
    limit: usize,
    write: impl Fn(&mut Buffer, &str),
) -> Result<Data, String> {
    let mut plain = Buffer::new(limit);
    format::print(&mut plain, arguments);
    let plain = plain.finish().ok_or_else(|| too_long(limit))?;
    text(limit, |buffer| write(buffer, &plain))
}

fn escape_html(buffer: &mut Buffer, text: &str) {
    for c in text.chars() {
        match c {
            '"' => buffer.push_str("&#34;"),
            '\'' => buffer.push_str("&#39;"),
            '&' => buffer.push_str("&amp;"),
            '<' => buffer.push_str("&lt;"),
            '>' => buffer.push_str("&gt;"),
            '\0' => buffer.push(char::REPLACEMENT_CHARACTER),
            c => buffer.push(c),
        }
    }
}

fn escape_js(buffer: &mut Buffer, text: &str) {
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => {
                buffer.push('\\');
                buffer.push(c);
            }
            '<' | '>' | '&' | '=' => buffer.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' || !(c.is_ascii() || super::quote::is_printable(c)) => {
                buffer.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => buffer.push(c),
        }
    }
}

fn escape_query(buffer: &mut Buffer, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                buffer.push(char::from(byte));
            }
            b' ' => buffer.push('+'),
            byte => buffer.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn length(value: &Data) -> Result<Data, String> {
    let length = match value {
        Data::String(text) => text.len(),
        Data::List(items) => items.len(),
        Data::Map(fields) => fields.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(Data::Integer(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// An index into something of this length; `most` is `length` for ends of a slice.
fn position(index: &Data, most: usize) -> Result<usize, String> {
    match index {
        Data::Integer(number) => usize::try_from(*number)
            .ok()
            .filter(|position| *position <= most)
            .ok_or_else(|| format!("index {number} is out of range")),
        other => Err(format!("an index is an integer, not {}", other.kind())),
    }
}

fn index(arguments: &[Data]) -> Result<Data, String> {
    let Some((value, keys)) = arguments.split_first() else {
        return Err(count("index", "at least 1", arguments));
    };
    let mut found = value;
    let mut made;
    for key in keys {
        found = match found {
            Data::List(items) => items
                .get(position(key, items.len())?)
                .ok_or_else(|| format!("index {} is out of range", items.len()))?,
            Data::String(text) => {
                let at = position(key, text.len())?;
                let value = text.as_bytes().get(at).ok_or("index is out of range")?;
                made = Data::Integer(i64::from(*value));
                &made
            }
            Data::Map(fields) => {
                let Data::String(name) = key else {
                    return Err(format!("a key is a string, not {}", key.kind()));
                };
                match fields.get(name) {
                    Some(value) => value,
                    None => {
                        made = missing(fields.values());
                        &made
                    }
                }
            }
            other => return Err(format!("{} has no elements", other.kind())),
        };
    }
    Ok(found.clone())
}

/// What `index` gives for a key that is not there: the zero value of the map's elements.
fn missing<'a>(mut values: impl Iterator<Item = &'a Data>) -> Data {
    if values.all(|value| matches!(value, Data::String(_))) {
        Data::String(String::new())
    } else {
        Data::Nil
    }
}

fn slice(arguments: &[Data]) -> Result<Data, String> {
    let Some((value, bounds)) = arguments.split_first() else {
        return Err(count("slice", "at least 1", arguments));
    };
    let length = match value {
        Data::String(_) if bounds.len() > 2 => {
            return Err("a string is sliced by 2 indexes at most".to_owned());
        }
        Data::String(text) => text.len(),
        Data::List(items) => items.len(),
        other => return Err(format!("{} cannot be sliced", other.kind())),
    };
    if bounds.len() > 3 {
        return Err(format!("`slice` takes 3 indexes at most, not {}", bounds.len()));
    }
    let bounds = bounds
        .iter()
        .map(|bound| position(bound, length))
        .collect::<Result<Vec<usize>, String>>()?;
    let start = bounds.first().copied().unwrap_or(0);
    let end = bounds.get(1).copied().unwrap_or(length);
    let capacity = bounds.get(2).copied().unwrap_or(length);
    for (low, high) in [(start, end), (end, capacity)] {
        if low > high {
            return Err(format!("index {low} is behind index {high}"));
        }
    }
    Ok(match value {
        Data::String(text) => {
            let bytes = text.as_bytes().get(start..end).unwrap_or_default();
            Data::String(String::from_utf8_lossy(bytes).into_owned())
        }
        Data::List(items) => Data::List(items.get(start..end).unwrap_or_default().to_vec()),
        other => other.clone(),
    })
}

fn equal_any(arguments: &[Data]) -> Result<Data, String> {
    let Some((first, others)) = arguments.split_first() else {
        return Err(count("eq", "at least 2", arguments));
    };
    if others.is_empty() {
        return Err(count("eq", "at least 2", arguments));
    }
    for other in others {
        if equal(first, other)? {
            return Ok(Data::Bool(true));
        }
    }
    Ok(Data::Bool(false))
}

/// Only basic values compare, and only with their own kind; nil equals nothing but nil.
#[expect(clippy::float_cmp, reason = "templates compare floats exactly")]
fn equal(a: &Data, b: &Data) -> Result<bool, String> {
    match (a, b) {
        (Data::Bool(a), Data::Bool(b)) => Ok(a == b),
        (Data::Integer(a), Data::Integer(b)) => Ok(a == b),
        (Data::Float(a), Data::Float(b)) => Ok(a == b),
        (Data::String(a), Data::String(b)) => Ok(a == b),
        (Data::Nil, Data::Nil) => Ok(true),
        (Data::Nil, _) | (_, Data::Nil) => Ok(false),
        (Data::List(_) | Data::Map(_), _) => Err(format!("{} cannot be compared", a.kind())),
        (_, Data::List(_) | Data::Map(_)) => Err(format!("{} cannot be compared", b.kind())),
        _ => Err(format!("{} and {} cannot be compared", a.kind(), b.kind())),
    }
}

fn less(a: &Data, b: &Data) -> Result<bool, String> {
    match (a, b) {
        (Data::Integer(a), Data::Integer(b)) => Ok(a < b),
        (Data::Float(a), Data::Float(b)) => Ok(a < b),
        (Data::String(a), Data::String(b)) => Ok(a < b),
        _ => Err(format!("{} and {} have no order", a.kind(), b.kind())),
    }
}
