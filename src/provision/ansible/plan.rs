//! Checking an `ansible` step and naming its files.

use std::path::Path;

use super::options::AnsibleOptions;
use super::playbook;
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::effect::{check_effects, has};
use crate::provision::inputs::{Wanted, read};
use crate::provision::script::environment;
use crate::provision::script::file_name;

/// The highest port.
const LAST_PORT: u32 = 65_535;

/// Options of the proxy on this machine.
const OF_THE_PROXY: &[&str] = &[
    "ansible_proxy_key_type",
    "local_port",
    "sftp_command",
    "ssh_authorized_key_file",
    "ssh_host_key_file",
    "use_sftp",
];

/// Options of the inventory that is made.
const OF_THE_INVENTORY: &[&str] = &[
    "empty_groups",
    "groups",
    "host_alias",
    "inventory_directory",
    "inventory_file_template",
    "keep_inventory_file",
    "user",
];

/// Options about what is installed.
const OF_GALAXY: &[&str] = &["galaxy_command", "galaxy_force_install", "galaxy_force_with_deps"];

/// Checks the options and reads the files.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let schema = AnsibleOptions::schema();
    let Some(options) = planner.decode(schema, AnsibleOptions::decode_options) else { return };
    for option in ["extra_arguments", "ansible_env_vars", "ansible_ssh_extra_args"] {
        planner.check_fields(option, &[]);
    }
    planner.check_fields("inventory_file_template", &["HostAlias", "Host", "User", "Port"]);
    files(planner, &options);
    if !planner.is_late("ansible_env_vars") {
        for text in &options.ansible_env_vars {
            if let Err(message) = environment::split(text.text()) {
                let finding = Diagnostic::error("wrong-environment", message);
                planner.error("ansible_env_vars", finding);
            }
        }
    }
    planner.one_of(
        "ansible_proxy_key_type",
        Some(&options.ansible_proxy_key_type),
        &["ECDSA", "RSA"],
    );
    if options.local_port > LAST_PORT {
        let text = format!("there is no port {}", options.local_port);
        planner.error("local_port", Diagnostic::error("wrong-value", text));
    }
    let proxy = options.use_proxy || planner.is_late("use_proxy");
    let rows = [
        (!proxy, "with `use_proxy = false`", OF_THE_PROXY),
        (has(planner, "inventory_file"), "beside `inventory_file`", OF_THE_INVENTORY),
        (!has(planner, "galaxy_file"), "without `galaxy_file`", OF_GALAXY),
    ];
    check_effects(planner, &rows);
    planner.set_title(format!("Executing Ansible: {}", file_name(&options.playbook_file)));
}

fn files(planner: &mut Planner<'_>, options: &AnsibleOptions) {
    let playbook = &options.playbook_file;
    read(planner, "playbook_file", "playbook", playbook, Wanted::File);
    if !planner.is_late("playbook_file") && planner.directory().join(playbook).is_file() {
        playbook::add_surroundings(planner, "playbook_file", playbook);
    }
    playbook::add_variable_files(planner, &options.extra_arguments);
    if let Some(path) = &options.galaxy_file {
        read(planner, "galaxy_file", "galaxy", path, Wanted::File);
    }
    if let Some(path) = &options.inventory_file {
        read(planner, "inventory_file", "inventory", path, Wanted::Either);
        if let Some(parent) = Path::new(path).parent() {
            inventory(planner, "inventory_file", parent);
        }
    }
    if let Some(path) = &options.inventory_directory {
        if planner.directory().join(path).is_dir() || planner.is_late("inventory_directory") {
            inventory(planner, "inventory_directory", Path::new(path));
        } else {
            let text = format!("`{path}` is no directory");
            let finding = Diagnostic::error("missing-file", text).help(planner.path_help());
            planner.error("inventory_directory", finding);
        }
    }
    for (option, path) in [
        ("ssh_host_key_file", &options.ssh_host_key_file),
        ("ssh_authorized_key_file", &options.ssh_authorized_key_file),
    ] {
        let Some(path) = path else { continue };
        // A key is no part of what is hashed, and never read before it is needed.
        if !planner.is_late(option) && !planner.directory().join(path).is_file() {
            let text = format!("`{path}` is no file");
            let finding = Diagnostic::error("missing-file", text).help(planner.path_help());
            planner.error(option, finding);
        }
    }
}

/// Adds the variables of groups and hosts next to an inventory.
fn inventory(planner: &mut Planner<'_>, option: &str, directory: &Path) {
    if planner.is_late(option) {
        return;
    }
    let directory = planner.directory().join(directory);
    let names = playbook::BESIDE_AN_INVENTORY;
    playbook::add_known(planner, option, "inventory", &directory, names);
}
