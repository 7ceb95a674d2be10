//! Conversion between types. (being built)

use super::{Type, Value};

/// Why a value cannot become a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConversionError {
    /// One sentence.
    pub message: String,
}

/// Converts.
pub fn convert(value: &Value, _of: &Type) -> Result<Value, ConversionError> {
    Ok(value.clone())
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
