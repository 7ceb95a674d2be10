//! Options of the `file` provisioner.

use std::path::Path;

crate::options! {
    /// Puts files and directories on the instance.
    pub(super) struct FileOptions {
        /// A file or directory on this machine. With a `/` at its end, only what a directory holds.
        unhashed source: Option<String>,
        /// Several of them; they come before `source`.
        unhashed sources: Vec<String>,
        /// Text that becomes a file, in place of a source.
        hashed content: Option<String>,
        /// Where to: a path on the instance. With a `/` at its end, the name of a file is appended.
        hashed destination: String,
        /// `upload`, or `download`.
        hashed direction: String = "upload".to_owned(),
        /// Whether the sources come into being only while the build runs.
        hashed generated: bool = false,
    }
}

/// One thing to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// As the template says it.
    pub(super) path: String,
    /// Its own name, for destinations that append it.
    pub(super) name: String,
    /// Whether only what the directory holds is meant.
    pub(super) contents_only: bool,
}

impl FileOptions {
    /// All sources in order.
    pub(super) fn all_sources(&self) -> Vec<Source> {
        self.sources
            .iter()
            .chain(&self.source)
            // As in Packer, no text is no source.
            .filter(|path| !path.is_empty())
            .map(|path| {
                let name = Path::new(path).file_name().and_then(|name| name.to_str());
                Source {
                    path: path.clone(),
                    name: name.unwrap_or_default().to_owned(),
                    // `.` and `..` have no name that could be appended.
                    contents_only: path.ends_with('/') || name.is_none(),
                }
            })
            .collect()
    }
}
