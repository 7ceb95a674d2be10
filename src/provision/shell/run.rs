//! Running a `shell` step.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::RngExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::options::ShellOptions;
use super::remote::Ready;
use super::script;
use crate::communicator::{Chunk, Command, Exit, ask};
use crate::event::{Fact, Stream};
use crate::provision::lines::Lines;
use crate::provision::restart;
use crate::provision::run::{RETRY_PAUSE, pause_after};
use crate::provision::script::line_end::{UNIX, with_line_ends};
use crate::provision::script::{Script, environment};
use crate::provision::{ProvisionError, StepRun};
use crate::template::schema::UnknownField;
use crate::value::Value;

/// How many pieces of output may wait for the renderer.
const WAITING_OUTPUT: usize = 32;

/// How many lines before the mark explain why a script could not be put in its place.
const EXPLANATION: usize = 5;

/// Runs all scripts of a step.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let (options, scripts) = prepare(step)?;
        let several = scripts.len() > 1;
        for script in scripts {
            if several {
                step.say(format!("Provisioning with shell script: {}", script.name)).await;
            }
            let ready = ready(step, &options, script.bytes)?;
            run_script(step, &options, &ready).await?;
        }
        pause_after(step, options.pause_after).await
    }
    .boxed()
}

/// The options with what the build knows now, and the bytes of the scripts.
fn prepare(step: &StepRun<'_>) -> Result<(ShellOptions, Vec<Script>), ProvisionError> {
    let decoded = step
        .planned
        .component
        .decode(Some(step.context.data), ShellOptions::schema(), ShellOptions::decode_options)
        .map_err(ProvisionError::Options)?;
    let options = decoded.options;
    let around = step.surroundings();
    let mut scripts = Vec::new();
    if !options.scripting.inline.is_empty() {
        let commands = around.render_all("inline", &options.scripting.inline)?;
        let bytes = script::of_commands(&commands, options.inline_shebang.as_deref());
        scripts.push(Script { name: "inline".into(), bytes });
    }
    scripts.extend(around.local_scripts(&options.scripting)?);
    if !options.binary {
        for script in &mut scripts {
            script.bytes = with_line_ends(&script.bytes, UNIX);
        }
    }
    Ok((options, scripts))
}

/// A script with everything that it takes to run it.
fn ready(
    step: &StepRun<'_>,
    options: &ShellOptions,
    bytes: Vec<u8>,
) -> Result<Ready, ProvisionError> {
    let around = step.surroundings();
    let variables = around.variables(&options.scripting)?;
    let variables = environment::write(&options.variable_format(), &variables)
        .map_err(|message| ProvisionError::Render { option: "env_var_format", message })?;

    let number = || rand::rng().random_range(0..9999);
    let folder = &options.remote_folder;
    let path = options.remote_path.clone().unwrap_or_else(|| match &options.remote_file {
        Some(file) => format!("{folder}/{file}"),
        None => format!("{folder}/script_{}.sh", number()),
    });
    let file = options.use_env_var_file.then(|| format!("{folder}/varfile_{}.sh", number()));
    let mut fields = step.context.data.clone();
    let mut field = |name: &str, text: &str| {
        fields.insert(name.to_owned(), Value::string(text));
    };
    field("Path", &path);
    field("Vars", if file.is_some() { "" } else { &variables });
    field("EnvVarFile", file.as_deref().unwrap_or_default());
    let command =
        around.render("execute_command", &options.command(), &fields, UnknownField::Refuse)?;
    Ok(Ready {
        path,
        bytes,
        command,
        variables: file.map(|file| (file, variables)),
        keep: options.skip_clean,
        mark: format!("bake:{:016x}:not-started", rand::random::<u64>()),
    })
}

/// Starts a script, again and again while the connection does not let it start; then it runs once.
async fn run_script(
    step: &StepRun<'_>,
    options: &ShellOptions,
    ready: &Ready,
) -> Result<(), ProvisionError> {
    let deadline = Instant::now() + options.start_retry_timeout;
    let before = match options.allows_disconnect() {
        true => restart::look(step).await.unwrap_or_default(),
        false => restart::Boot::default(),
    };
    let exit = loop {
        match attempt(step, ready).await {
            Err(ProvisionError::Communicator(error))
                if error.may_pass() && Instant::now() + RETRY_PAUSE < deadline =>
            {
                step.say(format!("Cannot start the script, trying again: {error}")).await;
                sleep(RETRY_PAUSE).await;
            }
            result => break result?,
        }
    };
    match exit {
        Exit::Code(status) if options.scripting.valid_exit_codes.contains(&status) => {
            if options.allows_disconnect() {
                let deadline = Instant::now() + options.start_retry_timeout;
                restart::settle(step, &before, deadline).await?;
            }
            Ok(())
        }
        Exit::Code(status) => Err(ProvisionError::ExitStatus {
            status,
            allowed: options.scripting.valid_exit_codes.clone(),
        }),
        Exit::Signal(signal) => {
            // Whoever should have removed the script was killed with it.
            if !options.skip_clean
                && let Err(error) = ask(step.context.communicator, ready.cleaning()).await
            {
                tracing::debug!(%error, "the script stays");
            }
            Err(ProvisionError::Killed { signal })
        }
        Exit::Disconnected { reason } if options.allows_disconnect() => {
            step.say(format!("The connection ended, as it may: {reason}")).await;
            let deadline = Instant::now() + options.start_retry_timeout;
            restart::settle(step, &before, deadline).await?;
            if !options.skip_clean {
                // What the lost connection has left there.
                ask(step.context.communicator, ready.cleaning()).await?;
            }
            Ok(())
        }
        Exit::Disconnected { reason } => Err(ProvisionError::Disconnected { reason }),
    }
}

/// Puts a script in its place and runs it.
async fn attempt(step: &StepRun<'_>, ready: &Ready) -> Result<Exit, ProvisionError> {
    let mut exit = Exit::Code(0);
    for command in ready.commands(step.context.communicator.uses_pty()) {
        let marked;
        (exit, marked) = execute(step, command, &ready.mark).await?;
        if let Some(reason) = marked {
            return Err(ProvisionError::Start { path: ready.path.clone(), reason });
        }
        if exit != Exit::Code(0) {
            break;
        }
    }
    Ok(exit)
}

/// Runs a command and tells its output. When a line is the mark, what was said before it on
/// standard error comes back too.
async fn execute(
    step: &StepRun<'_>,
    command: Command,
    mark: &str,
) -> Result<(Exit, Option<String>), ProvisionError> {
    let (output, chunks) = mpsc::channel(WAITING_OUTPUT);
    let (exit, marked) =
        tokio::join!(step.context.communicator.exec(command, output), tell(step, chunks, mark));
    Ok((exit?, marked))
}

async fn tell(step: &StepRun<'_>, mut chunks: mpsc::Receiver<Chunk>, mark: &str) -> Option<String> {
    let mut lines = Lines::default();
    let mut complaints: Vec<String> = Vec::new();
    let mut marked = None;
    loop {
        let (found, last) = match chunks.recv().await {
            Some(chunk) => (lines.push(&chunk), false),
            None => (std::mem::take(&mut lines).finish(), true),
        };
        for (stream, line) in found {
            if stream == Stream::Stderr && line == mark && !mark.is_empty() {
                marked = Some(complaints.join("; "));
                continue;
            }
            if stream == Stream::Stderr {
                complaints.push(line.clone());
                if complaints.len() > EXPLANATION {
                    complaints.remove(0);
                }
            }
            step.context.emitter.emit(Fact::Output { stream, line }).await;
        }
        if last {
            return marked;
        }
    }
}
