//! The data source that gives what it is given.

use std::collections::BTreeMap;

use crate::template::data_source::{DataSourceKind, Output, Reading};
use crate::value::Value;

pub(super) const KIND: DataSourceKind = DataSourceKind {
    name: "null",
    schema: NullOptions::schema,
    outputs: &[Output::text("output")],
    sensitive: false,
    read: |reader| {
        let options = reader.decode(NullOptions::schema(), NullOptions::decode_options)?;
        let output = ("output".to_owned(), Value::string(options.input));
        Some(Reading::Known(BTreeMap::from([output])))
    },
};

crate::options! {
    /// Gives what it is given.
    struct NullOptions {
        /// What to give as `output`.
        hashed input: String,
    }
}
