//! Bases, content-addressed layers and image records on disk.
//!
//! Several bake processes share one store: a record appears by an atomic
//! rename, a layer before any record that names it, and readers look at the
//! directory each time.

use std::path::{Path, PathBuf};

use super::machine::{Base, MachineError, RootFs};

/// An image as the store keeps it. What EC2 says about it is `details`, which only the cloud reads.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ImageRecord {
    /// The image id, `ami-…`.
    pub id: String,
    /// What a machine made from it starts from.
    pub root: RootFs,
    /// The cloud's own record: name, owner, tags, block devices, creation date, and so on.
    pub details: serde_json::Value,
}

/// The sandbox store of one user.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// `$XDG_DATA_HOME/bake/sandbox`, or `~/.local/share/bake/sandbox`.
    pub fn default_root() -> PathBuf {
        todo!()
    }

    /// Opens the store at `root`, which is made when it does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, MachineError> {
        Ok(Self { root: root.into() })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All bases: `host` when this process may use it, then the imported ones by name.
    pub fn bases(&self) -> Result<Vec<Base>, MachineError> {
        todo!()
    }

    /// Adds a base from a directory or a tar archive (plain, gzip).
    pub fn import(&self, _name: &str, _from: &Path) -> Result<Base, MachineError> {
        todo!()
    }

    /// Removes an imported base that no image stands on.
    pub fn remove_base(&self, _name: &str) -> Result<(), MachineError> {
        todo!()
    }

    /// All image records.
    pub fn images(&self) -> Result<Vec<ImageRecord>, MachineError> {
        todo!()
    }

    /// Writes or replaces an image record.
    pub fn save_image(&self, _record: &ImageRecord) -> Result<(), MachineError> {
        todo!()
    }

    /// Removes an image record and the layers that no other record names.
    pub fn remove_image(&self, _id: &str) -> Result<(), MachineError> {
        todo!()
    }
}
