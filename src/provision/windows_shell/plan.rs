//! Checking a `windows-shell` step and naming its scripts.

use super::options::WindowsShellOptions;
use crate::plan::Planner;
use crate::provision::script;

/// Checks the options and reads the scripts.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let schema = WindowsShellOptions::schema();
    let Some(options) = planner.decode(schema, WindowsShellOptions::decode_options) else {
        return;
    };
    planner.check_fields("execute_command", &["Path", "Vars"]);
    script::check(planner, "a `windows-shell` provisioner", &options.scripting);
    script::check_format(planner, "env_var_format", &options.env_var_format);
    script::title(planner, "windows-shell", &options.scripting);
}
