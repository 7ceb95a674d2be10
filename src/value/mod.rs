//! Values of template expressions: known or unknown, with marks that travel along.
//!
//! Pure: conversion and comparison live here, evaluation does not.

mod convert;
mod kind;
mod marks;
mod types;

pub use convert::{ConversionError, convert};
pub use kind::{Kind, Value};
pub use marks::Marks;
pub use types::{Attribute, Type};

/// Exact decimal numbers, as HCL has them.
pub type Number = bigdecimal::BigDecimal;
