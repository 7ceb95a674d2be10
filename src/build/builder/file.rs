//! `file`: an artifact that is a file on this machine.

use super::Builder;
use crate::plan::{BUILD_LATER, ComponentKind, Planner, read_tree};

crate::options! {
    /// Options of the `file` builder: a file made of a text or a copy of another file.
    pub struct FileOptions {
        /// File to copy.
        unhashed source: Option<String>,
        /// Text of the file.
        hashed content: Option<String>,
        /// Where the file is written.
        unhashed target: Option<String>,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "file", schema: FileOptions::schema, plan },
    prepare: None,
};

/// The name under which the plan keeps the file to copy.
const SOURCE: &str = "source";

fn plan(planner: &mut Planner<'_>) {
    let decoded = planner.decode(FileOptions::schema(), FileOptions::decode_options);
    let Some(options) = decoded else { return };
    planner.refuse_late(&[], BUILD_LATER);
    if options.target.as_ref().is_none_or(String::is_empty) {
        planner.wrong("target", "`target` is needed", "where the file is to be written");
    }
    planner.exclusive("content", SOURCE);
    if !planner.asks_for("content") && !planner.asks_for(SOURCE) {
        planner.warn(
            "empty-file",
            "content",
            "the file will be empty",
            "give `content` or `source`",
        );
    }
    if let Some(source) = options.source.filter(|path| !path.is_empty() && !planner.is_late(SOURCE))
    {
        let path = planner.directory().join(&source);
        match read_tree(&path) {
            Ok(tree) if tree.single_file().is_some() => planner.add_tree(SOURCE, path, tree),
            Ok(_) => planner.wrong(SOURCE, format!("`{source}` is not a file"), ""),
            Err(error) => {
                let help = planner.path_help();
                planner.wrong(SOURCE, error.to_string(), &help);
            }
        }
    }
    planner.not_yet_because("", "the builder `file` is not supported yet", "");
}
