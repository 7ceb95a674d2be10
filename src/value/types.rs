//! Type constraints, as variables and options declare them.

use std::collections::BTreeMap;

use super::Value;

/// What a value has to be, or is.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Anything; also the type of what is not known yet.
    Any,
    /// `true` or `false`.
    Bool,
    /// An exact decimal number.
    Number,
    /// Text, in Unicode normal form C.
    String,
    /// Elements of one type, in order.
    List(Box<Type>),
    /// Different elements of one type, without order.
    Set(Box<Type>),
    /// Values of one type by name.
    Map(Box<Type>),
    /// Elements each of its own type.
    Tuple(Vec<Type>),
    /// Named attributes each of its own type.
    Object(BTreeMap<String, Attribute>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its type.
    pub of: Type,
    /// `optional(T)`: may be left out.
    pub optional: bool,
    /// `optional(T, default)`: what then stands in for it; null when `None`.
    pub default: Option<Value>,
}

impl Attribute {
    /// An attribute that must be there.
    pub fn required(of: Type) -> Self {
        Self { of, optional: false, default: None }
    }
}
