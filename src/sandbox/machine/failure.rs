//! Puts what was tried, with the path, in front of what the system answered.

use std::io;
use std::path::Path;

use super::MachineError;

/// Adds what was tried to a system error.
pub(in crate::sandbox) trait Tried<T> {
    /// `what` says what was tried, without a path or with it inside.
    fn tried(self, what: impl FnOnce() -> String) -> Result<T, MachineError>;

    /// `what` and the path it was tried on.
    fn tried_on(self, what: &str, path: &Path) -> Result<T, MachineError>
    where
        Self: Sized,
    {
        self.tried(|| format!("{what} {}", path.display()))
    }
}

impl<T, E: Into<io::Error>> Tried<T> for Result<T, E> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T, MachineError> {
        self.map_err(|error| MachineError::Io { what: what(), source: error.into() })
    }
}
