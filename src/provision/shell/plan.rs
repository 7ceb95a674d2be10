//! Checking a `shell` step and naming its scripts.

use super::options::ShellOptions;
use crate::plan::Planner;
use crate::provision::effect::{check_effects, has};
use crate::provision::script;

/// Checks the options and reads the scripts.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(options) = planner.decode(ShellOptions::schema(), ShellOptions::decode_options) else {
        return;
    };
    planner.usual("execute_command", &options.usual_command());
    planner.usual("env_var_format", &options.usual_variable_format());
    planner.check_fields("execute_command", &["Path", "Vars", "EnvVarFile"]);
    script::check(planner, "a `shell` provisioner", &options.scripting);
    script::check_format(planner, "env_var_format", &options.variable_format());
    let path = has(planner, "remote_path");
    let rows = [
        (!has(planner, "inline"), "without `inline`", &["inline_shebang"][..]),
        (path, "beside `remote_path`", &["remote_file"]),
        // The file of variables goes there.
        (path && !options.use_env_var_file, "beside `remote_path`", &["remote_folder"]),
    ];
    check_effects(planner, &rows);
    script::title(planner, "shell", &options.scripting);
}
