//! One thing in a file tree.

use std::collections::BTreeMap;

use crate::plan::Digest;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// What it is.
    #[serde(flatten)]
    pub node: Node,
    /// Permission bits; zero for symbolic links, whose own mean nothing.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Extended attributes that belong to the content: capabilities, access lists, what users set,
    /// and overlayfs's sign that a directory hides what lies below. Names and values
    /// [escaped](super::escape).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// When its content was changed last, in nanoseconds since 1970. Recorded for people; it is in
    /// no digest and no difference.
    pub modified: i64,
}

/// Kinds of things.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// SHA-256 of the bytes.
        #[serde(with = "hex_digest")]
        digest: Digest,
        /// The first of its names in the same layer, where it has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points to, [escaped](super::escape).
        target: String,
    },
    /// A character device.
    CharacterDevice {
        /// Its number.
        device: u64,
    },
    /// A block device.
    BlockDevice {
        /// Its number.
        device: u64,
    },
    /// A named pipe.
    Fifo,
    /// Nothing: it was removed from the layers below.
    Removed,
}

impl Entry {
    /// Whether it is a directory that hides what the layers below have in it.
    pub(super) fn hides_below(&self) -> bool {
        self.node == Node::Directory && self.attributes.contains_key(OPAQUE)
    }

    /// The SHA-256 of a regular file's bytes.
    pub fn digest(&self) -> Option<Digest> {
        match &self.node {
            Node::File { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}

/// The attribute of a directory that hides what lies below it.
pub(super) const OPAQUE: &str = "user.overlay.opaque";

/// Digests in JSON, as 64 hexadecimal digits.
pub(super) mod hex_digest {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::plan::Digest;

    pub(in super::super) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        digest.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no digest")))
    }

    /// Digests that may be missing.
    pub(in super::super) mod optional {
        use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

        use crate::plan::Digest;

        pub(in super::super::super) fn serialize<S: Serializer>(
            digest: &Option<Digest>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            digest.serialize(serializer)
        }

        pub(in super::super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Digest>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| {
                Digest::from_hex(&text)
                    .ok_or_else(|| D::Error::custom(format!("`{text}` is no digest")))
            })
            .transpose()
        }
    }
}
