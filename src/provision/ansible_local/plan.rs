//! Checking an `ansible-local` step and naming its files.

use std::path::Path;

use super::options::AnsibleLocalOptions;
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::effect::{check_effects, has};
use crate::provision::inputs::{Wanted, read};
use crate::provision::script::file_name;

/// Options about what is installed.
const OF_GALAXY: &[&str] = &[
    "galaxy_collections_path",
    "galaxy_command",
    "galaxy_force_install",
    "galaxy_force_with_deps",
    "galaxy_roles_path",
];

/// Checks the options and reads the files.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let schema = AnsibleLocalOptions::schema();
    let Some(options) = planner.decode(schema, AnsibleLocalOptions::decode_options) else {
        return;
    };
    let playbooks = !options.playbook_files.is_empty() || planner.is_late("playbook_files");
    let wrong = |text: &str| Diagnostic::error("what-to-run", text);
    match (&options.playbook_file, playbooks) {
        (Some(_), true) => {
            let finding = wrong("`playbook_file` and `playbook_files` exclude each other");
            planner.error("playbook_files", finding);
        }
        (None, false) => {
            let text =
                "an `ansible-local` provisioner needs one of `playbook_file` and `playbook_files`";
            planner.error("playbook_file", wrong(text));
        }
        _ => {}
    }
    files(planner, &options);
    let rows = [
        (has(planner, "inventory_file"), "beside `inventory_file`", &["inventory_groups"][..]),
        (!has(planner, "galaxy_file"), "without `galaxy_file`", OF_GALAXY),
    ];
    check_effects(planner, &rows);
    let playbooks = options.playbook_file.iter().chain(&options.playbook_files);
    let playbooks: Vec<_> = playbooks.map(|path| file_name(path)).collect();
    planner.set_title(format!("Provisioning with Ansible: {}", playbooks.join(", ")));
}

fn files(planner: &mut Planner<'_>, options: &AnsibleLocalOptions) {
    use Wanted::{Directory, File};
    for (option, path, wanted) in [
        ("playbook_file", &options.playbook_file, File),
        ("playbook_dir", &options.playbook_dir, Directory),
        ("group_vars", &options.group_vars, Directory),
        ("host_vars", &options.host_vars, Directory),
        ("inventory_file", &options.inventory_file, File),
        ("galaxy_file", &options.galaxy_file, File),
    ] {
        if let Some(path) = path {
            let path = if option == "playbook_file" {
                found(planner, options, path)
            } else {
                path.clone()
            };
            read(planner, option, named(option, &path), &path, wanted);
        }
    }
    for (option, paths, wanted) in [
        ("playbook_files", &options.playbook_files, File),
        ("playbook_paths", &options.playbook_paths, Directory),
        ("role_paths", &options.role_paths, Directory),
        ("collection_paths", &options.collection_paths, Directory),
    ] {
        for (index, path) in paths.iter().enumerate() {
            let path = if wanted == File { found(planner, options, path) } else { path.clone() };
            read(planner, option, named(&format!("{option}.{index}"), &path), &path, wanted);
        }
    }
}

/// Where a playbook is: it may be meant to stand in `playbook_dir`.
fn found(planner: &Planner<'_>, options: &AnsibleLocalOptions, path: &str) -> String {
    let inside = options.playbook_dir.as_ref().map(|directory| Path::new(directory).join(path));
    match inside.as_deref().and_then(Path::to_str) {
        Some(inside)
            if !planner.directory().join(path).exists()
                && planner.directory().join(inside).is_file() =>
        {
            inside.to_owned()
        }
        _ => path.to_owned(),
    }
}

/// An input goes to the instance under its own name, so that is part of what is hashed.
fn named(option: &str, path: &str) -> String {
    format!("{option}:{}", file_name(path))
}
