//! What templates can say about the connection of a build, by Packer's names.

use crate::communicator::SshSettings;
use crate::template::schema::{BuildData, Secret};
use crate::value::{Marks, Value};

/// How a machine is reached.
pub(super) struct Reached<'a> {
    /// `ssh`, `ssm`, `winrm`.
    pub(super) kind: &'static str,
    /// Name, address or id.
    pub(super) host: &'a str,
    /// TCP port; 0 where there is none.
    pub(super) port: u16,
    /// Who logs in.
    pub(super) user: &'a str,
    /// How, over SSH.
    pub(super) login: Option<&'a SshSettings>,
    /// With which password, over WinRM.
    pub(super) password: Option<&'a Secret>,
}

/// Adds what is known about the connection; `None` for the communicator `none`.
pub(super) fn add_connection(data: &mut BuildData, reached: Option<&Reached<'_>>) {
    let mut add = |name: &str, value| {
        data.insert(name.to_owned(), value);
    };
    let Some(Reached { kind, host, port, user, login, password }) = reached else {
        add("ConnType", Value::string("none"));
        return;
    };
    add("ConnType", Value::string(*kind));
    add("Host", Value::string(*host));
    add("Port", Value::number(u32::from(*port)));
    add("User", Value::string(*user));
    if let Some(password) = password {
        let password = Value::string(password.reveal()).marked(Marks::SENSITIVE);
        add("Password", password.clone());
        add("WinRMPassword", password);
    }
    let Some(login) = login.map(|settings| &settings.login) else { return };
    add("SSHAgentAuth", Value::bool(login.agent));
    if let Some(file) = &login.private_key_file {
        add("SSHPrivateKeyFile", Value::string(file.display().to_string()));
    }
    if let Some(password) = &login.password {
        let password = Value::string(password.reveal()).marked(Marks::SENSITIVE);
        add("Password", password);
    }
}
