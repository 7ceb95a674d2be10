//! Checking a `windows-restart` step.

use super::options::WindowsRestartOptions;
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;

/// Checks the options.
pub(super) fn plan(planner: &mut Planner<'_>) {
    let schema = WindowsRestartOptions::schema();
    let Some(options) = planner.decode(schema, WindowsRestartOptions::decode_options) else {
        return;
    };
    if planner.is_given("registry_keys")
        && !planner.is_late("registry_keys")
        && !options.check_registry
        && !planner.is_late("check_registry")
    {
        let text = "`registry_keys` does nothing without `check_registry`";
        let finding = Diagnostic::warning("no-effect", text).help("set `check_registry = true`");
        planner.error("registry_keys", finding);
    }
    planner.set_title("Restarting Machine");
}
