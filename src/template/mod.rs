//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.

pub mod evaluate;
pub mod function;
pub mod go_template;
pub mod json;
pub mod syntax;
