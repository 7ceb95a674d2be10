//! Files that a plan uses, named by content.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What a hasher has come to.
    pub fn from_hasher(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// From 64 hexadecimal digits in lower case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", &self.hex()[..12])
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

/// Where the bytes of a file are to be read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file on this machine; its bytes are checked against the digest as they are sent.
    File(PathBuf),
    /// Bytes that came out of the template.
    Bytes(Arc<[u8]>),
}

/// One thing in a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Bytes.
        size: u64,
        /// SHA-256 of the bytes.
        digest: Digest,
        /// Where they are.
        content: Content,
    },
    /// A symbolic link, kept as one.
    Symlink {
        /// What it points to.
        target: String,
    },
}

/// A file or a directory tree, sorted by path.
///
/// A single file is a tree whose only entry has the empty path. In a directory
/// tree the empty path is the directory itself, others are relative with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Entries by relative path, in byte order: a directory comes before what it holds.
    pub entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// A tree of one file made of bytes.
    pub fn of_bytes(bytes: impl Into<Arc<[u8]>>, mode: u32) -> Self {
        let bytes = bytes.into();
        let entry = Entry::File {
            mode,
            size: bytes.len() as u64,
            digest: Digest::of(&bytes),
            content: Content::Bytes(bytes),
        };
        Self { entries: BTreeMap::from([(String::new(), entry)]) }
    }

    /// The only file, when the tree is a single file.
    pub fn single_file(&self) -> Option<&Entry> {
        match self.entries.get("") {
            Some(entry @ Entry::File { .. }) => Some(entry),
            _ => None,
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.entries
            .values()
            .map(|entry| if let Entry::File { size, .. } = entry { *size } else { 0 })
            .sum()
    }

    /// Number of regular files.
    pub fn files(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry, Entry::File { .. })).count()
    }
}
