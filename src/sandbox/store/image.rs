//! Image records.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::{ImageRecord, Store};
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;

impl Store {
    /// All image records, by id.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or a record is not one.
    pub fn images(&self) -> Result<Vec<ImageRecord>, MachineError> {
        let directory = self.directory("images");
        let mut images = Vec::new();
        for entry in fs::read_dir(&directory).tried_on("list", &directory)? {
            let path = entry.tried_on("list", &directory)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = match fs::read(&path) {
                Ok(text) => text,
                // Removed by another process since it was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).tried_on("read", &path),
            };
            let image: ImageRecord = serde_json::from_slice(&text).tried_on("read", &path)?;
            images.push(image);
        }
        images.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(images)
    }

    /// Writes or replaces an image record.
    ///
    /// # Errors
    ///
    /// `NotFound` for a layer that the store does not have (any more).
    pub fn save_image(&self, record: &ImageRecord) -> Result<(), MachineError> {
        let path = self.image_path(&record.id)?;
        let _lock = self.lock_shared()?;
        for layer in &record.root.layers {
            self.layer(layer)?;
        }
        let mut text = serde_json::to_vec_pretty(record).tried_on("write", &path)?;
        text.push(b'\n');
        let directory = self.directory("images");
        let mut file =
            tempfile::NamedTempFile::new_in(&directory).tried_on("make a file in", &directory)?;
        file.write_all(&text).tried_on("write", &path)?;
        file.as_file().sync_all().tried_on("write", &path)?;
        file.persist(&path).map_err(|error| error.error).tried_on("write", &path)?;
        Ok(())
    }

    /// Removes an image record and the layers that no other record names.
    ///
    /// # Errors
    ///
    /// `NotFound`, or what the file system says.
    pub fn remove_image(&self, id: &str) -> Result<(), MachineError> {
        let path = self.image_path(id)?;
        let _lock = self.lock_exclusive()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(MachineError::NotFound { what: "image", name: id.to_owned() });
            }
            removed => removed.tried_on("remove", &path)?,
        }
        self.remove_unreferenced_layers()
    }

    fn image_path(&self, id: &str) -> Result<PathBuf, MachineError> {
        let is_name = id.len() <= 128
            && id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if is_name {
            Ok(self.directory("images").join(format!("{id}.json")))
        } else {
            Err(MachineError::Other(format!("`{id}` cannot be an image id")))
        }
    }
}
