//! Secrets never reach a terminal, however they are written.
//!
//! A secret in an output is rarely spelt as it is in the template: it was quoted for a shell, put
//! into JSON, sent as base64. No list of spellings is complete, as every encoder has a mind of its
//! own about what it escapes. So the output is *decoded* instead ([`view`], [`encoded`]), twice
//! over, and each reading of it is searched for all secrets at once ([`searcher`]); what is found
//! is replaced where it stands in the output. The cost grows with the text, not with the number of
//! secrets times the number of spellings.
//!
//! What counts as a secret's text is in [`patterns`]: the whole of it and each of its lines, since
//! output comes line by line.

mod encoded;
mod findings;
mod handle;
mod patterns;
mod searcher;
#[cfg(test)]
mod tests;
mod view;

pub use handle::Mask;
use handle::STAND_IN;
