//! How values read in `inspect` and `console`.

use crate::template::go_template::{go_float, go_quote};
use crate::value::{Kind, Number, Value, format_number, to_integer};

/// What stands for a value that is not known yet.
pub(super) const UNKNOWN: &str = "<unknown>";

/// What stands for a sensitive value.
pub(super) const SENSITIVE: &str = "<sensitive>";

/// A value as text: a string as it is, a collection with an element on each line, secrets hidden.
pub(super) fn display(value: &Value) -> String {
    match &value.kind {
        Kind::String(text) if !value.marks.sensitive => text.as_ref().to_owned(),
        _ => {
            let mut text = String::new();
            write(value, 0, &mut text);
            text
        }
    }
}

fn write(value: &Value, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    match &value.kind {
        Kind::Unknown(_) => text.push_str(UNKNOWN),
        _ if value.marks.sensitive => text.push_str(SENSITIVE),
        Kind::Null(_) => text.push_str("null"),
        Kind::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Kind::Number(number) => text.push_str(&display_number(number)),
        Kind::String(string) => text.push_str(&go_quote(string, false)),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            text.push('[');
            for one in all {
                *text += &format!("\n{indent}  ");
                write(one, level + 1, text);
                text.push(',');
            }
            *text += &if all.is_empty() { "]".to_owned() } else { format!("\n{indent}]") };
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            text.push('{');
            for (name, one) in all {
                *text += &format!("\n{indent}  {} = ", go_quote(name, false));
                write(one, level + 1, text);
            }
            *text += &if all.is_empty() { "}".to_owned() } else { format!("\n{indent}}}") };
        }
    }
}

/// A number as Packer shows it: what is no 64-bit integer as the nearest 64-bit float.
fn display_number(number: &Number) -> String {
    let exact = format_number(number);
    match exact.parse() {
        Ok(float) if to_integer(number).is_none() => {
            go_float(float, 'g', None).trim_start_matches('+').to_owned()
        }
        _ => exact,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use insta::assert_snapshot;

    use super::*;
    use crate::value::{Marks, Type, parse_number};

    #[test]
    fn a_text_by_itself_has_no_quotes() {
        assert_eq!(display(&Value::string("a \"b\"\n")), "a \"b\"\n");
        assert_eq!(display(&Value::null()), "null");
        assert_eq!(display(&Value::unknown(Type::String)), UNKNOWN);
        assert_eq!(display(&Value::tuple(Vec::new())), "[]");
        assert_eq!(display(&Value::object(BTreeMap::new())), "{}");
        assert_eq!(display(&Value::string("pw").marked(Marks::SENSITIVE)), SENSITIVE);
        assert_eq!(display(&Value::unknown(Type::Any).marked(Marks::SENSITIVE)), UNKNOWN);
    }

    #[test]
    fn numbers_read_as_in_packer() {
        let shown = |text: &str| display(&Value::number(parse_number(text).expect("a number")));
        assert_eq!(shown("20000000000"), "20000000000");
        assert_eq!(shown("-1.50"), "-1.5");
        assert_eq!(shown("100000000000000000000"), "1e+20");
        assert_eq!(shown("123456789012345678901234567890"), "1.2345678901234568e+29");
        assert_eq!(shown("0.00001"), "1e-05");
        assert_eq!(shown("0.33333333333333333333333333333"), "0.3333333333333333");
    }

    #[test]
    fn collections_have_a_line_for_each_element() {
        let inner = Value::object(BTreeMap::from([
            ("z".to_owned(), Value::bool(true)),
            ("a b".to_owned(), Value::tuple(vec![Value::number(1), Value::null()])),
            ("s".to_owned(), Value::string("pw").marked(Marks::SENSITIVE)),
        ]));
        let value = Value::tuple(vec![
            Value::string("x\n\"${y}\""),
            inner,
            Value::tuple(Vec::new()),
            Value::unknown(Type::Any),
        ]);
        assert_snapshot!(display(&value), @r#"
        [
          "x\n\"${y}\"",
          {
            "a b" = [
              1,
              null,
            ]
            "s" = <sensitive>
            "z" = true
          },
          [],
          <unknown>,
        ]
        "#);
    }
}
