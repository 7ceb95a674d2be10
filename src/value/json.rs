//! JSON in and out.

use std::collections::BTreeMap;

use super::{Kind, Number, Value, format_number, parse_number};

/// The value as JSON. `None` when something in it is unknown. Marks are lost: the caller answers
/// for them.
pub fn to_json(value: &Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Number(number) => Json::Number(json_number(number)?),
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            Json::Array(all.iter().map(to_json).collect::<Option<_>>()?)
        }
        Kind::Map(_, all) | Kind::Object(all) => Json::Object(
            all.iter()
                .map(|(name, one)| Some((name.clone(), to_json(one)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

fn json_number(number: &Number) -> Option<serde_json::Number> {
    use bigdecimal::ToPrimitive;
    if number.is_integer() {
        if let Some(value) = number.to_i64() {
            return Some(value.into());
        }
        if let Some(value) = number.to_u64() {
            return Some(value.into());
        }
    }
    // serde_json keeps 64 bits; [`json_text`] prints all digits.
    serde_json::Number::from_f64(number.to_f64()?)
}

/// The value as compact JSON text with all digits of its numbers, object keys sorted, and `<`,
/// `>`, `&` escaped as Go does. `None` when something in it is unknown.
pub fn json_text(value: &Value) -> Option<String> {
    let mut text = String::new();
    write_json(value, &mut text)?;
    Some(text)
}

fn write_json(value: &Value, text: &mut String) -> Option<()> {
    match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => text.push_str("null"),
        Kind::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) => text.push_str(&format_number(number)),
        Kind::String(string) => write_json_string(string, text),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            text.push('[');
            for (at, one) in all.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_json(one, text)?;
            }
            text.push(']');
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            text.push('{');
            for (at, (name, one)) in all.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_json_string(name, text);
                text.push(':');
                write_json(one, text)?;
            }
            text.push('}');
        }
    }
    Some(())
}

/// Whether a character forms one with the letter before it when text is brought into normal form C,
/// as every text value is. After an escape like `\n` it has to be escaped itself: `n` and U+0331 would
/// become one letter, and the escape another one.
pub(crate) fn joins(c: char) -> bool {
    unicode_normalization::char::canonical_combining_class(c) != 0
}

fn write_json_string(string: &str, text: &mut String) {
    text.push('"');
    let mut after_escape = false;
    for c in string.chars() {
        let escape_before = after_escape;
        after_escape = true;
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if escape_before && joins(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => {
                text.push(c);
                after_escape = false;
            }
        }
    }
    text.push('"');
}

/// A value from JSON: arrays become tuples, objects become objects; numbers keep what
/// `serde_json` kept of them.
pub fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::null(),
        Json::Bool(value) => Value::bool(*value),
        // The numbers of serde_json always fit.
        Json::Number(number) => {
            parse_number(&number.to_string()).map_or_else(Value::null, Value::number)
        }
        Json::String(text) => Value::string(text),
        Json::Array(all) => Value::tuple(all.iter().map(from_json).collect()),
        Json::Object(all) => Value::object(
            all.iter()
                .map(|(name, one)| (name.clone(), from_json(one)))
                .collect::<BTreeMap<_, _>>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_does() {
        let value = Value::object(BTreeMap::from([
            ("b".to_owned(), Value::string("<a&b>\u{1}\n\"")),
            (
                "a".to_owned(),
                Value::number(parse_number("12345678901234567890123.5").expect("number")),
            ),
        ]));
        assert_eq!(
            json_text(&value).expect("known"),
            r#"{"a":12345678901234567890123.5,"b":"\u003ca\u0026b\u003e\u0001\n\""}"#
        );
        assert_eq!(json_text(&Value::tuple(vec![Value::unknown(crate::value::Type::Any)])), None);
    }

    #[test]
    fn escapes_stay_what_they_are_when_a_text_is_normalised() {
        for (plain, expected) in [
            ("\n\u{331}", r#""\n\u0331""#),
            ("\u{1f}\u{30f}\u{307}x\u{331}", "\"\\u001f\\u030f\\u0307x\u{331}\""),
            ("\n\u{1d165}", r#""\n\ud834\udd65""#),
        ] {
            let text = json_text(&Value::string(plain)).expect("known");
            assert_eq!(text, expected);
            let Kind::String(normal) = Value::string(&text).kind else { panic!("a text") };
            assert_eq!(serde_json::from_str::<String>(&normal).expect("JSON"), plain);
        }
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let json: serde_json::Value =
            serde_json::from_str(r#"{"a":[1,2.5,"x",null,true],"b":{}}"#).expect("json");
        assert_eq!(to_json(&from_json(&json)), Some(json));
    }
}
