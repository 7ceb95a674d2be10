//! Values of template expressions: known or unknown, with marks that travel along.
//!
//! Pure: conversion and comparison live here, evaluation does not.

mod compare;
mod convert;
mod json;
mod kind;
mod marks;
mod number;
mod spelling;
mod types;
mod unify;

pub use compare::{equals, make_set, order};
pub(crate) use convert::count;
pub use convert::{ConversionError, PathStep, convert};
pub(crate) use json::joins;
pub use json::{from_json, json_text, to_json};
pub use kind::{Kind, Value};
pub use marks::Marks;
pub(crate) use number::{absolute, bounded, from_radix, power, to_radix};
pub use number::{
    ceiling, divide, floor, format_number, from_float, parse_number, remainder, to_integer,
};
pub use spelling::{is_identifier, quote};
pub use types::{Attribute, Type};
pub use unify::unify;

/// Exact decimal numbers, as HCL has them.
pub type Number = bigdecimal::BigDecimal;
