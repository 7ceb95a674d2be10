//! The functions that expressions call, declared once each: name, parameters, result, and a line
//! of documentation. Checking of arguments, diagnostics and help all follow from that.
//!
//! One file a group. What a function may see of the machine comes in through the
//! [`FunctionContext`](super::evaluate::FunctionContext) of its scope.
//!
//! # Bounds
//!
//! No call can eat the machine. Beyond these it is an error that says so:
//!
//! | what | bound |
//! |---|---|
//! | text that a call makes | 64 MiB |
//! | elements that a call makes | 1,000,000 |
//! | sets that are compared with each other | 1,000 |
//! | text that is decoded (JSON, YAML, CSV) | 8 MiB |
//! | values that YAML (aliases replaced) and CSV are decoded to | 250,000 |
//! | how deep decoded values lie in one another | 128 |
//! | a file that is read | 64 MiB |
//! | files that `fileset` looks at, and how deep | 500,000, 64 |
//! | width and precision in a format | 10,000 |
//! | digits of a number to parse; its magnitude | 5,000; 10^±4096 |
//! | cost and password of `bcrypt` | 16, 72 bytes |
//! | a private key | 8 KiB in PEM, which is 8192 bits |
//!
//! An evaluation as a whole has a budget of steps, values and text besides.
//!
//! # Known differences from Packer
//!
//! `base64gzip` compresses by another library, so its bytes differ from Go's; they are the same at
//! each call, with no time and system 255 in the header. Infinity is no number here: what gives it
//! in Packer (`log(0, 10)`, `pow(0, -1)`, YAML's `.inf`) is an error.

mod collection;
mod crypto;
mod declaration;
mod elsewhere;
mod encoding;
mod filesystem;
mod format;
mod network;
mod numeric;
mod secret;
mod string;
#[cfg(test)]
mod tests;
mod time;
mod types;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) use declaration::{Body, Call, Failure, Known, Travel};
pub use declaration::{Function, Of, Parameter};
pub(crate) use elsewhere::instead_of;
pub(crate) use filesystem::clean as clean_path;

static TABLE: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    [
        collection::FIND,
        collection::LIST,
        collection::MAP,
        collection::SET,
        crypto::FUNCTIONS,
        encoding::FUNCTIONS,
        filesystem::FUNCTIONS,
        format::FUNCTIONS,
        network::FUNCTIONS,
        numeric::FUNCTIONS,
        secret::FUNCTIONS,
        string::FUNCTIONS,
        time::FUNCTIONS,
        types::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name, function))
    .collect()
});

/// The function called `name`; `core::` before it changes nothing.
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.get(name.strip_prefix("core::").unwrap_or(name)).copied()
}

/// All functions by name.
pub fn all() -> impl Iterator<Item = &'static Function> {
    TABLE.values().copied()
}
