//! Run Command: scripts that the agents of instances run as root.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::CloudError;
use super::account::Cloud;
use super::agent::data;
use crate::sandbox::machine::{Task, TaskEnd, TaskFile};

/// The document that runs a shell script.
pub const SHELL_DOCUMENT: &str = "AWS-RunShellScript";
/// Its plugin.
pub const SHELL_PLUGIN: &str = "aws:runShellScript";
/// At most this much in a document with its parameters.
const DOCUMENT_LIMIT: usize = 64 << 10;
/// What GetCommandInvocation shows of standard output, in characters.
const OUTPUT_LIMIT: usize = 24_000;
/// What GetCommandInvocation shows of standard error, in characters.
const ERROR_LIMIT: usize = 8_000;
/// What ListCommandInvocations shows of both together, in characters.
const COMBINED_LIMIT: usize = 2_500;
/// The exit code that asks for a reboot and another run.
const REBOOT: i32 = 194;
/// The agent's own code for a script that was killed.
const KILLED: i32 = 137;
/// How often a script may ask for a reboot.
const RUN_LIMIT: usize = 15;

/// How far a command or an invocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    /// Not delivered yet.
    Pending,
    /// Runs.
    InProgress,
    /// Not delivered, because the agent is away.
    Delayed,
    /// Exit code 0.
    Success,
    /// On request.
    Cancelled,
    /// Was not delivered, or did not end, in time.
    TimedOut,
    /// Another exit code, or no way to run it.
    Failed,
    /// About to be cancelled.
    Cancelling,
}

impl CommandStatus {
    /// As the service writes it.
    pub fn name(self) -> &'static str {
        match self {
            CommandStatus::Pending => "Pending",
            CommandStatus::InProgress => "InProgress",
            CommandStatus::Delayed => "Delayed",
            CommandStatus::Success => "Success",
            CommandStatus::Cancelled => "Cancelled",
            CommandStatus::TimedOut => "TimedOut",
            CommandStatus::Failed => "Failed",
            CommandStatus::Cancelling => "Cancelling",
        }
    }

    /// Whether nothing more happens.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Cancelled | Self::TimedOut | Self::Failed)
    }
}

/// SendCommand.
#[derive(Clone, Debug, Default)]
pub struct SendCommand {
    /// The document, by name or ARN.
    pub document: String,
    /// Where to run it.
    pub instance_ids: Vec<String>,
    /// The document's parameters.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// How long delivery may take, in seconds.
    pub delivery_seconds: Option<i64>,
    /// For people.
    pub comment: String,
}

/// A command that was sent.
#[derive(Clone, Debug)]
pub struct Command {
    /// A UUID.
    pub id: String,
    /// What was asked for.
    pub request: SendCommand,
    /// When.
    pub requested: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
    /// In the order of the request.
    pub invocations: Vec<Invocation>,
    region: String,
    /// When it can be asked for.
    visible_at: Timestamp,
    script: Script,
}

impl Command {
    /// The status of all invocations together.
    pub fn status(&self) -> CommandStatus {
        let statuses: Vec<CommandStatus> = self.invocations.iter().map(|i| i.status).collect();
        let any = |status: CommandStatus| statuses.contains(&status);
        if statuses.iter().all(|status| *status == CommandStatus::Pending) {
            return CommandStatus::Pending;
        }
        if let Some(open) = statuses.iter().find(|status| !status.is_terminal()) {
            return match open {
                CommandStatus::Cancelling => CommandStatus::Cancelling,
                _ => CommandStatus::InProgress,
            };
        }
        for bad in [CommandStatus::Failed, CommandStatus::TimedOut, CommandStatus::Cancelled] {
            if any(bad) {
                return bad;
            }
        }
        CommandStatus::Success
    }
}

/// A command on one instance.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `i-…`
    pub instance_id: String,
    /// How far it is.
    pub status: CommandStatus,
    /// The same in more words.
    pub details: &'static str,
    /// The script's exit code; -1 when there is none.
    pub code: i32,
    /// When the script was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The start of standard output; empty while it runs.
    pub stdout: String,
    /// The start of standard error; empty while it runs.
    pub stderr: String,
    /// The start of both.
    pub combined: String,
    cancel: CancellationToken,
}

impl Invocation {
    fn new(instance_id: &str) -> Self {
        Self {
            instance_id: instance_id.to_owned(),
            status: CommandStatus::Pending,
            details: "Pending",
            code: -1,
            started: None,
            ended: None,
            stdout: String::new(),
            stderr: String::new(),
            combined: String::new(),
            cancel: CancellationToken::new(),
        }
    }
}

/// What the agent is to run.
#[derive(Clone, Debug)]
struct Script {
    text: String,
    directory: String,
    timeout: Duration,
    delivery: Duration,
}

impl Script {
    /// Checks the parameters of the document.
    fn of(request: &SendCommand) -> Result<Self, CloudError> {
        let invalid = |message: String| CloudError::new("InvalidParameters", message);
        let mut size = 0;
        for (name, values) in &request.parameters {
            if !["commands", "workingDirectory", "executionTimeout"].contains(&name.as_str()) {
                return Err(invalid(format!(
                    "Parameter \"{name}\" is not a parameter of the document {SHELL_DOCUMENT}"
                )));
            }
            size += name.len() + values.iter().map(|value| value.len() + 3).sum::<usize>();
        }
        if size >= DOCUMENT_LIMIT {
            return Err(CloudError::new(
                "MaxDocumentSizeExceeded",
                "The size limit of a document is 64 KB.",
            ));
        }
        let commands = request.parameters.get("commands").filter(|commands| !commands.is_empty());
        let commands =
            commands.ok_or_else(|| invalid("Parameter \"commands\" is required".into()))?;
        let one = |name: &str| match request.parameters.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([value]) => Ok(Some(value.as_str())),
            Some(_) => Err(invalid(format!("Parameter \"{name}\" takes one value"))),
        };
        let directory = one("workingDirectory")?.unwrap_or_default();
        if directory.len() > 4096 {
            return Err(invalid("Parameter \"workingDirectory\" is longer than 4096".into()));
        }
        let seconds = match one("executionTimeout")? {
            None => 3600,
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|seconds| *seconds <= 172_800 && !text.starts_with(['0', '+']))
                .ok_or_else(|| {
                    invalid(format!("Parameter \"executionTimeout\" is not valid: {text}"))
                })?,
        };
        // The agent takes less for a mistake.
        let seconds = if seconds < 5 { 3600 } else { seconds };
        let delivery = request.delivery_seconds.unwrap_or(3600);
        let delivery = u64::try_from(delivery).ok().filter(|s| (30..=2_592_000).contains(s));
        let delivery = delivery.ok_or_else(|| {
            CloudError::new(
                "ValidationException",
                "Value at 'timeoutSeconds' failed to satisfy constraint: Member must have value between 30 and 2592000",
            )
        })?;
        Ok(Self {
            text: commands.join("\n") + "\n",
            // The agent's own, as its unit file has it.
            directory: if directory.is_empty() { "/usr/bin" } else { directory }.to_owned(),
            timeout: Duration::from_secs(seconds),
            delivery: Duration::from_secs(delivery),
        })
    }

    fn task(&self, region: &str, command_id: &str, instance_id: &str) -> Task {
        let directory = format!(
            "{}/document/orchestration/{command_id}/awsrunShellScript/0.awsrunShellScript",
            data(instance_id)
        );
        let script = format!("{directory}/_script.sh");
        let environment = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("SYSTEMD_OFFLINE", "1"),
            ("SSM_COMMAND_ID", command_id),
            ("AWS_SSM_INSTANCE_ID", instance_id),
            ("AWS_SSM_REGION_NAME", region),
            ("AWS_SSM_PLATFORM_NAME", "Linux"),
            ("AWS_SSM_PLATFORM_VERSION", ""),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Task {
            files: vec![TaskFile {
                path: script.clone().into(),
                mode: 0o700,
                content: self.text.clone(),
            }],
            program: vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
            directory: self.directory.clone().into(),
            environment: environment.to_vec(),
            stdout: format!("{directory}/stdout").into(),
            stderr: format!("{directory}/stderr").into(),
            // Characters have up to four bytes.
            head: (OUTPUT_LIMIT + 1) * 4,
        }
    }
}

/// How an invocation ended.
struct End {
    status: CommandStatus,
    details: &'static str,
    code: i32,
    output: TaskEnd,
}

impl End {
    fn without_output(status: CommandStatus, details: &'static str, code: i32) -> Self {
        Self { status, details, code, output: TaskEnd::default() }
    }

    fn failed(code: i32) -> Self {
        Self::without_output(CommandStatus::Failed, "Failed", code)
    }

    fn with(self, output: TaskEnd) -> Self {
        Self { output, ..self }
    }
}

impl Cloud {
    pub(super) fn commands(&self) -> MutexGuard<'_, BTreeMap<String, Command>> {
        self.inner.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SendCommand. Must be called within a tokio runtime.
    pub fn send_command(&self, region: &str, request: SendCommand) -> Result<Command, CloudError> {
        let name = request.document.rsplit('/').next().unwrap_or_default();
        match name {
            SHELL_DOCUMENT => {}
            "AWS-RunPowerShellScript" => {
                return Err(CloudError::new(
                    "UnsupportedPlatformType",
                    "The sandbox's instances are Linux.",
                ));
            }
            _ => {
                let message = format!("Document with name {name} does not exist.");
                return Err(CloudError::new("InvalidDocument", message));
            }
        }
        if request.comment.chars().count() > 100 {
            return Err(CloudError::new(
                "ValidationException",
                "Value at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100",
            ));
        }
        if request.instance_ids.is_empty() || request.instance_ids.len() > 50 {
            return Err(CloudError::new(
                "ValidationException",
                "Value at 'instanceIds' failed to satisfy constraint: Member must have between 1 and 50 items",
            ));
        }
        let different: BTreeSet<&String> = request.instance_ids.iter().collect();
        if different.len() < request.instance_ids.len() {
            return Err(CloudError::new("DuplicateInstanceId", ""));
        }
        let script = Script::of(&request)?;
        let away: Vec<&str> = request
            .instance_ids
            .iter()
            .filter(|id| !self.is_agent_registered(region, id))
            .map(String::as_str)
            .collect();
        if !away.is_empty() {
            return Err(CloudError::new(
                "InvalidInstanceId",
                format!(
                    "Instances [[{}]] not in a valid state for account {}",
                    away.join(", "),
                    super::ACCOUNT
                ),
            ));
        }
        let now = Timestamp::now();
        let command = Command {
            id: uuid::Uuid::new_v4().to_string(),
            requested: now,
            expires: now + script.delivery + script.timeout,
            invocations: request.instance_ids.iter().map(|id| Invocation::new(id)).collect(),
            request,
            region: region.to_owned(),
            visible_at: now + self.inner.latency.visible,
            script,
        };
        self.commands().insert(command.id.clone(), command.clone());
        for invocation in &command.invocations {
            let (cloud, command) = (self.clone(), command.clone());
            let invocation = invocation.clone();
            self.inner.tasks.spawn(async move { cloud.invoke(&command, &invocation).await });
        }
        Ok(command)
    }

    /// Whether the service would take a command for an instance, be its agent connected or not.
    fn is_agent_registered(&self, region: &str, id: &str) -> bool {
        use super::InstanceState::{Pending, Running};
        self.with_instance(region, id, |instance| {
            instance.agent.is_some() && matches!(instance.state, Pending | Running)
        })
        .unwrap_or_default()
    }

    /// One command, once it can be asked for.
    pub fn command(&self, region: &str, id: &str) -> Option<Command> {
        let now = Timestamp::now();
        let commands = self.commands();
        let found = commands.get(id).filter(|c| c.region == region && c.visible_at <= now);
        found.cloned()
    }

    /// All commands of a region that can be asked for, newest first.
    pub fn list_commands(&self, region: &str) -> Vec<Command> {
        let now = Timestamp::now();
        let commands = self.commands();
        let mut found: Vec<Command> = commands
            .values()
            .filter(|c| c.region == region && c.visible_at <= now)
            .cloned()
            .collect();
        drop(commands);
        found.sort_by_key(|command| std::cmp::Reverse(command.requested));
        found
    }

    /// CancelCommand: on some instances, or on all.
    pub fn cancel_command(
        &self,
        region: &str,
        id: &str,
        instance_ids: &[String],
    ) -> Result<(), CloudError> {
        let mut commands = self.commands();
        let command = commands
            .get_mut(id)
            .filter(|command| command.region == region)
            .ok_or_else(|| CloudError::new("InvalidCommandId", ""))?;
        for invocation in &mut command.invocations {
            let meant = instance_ids.is_empty() || instance_ids.contains(&invocation.instance_id);
            if meant && !invocation.status.is_terminal() {
                invocation.status = CommandStatus::Cancelling;
                invocation.details = "Cancelling";
                invocation.cancel.cancel();
            }
        }
        Ok(())
    }

    fn with_invocation(
        &self,
        command: &Command,
        instance: &str,
        act: impl FnOnce(&mut Invocation),
    ) {
        let mut commands = self.commands();
        let invocations = commands.get_mut(&command.id).map(|command| &mut command.invocations);
        let found = invocations.into_iter().flatten().find(|i| i.instance_id == instance);
        if let Some(invocation) = found {
            act(invocation);
        }
    }

    /// From delivery to the end.
    async fn invoke(&self, command: &Command, invocation: &Invocation) {
        let id = &invocation.instance_id;
        let end = tokio::select! {
            end = self.deliver_and_run(command, invocation) => end,
            () = self.inner.closing.cancelled() => return,
        };
        self.with_invocation(command, id, |invocation| {
            invocation.status = end.status;
            invocation.details = end.details;
            invocation.code = end.code;
            invocation.ended = invocation.started.map(|_| Timestamp::now());
            invocation.combined = combined(&end.output.stdout, &end.output.stderr);
            invocation.stdout = head(&end.output.stdout, OUTPUT_LIMIT);
            invocation.stderr = head(&end.output.stderr, ERROR_LIMIT);
        });
    }

    async fn deliver_and_run(&self, command: &Command, invocation: &Invocation) -> End {
        let (region, id) = (command.region.as_str(), invocation.instance_id.as_str());
        let script = &command.script;
        let cancelled = || End::without_output(CommandStatus::Cancelled, "Cancelled", -1);
        self.pause(self.inner.latency.command).await;
        if !self.is_agent_connected(region, id) {
            self.with_invocation(command, id, |invocation| {
                if invocation.status == CommandStatus::Pending {
                    (invocation.status, invocation.details) = (CommandStatus::Delayed, "Delayed");
                }
            });
        }
        let mut machine = tokio::select! {
            found = tokio::time::timeout(script.delivery, self.agent(region, id)) => match found {
                Ok(Some(machine)) => machine,
                Ok(None) => {
                    return End::without_output(CommandStatus::Failed, "Undeliverable", -1);
                }
                Err(_) => {
                    return End::without_output(CommandStatus::TimedOut, "Delivery Timed Out", -1);
                }
            },
            () = invocation.cancel.cancelled() => return cancelled(),
        };
        self.with_invocation(command, id, |invocation| {
            invocation.started = Some(Timestamp::now());
            if invocation.status != CommandStatus::Cancelling {
                (invocation.status, invocation.details) = (CommandStatus::InProgress, "InProgress");
            }
        });
        for _ in 0..RUN_LIMIT {
            let boot = machine.boots().borrow().count;
            let stop = CancellationToken::new();
            let run = machine.run(script.task(region, &command.id, id), stop.clone());
            tokio::pin!(run);
            let mut timed_out = false;
            let deadline = tokio::time::sleep(script.timeout);
            tokio::pin!(deadline);
            let run = loop {
                tokio::select! {
                    run = &mut run => break run,
                    () = &mut deadline, if !timed_out => {
                        timed_out = true;
                        stop.cancel();
                    }
                    () = invocation.cancel.cancelled(), if !stop.is_cancelled() => stop.cancel(),
                }
            };
            let boots = *machine.boots().borrow();
            let lost = !boots.up || boots.count != boot;
            let output = match run {
                Ok(output) => output,
                Err(error) if !lost => {
                    let stderr = format!("failed to run commands: {error}");
                    return End::failed(1).with(TaskEnd { stderr, ..TaskEnd::default() });
                }
                Err(_) => TaskEnd { going_down: true, ..TaskEnd::default() },
            };
            if invocation.cancel.is_cancelled() && output.code.is_none() {
                return End { code: KILLED, ..cancelled() }.with(output);
            }
            if output.code.is_none() && (output.going_down || lost) {
                // Who would tell goes down, too. Without a sender the machine is gone.
                let mut boots = machine.boots();
                drop(machine);
                drop(boots.wait_for(|now| !now.up || now.count != boot).await);
                let back = self.agent(region, id).await;
                return match back {
                    Some(_) => End::failed(KILLED).with(output),
                    None => End::without_output(CommandStatus::Failed, "Undeliverable", -1),
                };
            }
            match output.code {
                Some(0) => {
                    return End::without_output(CommandStatus::Success, "Success", 0).with(output);
                }
                Some(REBOOT) => {}
                None | Some(KILLED) => {
                    let details = "Execution Timed Out";
                    return End::without_output(CommandStatus::TimedOut, details, KILLED)
                        .with(output);
                }
                Some(code) => return End::failed(code).with(output),
            }
            drop(machine);
            self.reboot(region, id).await;
            match self.agent(region, id).await {
                Some(again) => machine = again,
                None => return End::without_output(CommandStatus::Failed, "Undeliverable", -1),
            }
        }
        End::failed(REBOOT)
    }
}

/// At most so many characters; what is longer ends in a mark.
fn head(text: &str, limit: usize) -> String {
    cut(text, limit, "\n---Output truncated---")
}

fn cut(text: &str, limit: usize, mark: &str) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(mark.chars().count());
    text.chars().take(kept).chain(mark.chars()).collect()
}

/// Both streams in one text of at most [`COMBINED_LIMIT`] characters.
fn combined(stdout: &str, stderr: &str) -> String {
    let label = if stderr.is_empty() { "" } else { "\n----------ERROR-------\n" };
    let room = COMBINED_LIMIT - label.len();
    let (out, error) = (stdout.chars().count(), stderr.chars().count());
    // What one does not need is the other's.
    let for_error = error.min((room / 2).max(room.saturating_sub(out)));
    let for_out = room - for_error;
    format!(
        "{}{label}{}",
        cut(stdout, for_out, "\n---Output truncated---"),
        cut(stderr, for_error, "\n---Error truncated----")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(text: char, count: usize) -> String {
        std::iter::repeat_n(text, count).collect()
    }

    #[test]
    fn output_keeps_its_head() {
        assert_eq!(head(&sized('é', OUTPUT_LIMIT), OUTPUT_LIMIT), sized('é', OUTPUT_LIMIT));
        let cut = head(&sized('é', OUTPUT_LIMIT + 1), OUTPUT_LIMIT);
        assert_eq!(cut.chars().count(), OUTPUT_LIMIT);
        assert!(cut.starts_with('é') && cut.ends_with("---Output truncated---"));
    }

    #[test]
    fn both_streams_share_one_text() {
        insta::assert_snapshot!(combined("out\n", "err\n"), @r"
        out

        ----------ERROR-------
        err
        ");
        assert_eq!(combined("out\n", ""), "out\n");
        for (out, error) in [(9000, 0), (9000, 9000), (9000, 5), (5, 9000), (1200, 1276)] {
            let text = combined(&sized('o', out), &sized('e', error));
            assert!(text.chars().count() <= COMBINED_LIMIT, "{out} {error}");
            assert_eq!(text.contains("ERROR"), error > 0);
            assert_eq!(text.contains("Output truncated"), out == 9000);
            assert_eq!(text.contains("Error truncated"), error == 9000);
        }
    }

    fn request(parameters: &[(&str, &[&str])]) -> SendCommand {
        let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        SendCommand {
            document: SHELL_DOCUMENT.to_owned(),
            parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), owned(v))).collect(),
            ..SendCommand::default()
        }
    }

    #[test]
    fn parameters_are_checked() {
        let ok = Script::of(&request(&[("commands", &["a", "b"]), ("executionTimeout", &["3"])]));
        let ok = ok.unwrap();
        assert_eq!((ok.text.as_str(), ok.timeout.as_secs()), ("a\nb\n", 3600));
        let code = |parameters: &[(&str, &[&str])]| {
            Script::of(&request(parameters)).map(|_| ()).unwrap_err().code.into_owned()
        };
        assert_eq!(code(&[]), "InvalidParameters");
        assert_eq!(code(&[("commands", &["a"]), ("command", &["b"])]), "InvalidParameters");
        assert_eq!(
            code(&[("commands", &["a"]), ("executionTimeout", &["172801"])]),
            "InvalidParameters"
        );
        let large = sized('x', DOCUMENT_LIMIT);
        assert_eq!(code(&[("commands", &[large.as_str()])]), "MaxDocumentSizeExceeded");
    }
}
