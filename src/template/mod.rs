//! (being built)

pub mod go_template;
pub mod json;
