//! Keys as lists of bytes.

use serde_json::{Value as Json, json};

use crate::template::schema::{Decoder, FoundBlock, OptionType, Secret, Shape};
use crate::value::{Type, Value};

/// A key as Packer hands it to its plugins: a list of numbers from 0 to 255.
#[derive(Clone, Debug)]
pub struct KeyBytes(Secret);

impl KeyBytes {
    /// The text that the bytes are, when there are any.
    pub fn text(&self) -> Option<&Secret> {
        Some(&self.0).filter(|text| !text.reveal().is_empty())
    }
}

impl Default for KeyBytes {
    fn default() -> Self {
        Self(Secret::new(""))
    }
}

impl OptionType for KeyBytes {
    fn shape() -> Shape {
        Shape::Attribute(Type::List(Box::new(Type::Number)))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let bytes = Vec::<u16>::from_value(value)?
            .into_iter()
            .map(|byte| u8::try_from(byte).map_err(|_| format!("{byte} is no byte")))
            .collect::<Result<Vec<_>, _>>()?;
        let text = String::from_utf8(bytes).map_err(|_| "the bytes are no text".to_owned())?;
        Ok(Self(Secret::new(text)))
    }

    fn from_blocks(_: &[FoundBlock<'_>], _: &mut Decoder<'_>) -> Option<Self> {
        None
    }

    fn canonical(&self) -> Json {
        if self.0.reveal().is_empty() { json!("") } else { self.0.canonical() }
    }
}
