//! JSON with a place for everything in it: legacy templates, `.pkr.json` and `.pkrvars.json`.
//!
//! [`parse`] reads RFC 8259 to the letter, but for a byte order mark in front. It explains each
//! fault and goes on where it is clear what was meant. It knows nothing of templates: what keys mean is for others.

#[cfg(test)]
mod limits;
mod node;
mod parse;
mod string;
#[cfg(test)]
mod tests;

pub use node::{Kind, Member, Node};
pub use parse::{Duplicates, MAX_DEPTH, ParseOptions, parse};
pub use string::StringNode;
