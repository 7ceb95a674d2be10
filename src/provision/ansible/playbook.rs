//! What a playbook reads, as far as Ansible's own layout of directories says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, read_tree};
use crate::template::schema::Deferred;

/// Directories that Ansible looks for next to a playbook.
const BESIDE_A_PLAYBOOK: &[&str] = &[
    "action_plugins",
    "callback_plugins",
    "collections",
    "connection_plugins",
    "files",
    "filter_plugins",
    "group_vars",
    "handlers",
    "host_vars",
    "library",
    "lookup_plugins",
    "module_utils",
    "roles",
    "strategy_plugins",
    "tasks",
    "templates",
    "test_plugins",
    "vars",
    "vars_plugins",
];

/// Directories that Ansible looks for next to an inventory.
pub(super) const BESIDE_AN_INVENTORY: &[&str] = &["group_vars", "host_vars"];

/// Adds what stands next to a playbook and is probably used by it: the directories of Ansible's
/// layout and other YAML files, which it may import. What it finds elsewhere nobody can know.
pub(in crate::provision) fn add_surroundings(planner: &mut Planner<'_>, option: &str, path: &str) {
    let directory = match Path::new(path).parent() {
        Some(parent) => planner.directory().join(parent),
        None => return,
    };
    add_known(planner, option, "beside", &directory, BESIDE_A_PLAYBOOK);
    let Ok(entries) = fs::read_dir(&directory) else { return };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let is_yaml = file.extension().is_some_and(|end| end == "yml" || end == "yaml");
        if is_yaml && file.is_file() {
            add(planner, option, "beside", &file);
        }
    }
}

/// Adds those of the directories with these names that there are.
pub(super) fn add_known(
    planner: &mut Planner<'_>,
    option: &str,
    prefix: &str,
    directory: &Path,
    names: &[&str],
) {
    for name in names {
        let path = directory.join(name);
        if path.is_dir() {
            add(planner, option, prefix, &path);
        }
    }
}

/// Adds the files that arguments name as `@FILE`, as `--extra-vars` reads them.
pub(in crate::provision) fn add_variable_files(planner: &mut Planner<'_>, arguments: &[Deferred]) {
    if planner.is_late("extra_arguments") {
        return;
    }
    for (index, argument) in arguments.iter().enumerate() {
        let text = argument.text();
        let text = ["--extra-vars=", "-e"].iter().find_map(|flag| text.strip_prefix(flag));
        let Some(file) = text.unwrap_or(argument.text()).strip_prefix('@') else { continue };
        let path = planner.directory().join(file);
        if path.is_file() {
            add(planner, "extra_arguments", &format!("argument.{index}"), &path);
        }
    }
}

fn add(planner: &mut Planner<'_>, option: &str, prefix: &str, path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match read_tree(path) {
        Ok(tree) => planner.add_tree(format!("{prefix}/{name}"), path, tree),
        Err(error) => {
            planner.error(option, Diagnostic::error("missing-file", error.to_string()));
        }
    }
}
