//! What can be wrong with a template.

use std::fmt;
use std::ops::Range;

use super::KeptField;
use crate::diagnostic::{Diagnostic, Span};

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

impl SyntaxError {
    /// The finding for it. `place` knows where a template's bytes stand in a source: strings of
    /// HCL and JSON have escapes.
    pub fn to_diagnostic(&self, place: impl Fn(Range<usize>) -> Span) -> Diagnostic {
        Diagnostic::error("go-template-syntax", self.message.clone())
            .at(&place(self.range.clone()), "in this Go template")
            .maybe_help(self.help.clone())
    }
}

impl RenderError {
    /// The finding for it; `place` as for [`SyntaxError::to_diagnostic`].
    pub fn to_diagnostic(&self, place: impl Fn(Range<usize>) -> Span) -> Diagnostic {
        Diagnostic::error("go-template", self.message.clone())
            .at(&place(self.range.clone()), "in this Go template")
            .maybe_help(self.help.clone())
    }
}

impl KeptField {
    /// The warning for it; `place` as for [`SyntaxError::to_diagnostic`].
    pub fn to_diagnostic(&self, place: impl Fn(Range<usize>) -> Span) -> Diagnostic {
        let suggestion = self.similar.as_ref().map(|name| format!("did you mean `{name}`?"));
        Diagnostic::warning("unknown-template-field", format!("unknown field `{}`", self.name))
            .at(&place(self.field.clone()), "not known here")
            .note("the text stays as it is written; Packer would put `<no value>` in its place")
            .maybe_help(suggestion)
            .help(format!(
                "if another program is to read it, write {{{{`{{{{{}}}}}`}}}}",
                self.name
            ))
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
