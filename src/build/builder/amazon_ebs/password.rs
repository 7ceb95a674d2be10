//! The password that Windows has made for itself.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::launch::Launched;
use super::run::Run;
use super::settings::{Communication, PasswordSettings};
use crate::aws::Image;
use crate::aws::retry::persist;
use crate::aws::time::seconds;
use crate::aws::wait::{Ending, Look, Polling, wait};
use crate::build::BuildError;
use crate::communicator::{CommunicatorError, ssh};
use crate::event::Fact;
use crate::template::schema::Secret;

impl Run<'_> {
    /// Waits until EC2 knows the password of the administrator, and decrypts it with the key in
    /// the file, or with the temporary one. From then on nothing shows it.
    pub(super) async fn windows_password(
        &self,
        launched: &Launched,
        key_file: Option<&Path>,
        limit: Duration,
    ) -> Result<Secret, BuildError> {
        let id = &launched.instance.id;
        let (events, stop) = (&self.context.events, self.context.cancel.stop());
        let key = match (key_file, &launched.key) {
            (Some(file), _) => read_key(file).await?,
            (None, Some(pair)) => pair.private.clone(),
            (None, None) => return Err(BuildError::Key("there is none".to_owned())),
        };
        events.emit(Fact::PasswordWaitStarted { instance: id.clone() }).await;
        let polling =
            Polling { first: seconds(5), cap: seconds(5), deadline: limit, extend: false };
        let look = || async {
            let data = persist(stop, || self.client.password_data(id)).await?;
            Ok(match data {
                Some(data) => Look::Done(data),
                None => Look::Pending { state: "no password".to_owned(), progress: 0 },
            })
        };
        let ending = tokio::select! {
            ending = wait(polling, stop, |_| (), look) => ending?,
            // Ends only with an error: the instance must not go away meanwhile.
            ended = self.watch(id) => return Err(ended),
        };
        let data = match ending {
            Ending::Done(data) => data,
            Ending::Cancelled => return Err(BuildError::Cancelled),
            Ending::Hopeless { .. } | Ending::DeadlinePassed { .. } => {
                let length = limit.as_secs();
                return Err(BuildError::option(
                    "windows_password_timeout",
                    format!("EC2 knows no password of instance {id} after {length} s"),
                )
                .hint("EC2Launch makes one only when the source image was prepared for it (Sysprep); otherwise set it in the user data and give it as `winrm_password`"));
            }
        };
        let password = decrypted(&key, &data).map_err(|reason| {
            let message = format!("the password of instance {id} cannot be decrypted: {reason}");
            BuildError::option("ssh_private_key_file", message)
                .hint("`ssh_private_key_file` must hold the private half of the key pair `ssh_keypair_name`")
        })?;
        events.emit(Fact::SecretsFound { secrets: vec![password.clone()] }).await;
        events.emit(Fact::PasswordReceived { instance: id.clone() }).await;
        Ok(password)
    }
}

/// Why no password may ever come, before it is waited for.
pub(super) fn doubt(communication: &Communication, source: &Image) -> Option<String> {
    let asked = matches!(
        communication,
        Communication::WinRm { password: PasswordSettings::Asked { .. }, .. }
    );
    let is_windows =
        source.platform.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("windows"));
    let id = &source.id;
    (asked && !is_windows).then(|| {
        format!("EC2 does not know {id} for a Windows image, so it may never know a password of its instance; with `winrm_password` none is waited for")
    })
}

/// Reads the key of `ssh_private_key_file`, if it is one that passwords are encrypted for.
///
/// # Errors
/// Why it cannot be used.
pub(super) async fn read_key(file: &Path) -> Result<Secret, BuildError> {
    let wrong = |error: CommunicatorError| BuildError::Option {
        option: "ssh_private_key_file",
        message: error.to_string(),
        hints: error.hints(),
    };
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|source| wrong(CommunicatorError::Read { path: file.to_owned(), source }))?;
    let key = Secret::new(text);
    ssh::check_decryption_key(&key).map_err(wrong)?;
    Ok(key)
}

fn decrypted(key: &Secret, data: &str) -> Result<Secret, String> {
    let compact: String = data.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(compact).map_err(|_| "it is not base64".to_owned())?;
    let password = ssh::decrypt(key, &bytes).map_err(|error| error.to_string())?;
    String::from_utf8(password).map(Secret::new).map_err(|_| "it is no text".to_owned())
}
