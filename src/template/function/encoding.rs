//! Functions that encode and decode.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::declaration::{Call, Failure, Function, Of, Outcome, any, string};
use crate::diagnostic::Source;
use crate::template::json::{self, Duplicates, Node, ParseOptions};
use crate::value::{Value, json_text, parse_number};

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
    Function::missing(
        "csvdecode",
        "the rows of comma-separated text",
        "write the rows as a list, or as JSON for `jsondecode`",
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
            let text = call.get(0).and_then(json_text);
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
    Function::missing(
        "yamldecode",
        "the value that YAML text spells",
        "write the value as JSON for `jsondecode`",
    ),
    Function::missing(
        "yamlencode",
        "a value as YAML text",
        "`jsonencode` gives text that is YAML too",
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

/// The longest JSON text that is decoded: a value takes many times the room of its text.
const JSON: usize = 8 << 20;

fn jsondecode(call: &Call<'_>) -> Outcome {
    if call.text(0).len() > JSON {
        return Err(Failure::of(0, "the text is longer than 8 MiB"));
    }
    let source = Source::new("jsondecode", call.text(0));
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

/// Encodings that need no tables.
enum Encoding {
    Utf8,
    Utf16 { big: bool, mark: bool },
    Latin1,
    Ascii,
}

fn encoding(call: &Call<'_>) -> Result<Encoding, Failure> {
    match call.text(1).to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Encoding::Utf8),
        "utf-16le" => Ok(Encoding::Utf16 { big: false, mark: false }),
        "utf-16be" => Ok(Encoding::Utf16 { big: true, mark: false }),
        "utf-16" => Ok(Encoding::Utf16 { big: true, mark: true }),
        "iso-8859-1" | "latin1" => Ok(Encoding::Latin1),
        "us-ascii" | "ascii" => Ok(Encoding::Ascii),
        _ => Err(Failure::of(1, format!("the encoding {} is not supported yet", call.shown(1)))
            .help("supported are UTF-8, UTF-16LE, UTF-16BE, UTF-16, ISO-8859-1 and US-ASCII")),
    }
}

fn textencodebase64(call: &Call<'_>) -> Outcome {
    let text = call.text(0);
    let foreign =
        || Failure::of(0, format!("a character of this text is not in {}", call.shown(1)));
    let single = |largest: u32| -> Result<Vec<u8>, Failure> {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).ok().filter(|_| u32::from(c) <= largest))
            .collect::<Option<_>>()
            .ok_or_else(foreign)
    };
    let bytes = match encoding(call)? {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf16 { big, mark } => mark
            .then_some(0xfeff)
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect(),
        Encoding::Latin1 => single(0xff)?,
        Encoding::Ascii => single(0x7f)?,
    };
    Ok(Value::string(STANDARD.encode(bytes)))
}

fn textdecodebase64(call: &Call<'_>) -> Outcome {
    let bytes = decoded(call)?;
    let wrong = || Failure::of(0, format!("what is encoded is not text in {}", call.shown(1)));
    let text = match encoding(call)? {
        Encoding::Utf8 => String::from_utf8(bytes).map_err(|_| wrong())?,
        Encoding::Utf16 { big, mark } => {
            if bytes.len() % 2 != 0 {
                return Err(wrong());
            }
            let units =
                |big: bool| -> Vec<u16> {
                    bytes
                        .as_chunks::<2>()
                        .0
                        .iter()
                        .map(|pair| {
                            if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
                        })
                        .collect()
                };
            let mut all = units(big);
            if mark {
                match all.first() {
                    Some(0xfeff) => all = all.split_off(1),
                    Some(0xfffe) => all = units(false).split_off(1),
                    _ => {}
                }
            }
            String::from_utf16(&all).map_err(|_| wrong())?
        }
        Encoding::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Encoding::Ascii => {
            if !bytes.is_ascii() {
                return Err(wrong());
            }
            String::from_utf8(bytes).map_err(|_| wrong())?
        }
    };
    Ok(Value::string(text))
}
