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

    /// The text, when it is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }
}
