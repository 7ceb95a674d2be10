//! What cloud-init does at the first boot of an instance, as far as bake needs it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::account;
use crate::sandbox::machine::protocol::Guest;

/// cloud-init's directory of the instance; the link to it that everybody uses
/// is `/var/lib/cloud/instance`. Below `/run`, so that no image has it.
pub(in crate::sandbox::machine) const INSTANCE: &str = "/run/cloud-init/instance";
/// What a script may wait for; `cloud-init status --wait` does too.
const FINISHED: &str = "boot-finished";

/// What cloud-init says of its work once it is done.
const RESULT: &str = "/run/cloud-init/result.json";

/// Makes the default users with their keys, and a machine id. Errors are told
/// on the console; a boot goes on without, as cloud-init's does.
pub(super) fn set_up(guest: &Guest, console: &mut impl Write) {
    let root = Path::new("/");
    for name in &guest.users {
        let result = account::add_administrator(root, name)
            .and_then(|user| account::authorize(root, &user, &guest.authorized_keys));
        note(console, result, &format!("make user {name}"));
    }
    note(console, machine_id(), "write /etc/machine-id");
}

fn note(console: &mut impl Write, result: io::Result<()>, what: &str) {
    if let Err(error) = result {
        drop(writeln!(console, "bake: cannot {what}: {error}"));
    }
}

/// Each instance gets a fresh machine id below its layers, so that it is in no
/// image. An image that emptied the file, machine-id(5), gets one here.
fn machine_id() -> io::Result<()> {
    let path = Path::new("/etc/machine-id");
    match fs::read_to_string(path) {
        Ok(id) if !matches!(id.trim(), "" | "uninitialized") => Ok(()),
        _ => fs::write(path, fresh_machine_id()),
    }
}

/// The content of a new `/etc/machine-id`.
pub(in crate::sandbox::machine) fn fresh_machine_id() -> String {
    format!("{}\n", uuid::Uuid::new_v4().simple())
}

/// Leaves cloud-init's sign that user data has been dealt with.
pub(super) fn finish() -> io::Result<()> {
    fs::create_dir_all(INSTANCE)?;
    fs::write(Path::new(INSTANCE).join(FINISHED), "")?;
    fs::write(RESULT, r#"{"v1": {"datasource": "DataSourceEc2Local", "errors": []}}"#)?;
    let link = Path::new("/var/lib/cloud/instance");
    // An image may have been cleaned of it.
    if link.symlink_metadata().is_err() {
        fs::create_dir_all("/var/lib/cloud")?;
        std::os::unix::fs::symlink(INSTANCE, link)?;
    }
    Ok(())
}

/// What is to be done with user data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UserData {
    /// There is none.
    None,
    /// A script with its own interpreter.
    Script(Vec<u8>),
    /// Something else, with what it seems to be.
    Unsupported(&'static str),
}

/// Decides by the first bytes, as cloud-init does.
pub(super) fn classify(bytes: Vec<u8>) -> UserData {
    let starts = |prefix: &str| bytes.starts_with(prefix.as_bytes());
    if bytes.is_empty() {
        UserData::None
    } else if starts("#!") {
        UserData::Script(bytes)
    } else if starts("#cloud-config") {
        UserData::Unsupported("#cloud-config")
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        UserData::Unsupported("gzip data")
    } else if starts("Content-Type:") || starts("MIME-Version:") {
        UserData::Unsupported("a MIME archive")
    } else {
        UserData::Unsupported("neither a script (`#!`) nor anything else known")
    }
}

/// Starts the script as root; its output goes to the console.
pub(super) fn start_script(script: &[u8], console: &fs::File) -> io::Result<Child> {
    let directory = Path::new(INSTANCE).join("scripts");
    fs::create_dir_all(&directory)?;
    let path = directory.join("part-001");
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Command::new(&path)
        .current_dir("/")
        .env_clear()
        .envs(super::init::BOOT_ENVIRONMENT)
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console.try_clone()?)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_known_by_its_start() {
        assert_eq!(classify(Vec::new()), UserData::None);
        assert_eq!(classify(b"#!/bin/sh\n".to_vec()), UserData::Script(b"#!/bin/sh\n".to_vec()));
        assert_eq!(
            classify(b"#cloud-config\nx: 1".to_vec()),
            UserData::Unsupported("#cloud-config")
        );
        assert!(matches!(classify(b"hello".to_vec()), UserData::Unsupported(_)));
    }
}
