//! The texts of small files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;

use crate::plan::{Content, Digest, Entry, Planned};

/// Bytes of the largest file whose text is kept.
const SMALL: u64 = 64 << 10;

/// Bytes of all texts together.
const TOGETHER: usize = 8 << 20;

/// The texts of the small files of components, by digest, without those that hold a secret.
pub(super) fn of<'a>(
    components: impl Iterator<Item = &'a Planned>,
    secrets: &BTreeSet<&str>,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut together = 0;
    let trees = components.flat_map(|component| component.trees.values());
    for entry in trees.flat_map(|tree| tree.entries.values()) {
        let Entry::File { size, digest, content, .. } = entry else { continue };
        let name = digest.hex();
        if *size > SMALL || texts.contains_key(&name) {
            continue;
        }
        let Some(text) = text(content, digest) else { continue };
        let is_secret = |secret: &&str| !secret.is_empty() && text.contains(*secret);
        if text.contains('\0') || secrets.iter().any(is_secret) {
            continue;
        }
        together += text.len();
        if together > TOGETHER {
            return texts;
        }
        texts.insert(name, text);
    }
    texts
}

/// What a file holds, if it is text and has not changed since it was planned.
fn text(content: &Content, digest: &Digest) -> Option<String> {
    let bytes = match content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::File(path) => {
            let mut bytes = Vec::new();
            File::open(path).ok()?.take(SMALL + 1).read_to_end(&mut bytes).ok()?;
            bytes
        }
    };
    (Digest::of(&bytes) == *digest).then(|| String::from_utf8(bytes).ok())?
}
