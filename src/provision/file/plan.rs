//! Checking a `file` step and reading its sources.

use super::options::{FileOptions, Source, WrongMode};
use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, ReadError, Tree, read_tree_with};
use crate::provision::effect::check_effects;

/// Checks the options and reads the sources.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(options) = planner.decode(FileOptions::schema(), FileOptions::decode_options) else {
        return;
    };
    let download = match options.direction.as_str() {
        "upload" => false,
        "download" => true,
        other => {
            let text = format!("there is no direction `{other}`");
            let finding =
                Diagnostic::error("wrong-value", text).help("write `upload` or `download`");
            planner.error("direction", finding);
            return;
        }
    };
    if options.destination.is_empty() {
        let finding = Diagnostic::error("wrong-value", "`destination` is empty");
        planner.error("destination", finding);
    }
    if download {
        what_to_download(planner, &options);
        return;
    }
    what_to_upload(planner, &options);
    how_to_upload(planner, &options);
    let content = planner.is_given("content") || planner.is_late("content");
    let of_directories = &["directory_mode", "exclude", "symlinks"];
    check_effects(planner, &[(content, "beside `content`", of_directories)]);
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
        let path = planner.directory().join(&source.path);
        match read_tree_with(&path, &options.read_options()) {
            Ok(mut tree) => {
                // What is wrong with them is told already.
                drop(options.set_modes(&mut tree));
                let key = key(index, source, &tree, &options.destination);
                planner.add_tree(key, path, tree);
            }
            Err(error @ ReadError::Pattern { .. }) => {
                planner.error("exclude", Diagnostic::error("wrong-pattern", error.to_string()));
                return;
            }
            Err(error) => planner.error(
                option,
                Diagnostic::error("missing-source", error.to_string())
                    .help(planner.path_help())
                    .help("if a step of this build makes it, set `generated = true`"),
            ),
        }
    }
}

/// A download shapes nothing: it has its sources on the instance.
fn what_to_download(planner: &mut Planner<'_>, options: &FileOptions) {
    let sources = options.all_sources();
    let late = planner.is_late("source") || planner.is_late("sources");
    if sources.is_empty() && !late {
        let text = "a download needs one of `source` and `sources`";
        planner.error("source", Diagnostic::error("what-to-download", text));
    }
    for option in ["content", "exclude", "symlinks", "mode", "directory_mode", "owner", "group"] {
        if planner.asks_for(option) {
            let text = format!("`{option}` is for uploads only");
            planner.error(option, Diagnostic::error("what-to-download", text));
        }
    }
    check_effects(planner, &[(true, "in a download", &["generated"])]);
    // Where it goes on this machine is not part of the image.
    planner.usual("destination", &options.destination);
    let to = &options.destination;
    planner.set_title(match sources.as_slice() {
        [one] => format!("Downloading {} => {to}", one.path),
        many => format!("Downloading {} sources => {to}", many.len()),
    });
}

fn how_to_upload(planner: &mut Planner<'_>, options: &FileOptions) {
    planner.one_of("symlinks", Some(&options.symlinks), &["keep", "follow"]);
    if let Err(WrongMode { option, reason }) = options.modes()
        && !planner.is_late(option)
    {
        planner.error(option, Diagnostic::error("wrong-mode", reason));
    }
    for (option, name) in [("owner", &options.owner), ("group", &options.group)] {
        let name = name.as_deref().unwrap_or_default();
        let plain = |c: char| c.is_alphanumeric() || "_-.@$+".contains(c);
        if !planner.is_late(option) && (!name.chars().all(plain) || name.starts_with('-')) {
            let text = format!("`{name}` is no name or number");
            let finding = Diagnostic::error("wrong-value", text);
            planner.error(option, finding.help("`owner` and `group` are two options"));
        }
    }
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
