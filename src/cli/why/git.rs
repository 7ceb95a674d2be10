//! A revision of the repository around the working directory, as files.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The most files of a revision that are written.
const FILES: usize = 200_000;

/// The most bytes of a revision that are written.
const BYTES: u64 = 4 << 30;

/// A revision as files, for as long as this lives.
pub(super) struct Checkout {
    directory: TempDir,
    /// What corresponds to the working directory, from the repository's top.
    prefix: PathBuf,
}

impl Checkout {
    /// Writes what `revision` holds to a temporary directory, as a checkout would: with the filters
    /// that are set up, and without the contents of submodules.
    pub(super) fn of(revision: &str, directory: &Path) -> Result<Self, String> {
        let mut inside = git(directory, ["rev-parse", "--show-toplevel", "--show-prefix"], None)
            .map_err(|error| error.or("this is no working tree of git"))?;
        // A prefix may be empty, and names may hold anything but a line end in practice.
        let prefix = inside.split_off(inside.find('\n').map_or(inside.len(), |at| at + 1));
        let top = PathBuf::from(inside.trim_end_matches('\n'));
        let named = format!("{revision}^{{tree}}");
        let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &named];
        let tree = git(&top, verify, None)
            .map_err(|error| error.or(&format!("git knows no revision `{revision}`")))?;
        let tree = tree.trim();
        check_size(&git(&top, ["ls-tree", "-r", "-l", "-z", tree], None).map_err(|e| e.text())?)?;
        let files =
            tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        // An index of its own: the user's is left alone.
        let index = files.path().join("index");
        git(&top, ["read-tree", tree], Some(&index)).map_err(|error| error.text())?;
        let prefix_option = format!("--prefix={}/", files.path().join("tree").display());
        git(&top, ["checkout-index", "--all", &prefix_option], Some(&index))
            .map_err(|error| error.text())?;
        Ok(Self { directory: files, prefix: PathBuf::from(prefix.trim_end_matches('\n')) })
    }

    /// What corresponds to the working directory. It may not be there.
    pub(super) fn working_directory(&self) -> PathBuf {
        self.directory.path().join("tree").join(&self.prefix)
    }

    /// A path of `REV:PATH`, as git reads it: from the top of the repository, or with `./` or `../`
    /// at its beginning from the working directory. The result is from the working directory.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        if path.starts_with("./") || path.starts_with("../") || path == "." || path == ".." {
            return PathBuf::from(path);
        }
        let up: PathBuf = self.prefix.components().map(|_| "..").collect();
        match up.join(path) {
            here if here.as_os_str().is_empty() => PathBuf::from("."),
            path => path,
        }
    }
}

/// Whether a revision, as `ls-tree -l -z` lists it, is of a size that is worth writing.
fn check_size(listing: &str) -> Result<(), String> {
    let (mut files, mut bytes) = (0_usize, 0_u64);
    for line in listing.split_terminator('\0') {
        let size = line.split('\t').next().and_then(|about| about.split_whitespace().nth(3));
        files += 1;
        // Submodules have none.
        bytes = bytes.saturating_add(size.and_then(|size| size.parse().ok()).unwrap_or(0));
    }
    if files > FILES || bytes > BYTES {
        return Err(format!(
            "the revision has {files} files with {} MiB, which is too much to compare",
            bytes >> 20
        ));
    }
    Ok(())
}

/// Why git gave no answer.
enum GitError {
    /// It could not be run.
    NotRun(String),
    /// It said no.
    Refused(String),
}

impl GitError {
    /// In words of ours where git has none.
    fn or(self, words: &str) -> String {
        match self {
            Self::NotRun(text) => text,
            Self::Refused(said) if said.is_empty() => words.to_owned(),
            Self::Refused(said) => format!("{words}: {said}"),
        }
    }

    fn text(self) -> String {
        self.or("git cannot read the revision")
    }
}

/// Runs git and gives what it prints.
fn git<const N: usize>(
    directory: &Path,
    arguments: [&str; N],
    index: Option<&Path>,
) -> Result<String, GitError> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).env("LC_ALL", "C");
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let output = command.output().map_err(|error| {
        GitError::NotRun(match error.kind() {
            io::ErrorKind::NotFound => {
                "`REV:PATH` is read by git, which is not installed".to_owned()
            }
            _ => format!("git cannot be run: {error}"),
        })
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or_default();
    Err(GitError::Refused(said.trim_start_matches("fatal: ").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_refused() {
        let line = |size: u64| format!("100644 blob 0123 {size}\ta\n b\0");
        assert_eq!(check_size(&line(3)), Ok(()));
        assert_eq!(check_size("160000 commit 0123       -\tsub\0"), Ok(()));
        let refused = check_size(&line(BYTES + 1));
        let text = "the revision has 1 files with 4096 MiB, which is too much to compare";
        assert_eq!(refused, Err(text.to_owned()));
        assert!(check_size(&line(0).repeat(FILES + 1)).is_err());
    }
}
