//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.
//!
//! - [`syntax`]: what was written, with spans; [`json`]: spanned JSON;
//! - [`go_template`]: Go's text/template and Packer's functions in it;
//! - [`evaluate`] and [`function`]: expressions to values;
//! - [`schema`]: options of components, declared once, and their decoding;
//! - [`layout`]: the canonical layout of HCL;
//! - [`upgrade`]: legacy JSON as HCL; [`fix`]: old legacy JSON as it is written today;
//! - [`load`] reads files into a [`Template`], the one typed form of all spellings;
//! - [`Environment`] gives values to its variables and locals and evaluates its expressions;
//! - [`lookup`]: what evaluation asks of the world outside, and [`data_source`], who asks.

mod build_scope;
mod call_names;
mod collect;
pub mod data_source;
mod declaration;
mod dynamic;
mod environment;
pub mod evaluate;
pub mod fix;
pub mod function;
mod given_secrets;
pub mod go_template;
mod graph;
pub mod json;
pub(crate) mod known_plugins;
pub mod layout;
mod legacy;
mod legacy_variable;
mod load;
pub mod lookup;
mod origin;
mod random;
mod reader;
pub mod schema;
pub mod syntax;
mod text;
pub mod upgrade;
mod validation;
mod variable;
mod version;

pub use build_scope::{BUILD_KEYS, BuildScope};
pub use declaration::{Build, Labelled, Local, SourceUse, Step, Template, Validation, Variable};
pub use environment::{Environment, NULL_VALUE, PACKER_VERSION, Run, UNKNOWN_VALUE};
pub use given_secrets::given_secrets;
pub(crate) use load::read_source;
pub use load::{Loaded, load, load_hcl, load_legacy};
pub use variable::VariableInputs;
pub use version::{PluginRequirement, plugin_requirements};
