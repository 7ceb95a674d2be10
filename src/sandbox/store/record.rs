//! The store itself, and what it keeps of an image.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::directories;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::{MachineError, RootFs};

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
    /// In bake's [data](directories::data); below `/var/lib` for a user without a home.
    pub fn default_root() -> PathBuf {
        let data = directories::data().unwrap_or_else(|| PathBuf::from("/var/lib/bake"));
        data.join("sandbox")
    }

    /// Opens the store at `root`, which is made when it does not exist.
    ///
    /// # Errors
    ///
    /// When its directories cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, MachineError> {
        let root = std::path::absolute(root.into()).tried(|| "find the store".to_owned())?;
        // Layers may hold secrets of their instances.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&root).tried_on("make", &root)?;
        // Links on the way would hide from the mask where the store really is.
        let root = fs::canonicalize(&root).tried_on("find", &root)?;
        let store = Self { root };
        for part in ["bases", "images", "instances", "layers", "listings"] {
            let path = store.root.join(part);
            builder.create(&path).tried_on("make", &path)?;
        }
        Ok(store)
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn directory(&self, part: &str) -> PathBuf {
        self.root.join(part)
    }

    /// Where machines have their working directories.
    pub(in crate::sandbox) fn instances(&self) -> PathBuf {
        self.directory("instances")
    }
}
