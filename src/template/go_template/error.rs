//! What can be wrong with a template.

use std::fmt;
use std::ops::Range;

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the template.
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

/// A template that could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the template.
    pub range: Range<usize>,
    /// What to do.
    pub help: Option<String>,
}

impl SyntaxError {
    pub(super) fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl RenderError {
    pub(super) fn new(message: impl Into<String>, range: &Range<usize>) -> Self {
        Self { message: message.into(), range: range.clone(), help: None }
    }

    pub(super) fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text;
        self
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}
impl std::error::Error for RenderError {}
