//! Text that is a Go template and stays one until the build runs. What can be rendered before
//! (`{{user}}`, `{{isotime}}`) already is, so that two spellings of one recipe are equal.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::decode::{Decoder, Resolve, UnknownField};
use super::sort::FoundBlock;
use super::{OptionType, Shape};
use crate::value::Value;

/// Go-template text with fields that are only known later, such as `{{ .Path }}`
/// in `execute_command` or `{{ .SourceAMI }}` in a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deferred {
    text: String,
}

impl Deferred {
    /// A template of our own.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The text, not rendered.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its actions carried out; `fields` are what the option documents.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn render(
        &self,
        resolve: &dyn Resolve,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<String, String> {
        if !self.text.contains("{{") {
            return Ok(self.text.clone());
        }
        resolve.render_late(&self.text, fields, unknown).map(|(text, _)| text)
    }
}

impl OptionType for Deferred {
    fn shape() -> Shape {
        String::shape()
    }

    fn deferred() -> bool {
        true
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        String::from_value(value).map(Self::new)
    }

    fn from_blocks(_: &[FoundBlock<'_>], _: &mut Decoder<'_>) -> Option<Self> {
        None
    }

    fn canonical(&self) -> Json {
        Json::String(self.text.clone())
    }
}
