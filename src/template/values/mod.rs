//! What a template's variables, locals and data sources are, and what evaluates options with them:
//!
//! - [`variable`] and [`validation`]: from the command line, files and the environment;
//!   [`legacy_variable`]: those of legacy JSON;
//! - [`graph`]: locals and data sources, each after what it needs;
//! - [`environment`]: all of them together; [`build_scope`]: and a build's own names;
//! - [`text`]: Go templates in options; [`origin`]: what stands for a value that is not known.

mod build_scope;
mod call_names;
mod environment;
mod given_secrets;
mod graph;
mod legacy_variable;
mod origin;
mod random;
mod text;
pub(super) mod validation;
mod variable;

pub use build_scope::{BUILD_KEYS, BuildScope};
pub use environment::{Environment, NULL_VALUE, PACKER_VERSION, Run, UNKNOWN_VALUE};
pub use given_secrets::given_secrets;
pub use variable::VariableInputs;
