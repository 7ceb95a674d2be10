//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.

pub mod schema;
pub mod syntax;
