//! The functions that expressions call, declared once each: name, parameters, result, and a line
//! of documentation. Checking of arguments, diagnostics and help all follow from that.
//!
//! One file a group. What a function may see of the machine comes in through the
//! [`FunctionContext`](super::evaluate::FunctionContext) of its scope.

mod collection;
mod crypto;
mod declaration;
mod elsewhere;
mod encoding;
mod filesystem;
mod format;
mod network;
mod numeric;
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
