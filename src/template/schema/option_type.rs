//! Types that an option may have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::decode::Decoder;
use super::sort::FoundBlock;
use super::{Shape, format_go_duration, parse_go_duration};
use crate::value::{Kind, Type, Value};

/// A Rust type that can be read from a template.
pub trait OptionType: Sized {
    /// What is written for it.
    fn shape() -> Shape;

    /// What stands for it when it is left out; `None` when it must be given.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether Go-template text in it is kept for later, rather than rendered when it is read.
    fn deferred() -> bool {
        false
    }

    /// Whether it is a secret by its nature, although nothing in the template says so.
    fn secret() -> bool {
        false
    }

    /// From a value that already has the shape's type. An unknown value gives what Packer puts
    /// there while it checks a template: the text `<unknown>`, zero, false, nothing.
    fn from_value(value: &Value) -> Result<Self, String>;

    /// From blocks; only for shapes that are blocks.
    fn from_blocks(blocks: &[FoundBlock<'_>], decoder: &mut Decoder<'_>) -> Option<Self>;

    /// How it enters a hash: two spellings of one meaning are equal here.
    fn canonical(&self) -> Json;
}

/// The part of [`OptionType`] that no attribute has.
macro_rules! not_a_block {
    () => {
        fn from_blocks(_: &[FoundBlock<'_>], _: &mut Decoder<'_>) -> Option<Self> {
            None
        }
    };
}

impl OptionType for String {
    fn shape() -> Shape {
        Shape::Attribute(Type::String)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::String(text) => Ok(text.as_ref().to_owned()),
            Kind::Unknown(_) => Ok("<unknown>".to_owned()),
            _ => Err("a string is expected".to_owned()),
        }
    }

    not_a_block!();

    fn canonical(&self) -> Json {
        json!(self)
    }
}

impl OptionType for bool {
    fn shape() -> Shape {
        Shape::Attribute(Type::Bool)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::Bool(value) => Ok(*value),
            Kind::Unknown(_) => Ok(false),
            _ => Err("`true` or `false` is expected".to_owned()),
        }
    }

    not_a_block!();

    fn canonical(&self) -> Json {
        json!(self)
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => { $(
        impl OptionType for $type {
            fn shape() -> Shape {
                Shape::Attribute(Type::Number)
            }

            fn from_value(value: &Value) -> Result<Self, String> {
                let Kind::Number(number) = &value.kind else {
                    return match value.kind {
                        Kind::Unknown(_) => Ok(0),
                        _ => Err("a number is expected".to_owned()),
                    };
                };
                let whole = || format!(
                    "a whole number from {} to {} is expected, not {}",
                    <$type>::MIN, <$type>::MAX, number.normalized()
                );
                if !number.is_integer() {
                    return Err(whole());
                }
                bigdecimal::ToPrimitive::to_i128(number)
                    .and_then(|number| <$type>::try_from(number).ok())
                    .ok_or_else(whole)
            }

            not_a_block!();

            fn canonical(&self) -> Json {
                json!(self)
            }
        }
    )* };
}
whole_number!(u16, u32, u64, i32, i64);

/// Written as Go does: `1h2m3.5s`.
impl OptionType for Duration {
    fn shape() -> Shape {
        Shape::Attribute(Type::String)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::String(text) => parse_go_duration(text),
            Kind::Unknown(_) => Ok(Duration::ZERO),
            _ => Err("a duration such as `90s` is expected".to_owned()),
        }
    }

    not_a_block!();

    fn canonical(&self) -> Json {
        json!(format_go_duration(*self))
    }
}

impl<T: OptionType> OptionType for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn deferred() -> bool {
        T::deferred()
    }

    fn secret() -> bool {
        T::secret()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn from_blocks(blocks: &[FoundBlock<'_>], decoder: &mut Decoder<'_>) -> Option<Self> {
        T::from_blocks(blocks, decoder).map(Some)
    }

    fn canonical(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::canonical)
    }
}

impl<T: OptionType> OptionType for Vec<T> {
    fn shape() -> Shape {
        match T::shape() {
            Shape::Attribute(of) => Shape::Attribute(Type::List(Box::new(of))),
            Shape::Block { schema, .. } => Shape::Block { schema, repeated: true },
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn deferred() -> bool {
        T::deferred()
    }

    fn secret() -> bool {
        T::secret()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                all.iter().map(T::from_value).collect()
            }
            Kind::Unknown(_) | Kind::Null(_) => Ok(Self::new()),
            _ => Err("a list is expected".to_owned()),
        }
    }

    fn from_blocks(blocks: &[FoundBlock<'_>], decoder: &mut Decoder<'_>) -> Option<Self> {
        let decoded: Vec<_> = blocks
            .iter()
            .map(|block| T::from_blocks(std::slice::from_ref(block), decoder))
            .collect();
        decoded.into_iter().collect()
    }

    fn canonical(&self) -> Json {
        self.iter().map(T::canonical).collect()
    }
}

impl<T: OptionType> OptionType for BTreeMap<String, T> {
    fn shape() -> Shape {
        match T::shape() {
            Shape::Attribute(of) => Shape::Attribute(Type::Map(Box::new(of))),
            block @ Shape::Block { .. } => block,
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn deferred() -> bool {
        T::deferred()
    }

    fn secret() -> bool {
        T::secret()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match &value.kind {
            Kind::Map(_, all) | Kind::Object(all) => {
                all.iter().map(|(key, value)| Ok((key.clone(), T::from_value(value)?))).collect()
            }
            Kind::Unknown(_) | Kind::Null(_) => Ok(Self::new()),
            _ => Err("a map is expected".to_owned()),
        }
    }

    not_a_block!();

    fn canonical(&self) -> Json {
        self.iter().map(|(key, value)| (key.clone(), value.canonical())).collect()
    }
}
