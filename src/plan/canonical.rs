//! The canonical form of what is hashed: RFC 8785 JSON.

use serde_json::Value as Json;

/// Writes JSON as RFC 8785 says: no white space, keys sorted by UTF-16 code units, the shortest
/// escapes. Numbers are integers here (the plan has no floats), written in decimal.
pub fn canonical_json(value: &Json) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Json, text: &mut String) {
    match value {
        Json::Null => text.push_str("null"),
        Json::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Json::Number(number) => text.push_str(&number.to_string()),
        Json::String(string) => write_string(string, text),
        Json::Array(all) => {
            text.push('[');
            for (index, one) in all.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(one, text);
            }
            text.push(']');
        }
        Json::Object(all) => {
            let mut names: Vec<_> = all.iter().collect();
            names.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (index, (name, one)) in names.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write(one, text);
            }
            text.push('}');
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => {
                text.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key order example of RFC 8785 section 3.2.3.
    #[test]
    fn keys_are_sorted_by_utf16_code_units() {
        let value = serde_json::json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let text = canonical_json(&value);
        let order: Vec<_> = ["\\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"]
            .iter()
            .map(|key| text.find(&format!("\"{key}\":")).expect(key))
            .collect();
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn text_is_escaped_no_more_than_needed() {
        let value = serde_json::json!({ "b": "\u{20ac}$\u{f}\u{a}A'\u{42}\u{22}\u{5c}\u{5c}\u{22}/", "a": [1, true, null] });
        assert_eq!(
            canonical_json(&value),
            "{\"a\":[1,true,null],\"b\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }
}
