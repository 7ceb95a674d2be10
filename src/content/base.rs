//! What the layers of an image stand on.

use super::entry::hex_digest;
use crate::plan::Digest;

/// The base of an image, by what can be known of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Base {
    /// The root of the machine that the sandbox runs on. It is too large to be read for each image,
    /// and its owner changes it: it is known by its system and by the list of its packages.
    Host {
        /// `ID` and `VERSION_ID` of its os-release.
        system: String,
        /// Of the package database, where it has one that is known.
        #[serde(with = "hex_digest::optional", default)]
        packages: Option<Digest>,
    },
    /// A root file system in the sandbox's store, which nobody changes.
    Imported {
        /// Its name there.
        name: String,
        /// The content digest of its tree.
        #[serde(with = "hex_digest")]
        tree: Digest,
    },
}

impl Base {
    /// What the digest of an image takes of it: not the name, which is this machine's.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Host { system, packages } => {
                let packages = packages.map(|digest| digest.hex()).unwrap_or_default();
                format!("host {system} {packages}")
            }
            Self::Imported { tree, .. } => format!("tree {tree}"),
        }
    }
}

/// What was recorded of an image's content when it was captured.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageContent {
    /// [`FileTree::content_digest`](super::FileTree::content_digest) of its layers.
    #[serde(with = "hex_digest")]
    pub digest: Digest,
    /// What they stand on.
    pub base: Base,
}
