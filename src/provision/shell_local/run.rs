//! Running a `shell-local` step, or post-processor.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::PoisonError;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempfile::TempPath;

use super::options::ShellLocalOptions;
use crate::provision::program::{Program, STARTING};
use crate::provision::script::{Surroundings, environment};
use crate::provision::{ProvisionError, StepRun};
use crate::template::schema::UnknownField;
use crate::value::Value;

/// Runs the step.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move { run_locally(&step.surroundings()).await }.boxed()
}

/// Runs the scripts of a component with the options of `shell-local`, one after the other. Dropping
/// the future ends the one that runs, with all that it started.
///
/// # Errors
///
/// That of the first script that fails.
pub(crate) async fn run_locally(around: &Surroundings<'_>) -> Result<(), ProvisionError> {
    let decoded = around
        .component
        .decode(Some(around.data), ShellLocalOptions::schema(), ShellLocalOptions::decode_options)
        .map_err(ProvisionError::Options)?;
    let options = decoded.options;
    if !options.only_on.is_empty() && !options.only_on.iter().any(|one| one == this_system()) {
        around.say("Skipping shell-local due to runtime OS").await;
        return Ok(());
    }
    // Says so when one of them is not what was planned.
    around.local_scripts(&options.scripting)?;
    let mut commands = around.render_all("inline", &options.scripting.inline)?;
    if let Some(command) = options.command.as_ref().filter(|command| !command.text().is_empty()) {
        commands.push(around.render("command", command, around.data, UnknownField::Keep)?);
    }
    if commands.is_empty() {
        let scripts: Vec<_> = options.scripting.local_scripts().map(by_path).collect();
        for path in &scripts {
            if scripts.len() > 1 {
                around.say(format!("Running local shell script: {path}")).await;
            }
            run_script(around, &options, path).await?;
        }
        return Ok(());
    }
    let script = make_script(&options, &commands).map_err(ProvisionError::Temporary)?;
    run_script(around, &options, &script.to_string_lossy()).await
}

/// Packer's name for the system that bake runs on.
fn this_system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// A shell looks for a program without a slash in `PATH` only.
fn by_path(script: &str) -> String {
    if script.contains('/') { script.to_owned() } else { format!("./{script}") }
}

/// Puts commands into a file that is removed when it is dropped.
fn make_script(options: &ShellLocalOptions, commands: &[String]) -> std::io::Result<TempPath> {
    let mut text = String::new();
    if !options.inline_shebang.is_empty() {
        text.push_str(&format!("#!{}\n", options.inline_shebang));
    }
    for command in commands {
        text.push_str(command);
        text.push('\n');
    }
    let suffix = match options.tempfile_extension.as_deref() {
        None | Some("") => String::new(),
        Some(extension) => format!(".{}", extension.trim_start_matches('.')),
    };
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file = tempfile::Builder::new()
        .prefix("packer-shell")
        .suffix(&suffix)
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    Ok(file.into_temp_path())
}

async fn run_script(
    around: &Surroundings<'_>,
    options: &ShellLocalOptions,
    path: &str,
) -> Result<(), ProvisionError> {
    let variables = around.variables(&options.scripting)?;
    let variables = environment::write(&options.env_var_format, &variables)
        .map_err(|message| ProvisionError::Render { option: "env_var_format", message })?;
    let mut fields = around.data.clone();
    for (name, text) in [("Vars", variables.as_str()), ("Script", path), ("Command", path)] {
        fields.insert(name.to_owned(), Value::string(text));
    }
    let words = options
        .execute_command
        .iter()
        .map(|word| around.render("execute_command", word, &fields, UnknownField::Refuse))
        .collect::<Result<Vec<_>, _>>()?;
    let exit = program(words).run_and_tell(around.emitter).await?;
    options.scripting.judge(exit)
}

/// A single word is a line for a shell, as the post-processor has it from old times.
fn program(words: Vec<String>) -> Program {
    let environment = BTreeMap::new();
    let mut words = words.into_iter();
    let first = words.next().unwrap_or_default();
    let arguments: Vec<_> = words.collect();
    if arguments.is_empty() && !Path::new(&first).is_file() {
        let arguments = vec!["-c".to_owned(), first];
        return Program { name: "/bin/sh".to_owned(), arguments, environment };
    }
    Program { name: first, arguments, environment }
}
