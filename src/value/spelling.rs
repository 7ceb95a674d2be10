//! How types and values are written in messages.

use std::fmt;

use super::{Kind, Type, Value, format_number};

/// The type as a template spells it: `list(string)`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(of) => write!(f, "list({of})"),
            Type::Set(of) => write!(f, "set({of})"),
            Type::Map(of) => write!(f, "map({of})"),
            Type::Tuple(all) => {
                f.write_str("tuple([")?;
                for (at, one) in all.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{one}")?;
                }
                f.write_str("])")
            }
            Type::Object(all) => {
                f.write_str("object({")?;
                for (at, (name, one)) in all.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    match (one.optional, &one.default) {
                        (false, _) => write!(f, "{name} = {}", one.of)?,
                        (true, None) => write!(f, "{name} = optional({})", one.of)?,
                        (true, Some(default)) => {
                            write!(f, "{name} = optional({}, {default})", one.of)?;
                        }
                    }
                }
                f.write_str("})")
            }
        }
    }
}

impl Type {
    /// What it is in a few words: `string`, `list of strings`, `object`.
    pub fn noun(&self) -> String {
        match self {
            Type::Any => "value".into(),
            Type::Bool | Type::Number | Type::String => self.to_string(),
            Type::List(of) if **of == Type::Any => "list".into(),
            Type::Set(of) if **of == Type::Any => "set".into(),
            Type::Map(of) if **of == Type::Any => "map".into(),
            Type::List(of) => format!("list of {}", of.nouns()),
            Type::Set(of) => format!("set of {}", of.nouns()),
            Type::Map(of) => format!("map of {}", of.nouns()),
            Type::Tuple(_) => "tuple".into(),
            Type::Object(_) => "object".into(),
        }
    }

    /// [`Type::noun`] for several: `strings`, `lists of strings`, `objects`.
    fn nouns(&self) -> String {
        let noun = self.noun();
        match noun.split_once(' ') {
            Some((collection, rest)) => format!("{collection}s {rest}"),
            None => format!("{noun}s"),
        }
    }

    /// [`Type::noun`] with its article: `a string`, `an object`.
    pub fn a_noun(&self) -> String {
        let noun = self.noun();
        if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
            format!("an {noun}")
        } else {
            format!("a {noun}")
        }
    }
}

/// The value as an expression that makes it. Sensitive parts print as `(sensitive value)`,
/// unknown ones as `(unknown)`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.marks.sensitive {
            return f.write_str("(sensitive value)");
        }
        match &self.kind {
            Kind::Unknown(_) => f.write_str("(unknown)"),
            Kind::Null(_) => f.write_str("null"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Number(value) => f.write_str(&format_number(value)),
            Kind::String(text) => f.write_str(&quote(text)),
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                f.write_str("[")?;
                for (at, one) in all.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{one}")?;
                }
                f.write_str("]")
            }
            Kind::Map(_, all) | Kind::Object(all) if all.is_empty() => f.write_str("{}"),
            Kind::Map(_, all) | Kind::Object(all) => {
                f.write_str("{ ")?;
                for (at, (name, one)) in all.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    if is_identifier(name) {
                        write!(f, "{name} = {one}")?;
                    } else {
                        write!(f, "{} = {one}", quote(name))?;
                    }
                }
                f.write_str(" }")
            }
        }
    }
}

impl Value {
    /// [`Display`](fmt::Display) cut to about `limit` characters, for a line of a diagnostic.
    pub fn excerpt(&self, limit: usize) -> String {
        use fmt::Write;
        let mut text = Bounded { text: String::new(), left: limit };
        // The only error is that the excerpt is full.
        match write!(text, "{self}") {
            Ok(()) => text.text,
            Err(fmt::Error) => text.text + " …",
        }
    }
}

struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let count = text.chars().count();
        if count <= self.left {
            self.text.push_str(text);
            self.left -= count;
            return Ok(());
        }
        self.text.extend(text.chars().take(self.left));
        self.left = 0;
        Err(fmt::Error)
    }
}

/// `text` as a quoted HCL string without interpolation.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                quoted.push(c);
                quoted.push(c);
            }
            c if c.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether `text` can stand bare as a name.
pub fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Attribute, Marks};
    use super::*;

    #[test]
    fn sensitive_parts_are_masked() {
        let value = Value::object(BTreeMap::from([
            ("name".to_owned(), Value::string("web")),
            ("key-1".to_owned(), Value::string("s3cret").marked(Marks::SENSITIVE)),
            ("a b".to_owned(), Value::tuple(vec![Value::number(1), Value::null()])),
        ]));
        assert_eq!(
            value.to_string(),
            "{ \"a b\" = [1, null], key-1 = (sensitive value), name = \"web\" }"
        );
    }

    #[test]
    fn excerpts_are_cut() {
        assert_eq!(Value::string("a".repeat(90)).excerpt(5), "\"aaaa …");
        assert_eq!(Value::string("aaa").excerpt(5), "\"aaa\"");
    }

    #[test]
    fn types_are_spelt_as_in_a_template() {
        let of = Type::Object(BTreeMap::from([
            ("a".to_owned(), Attribute::required(Type::List(Box::new(Type::String)))),
            (
                "b".to_owned(),
                Attribute { of: Type::Number, optional: true, default: Some(Value::number(3)) },
            ),
        ]));
        assert_eq!(of.to_string(), "object({a = list(string), b = optional(number, 3)})");
    }

    #[test]
    fn types_are_named_in_words() {
        let list = |of| Type::List(Box::new(of));
        let map = |of| Type::Map(Box::new(of));
        for (of, words) in [
            (Type::String, "a string"),
            (list(Type::Any), "a list"),
            (list(Type::String), "a list of strings"),
            (Type::Set(Box::new(Type::Tuple(Vec::new()))), "a set of tuples"),
            (map(list(Type::Number)), "a map of lists of numbers"),
            (list(list(Type::Any)), "a list of lists"),
            (list(Type::Object(BTreeMap::new())), "a list of objects"),
            (Type::Object(BTreeMap::new()), "an object"),
        ] {
            assert_eq!(of.a_noun(), words);
        }
    }

    #[test]
    fn quoting_escapes_template_sequences() {
        assert_eq!(quote("a${b}%{c}$\"\n"), "\"a$${b}%%{c}$\\\"\\n\"");
    }
}
