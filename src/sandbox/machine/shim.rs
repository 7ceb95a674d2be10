//! The lowest layer: commands for bases that lack them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::MachineError;
use super::failure::Tried;

/// A directory of the store with bake itself as a set-user-id `sudo`.
///
/// It is made once for each build of bake. A shared lock says that somebody
/// uses it; builds that nobody uses any more are removed.
#[derive(Debug)]
pub(super) struct Shims {
    path: PathBuf,
    _lock: File,
}

impl Shims {
    /// Finds or makes the layer for the program.
    pub(super) fn prepare(store: &Path, program: &Path) -> Result<Self, MachineError> {
        let all = store.join("shims");
        fs::create_dir_all(&all).tried_on("make", &all)?;
        let metadata = fs::metadata(program).tried_on("look at", program)?;
        let key = format!(
            "{:x}-{:x}-{:x}-{:x}",
            metadata.size(),
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec()
        );
        let lock_path = all.join(format!("{key}.lock"));
        let lock = File::create(&lock_path).tried_on("make", &lock_path)?;
        rustix::fs::flock(&lock, FlockOperation::LockShared).tried_on("lock", &lock_path)?;
        let path = all.join(&key);
        if !path.exists() {
            let new = tempfile::Builder::new()
                .prefix(".new-")
                .tempdir_in(&all)
                .tried_on("make a directory in", &all)?;
            fill(new.path(), program)?;
            let new = new.keep();
            if let Err(error) = fs::rename(&new, &path) {
                drop(fs::remove_dir_all(&new));
                // Another process was first, with the same content.
                if !path.exists() {
                    return Err(error).tried_on("make", &path);
                }
            }
        }
        remove_unused(&all, &key);
        Ok(Self { path, _lock: lock })
    }

    /// Where the layer is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Templates wait for it before they do anything else.
const CLOUD_INIT: &str = "#!/bin/sh
# Stands in for cloud-init(1) where the base has none.
finished=/run/cloud-init/instance/boot-finished
case \"$1\" in
  status)
    case \" $* \" in
      *' --wait '* | *' -w '*) while [ ! -e $finished ]; do sleep 0.05; done ;;
    esac
    if [ -e $finished ]; then echo 'status: done'; else echo 'status: running'; fi
    ;;
  clean) ;;
  --version | -v) echo 'cloud-init (bake sandbox)' ;;
  *)
    echo \"cloud-init $1: not in the sandbox\" >&2
    exit 1
    ;;
esac
";

fn fill(layer: &Path, program: &Path) -> Result<(), MachineError> {
    let bin = layer.join("usr/bin");
    fs::create_dir_all(&bin).tried_on("make", &bin)?;
    for path in [layer.to_owned(), layer.join("usr"), bin.clone()] {
        fs::set_permissions(&path, Permissions::from_mode(0o755)).tried_on("set mode of", &path)?;
    }
    let cloud_init = bin.join("cloud-init");
    fs::write(&cloud_init, CLOUD_INIT).tried_on("write", &cloud_init)?;
    fs::set_permissions(&cloud_init, Permissions::from_mode(0o755))
        .tried_on("set mode of", &cloud_init)?;
    let sudo = bin.join("sudo");
    fs::copy(program, &sudo).tried_on("write", &sudo)?;
    fs::set_permissions(&sudo, Permissions::from_mode(0o4755)).tried_on("set mode of", &sudo)
}

fn remove_unused(all: &Path, keep: &str) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_lock = path.extension().is_some_and(|extension| extension == "lock");
        if !is_lock || path.file_stem().is_some_and(|stem| stem == keep) {
            continue;
        }
        let Ok(lock) = File::open(&path) else { continue };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            drop(fs::remove_dir_all(path.with_extension("")));
            drop(fs::remove_file(&path));
        }
    }
}
