//! Why two hashes differ: each input that does, by name.
//!
//! [`difference`] compares two [`Record`](super::record::Record)s and nothing else. Steps are
//! matched by what they are, so that one that was inserted does not change those after it. A secret
//! is in no record, so that it can only be told that it differs.

mod compare;
mod form;
mod line;
mod option;
mod sequence;
mod step;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub use compare::{difference, of_templates};
pub use form::{Change, Difference, FileChange, Form, Part};
pub use line::{Line, Sign};
pub use text::{LINES, render_differences};
