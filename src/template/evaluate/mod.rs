//! Expressions to values.
//!
//! Pure but for the functions, and what those may see comes in through a [`FunctionContext`].
//! Every error underlines the expression it is about and shows the values that took part.

mod budget;
mod call;
mod canonical;
mod conditional;
mod evaluator;
mod failure;
mod for_expression;
mod operation;
mod reference;
mod scope;
mod template;
mod traversal;
mod type_expression;
mod used;

pub use canonical::canonical;
pub use evaluator::evaluate;
pub(super) use failure::with_values;
pub use reference::{Reference, references};
pub use scope::{FunctionContext, Scope};
pub use type_expression::{parse_quoted_type, parse_type};
pub use used::Used;

#[cfg(test)]
pub(crate) mod tests;
