//! What the agent, and this communicator, leave on an instance.

use crate::communicator::{Command, Communicator, CommunicatorError, Exit, ask, quote};

/// What does not belong into an image: logs, scripts and output of commands, credentials, the
/// registration of this one instance, and the user of shell sessions. Patterns of a shell.
pub const TRACES: &[&str] = &[
    "/var/tmp/.bake-ssm-*",
    "/var/lib/amazon/ssm/i-*",
    "/var/lib/amazon/ssm/mi-*",
    "/var/lib/amazon/ssm/credentials",
    "/var/lib/amazon/ssm/Vault/Store/*",
    "/var/lib/amazon/ssm/runtimeconfig/*",
    "/var/lib/amazon/ssm/ipc/*",
    "/var/lib/amazon/ssm/session/*",
    "/var/log/amazon/ssm/*",
    "/etc/sudoers.d/ssm-agent-users",
];

/// The script that removes them; it needs to be root, and says nothing when there is nothing.
///
/// It is to be the last command on the instance, sent through another communicator, or through this
/// one just before the instance is stopped: what the agent writes afterwards is its own and new.
/// `ssm-user` goes only when it was not in the source image: `keep_user` says that it was.
pub fn remove_traces(keep_user: bool) -> String {
    let mut script = String::from("rm -rf");
    for trace in TRACES {
        if keep_user && trace.contains("sudoers") {
            continue;
        }
        script.push(' ');
        script.push_str(trace);
    }
    script.push('\n');
    if !keep_user {
        script.push_str(
            "if id ssm-user >/dev/null 2>&1; then userdel -r ssm-user >/dev/null 2>&1 || deluser --remove-home ssm-user >/dev/null 2>&1; fi\n",
        );
    }
    script.push_str("true\n");
    script
}

/// The status that says that there were no rights to remove them.
const NOT_ROOT: u32 = 3;

/// Removes what the agent has left, over any communicator, as the last thing before the instance
/// stops. Returns what the user should know, if anything. The sessions of a build are no shell
/// sessions: `ssm-user`, where it exists, is the source image's.
///
/// # Errors
/// When the command cannot be run.
pub async fn clear_traces(
    communicator: &dyn Communicator,
) -> Result<Option<String>, CommunicatorError> {
    let script = quote(&remove_traces(true).replace('\n', "; "));
    let as_root = format!(
        "if [ \"$(id -u)\" -eq 0 ]; then exec sh -c \"$1\"; fi; sudo -n true 2>/dev/null || exit {NOT_ROOT}; exec sudo -n sh -c \"$1\""
    );
    let command = Command::new(format!("exec sh -c {} sh {script}", quote(&as_root)));
    let answer = ask(communicator, command).await?;
    Ok(match answer.exit {
        // The agent's last word may be that it has lost its own files.
        Exit::Code(0) | Exit::Disconnected { .. } => None,
        Exit::Code(NOT_ROOT) => Some(
            "logs and credentials of the agent stay in the image: the login user has no `sudo` without a password"
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
    use super::super::gate::DIRECTORY;
    use super::*;

    #[test]
    fn our_own_directory_is_among_them() {
        assert!(TRACES.contains(&format!("{DIRECTORY}*").as_str()));
        for trace in TRACES {
            assert!(trace.starts_with('/') && trace.matches('/').count() >= 3, "{trace}");
        }
    }

    #[test]
    fn the_script_removes_what_there_is_and_succeeds() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().to_str().unwrap();
        let log = root.path().join("var/log/amazon/ssm");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("errors.log"), "x").unwrap();
        let script = TRACES.iter().fold(remove_traces(true), |script, trace| {
            script.replace(&format!(" {trace}"), &format!(" {base}{trace}"))
        });
        assert!(!script.contains("userdel") && !script.contains("sudoers"));
        let status = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(status.success());
        assert_eq!(std::fs::read_dir(&log).unwrap().count(), 0);
    }
}
