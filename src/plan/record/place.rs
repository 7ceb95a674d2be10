//! Where the parts of a recipe stood.

use std::collections::BTreeMap;
use std::path::{Component as Part, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;
use crate::plan::Planned;

/// Where a component stood, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Its block: `web.pkr.hcl:12`.
    pub at: String,
    /// Its options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The file or directory of each of its trees, from the template's directory.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Places {
    /// Of a component of a template; relative paths start at `directory`.
    pub(super) fn of(planned: &Planned, directory: &Path) -> Self {
        let component = &planned.component;
        let owner = Path::new(component.owner.source().name());
        let template = directory.join(owner.parent().unwrap_or(Path::new("")));
        let attributes = component.body.attributes.iter();
        let attributes = attributes.map(|one| (one.name.text.clone(), line(&one.name.span)));
        let blocks = component.body.blocks.iter();
        let blocks = blocks.map(|one| (one.kind.text.clone(), line(&one.header)));
        let files = planned.places.iter().map(|(name, path)| {
            let path = relative(&directory.join(path), &template);
            (name.clone(), path.display().to_string())
        });
        Self {
            at: line(&component.owner),
            options: blocks.chain(attributes).collect(),
            files: files.collect(),
        }
    }
}

/// The name of a file without its directory, as templates of other places are compared with it.
fn line(span: &Span) -> String {
    let path = Path::new(span.source().name());
    let name =
        path.file_name().map_or_else(|| span.source().name().into(), |name| name.to_string_lossy());
    format!("{name}:{}", span.position().line)
}

/// A path as seen from a directory, by its text alone.
pub fn relative(path: &Path, directory: &Path) -> PathBuf {
    let (path, directory) = (clean(path), clean(directory));
    let same = path.iter().zip(directory.iter()).take_while(|(one, other)| one == other).count();
    let up = directory.iter().skip(same).map(|_| Part::ParentDir.as_os_str());
    up.chain(path.iter().skip(same)).collect()
}

/// A path without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_the_directory_of_the_template() {
        let told = |path: &str, from: &str| {
            relative(Path::new(path), Path::new(from)).display().to_string()
        };
        assert_eq!(told("/a/b/./files/", "/a/b"), "files");
        assert_eq!(told("/a/b/t/../files/x", "/a/b/t/"), "../files/x");
        assert_eq!(told("/c", "/a/b"), "../../c");
    }
}
