//! Running a `powershell` step.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::options::PowershellOptions;
use super::text;
use crate::communicator::Command;
use crate::communicator::ask;
use crate::provision::elevation::Elevated;
use crate::provision::run::pause_after;
use crate::provision::script::{Script, environment};
use crate::provision::windows::{self, FOLDER, literal, with_backticks};
use crate::provision::{ProvisionError, StepRun};
use crate::template::schema::UnknownField;
use crate::value::Value;

/// A step with the names of its files on the instance.
struct Job<'a> {
    step: &'a StepRun<'a>,
    options: PowershellOptions,
    path: String,
    variables_path: String,
    /// The user who runs the scripts, if another one does.
    user: Option<String>,
}

/// Runs all scripts of a step.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let job = Job::new(step)?;
        let options = &job.options;
        let mut scripts = Vec::new();
        if !options.scripting.inline.is_empty() {
            let text = job.inline_script()?;
            scripts.push(Script { name: "inline".into(), bytes: text.into_bytes() });
        }
        scripts.extend(step.surroundings().local_scripts(&options.scripting)?);
        let several = scripts.len() > 1;
        for script in scripts {
            if several {
                step.say(format!("Provisioning with powershell script: {}", script.name)).await;
            }
            let bytes = match job.options.binary {
                true => script.bytes,
                false => windows::readable(script.bytes),
            };
            job.run_script(bytes).await?;
        }
        pause_after(step, options.pause_after).await
    }
    .boxed()
}

impl<'a> Job<'a> {
    fn new(step: &'a StepRun<'a>) -> Result<Self, ProvisionError> {
        let around = step.surroundings();
        let schema = PowershellOptions::schema();
        let decoded = around
            .component
            .decode(Some(around.data), schema, PowershellOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let options = decoded.options;
        let user = match &options.elevated_user {
            Some(user) => around.render("elevated_user", user, around.data, UnknownField::Keep)?,
            None => String::new(),
        };
        let new = |prefix: &str| format!("{FOLDER}/{prefix}-{}.ps1", uuid::Uuid::new_v4());
        Ok(Self {
            step,
            path: options.remote_path.clone().unwrap_or_else(|| new("script")),
            variables_path: options
                .remote_env_var_path
                .clone()
                .unwrap_or_else(|| new("packer-ps-env-vars")),
            user: Some(user).filter(|user| !user.is_empty()),
            options,
        })
    }

    /// What sets the variables.
    fn variables(&self) -> Result<String, ProvisionError> {
        let variables = self.step.surroundings().variables(&self.options.scripting)?;
        let (option, format) = match self.user {
            Some(_) => ("elevated_env_var_format", &self.options.elevated_env_var_format),
            None => ("env_var_format", &self.options.env_var_format),
        };
        environment::write_escaped(format, &variables, with_backticks)
            .map_err(|message| ProvisionError::Render { option, message })
    }

    /// The commands of `inline` as a script that ends as they do.
    fn inline_script(&self) -> Result<String, ProvisionError> {
        let inline = &self.options.scripting.inline;
        let commands = self.step.surroundings().render_all("inline", inline)?;
        Ok(text::of_commands(&commands, &self.variables()?, self.options.debug_mode))
    }

    /// What runs the script.
    fn command(&self) -> Result<String, ProvisionError> {
        let options = &self.options;
        let (option, given) = match self.user {
            Some(_) => ("elevated_execute_command", &options.elevated_execute_command),
            None => ("execute_command", &options.execute_command),
        };
        let template = given.clone().unwrap_or_else(|| text::usual_command(options));
        let around = self.step.surroundings();
        let mut fields = around.data.clone();
        for (name, text) in [("Path", &self.path), ("Vars", &self.variables_path)] {
            fields.insert(name.to_owned(), Value::string(text));
        }
        around.render(option, &template, &fields, UnknownField::Refuse)
    }

    async fn run_script(&self, bytes: Vec<u8>) -> Result<(), ProvisionError> {
        let mut command = self.command()?;
        let mut files = Vec::new();
        if command.contains(&self.variables_path) {
            files.push((
                self.variables_path.clone(),
                windows::readable(self.variables()?.into_bytes()),
            ));
        }
        files.push((self.path.clone(), bytes));
        let mut passing = Vec::new();
        if let Some(user) = &self.user {
            let password = self.options.elevated_password.as_ref();
            let elevated = Elevated::new(&command, user, password);
            passing.push(elevated.path.clone());
            files.push((elevated.path, windows::readable(elevated.text.into_bytes())));
            command = elevated.command;
        }
        let limit = self.options.start_retry_timeout;
        let exit = windows::start(self.step, &files, &command, limit).await;
        if !self.options.skip_clean {
            passing = files.into_iter().map(|(path, _)| path).collect();
        }
        self.clean(&passing).await;
        self.options.scripting.judge(exit?)
    }

    /// Removes files. What cannot be removed, such as after a lost connection, stays.
    async fn clean(&self, files: &[String]) {
        if files.is_empty() {
            return;
        }
        let paths: Vec<_> = files.iter().map(|path| literal(path)).collect();
        let command = format!(
            "{} -NoProfile -Command \"Remove-Item -Force -ErrorAction SilentlyContinue -LiteralPath {}\"",
            text::shell(&self.options),
            paths.join(", ")
        );
        if let Err(error) = ask(self.step.context.communicator, Command::new(command)).await {
            tracing::debug!(%error, "what was uploaded stays");
        }
    }
}
