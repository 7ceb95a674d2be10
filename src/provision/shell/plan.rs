//! Checking a `shell` step and naming its scripts.

use std::path::Path;

use super::environment;
use super::options::ShellOptions;
use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, read_tree};

/// Checks the options and reads the scripts: the run finds them as `script.0`, `script.1`, ….
pub(super) fn plan(planner: &mut Planner<'_>) {
    let Some(options) = planner.decode(&ShellOptions::schema(), ShellOptions::decode_options)
    else {
        return;
    };
    what_to_run(planner, &options);
    variables(planner, &options);
    title(planner, &options);
    if planner.is_late("script") || planner.is_late("scripts") {
        return;
    }
    for (index, script) in options.local_scripts().enumerate() {
        let option = match options.script {
            Some(_) => "script".to_owned(),
            None => format!("scripts.{index}"),
        };
        match read_tree(&planner.directory().join(script)) {
            Ok(tree) if tree.single_file().is_some() => {
                planner.add_tree(name(index), tree);
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

/// The name of a script among the inputs.
pub(super) fn name(index: usize) -> String {
    format!("script.{index}")
}

fn what_to_run(planner: &mut Planner<'_>, options: &ShellOptions) {
    let inline = !options.inline.is_empty() || planner.is_late("inline");
    let script = options.script.is_some();
    let scripts = !options.scripts.is_empty() || planner.is_late("scripts");
    let wrong = |text: &str| Diagnostic::error("what-to-run", text);
    if script && scripts {
        planner.error("scripts", wrong("`script` and `scripts` exclude each other"));
    }
    if inline && (script || scripts) {
        let other = if script { "script" } else { "scripts" };
        planner.error("inline", wrong(&format!("`inline` and `{other}` exclude each other")));
    }
    if !inline && !script && !scripts {
        let finding = wrong("a `shell` provisioner needs one of `inline`, `script` and `scripts`");
        planner.error("inline", finding);
    }
}

fn variables(planner: &mut Planner<'_>, options: &ShellOptions) {
    if !planner.is_late("environment_vars") {
        for (index, text) in options.environment_vars.iter().enumerate() {
            if let Err(message) = environment::split(text) {
                let option = format!("environment_vars.{index}");
                planner.error(&option, Diagnostic::error("wrong-environment", message));
            }
        }
    }
    if let Err(message) = environment::check(options.variable_format())
        && !planner.is_late("env_var_format")
    {
        let finding = Diagnostic::error("wrong-format", format!("wrong format: {message}"));
        planner.error("env_var_format", finding);
    }
}

fn title(planner: &mut Planner<'_>, options: &ShellOptions) {
    let scripts: Vec<_> = options.local_scripts().map(file_name).collect();
    planner.set_title(match scripts.as_slice() {
        [] => "Provisioning with shell script: inline".to_owned(),
        [one] => format!("Provisioning with shell script: {one}"),
        many => format!("Provisioning with {} shell scripts: {}", many.len(), many.join(", ")),
    });
}

/// The last part of a path, for people.
pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.into(), |name| name.to_string_lossy().into())
}
