//! Options of the `file` provisioner.

use std::path::Path;

use crate::plan::{Entry, ReadOptions, Tree};

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
        /// What is left out of directories, in the syntax of `.gitignore`. A `.bakeignore` at the
        /// top of a directory comes before.
        unhashed exclude: Vec<String>,
        /// `keep`: symbolic links stay links when they point into what is uploaded. `follow`: what
        /// they point to takes their place.
        unhashed symlinks: String = "keep".to_owned(),
        /// Permission bits of all files in octal, such as `0644`, in place of their own.
        hashed mode: Option<String>,
        /// Permission bits of all directories in octal, such as `0755`, in place of their own.
        hashed directory_mode: Option<String>,
        /// Who the files belong to on the instance. Takes root, or `sudo` without a password.
        hashed owner: Option<String>,
        /// Which group they belong to.
        hashed group: Option<String>,
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

    /// How sources are read.
    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            ignore_file: true,
            exclude: self.exclude.clone(),
            follow: self.symlinks == "follow",
        }
    }

    /// Gives everything in a tree the modes that are asked for.
    ///
    /// # Errors
    ///
    /// Which option is wrong, and how.
    pub(super) fn set_modes(&self, tree: &mut Tree) -> Result<(), WrongMode> {
        let [file, directory] = self.modes()?;
        for entry in tree.entries.values_mut() {
            match entry {
                Entry::File { mode, .. } => *mode = file.unwrap_or(*mode),
                Entry::Directory { mode } => *mode = directory.unwrap_or(*mode),
                Entry::Symlink { .. } => {}
            }
        }
        Ok(())
    }

    /// Modes of files and of directories.
    pub(super) fn modes(&self) -> Result<[Option<u32>; 2], WrongMode> {
        let read = |option, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => octal(text).map(Some).map_err(|reason| WrongMode { option, reason }),
        };
        Ok([read("mode", &self.mode)?, read("directory_mode", &self.directory_mode)?])
    }

    /// Owner and group as `chown` takes them.
    pub(super) fn ownership(&self) -> Option<String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&self.owner), given(&self.group)) {
            (None, None) => None,
            (Some(owner), None) => Some(owner),
            (owner, Some(group)) => Some(format!("{}:{group}", owner.unwrap_or_default())),
        }
    }
}

/// An option that holds no permission bits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongMode {
    /// Its name.
    pub(super) option: &'static str,
    /// What is wrong.
    pub(super) reason: String,
}

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(mode),
        Ok(0o1000..=0o7777) => Err(format!(
            "`{text}` has more than permission bits: set those in a shell provisioner, after the owner"
        )),
        _ => Err(format!("`{text}` is not a mode in octal, such as `0644`")),
    }
}
