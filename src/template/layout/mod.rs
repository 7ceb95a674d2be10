//! The canonical layout of HCL, as `bake fmt` writes it.
//!
//! Works on the characters and not on the syntax tree, so that comments, heredocs and blank lines
//! stay what they are: the lexer of [`syntax`](super::syntax) cuts a text into tokens, [`spacing`]
//! says which of them stand apart, and [`lines`] indents and aligns. Only blanks between tokens ever
//! change, so the meaning of a template, and with it its hash, cannot.
//!
//! The rules are those of Packer's `fmt` 1.16; where it makes something worse than it was (a
//! template sequence of several lines in a heredoc loses its indentation and that of all that
//! follows), bake does better.

mod lines;
mod spacing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};

use super::syntax::parse_hcl;

/// A source of HCL native syntax in canonical layout.
///
/// # Errors
/// Everything that keeps the text from being parsed.
pub fn format_hcl(source: &Arc<Source>) -> Result<String, Diagnostics> {
    let (_, errors) = parse_hcl(source);
    if errors.has_errors() {
        return Err(errors);
    }
    Ok(lines::arrange(source))
}
