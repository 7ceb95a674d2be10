//! Text to one typed template: HCL2, HCL-JSON and legacy JSON.

pub mod evaluate;
pub mod function;
pub mod syntax;
