//! Checking a `file` step and reading its sources.

use super::options::{FileOptions, Source};
use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, Tree, read_tree};

/// Checks the options and reads the sources.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(options) = planner.decode(FileOptions::schema(), FileOptions::decode_options) else {
        return;
    };
    if !direction(planner, &options) {
        return;
    }
    if options.destination.is_empty() {
        let finding = Diagnostic::error("wrong-value", "`destination` is empty");
        planner.error("destination", finding);
    }
    what_to_upload(planner, &options);
    let sources = options.all_sources();
    let to = &options.destination;
    planner.set_title(match sources.as_slice() {
        [] => format!("Uploading content => {to}"),
        [one] => format!("Uploading {} => {to}", one.path),
        many => format!("Uploading {} sources => {to}", many.len()),
    });
    if options.generated {
        planner.mark_volatile("generated");
    }
    if options.generated || planner.is_late("source") || planner.is_late("sources") {
        return;
    }
    for (index, source) in sources.iter().enumerate() {
        let option = if index < options.sources.len() { "sources" } else { "source" };
        match read_tree(&planner.directory().join(&source.path)) {
            Ok(tree) => planner.add_tree(key(index, source, &tree, &options.destination), tree),
            Err(error) => planner.error(
                option,
                Diagnostic::error("missing-source", error.to_string())
                    .help(planner.path_help())
                    .help("if a step of this build makes it, set `generated = true`"),
            ),
        }
    }
}

/// Whether it is an upload, which is all that there is yet.
fn direction(planner: &mut Planner<'_>, options: &FileOptions) -> bool {
    let finding = match options.direction.as_str() {
        "upload" => return true,
        "download" => {
            let finding = Diagnostic::error("unsupported", "downloads are not supported yet");
            planner.unsupported("direction", finding);
            return false;
        }
        other => Diagnostic::error("wrong-value", format!("there is no direction `{other}`"))
            .help("write `upload`"),
    };
    planner.error("direction", finding);
    false
}

fn what_to_upload(planner: &mut Planner<'_>, options: &FileOptions) {
    let late = planner.is_late("source") || planner.is_late("sources");
    let sources = late || !options.all_sources().is_empty();
    let content = options.content.as_ref().is_some_and(|text| !text.is_empty());
    if sources && content {
        let text = "`content` excludes `source` and `sources`";
        planner.error("content", Diagnostic::error("what-to-upload", text));
    } else if !sources && options.content.is_none() && !planner.is_late("content") {
        let text = "a `file` provisioner needs one of `source`, `sources` and `content`";
        planner.error("source", Diagnostic::error("what-to-upload", text));
    }
    if !sources && options.destination.ends_with('/') {
        let finding = Diagnostic::error("what-to-upload", "`content` has no name of its own")
            .help("write the whole path of the file, without a `/` at its end");
        planner.error("destination", finding);
    }
}

/// The name of a source among the inputs. It is hashed, so it holds what shapes the result apart
/// from the bytes: a name where it is appended, `/` where only the contents are sent.
fn key(index: usize, source: &Source, tree: &Tree, destination: &str) -> String {
    let file = tree.single_file().is_some();
    if source.contents_only && !file {
        format!("{}/", prefix(index))
    } else if !file || destination.ends_with('/') {
        format!("{}:{}", prefix(index), source.name)
    } else {
        prefix(index)
    }
}

fn prefix(index: usize) -> String {
    format!("source.{index}")
}

/// Whether a name among the inputs is that of a source.
pub(super) fn is_key(key: &str, index: usize) -> bool {
    key.split([':', '/']).next() == Some(&prefix(index))
}
