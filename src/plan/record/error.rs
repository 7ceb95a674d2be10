//! Why a record cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// More than a record ever is.
    #[error("the record is larger than {} MiB", super::LARGEST >> 20)]
    TooLarge,
    /// No JSON, or not that of a record.
    #[error("the record cannot be read: {0}")]
    Garbled(#[from] serde_json::Error),
    /// Written by a bake that keeps something else in records.
    #[error("the record has format {found}, and this bake reads {}", super::form::FORMAT)]
    Format {
        /// The record's.
        found: u32,
    },
    /// Its hashes are of another scheme, so that they cannot be compared with ours.
    #[error(
        "the record has hash scheme {found}, and this bake has {}",
        crate::plan::identity::SCHEME
    )]
    Scheme {
        /// The record's.
        found: u32,
    },
    /// It has parts that no recipe has.
    #[error("the record is no recipe: {0}")]
    Shape(&'static str),
    /// What it says was hashed does not give the hash that it claims.
    #[error(
        "the record does not fit its {what}: it claims {claimed}, and its inputs give {computed}"
    )]
    Hash {
        /// Which hash.
        what: &'static str,
        /// What it says.
        claimed: String,
        /// What comes out.
        computed: String,
    },
    /// It lies under the name of another hash.
    #[error("the record is of image hash {found}")]
    Misplaced {
        /// Its hash.
        found: String,
    },
    /// The file system says no.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
