//! What the agent, and this communicator, leave on an instance.

use crate::communicator::{Command, Communicator, CommunicatorError, Exit, ask, sh};

/// What does not belong into an image: logs, scripts and output of commands, credentials, and the
/// registration of this one instance. Patterns of a shell.
///
/// The user of shell sessions and its rights are not among them: a build has no shell sessions, so
/// they are the source image's. Nor is this communicator's own directory, which goes when it
/// disconnects.
const TRACES: &[&str] = &[
    "/var/lib/amazon/ssm/i-*",
    "/var/lib/amazon/ssm/mi-*",
    "/var/lib/amazon/ssm/credentials",
    "/var/lib/amazon/ssm/Vault/Store/*",
    "/var/lib/amazon/ssm/runtimeconfig/*",
    "/var/lib/amazon/ssm/ipc/*",
    "/var/lib/amazon/ssm/session/*",
    "/var/log/amazon/ssm/*",
];

/// The status that says that there were no rights to remove them.
const NOT_ROOT: u32 = 3;

/// Removes what the agent has left, over any communicator, as the last thing before the instance
/// stops: what the agent writes afterwards is its own and new. Returns what the user should know,
/// if anything.
///
/// # Errors
/// When the command cannot be run.
pub async fn clear_traces(
    communicator: &dyn Communicator,
) -> Result<Option<String>, CommunicatorError> {
    let remove = format!("rm -rf {}", TRACES.join(" "));
    let as_root = format!(
        "if [ \"$(id -u)\" -eq 0 ]; then exec sh -c \"$1\"; fi; sudo -n true 2>/dev/null || exit {NOT_ROOT}; exec sudo -n sh -c \"$1\""
    );
    let command = Command::new(sh(&as_root, &[&remove]));
    let answer = ask(communicator, command).await?;
    Ok(match answer.exit {
        Exit::Code(0) => None,
        // Perhaps only because the agent has lost its own files.
        Exit::Disconnected { reason } => Some(format!(
            "some of the agent's logs and credentials may stay in the image: the connection was lost while they were removed: {reason}"
        )),
        Exit::Code(NOT_ROOT) => Some(
            "logs and credentials of the agent stay in the image: the login user has no `sudo` without a password"
                .to_owned(),
        ),
        // `cmd.exe` has no `exec`.
        Exit::Code(_) if answer.stderr.contains("is not recognized") => Some(
            "logs and credentials of the agent stay in the image: bake does not remove them from Windows"
                .to_owned(),
        ),
        Exit::Code(_) | Exit::Signal(_) => Some(format!(
            "some of the agent's logs and credentials may stay in the image: {}",
            answer.stderr.trim()
        )),
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use tokio::sync::mpsc;

    use super::*;
    use crate::communicator::{Chunk, Upload, UploadReport};

    /// A machine that goes away under each command.
    struct Going;

    impl Communicator for Going {
        fn exec<'a>(
            &'a self,
            _command: Command,
            _output: mpsc::Sender<Chunk>,
        ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
            async { Ok(Exit::Disconnected { reason: "it is silent".to_owned() }) }.boxed()
        }

        fn upload<'a>(
            &'a self,
            _upload: &'a Upload,
            _progress: &'a (dyn Fn(u64) + Send + Sync),
        ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
            unreachable!("nothing is uploaded")
        }

        fn disconnect(&self) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
    }

    #[tokio::test]
    async fn what_nobody_knows_to_be_removed_is_told() {
        let told = clear_traces(&Going).await.unwrap().unwrap();
        insta::assert_snapshot!(told, @"some of the agent's logs and credentials may stay in the image: the connection was lost while they were removed: it is silent");
    }

    #[test]
    fn only_what_is_the_agents_goes() {
        for trace in TRACES {
            let below = ["/var/lib/amazon/ssm/", "/var/log/amazon/ssm/"];
            assert!(below.iter().any(|one| trace.starts_with(one) && trace != one), "{trace}");
        }
    }
}
