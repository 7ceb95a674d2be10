//! Layers: what a machine wrote, by the digest of its content.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Store, content, listing, tree};
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::{Digest, MachineError};

/// What an image does not keep: mounts, and what does not outlive a boot.
pub(super) const LEFT_OUT: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

impl Store {
    /// The directory of a layer.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn layer(&self, digest: &str) -> Result<PathBuf, MachineError> {
        let path = self.directory("layers").join(digest);
        if is_digest(digest) && path.is_dir() {
            return Ok(path);
        }
        Err(MachineError::NotFound { what: "layer", name: digest.to_owned() })
    }

    /// Copies the upper directory of a machine into the store. `refer` makes a
    /// reference to the layer's directory before anyone can remove it.
    pub(in crate::sandbox) fn capture(
        &self,
        upper: &Path,
        refer: impl FnOnce(&Path) -> Result<(), MachineError>,
    ) -> Result<Digest, MachineError> {
        let layers = self.directory("layers");
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&layers)
            .tried_on("make a directory in", &layers)?;
        let copy = new.path().join("layer");
        tree::copy(upper, &copy, &LEFT_OUT)?;
        let list = listing::of_directory(&copy)?;
        let digest = content::named(&list);
        let _lock = self.lock_shared()?;
        self.write_listing(&self.layer_listing(&digest), &list)?;
        let path = layers.join(&digest);
        if !path.exists()
            && let Err(error) = fs::rename(&copy, &path)
            // Another process has stored the same content in the meantime.
            && !path.exists()
        {
            return Err(error).tried_on("store the layer as", &path);
        }
        refer(&path)?;
        Ok(digest)
    }

    /// Removes the layers that neither a record nor a machine refers to. Under the exclusive lock.
    pub(super) fn remove_unreferenced_layers(&self) -> Result<(), MachineError> {
        let images = self.images()?;
        let layers = self.directory("layers");
        for entry in fs::read_dir(&layers).tried_on("list", &layers)? {
            let path = entry.tried_on("list", &layers)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with(".removed-") {
                // A removal that was interrupted.
                drop(fs::remove_dir_all(&path));
                continue;
            }
            if !is_digest(name) {
                continue;
            }
            let is_named =
                images.iter().any(|image| image.root.layers.iter().any(|layer| layer == name));
            if !is_named && !self.is_in_use(&path)? {
                self.discard(&path)?;
                self.forget_listing(&self.layer_listing(name));
            }
        }
        Ok(())
    }
}

/// Whether a text has the form of a layer's name.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
