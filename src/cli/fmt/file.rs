//! The files that `bake fmt` is for.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics};

/// The files that `path` names: itself, or those in the directory that it is, in byte order.
///
/// # Errors
/// A path that cannot be read, and a file that is no HCL by its name.
pub(super) fn files(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, Diagnostics> {
    let unreadable = |error: std::io::Error| unreadable(path, &error);
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        if !name(path).ends_with(".hcl") {
            return Err(Diagnostic::error(
                "unknown-format",
                format!("`{}` is no HCL file by its name", path.display()),
            )
            .help("only `*.pkr.hcl`, `*.pkrvars.hcl` and other `*.hcl` files have a layout")
            .into());
        }
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, recursive, &mut files)?;
    Ok(files)
}

fn collect(directory: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> Result<(), Diagnostics> {
    let unreadable = |error: std::io::Error| unreadable(directory, &error);
    let mut entries = std::fs::read_dir(directory)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if ignored(&name(&path)) {
            continue;
        }
        // A link to a directory may lead around in circles.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if recursive {
                collect(&path, recursive, files)?;
            }
        } else if is_template(&name(&path)) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Other `*.hcl` files in a directory may belong to other programs.
fn is_template(name: &str) -> bool {
    name.ends_with(".pkr.hcl") || name.ends_with(".pkrvars.hcl")
}

/// Hidden files, and what editors leave beside files.
fn ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name.starts_with('#') && name.ends_with('#')
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostics {
    Diagnostic::error("unreadable", format!("cannot read `{}`: {error}", path.display()))
        .help("check the path")
        .into()
}

/// Replaces what a file holds: all of it at once, so that there is never a part of a file, and
/// with the mode that it has. Where `path` is a link, what it leads to is replaced.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let permissions = path.metadata()?.permissions();
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".bake-fmt-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
