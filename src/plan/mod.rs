//! The Plan: everything a build will do, as plain data that names every input by content.

pub mod input;

pub use input::{Content, Digest, Entry, Tree};
