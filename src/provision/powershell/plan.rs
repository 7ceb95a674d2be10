//! Checking a `powershell` step and naming its scripts.

use super::options::PowershellOptions;
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::effect::{check_effects, has};
use crate::provision::{elevation, script};

/// What `execution_policy` may say.
const POLICIES: &[&str] = &[
    "allsigned",
    "bypass",
    "default",
    "none",
    "remotesigned",
    "restricted",
    "undefined",
    "unrestricted",
];

/// Checks the options and reads the scripts.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let schema = PowershellOptions::schema();
    let Some(options) = planner.decode(schema, PowershellOptions::decode_options) else {
        return;
    };
    for option in ["execute_command", "elevated_execute_command"] {
        planner.check_fields(option, &["Path", "Vars"]);
    }
    script::check(planner, "a `powershell` provisioner", &options.scripting);
    script::check_format(planner, "env_var_format", &options.env_var_format);
    script::check_format(planner, "elevated_env_var_format", &options.elevated_env_var_format);
    elevation::check(planner, &options.elevated_user, &options.elevated_password);
    planner.one_of("execution_policy", Some(&options.execution_policy), POLICIES);
    if !(0..=2).contains(&options.debug_mode) {
        let text = format!("there is no trace level {}", options.debug_mode);
        let finding = Diagnostic::error("wrong-value", text)
            .help("0 is off, 1 traces lines, 2 traces variables and calls, too");
        planner.error("debug_mode", finding);
    }
    let user = has(planner, "elevated_user");
    let of_the_user = &["elevated_env_var_format", "elevated_execute_command"];
    let rows = [
        (!user, "without `elevated_user`", &of_the_user[..]),
        (user, "beside `elevated_user`", &["env_var_format", "execute_command"]),
    ];
    check_effects(planner, &rows);
    script::title(planner, "powershell", &options.scripting);
}
