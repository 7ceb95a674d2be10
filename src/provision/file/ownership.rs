//! Giving what was uploaded to a user and a group.

use crate::communicator::{Command, Communicator, CommunicatorError, Exit, Stdin, Upload, ask, sh};

/// `~` stands for the home directory, as it does for uploads.
const HOME: &str = r#"d=$1; case $d in "~") d=$HOME ;; "~/"*) d=$HOME/${d#??} ;; esac; case $d in /*) ;; *) d=./$d ;; esac;"#;

/// Changes owners of what is listed on standard input, relative to a directory.
const TREE: &str = r#"cd -- "$d" || exit 1; if [ "$(id -u)" = 0 ]; then exec xargs -0 chown -h -- "$2"; else exec xargs -0 sudo -n chown -h -- "$2"; fi"#;

/// Changes the owner of a file. Takes the name that a slash stands for as `$3`.
const FILE: &str = r#"case $d in */) d=$d$3 ;; esac; if [ "$(id -u)" = 0 ]; then exec chown -- "$2" "$d"; else exec sudo -n chown -- "$2" "$d"; fi"#;

/// Whether the directory of a tree will be made by its upload. Then it is part of what is given.
pub(super) async fn is_made(
    communicator: &dyn Communicator,
    upload: &Upload,
) -> Result<bool, CommunicatorError> {
    if upload.tree.single_file().is_some() {
        return Ok(false);
    }
    let command = command(r#"[ -d "$d" ]"#, &[&upload.destination]);
    let answer = ask(communicator, command).await?;
    Ok(answer.exit.or_lost()? != Exit::Code(0))
}

/// Gives an upload to `owner`, `owner:group` or `:group`. `made` says whether its directory was
/// not there before.
pub(super) async fn give(
    communicator: &dyn Communicator,
    upload: &Upload,
    made: bool,
    ownership: &str,
) -> Result<(), CommunicatorError> {
    let command = if upload.tree.single_file().is_some() {
        command(FILE, &[&upload.destination, ownership, &upload.name])
    } else {
        let mut root = upload.destination.clone();
        let appended = !made && !upload.contents_only;
        if appended {
            root = format!("{}/{}", root.trim_end_matches('/'), upload.name);
        }
        // A directory that was there before keeps its owner.
        let names: String = upload
            .tree
            .entries
            .keys()
            .filter(|path| !path.is_empty() || made || appended)
            .map(|path| format!("./{path}\0"))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let stdin = Stdin::Bytes(names.into_bytes().into());
        Command { stdin, ..command(TREE, &[&root, ownership]) }
    };
    let Some(reason) = ask(communicator, command).await?.complaint() else { return Ok(()) };
    let reason = format!("it arrived and cannot be given to `{ownership}`: {reason}");
    Err(CommunicatorError::Upload { destination: upload.destination.clone(), reason })
}

fn command(script: &str, arguments: &[&str]) -> Command {
    Command::new(sh(&format!("{HOME} {script}"), arguments))
}
