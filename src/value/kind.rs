//! The value itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Marks, Number, Type};

/// A value with its marks. Elements of collections carry their own marks; the
/// marks of the whole say something about its shape or about all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it came from.
    pub marks: Marks,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Not known before something has run: a data source, the build itself.
    Unknown(Type),
    /// Absent, of some type.
    Null(Type),
    /// `true` or `false`.
    Bool(bool),
    /// An exact decimal number.
    Number(Number),
    /// Text in normal form C.
    String(Arc<str>),
    /// Elements in order, with the element type (needed when it is empty).
    List(Type, Vec<Value>),
    /// Distinct elements in canonical order, with the element type.
    Set(Type, Vec<Value>),
    /// Values by name, with the element type.
    Map(Type, BTreeMap<String, Value>),
    /// Elements each of its own type.
    Tuple(Vec<Value>),
    /// Attributes each of its own type.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// A value without marks.
    pub fn new(kind: Kind) -> Self {
        Self { kind, marks: Marks::NONE }
    }

    /// Text; brought into normal form C.
    pub fn string(text: impl AsRef<str>) -> Self {
        use unicode_normalization::{UnicodeNormalization, is_nfc};
        let text = text.as_ref();
        let text: Arc<str> =
            if is_nfc(text) { text.into() } else { text.nfc().collect::<String>().into() };
        Self::new(Kind::String(text))
    }

    /// A truth value.
    pub fn bool(value: bool) -> Self {
        Self::new(Kind::Bool(value))
    }

    /// A number.
    pub fn number(value: impl Into<Number>) -> Self {
        Self::new(Kind::Number(value.into()))
    }

    /// A tuple, which is what a list expression makes.
    pub fn tuple(elements: Vec<Value>) -> Self {
        Self::new(Kind::Tuple(elements))
    }

    /// An object, which is what an object expression makes.
    pub fn object(attributes: BTreeMap<String, Value>) -> Self {
        Self::new(Kind::Object(attributes))
    }

    /// Null of no particular type.
    pub fn null() -> Self {
        Self::new(Kind::Null(Type::Any))
    }

    /// Not known yet.
    pub fn unknown(of: Type) -> Self {
        Self::new(Kind::Unknown(of))
    }

    /// The same value with more marks.
    #[must_use]
    pub fn marked(mut self, marks: Marks) -> Self {
        self.marks |= marks;
        self
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// Whether it and everything in it is known.
    pub fn is_known(&self) -> bool {
        match &self.kind {
            Kind::Unknown(_) => false,
            Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => true,
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                all.iter().all(Value::is_known)
            }
            Kind::Map(_, all) | Kind::Object(all) => all.values().all(Value::is_known),
        }
    }

    /// Its marks and those of everything in it.
    pub fn all_marks(&self) -> Marks {
        let inner = match &self.kind {
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                all.iter().fold(Marks::NONE, |marks, one| marks | one.all_marks())
            }
            Kind::Map(_, all) | Kind::Object(all) => {
                all.values().fold(Marks::NONE, |marks, one| marks | one.all_marks())
            }
            _ => Marks::NONE,
        };
        self.marks | inner
    }

    /// All texts and numbers in it that are sensitive, to be masked in output.
    ///
    /// Truth values are not among them: what stands in for one tells which it was, and they are
    /// everywhere. Keys are only when they make their map sensitive, as those of
    /// `{for name in var.secrets : name => 1}`: where the values are secrets by themselves, the
    /// keys are mere names (`password`).
    pub fn sensitive_texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        self.collect_sensitive(Marks::NONE, &mut texts);
        texts
    }

    fn collect_sensitive(&self, outer: Marks, texts: &mut Vec<String>) {
        let marks = outer | self.marks;
        match &self.kind {
            Kind::String(text) if marks.sensitive => texts.push(text.as_ref().to_owned()),
            Kind::Number(number) if marks.sensitive => texts.push(super::format_number(number)),
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                all.iter().for_each(|one| one.collect_sensitive(marks, texts));
            }
            Kind::Map(_, all) | Kind::Object(all) => {
                if self.marks.sensitive && !all.values().all(|one| one.all_marks().sensitive) {
                    texts.extend(all.keys().cloned());
                }
                all.values().for_each(|one| one.collect_sensitive(marks, texts));
            }
            _ => {}
        }
    }

    /// The text, when it is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_texts_are_those_that_are_marked_or_in_something_marked() {
        let secret = |text: &str| Value::string(text).marked(Marks::SENSITIVE);
        let object = |key: &str, value| Value::object(BTreeMap::from([(key.to_owned(), value)]));
        let value = Value::tuple(vec![
            Value::string("open"),
            secret("a"),
            Value::number(4711).marked(Marks::SENSITIVE),
            Value::bool(true).marked(Marks::SENSITIVE),
            object("name", secret("b")).marked(Marks::SENSITIVE),
            object("c", Value::number(1)).marked(Marks::SENSITIVE),
            object("name", secret("d")),
            Value::tuple(vec![Value::string("e")]).marked(Marks::SENSITIVE),
        ]);
        assert_eq!(value.sensitive_texts(), ["a", "4711", "b", "c", "1", "d", "e"]);
    }
}
