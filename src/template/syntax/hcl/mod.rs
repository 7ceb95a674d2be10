//! HCL native syntax: hcl-edit's parser, with what it leaves to us.
//!
//! [`scan`] goes over the characters first and finds what is never closed; hcl-edit parses what
//! the scan left of the text; [`tree`] makes our tree, reading names, numbers and texts from the
//! original; [`text`] does templates and heredocs the way HCL does.

mod parse;
mod place;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use parse::{parse_decoded_template, parse_expression, parse_hcl, parse_template};
