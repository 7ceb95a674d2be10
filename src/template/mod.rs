//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.
//!
//! - [`syntax`]: what was written, with spans; [`json`]: spanned JSON;
//! - [`go_template`]: Go's text/template and Packer's functions in it;
//! - [`evaluate`] and [`function`]: expressions to values;
//! - [`schema`]: options of components, declared once, and their decoding;
//! - [`layout`]: the canonical layout of HCL;
//! - [`upgrade`]: legacy JSON as HCL; [`fix`]: old legacy JSON as it is written today;
//! - [`load`] reads files into a [`Template`], the one typed form of all spellings;
//! - [`values`]: an [`Environment`] gives values to its variables and locals and evaluates options;
//! - [`lookup`]: what evaluation asks of the world outside, and [`data_source`], who asks.

pub mod data_source;
mod declaration;
mod dynamic;
pub mod evaluate;
pub mod fix;
pub mod function;
pub mod go_template;
pub mod json;
pub(crate) mod known_plugins;
pub mod layout;
mod load;
pub mod lookup;
pub mod schema;
pub mod syntax;
pub mod upgrade;
mod values;
mod version;

pub use declaration::{Build, Labelled, Local, SourceUse, Step, Template, Validation, Variable};
pub(crate) use load::read_source;
pub use load::{DIRECTORY_ENDINGS, Loaded, load, load_hcl, load_legacy};
pub use values::{
    BUILD_KEYS, BuildScope, Environment, NULL_VALUE, PACKER_VERSION, Run, UNKNOWN_VALUE,
    VariableInputs, given_secrets,
};
pub use version::{PluginRequirement, plugin_requirements};
