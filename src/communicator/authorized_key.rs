//! Removing a key from a machine that it could log in to (`ssh_clear_authorized_keys`).

use super::{Command, Communicator, CommunicatorError, Exit, ask, one_line, sh};

/// The status that says that root's file could not be looked at.
const UNSEEN: u32 = 3;

/// Takes the key and home directories. Files are written in place, so that owner, mode and label
/// stay; what is not there, or does not have the key, is left alone.
const FILTER: &str = r#"
k=$1; shift; r=0;
for h in "$@"; do
  for f in "$h/.ssh/authorized_keys" "$h/.ssh/authorized_keys2"; do
    [ -f "$f" ] && grep -qF -- "$k" "$f" || continue;
    t=$(grep -vF -- "$k" "$f");
    if [ -n "$t" ]; then printf "%s\n" "$t" > "$f" || r=1; else : > "$f" || r=1; fi;
  done;
done;
exit $r
"#;

/// Takes the key and the script above: first for the login user, then, where that is possible, for
/// root and everybody else.
const BOTH: &str = r#"
sh -c "$2" sh "$1" "$HOME" || exit 1;
if [ "$(id -u)" -eq 0 ]; then exec sh -c "$2" sh "$1" /root /home/*; fi;
if command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then exec sudo -n sh -c "$2" sh "$1" /root /home/*; fi;
exit 3
"#;

/// Removes a public key, given as a line of `authorized_keys`, from the files that let it log in:
/// the login user's and, with the rights for it, root's and those of all homes. Lines with options
/// before the key, as cloud-init writes them for root, go too. Returns what the user should know,
/// if anything.
///
/// # Errors
/// When the command cannot be run, or a file that has the key cannot be written.
pub async fn clear_authorized_key(
    communicator: &dyn Communicator,
    public_key: &str,
) -> Result<Option<String>, CommunicatorError> {
    let failed = |reason: String| CommunicatorError::Failed {
        wanted: "remove the temporary key from `authorized_keys`",
        reason,
    };
    let Some(key) = public_key.split_whitespace().nth(1) else {
        return Err(failed("it is no public key".to_owned()));
    };
    let answer = ask(communicator, Command::new(command(key))).await?;
    if answer.exit == Exit::Code(UNSEEN) {
        return Ok(Some(
            "the temporary key may still be in root's `authorized_keys`: the login user has no `sudo` without a password"
                .to_owned(),
        ));
    }
    answer.complaint().map_or(Ok(None), |complaint| Err(failed(complaint)))
}

fn command(key: &str) -> String {
    sh(BOTH, &[key, &one_line(FILTER)])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use tokio::sync::mpsc;

    use super::*;
    use crate::communicator::Chunk;
    use crate::communicator::{Upload, UploadReport};

    /// Runs commands on this machine, with a home of its own.
    struct Local<'a>(&'a Path);

    impl Communicator for Local<'_> {
        fn exec<'a>(
            &'a self,
            command: Command,
            output: mpsc::Sender<Chunk>,
        ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
            async move {
                let shell = ["/bin/sh", "-c", &command.text];
                let ran = std::process::Command::new(shell[0])
                    .args(&shell[1..])
                    .env("HOME", self.0)
                    .output()
                    .unwrap();
                let bytes = ran.stderr;
                let stream = crate::event::Stream::Stderr;
                output.send(Chunk { stream, bytes }).await.unwrap();
                Ok(Exit::Code(u32::try_from(ran.status.code().unwrap()).unwrap()))
            }
            .boxed()
        }

        fn upload<'a>(
            &'a self,
            _: &'a Upload,
            _: &'a (dyn Fn(u64) + Send + Sync),
        ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
            async { Err(CommunicatorError::Cancelled) }.boxed()
        }

        fn disconnect(&self) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
    }

    const OURS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBakeTest+/Bake packer_1";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther me@home";

    #[tokio::test]
    async fn only_lines_with_the_key_go() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".ssh")).unwrap();
        let first = home.path().join(".ssh/authorized_keys");
        let second = home.path().join(".ssh/authorized_keys2");
        let with_options = format!("no-pty,command=\"echo 'not here'\" {OURS}");
        fs::write(&first, format!("# mine\n{OTHER}\n{OURS}\n{with_options}\n")).unwrap();
        fs::set_permissions(&first, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&second, format!("{OURS}\n")).unwrap();
        let inode = fs::metadata(&first).unwrap().ino();

        // Without `sudo` there is a note about root's file.
        clear_authorized_key(&Local(home.path()), OURS).await.unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), format!("# mine\n{OTHER}\n"));
        assert_eq!(fs::read_to_string(&second).unwrap(), "");
        let after = fs::metadata(&first).unwrap();
        assert_eq!((after.ino(), after.permissions().mode() & 0o777), (inode, 0o600));
        assert_eq!(fs::read_dir(home.path().join(".ssh")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn nothing_to_remove_is_no_failure() {
        let home = tempfile::tempdir().unwrap();
        clear_authorized_key(&Local(home.path()), OURS).await.unwrap();
        let error = clear_authorized_key(&Local(home.path()), "key").await.unwrap_err();
        insta::assert_snapshot!(error, @"cannot remove the temporary key from `authorized_keys`: it is no public key");
    }
}
