//! The lock between those who make references and those who remove what has none.

use std::fs::File;

use rustix::fs::FlockOperation;

use super::Store;
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

/// Held until dropped.
#[derive(Debug)]
pub(in crate::sandbox) struct StoreLock {
    _file: File,
}

impl Store {
    /// For those who make a reference: several at once.
    pub(in crate::sandbox) fn lock_shared(&self) -> Result<StoreLock, MachineError> {
        self.lock(FlockOperation::LockShared)
    }

    /// For those who remove: alone.
    pub(super) fn lock_exclusive(&self) -> Result<StoreLock, MachineError> {
        self.lock(FlockOperation::LockExclusive)
    }

    fn lock(&self, operation: FlockOperation) -> Result<StoreLock, MachineError> {
        let path = self.root().join("lock");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .tried_on("open", &path)?;
        rustix::fs::flock(&file, operation).tried_on("lock", &path)?;
        Ok(StoreLock { _file: file })
    }
}
