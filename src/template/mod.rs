//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.
//!
//! - [`syntax`]: what was written, with spans; [`json`]: spanned JSON;
//! - [`go_template`]: Go's text/template and Packer's functions in it;
//! - [`evaluate`] and [`function`]: expressions to values;
//! - [`schema`]: options of components, declared once, and their decoding;
//! - [`load`] reads files into a [`Template`], the one typed form of all spellings;
//! - [`Environment`] gives values to its variables and locals and evaluates its expressions.

mod collect;
mod declaration;
mod dynamic;
mod environment;
pub mod evaluate;
pub mod function;
pub mod go_template;
pub mod json;
mod legacy;
mod load;
mod reader;
pub mod schema;
pub mod syntax;
mod text;
mod variable;
mod version;

pub use declaration::{Build, Labelled, Local, SourceUse, Step, Template, Validation, Variable};
pub use environment::{BuildScope, Environment, Run};
pub use load::{Loaded, load};
pub use variable::VariableInputs;
