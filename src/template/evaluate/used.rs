//! What functions read besides their arguments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What an evaluation has read of this machine, for those who want to know when to do it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Files that were read or looked for, whether they are there or not.
    pub files: BTreeSet<PathBuf>,
    /// Directories that were listed with everything below them.
    pub directories: BTreeSet<PathBuf>,
    /// Names of environment variables.
    pub environment: BTreeSet<String>,
}

/// Collects it. Shared by all that evaluates for one template.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<Used>);

impl Uses {
    pub(super) fn file(&self, path: &Path) {
        self.add(|used| used.files.insert(path.to_owned()));
    }

    pub(super) fn directory(&self, path: &Path) {
        self.add(|used| used.directories.insert(path.to_owned()));
    }

    pub(super) fn environment(&self, name: &str) {
        self.add(|used| used.environment.insert(name.to_owned()));
    }

    pub(super) fn so_far(&self) -> Used {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, add: impl FnOnce(&mut Used) -> bool) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
