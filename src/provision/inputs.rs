//! Files of this machine that steps use, as inputs of a plan.

use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, Tree, read_tree};

/// What an option may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// One of the two.
    Either,
}

/// Reads what `option` names and adds it as the input `name`; says what is wrong with it.
pub(super) fn read(
    planner: &mut Planner<'_>,
    option: &str,
    name: impl Into<String>,
    path: &str,
    wanted: Wanted,
) {
    if planner.is_late(option) {
        return;
    }
    let place = planner.directory().join(path);
    match read_tree(&place) {
        Ok(tree) => match mismatch(&tree, wanted) {
            Some(is) => {
                let text = format!("`{path}` is {is}");
                planner.error(option, Diagnostic::error("wrong-file", text));
            }
            None => planner.add_tree(name, place, tree),
        },
        Err(error) => planner.error(
            option,
            Diagnostic::error("missing-file", error.to_string()).help(planner.path_help()),
        ),
    }
}

/// What a tree is when it is not what is wanted.
fn mismatch(tree: &Tree, wanted: Wanted) -> Option<&'static str> {
    match (wanted, tree.single_file().is_some()) {
        (Wanted::File, false) => Some("a directory, not a file"),
        (Wanted::Directory, true) => Some("a file, not a directory"),
        _ => None,
    }
}
