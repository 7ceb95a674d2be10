//! Where finished images are kept.

use std::sync::Arc;

use crate::content::ImageContent;
use crate::sandbox::machine::{Base, MachineError, RootFs};
use crate::sandbox::store::{ImageRecord, Store};

/// Keeps image records and knows the bases. The store on disk is one; tests have one in memory.
pub trait ImageStore: Send + Sync {
    /// All bases, `host` first when it may be used.
    fn bases(&self) -> Result<Vec<Base>, MachineError>;
    /// All image records.
    fn images(&self) -> Result<Vec<ImageRecord>, MachineError>;
    /// Writes or replaces a record.
    fn save(&self, record: &ImageRecord) -> Result<(), MachineError>;
    /// Removes a record.
    fn remove(&self, id: &str) -> Result<(), MachineError>;
    /// What an image from `root` holds, where the store knows.
    fn content(&self, root: &RootFs) -> Result<Option<ImageContent>, MachineError>;
}

impl<T: ImageStore + ?Sized> ImageStore for Arc<T> {
    fn bases(&self) -> Result<Vec<Base>, MachineError> {
        (**self).bases()
    }

    fn images(&self) -> Result<Vec<ImageRecord>, MachineError> {
        (**self).images()
    }

    fn save(&self, record: &ImageRecord) -> Result<(), MachineError> {
        (**self).save(record)
    }

    fn remove(&self, id: &str) -> Result<(), MachineError> {
        (**self).remove(id)
    }

    fn content(&self, root: &RootFs) -> Result<Option<ImageContent>, MachineError> {
        (**self).content(root)
    }
}

impl ImageStore for Store {
    fn bases(&self) -> Result<Vec<Base>, MachineError> {
        Store::bases(self)
    }

    fn images(&self) -> Result<Vec<ImageRecord>, MachineError> {
        Store::images(self)
    }

    fn save(&self, record: &ImageRecord) -> Result<(), MachineError> {
        self.save_image(record)
    }

    fn remove(&self, id: &str) -> Result<(), MachineError> {
        self.remove_image(id)
    }

    fn content(&self, root: &RootFs) -> Result<Option<ImageContent>, MachineError> {
        Store::content(self, root)
    }
}
