//! The values that a template works with.

use std::collections::BTreeMap;

/// A value: what the caller supplies as fields, and what functions take and give.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// No value; `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; a character constant is one too.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Data>),
    /// Fields by name; `range` visits them in key order.
    Map(BTreeMap<String, Data>),
}

impl Data {
    /// A map of texts: the usual shape of a template's fields.
    pub fn texts<K: Into<String>, V: Into<String>>(
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Data::Map(
            fields
                .into_iter()
                .map(|(name, text)| (name.into(), Data::String(text.into())))
                .collect(),
        )
    }

    /// Whether `if` takes it for true: not nil, false, zero or empty.
    pub fn is_true(&self) -> bool {
        match self {
            Data::Nil => false,
            Data::Bool(value) => *value,
            Data::Integer(value) => *value != 0,
            Data::Float(value) => *value != 0.0,
            Data::String(text) => !text.is_empty(),
            Data::List(items) => !items.is_empty(),
            Data::Map(fields) => !fields.is_empty(),
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::Nil => "nil",
            Data::Bool(_) => "a bool",
            Data::Integer(_) => "an integer",
            Data::Float(_) => "a float",
            Data::String(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// The name that Go gives the type; `%T` prints it.
    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Data::Nil => "<nil>",
            Data::Bool(_) => "bool",
            Data::Integer(_) => "int",
            Data::Float(_) => "float64",
            Data::String(_) => "string",
            Data::List(_) => "[]interface {}",
            Data::Map(_) => "map[string]interface {}",
        }
    }

    /// Roughly how many bytes a copy takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Data::String(text) => text.len() + 16,
            Data::List(items) => items.iter().map(Data::weight).sum::<usize>() + 16,
            Data::Map(fields) => {
                fields.iter().map(|(name, value)| name.len() + value.weight()).sum::<usize>() + 16
            }
            _ => 16,
        }
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Data::String(text.to_owned())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Data::String(text)
    }
}
