//! Checks of options that all provisioners with scripts have.

use std::path::Path;

use super::{ScriptOptions, environment};
use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, read_tree};

/// Checks the options and reads the scripts: a run finds them as `script.0`, `script.1`, …. `what`
/// is who needs something to run, such as "a `shell` provisioner".
pub(in crate::provision) fn check(planner: &mut Planner<'_>, what: &str, options: &ScriptOptions) {
    what_to_run(planner, what, options, None);
    planner.check_fields("inline", &[]);
    variables(planner, options);
    read_scripts(planner, options);
}

/// The name of a script among the inputs.
pub(in crate::provision) fn name(index: usize) -> String {
    format!("script.{index}")
}

/// Whether it is not known yet which scripts there are.
pub(in crate::provision) fn has_unknown_script(planner: &Planner<'_>) -> bool {
    planner.is_late("script") || planner.is_late("scripts")
}

/// Exactly one of the options that say what to run must be given; `command` is what one more of
/// them says, if a component has it.
pub(in crate::provision) fn what_to_run(
    planner: &mut Planner<'_>,
    what: &str,
    options: &ScriptOptions,
    command: Option<bool>,
) {
    let inline = !options.inline.is_empty() || planner.is_late("inline");
    let script = options.single_script().is_some();
    let scripts = !options.scripts.is_empty() || planner.is_late("scripts");
    let wrong = |text: &str| Diagnostic::error("what-to-run", text);
    if script && scripts {
        planner.error("scripts", wrong("`script` and `scripts` exclude each other"));
    }
    let file = if script { "script" } else { "scripts" };
    if inline && (script || scripts) {
        planner.error("inline", wrong(&format!("`inline` and `{file}` exclude each other")));
    }
    let others = inline || script || scripts;
    if command == Some(true) && others {
        let other = if inline { "inline" } else { file };
        planner.error("command", wrong(&format!("`command` and `{other}` exclude each other")));
    }
    if !others && command != Some(true) {
        let names = match command {
            None => "`inline`, `script` and `scripts`",
            Some(_) => "`inline`, `script`, `scripts` and `command`",
        };
        let needed = format!("{what} needs one of {names}");
        let empty = ["scripts", "script", "inline"].into_iter().find(|one| planner.is_given(one));
        match empty {
            Some(option) => {
                planner.error(option, wrong(&format!("`{option}` is empty")).help(needed));
            }
            None => planner.error("inline", wrong(&needed)),
        }
    }
}

/// Whether all variables have names.
pub(in crate::provision) fn variables(planner: &mut Planner<'_>, options: &ScriptOptions) {
    if planner.is_late("environment_vars") {
        return;
    }
    for (index, text) in options.environment_vars.iter().enumerate() {
        if let Err(message) = environment::split(text) {
            let option = format!("environment_vars.{index}");
            planner.error(&option, Diagnostic::error("wrong-environment", message));
        }
    }
}

/// Whether variables can be written by a format, the value of `option`.
pub(in crate::provision) fn check_format(planner: &mut Planner<'_>, option: &str, format: &str) {
    if let Err(message) = environment::check(format)
        && !planner.is_late(option)
    {
        let finding = Diagnostic::error("wrong-format", format!("wrong format: {message}"));
        planner.error(option, finding);
    }
}

/// Names the scripts as inputs.
pub(in crate::provision) fn read_scripts(planner: &mut Planner<'_>, options: &ScriptOptions) {
    if has_unknown_script(planner) {
        return;
    }
    let single = options.single_script().map(|_| "script".to_owned());
    let places = single.into_iter().chain((0..).map(|index| format!("scripts.{index}")));
    for ((index, script), option) in options.local_scripts().enumerate().zip(places) {
        let path = planner.directory().join(script);
        match read_tree(&path) {
            Ok(tree) if tree.single_file().is_some() => {
                planner.add_tree(name(index), path, tree);
            }
            Ok(_) => planner.error(
                &option,
                Diagnostic::error("wrong-script", format!("`{script}` is a directory")),
            ),
            Err(error) => planner.error(
                &option,
                Diagnostic::error("missing-script", error.to_string()).help(planner.path_help()),
            ),
        }
    }
}

/// What a step does, for people; `shell` is what runs the scripts.
pub(in crate::provision) fn title(planner: &mut Planner<'_>, shell: &str, options: &ScriptOptions) {
    let scripts: Vec<_> = options.local_scripts().map(file_name).collect();
    planner.set_title(match scripts.as_slice() {
        [] => format!("Provisioning with {shell} script: inline"),
        [one] => format!("Provisioning with {shell} script: {one}"),
        many => format!("Provisioning with {} {shell} scripts: {}", many.len(), many.join(", ")),
    });
}

/// The last part of a path, for people.
pub(in crate::provision) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.into(), |name| name.to_string_lossy().into())
}
