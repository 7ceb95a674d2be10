//! Functions that encode and decode.

mod charset;
mod csv;
mod yaml_decode;
mod yaml_encode;
mod yaml_scalar;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::declaration::{Call, Failure, Function, Of, Outcome, any, string};
use super::string::{TEXT_LIMIT, check_writable, too_long};
use crate::diagnostic::Source;
use crate::template::json::{self, Duplicates, Node, ParseOptions};
use crate::value::{Attribute, Kind, Type, Value, count, json_text, parse_number};
use charset::Charset;
use yaml_encode::Refused;

/// The longest text that is decoded: values take many times the room of their text.
const TEXT: usize = 8 << 20;
/// The most values that one text is decoded to.
const VALUES: usize = 250_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "base64decode",
        &[string("text")],
        Of::String,
        "the text that base64 encodes",
        |call| match String::from_utf8(decoded(call)?) {
            Ok(text) => Ok(Value::string(text)),
            Err(_) => Err(Failure::of(0, "what is encoded is not UTF-8 text")),
        },
    ),
    Function::new("base64encode", &[string("text")], Of::String, "a text in base64", |call| {
        Ok(Value::string(STANDARD.encode(call.text(0))))
    }),
    Function::new(
        "base64gzip",
        &[string("text")],
        Of::String,
        "a text, compressed with gzip, in base64",
        base64gzip,
    ),
    Function::new(
        "base64gunzip",
        &[string("text")],
        Of::String,
        "the text that `base64gzip` compressed",
        base64gunzip,
    ),
    Function::new(
        "csvdecode",
        &[string("text")],
        Of::List(&Of::Any),
        "the rows of comma-separated text, as objects by the names in its first line",
        csvdecode,
    ),
    Function::new(
        "jsondecode",
        &[string("text")],
        Of::Any,
        "the value that JSON text spells",
        jsondecode,
    ),
    Function::new(
        "jsonencode",
        &[any("value").nullable()],
        Of::String,
        "a value as JSON text",
        |call| {
            let value = call.get(0).cloned().unwrap_or_else(Value::null);
            check_writable(&value)?;
            let text = json_text(&value);
            text.map(Value::string).ok_or_else(|| Failure::of(0, "this is not known yet"))
        },
    ),
    Function::new(
        "textdecodebase64",
        &[string("text"), string("encoding")],
        Of::String,
        "the text that base64 encodes in a character encoding",
        textdecodebase64,
    ),
    Function::new(
        "textencodebase64",
        &[string("text"), string("encoding")],
        Of::String,
        "a text in a character encoding, in base64",
        textencodebase64,
    ),
    Function::new(
        "urlencode",
        &[string("text")],
        Of::String,
        "a text as part of a URL's query",
        |call| Ok(Value::string(urlencode(call.text(0)))),
    ),
    Function::new(
        "urldecode",
        &[string("text")],
        Of::String,
        "the text that `urlencode` encoded",
        urldecode,
    ),
    Function::new(
        "yamldecode",
        &[string("text")],
        Of::Any,
        "the value that YAML text spells",
        yamldecode,
    ),
    Function::new(
        "yamlencode",
        &[any("value").nullable()],
        Of::String,
        "a value as YAML text",
        yamlencode,
    ),
];

fn decoded(call: &Call<'_>) -> Result<Vec<u8>, Failure> {
    let text: String = call.text(0).chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD.decode(text).map_err(|_| Failure::of(0, format!("{} is not base64", call.shown(0))))
}

fn base64gzip(call: &Call<'_>) -> Outcome {
    // No time and no system in the header, so that equal texts give equal results.
    let mut encoder = flate2::GzBuilder::new()
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::default());
    encoder
        .write_all(call.text(0).as_bytes())
        .and_then(|()| encoder.finish())
        .map(|bytes| Value::string(STANDARD.encode(bytes)))
        .map_err(|error| Failure::new(error.to_string()))
}

/// The first argument, unless it is too long to be decoded.
fn long<'a>(call: &Call<'a>) -> Result<&'a str, Failure> {
    match call.text(0) {
        text if text.len() > TEXT => Err(Failure::of(0, "the text is longer than 8 MiB")),
        text => Ok(text),
    }
}

fn jsondecode(call: &Call<'_>) -> Outcome {
    let source = Source::new("jsondecode", long(call)?);
    let node =
        json::parse(&source, ParseOptions { duplicates: Duplicates::Keep }).map_err(|found| {
            let reason = found.iter().next().map(|one| {
                let place = one.primary.as_ref().map_or_else(String::new, |label| {
                    let at = label.span.position();
                    format!(" at line {}, column {}", at.line, at.column)
                });
                format!("{}{place}", one.summary)
            });
            Failure::of(
                0,
                format!("this is not JSON{}", call.detail(0, reason.unwrap_or_default())),
            )
        })?;
    value(&node)
}

/// The value of a node; of repeated keys the last one counts.
fn value(node: &Node) -> Outcome {
    Ok(match &node.kind {
        json::Kind::Null => Value::null(),
        json::Kind::Bool(value) => Value::bool(*value),
        json::Kind::Number(digits) => match parse_number(digits) {
            Some(number) => Value::number(number),
            None => return Err(Failure::of(0, "a number in it is out of range")),
        },
        json::Kind::String(text) => Value::string(text.value()),
        json::Kind::Array(all) => Value::tuple(all.iter().map(value).collect::<Result<_, _>>()?),
        json::Kind::Object(members) => {
            let mut attributes = BTreeMap::new();
            for member in members {
                attributes.insert(member.key.clone(), value(&member.value)?);
            }
            Value::object(attributes)
        }
    })
}

fn urlencode(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b' ');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string().replace(' ', "+")
}

fn charset(call: &Call<'_>) -> Result<Charset, Failure> {
    charset::find(call.text(1)).ok_or_else(|| {
        Failure::of(1, format!("the encoding {} is not known here", call.shown(1)))
            .help(charset::SUPPORTED)
    })
}

fn textencodebase64(call: &Call<'_>) -> Outcome {
    let bytes = charset(call)?.encode(call.text(0)).map_err(|c| {
        let c = if call.is_sensitive(0) {
            "a character of this text".to_owned()
        } else {
            format!("the character `{}`", c.escape_debug())
        };
        Failure::of(0, format!("{c} is not in {}", call.shown(1)))
    })?;
    Ok(Value::string(STANDARD.encode(bytes)))
}

fn textdecodebase64(call: &Call<'_>) -> Outcome {
    let bytes = decoded(call)?;
    charset(call)?
        .decode(bytes)
        .map(Value::string)
        .ok_or_else(|| Failure::of(0, format!("what is encoded is not text in {}", call.shown(1))))
}

fn csvdecode(call: &Call<'_>) -> Outcome {
    let wrong = |line: usize, message: &str| {
        Failure::of(0, format!("this is not CSV with a header: {message} at line {line}"))
    };
    let rows = csv::rows(long(call)?, VALUES).map_err(|error| wrong(error.line, error.message))?;
    let mut rows = rows.into_iter();
    let Some((line, header)) = rows.next() else {
        return Err(Failure::of(0, "the line with the names of the columns is missing"));
    };
    let mut attributes = BTreeMap::new();
    for name in &header {
        let of = Attribute::required(Type::String);
        if attributes.insert(name.clone(), of).is_some() {
            let name = call.detail(0, Value::string(name));
            return Err(wrong(line, &format!("two columns have the same name{name}")));
        }
    }
    let names: usize = header.iter().map(String::len).sum();
    if names.saturating_mul(rows.len()) > TEXT_LIMIT {
        return Err(Failure::of(0, "the names of the columns are too long for that many rows"));
    }
    let mut records = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        if row.len() != header.len() {
            let (has, wants) = (count(row.len(), "field"), count(header.len(), "column"));
            return Err(wrong(line, &format!("there are {wants}, but a row of {has}")));
        }
        let fields = row.into_iter().map(Value::string);
        records.push(Value::object(header.iter().cloned().zip(fields).collect()));
    }
    Ok(Value::new(Kind::List(Type::Object(attributes), records)))
}

fn yamldecode(call: &Call<'_>) -> Outcome {
    yaml_decode::decode(long(call)?).map_err(|error| {
        let yaml_decode::Error { message, line, column } = error;
        // A message may quote the document.
        let detail = call.detail(0, format_args!("{message} at line {line}, column {column}"));
        Failure::of(0, format!("this YAML cannot be decoded{detail}"))
    })
}

fn yamlencode(call: &Call<'_>) -> Outcome {
    let value = call.get(0).cloned().unwrap_or_else(Value::null);
    check_writable(&value)?;
    yaml_encode::encode(&value).map(Value::string).map_err(|refused| match refused {
        Refused::Unknown => Failure::of(0, "this is not known yet"),
        Refused::TooLong => too_long(),
    })
}

/// Unpacks what `base64gzip` packed, to no more than functions may make.
fn base64gunzip(call: &Call<'_>) -> Outcome {
    let packed = decoded(call)?;
    let mut text = Vec::new();
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX);
    flate2::read::MultiGzDecoder::new(packed.as_slice())
        .take(limit + 1)
        .read_to_end(&mut text)
        .map_err(|_| Failure::of(0, "what is encoded is not compressed with gzip"))?;
    if text.len() > TEXT_LIMIT {
        return Err(too_long());
    }
    String::from_utf8(text)
        .map(Value::string)
        .map_err(|_| Failure::of(0, "what is compressed is not UTF-8 text"))
}

fn urldecode(call: &Call<'_>) -> Outcome {
    let text = call.text(0);
    // The decoder lets a `%` without digits pass.
    let broken = text.split('%').skip(1).any(|after| {
        !after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(Failure::of(0, "two hexadecimal digits have to follow each `%`"));
    }
    percent_encoding::percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(Value::string)
        .map_err(|_| Failure::of(0, "what is encoded is not UTF-8 text"))
}
