//! Options, declared once.
//!
//! A component (builder, provisioner, post-processor, data source) writes one
//! [`options!`](crate::options) declaration. From it come the typed struct, the
//! [`Schema`] for documentation and suggestions, strict and weak decoding, and
//! the canonical form of what is hashed.

mod declare;
mod decode;
mod deferred;
mod duration;
mod option_type;
mod secret;
mod sort;
mod weak;

pub use decode::{BuildData, Decoded, Decoder, Evaluate, Facts, Resolve, UnknownField};
pub use deferred::Deferred;
pub use duration::{format_go_duration, parse_go_duration};
pub use option_type::OptionType;
pub use secret::Secret;
pub use sort::{FoundBlock, Given, RawOptions};

use crate::value::Type;

/// What a component's options are.
#[derive(Clone, Debug)]
pub struct Schema {
    /// One line about them.
    pub doc: String,
    /// The options in declared order.
    pub options: Vec<OptionSpec>,
}

/// One option.
#[derive(Clone, Debug)]
pub struct OptionSpec {
    /// Its name in templates.
    pub name: &'static str,
    /// What it does.
    pub doc: String,
    /// Whether its value is part of the template hash and the image hash.
    pub hashed: bool,
    /// Whether a template must give it.
    pub required: bool,
    /// What holds when it is left out, in its canonical form; null is nothing.
    pub default: Option<serde_json::Value>,
    /// What is written for it.
    pub shape: Shape,
}

/// What is written for an option.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `name = value`.
    Attribute(Type),
    /// `name { … }`; in the JSON dialects an object, or an array of objects when repeated.
    Block {
        /// What stands in it.
        schema: fn() -> &'static Schema,
        /// Whether it may stand there more than once.
        repeated: bool,
    },
}
