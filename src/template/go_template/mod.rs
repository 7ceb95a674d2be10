//! Go text/template, as Packer's templates use it.
//!
//! A [`GoTemplate`] is parsed once and rendered with [`Data`] (the fields) and [`Functions`];
//! [`PackerFunctions`] are those that Packer adds. Nothing here reads a clock, a file or the
//! environment: all of it comes in through arguments.
//!
//! It follows the documentation of Go's text/template and fmt, but for one thing: where Go
//! prints `<no value>` for an unknown field, the action stays in the text and is reported, so
//! that `docker ps --format '{{.Names}}'` survives. Hostile templates end with an error: there
//! are limits to nesting, steps and size. It was compared with Go 1.19 on some 300,000 random
//! templates; what differs on purpose:
//!
//! - a field of something that has no fields counts as unknown instead of being an error, and an
//!   unknown argument of `or` counts as false as long as another argument follows;
//! - `index` of a missing key gives an empty string when all values of the map are strings, as
//!   Go does for `map[string]string`;
//! - there are no function values and no complex numbers, and `%p` prints no address;
//! - a variable of an `if` branch is not known in the `else if` behind it.
//!
//! Texts are UTF-8; where Go would make other bytes
//! (`"\xff"`, half a character), they become U+FFFD.

mod builtin;
#[cfg(test)]
mod cases_with_data;
#[cfg(test)]
mod cases_without_data;
mod data;
mod error;
mod float;
mod format;
mod functions;
mod literal;
mod moment;
#[cfg(test)]
mod moment_tests;
mod packer_functions;
#[cfg(test)]
mod packer_functions_tests;
mod parse;
mod pieces;
mod quote;
mod references;
mod render;
mod scan;
mod syntax;
mod template;
#[cfg(test)]
mod tests;

pub use data::Data;
pub use error::{RenderError, SyntaxError};
pub(crate) use float::spell as go_float;
pub use functions::{Effect, Functions, NoFunctions};
pub use moment::{Moment, RFC3339_LAYOUT, go_layout_format, strftime};
pub(crate) use moment::{month_name, weekday_name};
pub use packer_functions::{
    Ask, Available, BUILD_IN_HCL, BUILD_OUTSIDE_STEPS, ENV_IN_HCL, ENV_IN_OPTION, PackerFunctions,
    Request, SECRET_IN_HCL, SECRET_IN_OPTION, USER_IN_HCL, clean_resource_name,
};
pub use pieces::{Action, Argument, Call, Piece};
pub(crate) use quote::quote as go_quote;
pub use references::{FieldReference, FunctionReference, References};
pub use render::{KeptField, Lookup, Rendered};
pub use template::GoTemplate;
