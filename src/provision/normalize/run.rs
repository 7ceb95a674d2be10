//! Running the step.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::script::SCRIPT;
use crate::communicator::{Command, Exit, ask, clear_authorized_key, one_line, sh};
use crate::event::Fact;
use crate::provision::{ProvisionError, StepRun};

/// The status that says that there are no rights for it.
const NOT_ROOT: u32 = 70;

/// Takes the script and its argument.
const AS_ROOT: &str = r#"
if [ "$(id -u)" -eq 0 ]; then exec sh -c "$1" sh "$2"; fi;
sudo -n true 2>/dev/null || exit 70;
exec sudo -n sh -c "$1" sh "$2"
"#;

/// Removes the temporary key, then everything else.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let context = &step.context;
        if let Some(key) = context.data.get("SSHPublicKey").and_then(|key| key.as_str()) {
            let told = clear_authorized_key(context.communicator, key).await?;
            warn(step, told).await;
        }
        let age = context.started.elapsed().as_secs().saturating_add(1).to_string();
        let command = Command::new(sh(AS_ROOT, &[&one_line(SCRIPT), &age]));
        let answer = ask(context.communicator, command).await?;
        if answer.exit == Exit::Code(NOT_ROOT) {
            return Err(ProvisionError::Unable {
                text: "the image cannot be normalised: this takes root".to_owned(),
                help: "log in as root, or as a user with `sudo` without a password".to_owned(),
            });
        }
        if let Some(complaint) = answer.complaint() {
            return Err(ProvisionError::Unable {
                text: format!("not everything that differs could be removed: {complaint}"),
                help: "build without `-normalize`, or let a step of the template remove it"
                    .to_owned(),
            });
        }
        let told = answer.stdout.contains("no-new-host-keys").then(|| {
            "the SSH host keys were removed, and nothing in the image seems to make new ones at boot: neither cloud-init nor an `sshd-keygen` service".to_owned()
        });
        warn(step, told).await;
        Ok(())
    }
    .boxed()
}

async fn warn(step: &StepRun<'_>, text: Option<String>) {
    if let Some(text) = text {
        step.context.emitter.emit(Fact::Warning { text }).await;
    }
}
