//! HCL native syntax.
//!
//! [`lexer`] cuts a text into tokens and pairs its brackets: what is never closed is told, and
//! closed where it most likely ends, so that the parser only ever sees balanced text. [`parser`]
//! goes over the tokens; an error in an argument, an element or a template sequence ends that one
//! only, so that all errors are found in one go. [`text`] does templates and heredocs.
//! [`layout_tokens`] has the tokens for who changes the layout only.
//!
//! Both are linear in the length of the text. Nesting is limited, so that no text can exhaust the
//! stack.

mod body;
mod bracket;
mod collection;
mod expression;
mod finding;
#[cfg(test)]
mod language;
mod lexer;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mistakes;
mod parse;
mod parser;
mod place;
mod quote;
mod template;
#[cfg(test)]
mod tests;
mod text;
pub(in crate::template) mod token;

pub(in crate::template) use lexer::layout_tokens;
pub use parse::{parse_decoded_template, parse_expression, parse_hcl, parse_template};
