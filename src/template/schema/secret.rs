//! Options that are secrets by their nature.

use std::fmt;

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::decode::Decoder;
use super::sort::FoundBlock;
use super::{OptionType, Shape};
use crate::value::Value;

/// A password or key that is never printed, whether its variable was marked or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl OptionType for Secret {
    fn shape() -> Shape {
        String::shape()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        String::from_value(value).map(Self::new)
    }

    fn from_blocks(_: &[FoundBlock<'_>], _: &mut Decoder<'_>) -> Option<Self> {
        None
    }

    /// Only that there is one: a plain digest of a weak secret could be guessed.
    fn canonical(&self) -> Json {
        if self.0.is_empty() { json!("") } else { json!({ "secret": true }) }
    }
}
