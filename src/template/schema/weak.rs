//! Weak typing of legacy JSON templates (`packer-core.md` section 2.10).

use std::collections::BTreeMap;

use crate::value::{Kind, Number, Type, Value};

/// Brings a value near to the type an option wants, as legacy templates expect: numbers and
/// truth values from text and back, a single value for a list, text for a list split at commas, a
/// list of objects for a map. What does not fit is left for the conversion to refuse.
pub(super) fn weaken(value: Value, of: &Type) -> Value {
    let marks = value.marks;
    let kind = match (value.kind, of) {
        (Kind::String(text), Type::Bool) => match parse_bool(&text) {
            Some(truth) => Kind::Bool(truth),
            None => Kind::String(text),
        },
        (Kind::Number(number), Type::Bool) => Kind::Bool(number != 0),
        (Kind::String(text), Type::Number) if text.is_empty() => Kind::Number(Number::from(0)),
        (Kind::Bool(truth), Type::Number) => Kind::Number(Number::from(i32::from(truth))),
        (Kind::Bool(truth), Type::String) => {
            return Value::string(if truth { "1" } else { "0" }).marked(marks);
        }
        (Kind::String(text), Type::List(element) | Type::Set(element)) => Kind::Tuple(
            text.split(',')
                .filter(|_| !text.is_empty())
                .map(|part| weaken(Value::string(part), element))
                .collect(),
        ),
        (Kind::Tuple(all), Type::List(element) | Type::Set(element)) => {
            Kind::Tuple(all.into_iter().map(|one| weaken(one, element)).collect())
        }
        (
            kind @ (Kind::Bool(_) | Kind::Number(_) | Kind::Object(_)),
            Type::List(element) | Type::Set(element),
        ) => Kind::Tuple(vec![weaken(Value::new(kind), element)]),
        (Kind::Object(all), Type::Map(element)) => {
            Kind::Object(all.into_iter().map(|(name, one)| (name, weaken(one, element))).collect())
        }
        (Kind::Tuple(all), Type::Map(element))
            if all.iter().all(|one| matches!(one.kind, Kind::Object(_))) =>
        {
            let mut merged = BTreeMap::new();
            for one in all {
                if let Kind::Object(one) = one.kind {
                    merged.extend(
                        one.into_iter().map(|(name, value)| (name, weaken(value, element))),
                    );
                }
            }
            Kind::Object(merged)
        }
        (kind, _) => kind,
    };
    Value { kind, marks }
}

/// The spellings of Go's `strconv.ParseBool`, and nothing at all for false.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Value {
        Value::tuple(all.iter().map(Value::string).collect())
    }

    #[test]
    fn text_for_a_list_is_split_at_commas() {
        let of = Type::List(Box::new(Type::String));
        assert_eq!(weaken(Value::string("a,b"), &of), texts(&["a", "b"]));
        assert_eq!(weaken(Value::string(""), &of), texts(&[]));
        assert_eq!(weaken(texts(&["a,b"]), &of), texts(&["a,b"]));
    }

    #[test]
    fn truth_values_and_numbers_are_read_from_text() {
        assert_eq!(weaken(Value::string("T"), &Type::Bool), Value::bool(true));
        assert_eq!(weaken(Value::string("yes"), &Type::Bool), Value::string("yes"));
        assert_eq!(weaken(Value::bool(true), &Type::String), Value::string("1"));
        assert_eq!(weaken(Value::bool(true), &Type::Number), Value::number(1));
    }
}
