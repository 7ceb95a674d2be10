//! The plan that was recorded for an image hash: the one place that knows the form of records.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::directories;
use crate::plan::{Digest, canonical_json};

/// Bytes of the largest record that is read.
const LARGEST: u64 = 64 << 20;

/// What is needed of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// The build's name.
    pub(super) build: String,
    /// The template as it was named, absolute.
    pub(super) template: PathBuf,
    /// The source image that was found.
    pub(super) source_image: Json,
}

#[derive(Deserialize)]
struct Form {
    build: String,
    template: PathBuf,
    image: Option<Json>,
}

/// The record of an image hash, whose inputs have been seen to give the hash; `None` when there is
/// none on this machine.
///
/// # Errors
/// There is one, and it does not fit or cannot be used; one sentence.
pub(super) fn recorded(hash: &str) -> Result<Option<Recorded>, String> {
    let Some(directory) = directories::state() else { return Ok(None) };
    read(&directory.join("plans").join(format!("{hash}.json")), hash)
}

fn read(path: &Path, hash: &str) -> Result<Option<Recorded>, String> {
    let unreadable = |error: io::Error| format!("`{}` cannot be read: {error}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(unreadable)?;
    let form: Form = serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?;
    let Some(image) = form.image else {
        return Err(format!("`{}` is the record of no image", path.display()));
    };
    let mut hasher = Sha256::new_with_prefix("bake/image/1\n");
    hasher.update(canonical_json(&image));
    let found = Digest::from_hasher(hasher).hex();
    if found != hash {
        return Err(format!("the inputs that are recorded give the hash {found}"));
    }
    let source_image = image.get("source_image").cloned().unwrap_or(Json::Null);
    Ok(Some(Recorded { build: form.build, template: form.template, source_image }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_must_give_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.json");
        let image = json!({ "builder": {}, "source_image": { "id": "ami-1" }, "steps": [] });
        let mut hasher = Sha256::new_with_prefix("bake/image/1\n");
        hasher.update(canonical_json(&image));
        let hash = Digest::from_hasher(hasher).hex();
        assert_eq!(read(&path, &hash), Ok(None));
        let form = json!({ "build": "b", "template": "/t", "image": image });
        std::fs::write(&path, form.to_string()).unwrap();
        let found = read(&path, &hash).unwrap().unwrap();
        assert_eq!(found.source_image, json!({ "id": "ami-1" }));
        std::fs::write(&path, form.to_string().replace("ami-1", "ami-2")).unwrap();
        assert!(read(&path, &hash).unwrap_err().contains("give the hash"));
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path, &hash).unwrap_err().contains("cannot be read"));
    }
}
