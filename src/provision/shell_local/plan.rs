//! Checking a `shell-local` step and naming its scripts.

use std::os::unix::fs::PermissionsExt as _;

use super::options::{ShellLocalOptions, usual_command};
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::effect::{check_effects, has};
use crate::provision::script;

/// Packer's names of operating systems.
const SYSTEMS: &[&str] = &["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];

/// Checks the provisioner.
pub(super) fn plan(planner: &mut Planner<'_>) {
    check(planner, "a `shell-local` provisioner");
}

/// Checks the options and reads the scripts; `what` is what has them.
pub(crate) fn check(planner: &mut Planner<'_>, what: &str) {
    let schema = ShellLocalOptions::schema();
    let Some(options) = planner.decode(schema, ShellLocalOptions::decode_options) else {
        return;
    };
    let command = options.command.as_ref().is_some_and(|command| !command.text().is_empty());
    let command = command || planner.is_late("command");
    script::what_to_run(planner, what, &options.scripting, Some(command));
    for option in ["command", "inline"] {
        planner.check_fields(option, &[]);
    }
    planner.check_fields("execute_command", &["Vars", "Script", "Command"]);
    script::variables(planner, &options.scripting);
    script::check_format(planner, "env_var_format", &options.env_var_format);
    if options.execute_command.is_empty() && !planner.is_late("execute_command") {
        let text = "`execute_command` names no program";
        planner.error("execute_command", Diagnostic::error("wrong-value", text));
    }
    for system in &options.only_on {
        planner.one_of("only_on", Some(system), SYSTEMS);
    }
    if options.use_linux_pathing && (command || !options.scripting.inline.is_empty()) {
        let text = "with `use_linux_pathing` only `script` and `scripts` can be run";
        planner.error("use_linux_pathing", Diagnostic::error("what-to-run", text));
    } else if options.use_linux_pathing {
        let text = "`use_linux_pathing` has no effect: it is for Windows, and bake runs elsewhere";
        planner.warn("no-effect", "use_linux_pathing", text, "leave it out");
    }
    let file = !command && !has(planner, "inline");
    let rows =
        [(file, "without `inline` or `command`", &["inline_shebang", "tempfile_extension"][..])];
    check_effects(planner, &rows);
    script::read_scripts(planner, &options.scripting);
    if options.execute_command == usual_command() {
        warn_of_text_files(planner, &options);
    }
    let scripts: Vec<_> = options.scripting.local_scripts().collect();
    planner.set_title(match scripts.as_slice() {
        [] => "Running local shell script: inline".to_owned(),
        [one] => format!("Running local shell script: {one}"),
        many => format!("Running {} local shell scripts: {}", many.len(), many.join(", ")),
    });
}

/// A script is run by its name, so that it must be executable.
fn warn_of_text_files(planner: &mut Planner<'_>, options: &ShellLocalOptions) {
    if script::has_unknown_script(planner) {
        return;
    }
    let option = if options.scripting.single_script().is_some() { "script" } else { "scripts" };
    for path in options.scripting.local_scripts() {
        let Ok(metadata) = std::fs::metadata(planner.directory().join(path)) else { continue };
        if metadata.is_file() && metadata.permissions().mode() & 0o111 == 0 {
            let text = format!("`{path}` is not executable");
            let finding = Diagnostic::warning("not-executable", text)
                .help(format!("`chmod +x {path}`, or name an interpreter in `execute_command`"));
            planner.error(option, finding);
        }
    }
}
