//! Bases.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Store;
use super::os_release::OsRelease;
use crate::sandbox::machine::directory::STALE;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::{Base, MachineError};

/// The name of the base that is the host's own root.
pub const HOST: &str = "host";

impl Store {
    /// All bases: `host` when this process may use it, then the imported ones by name.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn bases(&self) -> Result<Vec<Base>, MachineError> {
        let mut bases = Vec::new();
        let directory = self.directory("bases");
        for entry in fs::read_dir(&directory).tried_on("list", &directory)? {
            let entry = entry.tried_on("list", &directory)?;
            // What is being imported has a name that is none.
            if let Some(name) = entry.file_name().to_str().filter(|name| is_base_name(name)) {
                bases.push(describe(name, entry.path()));
            }
        }
        bases.sort_by(|a, b| a.name.cmp(&b.name));
        if rustix::process::geteuid().is_root() {
            bases.insert(0, describe(HOST, "/".into()));
        }
        Ok(bases)
    }

    /// The base of that name.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Unsupported` for `host` without root.
    pub fn base(&self, name: &str) -> Result<Base, MachineError> {
        if name == HOST {
            if !rustix::process::geteuid().is_root() {
                return Err(MachineError::Unsupported {
                    reason: "only root may use the host's own root as a base".into(),
                    hint: "sudo bake …".into(),
                });
            }
            return Ok(describe(HOST, "/".into()));
        }
        let path = self.directory("bases").join(name);
        if is_base_name(name) && path.is_dir() {
            return Ok(describe(name, path));
        }
        Err(MachineError::NotFound { what: "base", name: name.to_owned() })
    }

    /// Adds a base from a directory or a tar archive (plain, gzip).
    ///
    /// # Errors
    ///
    /// A name that is none or taken, an archive with entries that lead out of
    /// it, or what the file system says. Nothing stays behind then.
    pub fn import(&self, name: &str, from: &Path) -> Result<Base, MachineError> {
        if name == HOST || !is_base_name(name) {
            return Err(MachineError::Other(format!(
                "`{name}` cannot be the name of a base: use up to 64 of a-z, 0-9, `.`, `_` and `-`, \
                 starting with a letter or a digit, and not `{HOST}`"
            )));
        }
        let path = self.directory("bases").join(name);
        let taken = || {
            MachineError::Other(format!(
                "a base `{name}` exists already in {}",
                self.root().display()
            ))
        };
        if path.exists() {
            return Err(taken());
        }
        let new = super::import::to_new_directory(&self.directory("bases"), from)?;
        let _lock = self.lock_exclusive()?;
        if path.exists() {
            return Err(taken());
        }
        // From here on the name stands for it; the directory is not temporary any more.
        fs::rename(new.path(), &path).tried_on("make", &path)?;
        drop(new.keep());
        Ok(describe(name, path))
    }

    /// Removes an imported base that no image stands on.
    ///
    /// # Errors
    ///
    /// `NotFound`, or who still uses it.
    pub fn remove_base(&self, name: &str) -> Result<(), MachineError> {
        if name == HOST {
            return Err(MachineError::Other("the host's own root cannot be removed".into()));
        }
        let base = self.base(name)?;
        let _lock = self.lock_exclusive()?;
        if let Some(image) = self.images()?.iter().find(|image| image.root.base == name) {
            return Err(MachineError::Other(format!("image {} stands on base `{name}`", image.id)));
        }
        if self.is_in_use(&base.path)? {
            return Err(MachineError::Other(format!("an instance runs on base `{name}`")));
        }
        self.discard(&base.path)?;
        self.forget_listing(&self.base_listing(name));
        Ok(())
    }

    /// Whether a machine that exists now has the directory as one of its layers.
    pub(super) fn is_in_use(&self, path: &Path) -> Result<bool, MachineError> {
        let instances = self.instances();
        for instance in fs::read_dir(&instances).tried_on("list", &instances)?.flatten() {
            if instance.file_name().as_bytes().starts_with(STALE.as_bytes()) {
                continue;
            }
            let links = ["layer", "captured"]
                .into_iter()
                .flat_map(|part| fs::read_dir(instance.path().join(part)).into_iter().flatten())
                .flatten()
                .map(|entry| entry.path())
                .chain([instance.path().join("base")]);
            for link in links {
                if fs::read_link(link).is_ok_and(|target| target == path) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Removes a directory of the store; from one moment to the next nobody sees it any more.
    pub(super) fn discard(&self, path: &Path) -> Result<(), MachineError> {
        let name = path.file_name().unwrap_or_default();
        let mut hidden = std::ffi::OsString::from(".removed-");
        hidden.push(uuid::Uuid::new_v4().simple().to_string());
        hidden.push(name);
        let hidden = path.with_file_name(hidden);
        fs::rename(path, &hidden).tried_on("remove", path)?;
        fs::remove_dir_all(&hidden).tried_on("remove", &hidden)
    }
}

fn describe(name: &str, path: PathBuf) -> Base {
    let release = OsRelease::read(&path);
    Base {
        name: name.to_owned(),
        path,
        os_id: release.id,
        os_version: release.version_id,
        os_name: release.pretty_name,
    }
}

fn is_base_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
        })
}
