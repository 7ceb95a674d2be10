//! From the options of a template to the settings of an SSH connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::bastion::BastionHost;
use super::{CommunicatorOptions, user_path};
use crate::communicator::ssh::{
    Address, Algorithms, Authentication, Bastion, FileTransfer, Proxy, Route, SshOptions, Tunnel,
};
use crate::communicator::{CommunicatorError, Dial};
use crate::template::schema::Secret;

/// The port of SOCKS.
const PROXY_PORT: u16 = 1080;

/// How to reach a machine over SSH, as a template says it, with all defaults in. Plain data: files
/// are read and the agent is looked for by [`SshSettings::load`].
#[derive(Clone, Debug, Default)]
pub struct SshSettings {
    /// The user.
    pub username: String,
    /// How long to try.
    pub timeout: Duration,
    /// Refused log-ins after which to give up; 0 for no limit.
    pub handshake_attempts: u32,
    /// What the machine's server is offered.
    pub algorithms: Algorithms,
    /// Ways to log in.
    pub login: LoginSettings,
    /// Whether scripts get a terminal.
    pub pty: bool,
    /// A key as text (`ssh_private_key`).
    private_key: Option<Secret>,
    bastions: Vec<BastionSettings>,
    proxy: Option<Proxy>,
    pause: Duration,
    sftp: bool,
    keep_alive_interval: Option<Duration>,
    read_write_timeout: Option<Duration>,
    forward_agent: bool,
    local_tunnels: Vec<Tunnel>,
    remote_tunnels: Vec<Tunnel>,
}

#[derive(Clone, Debug)]
struct BastionSettings {
    address: Address,
    username: String,
    login: LoginSettings,
}

/// Ways to log in to one host.
#[derive(Clone, Debug, Default)]
pub struct LoginSettings {
    /// With the keys of the SSH agent.
    pub agent: bool,
    /// A private key.
    pub private_key_file: Option<PathBuf>,
    /// The certificate for that key.
    pub certificate_file: Option<PathBuf>,
    /// A password.
    pub password: Option<Secret>,
}

impl CommunicatorOptions {
    /// What the options say. Relative paths start at `directory`; what the checks of a plan refuse
    /// is left out.
    pub fn ssh_settings(&self, directory: &Path) -> SshSettings {
        let path = |option: &Option<String>| text(option).map(|file| user_path(directory, &file));
        let login = LoginSettings {
            agent: self.ssh_agent_auth,
            private_key_file: path(&self.ssh_private_key_file),
            certificate_file: path(&self.ssh_certificate_file),
            password: secret(&self.ssh_password),
        };
        let own_key = path(&self.ssh_bastion_private_key_file);
        let (key, certificate) = match own_key {
            Some(key) => (Some(key), path(&self.ssh_bastion_certificate_file)),
            None => (login.private_key_file.clone(), login.certificate_file.clone()),
        };
        let bastion_login = LoginSettings {
            agent: self.ssh_bastion_agent_auth,
            private_key_file: key,
            certificate_file: certificate,
            password: secret(&self.ssh_bastion_password),
        };
        let (timeout, handshake_attempts) = self.patience();
        let tunnels =
            |all: &[String]| all.iter().filter_map(|one| one.parse().ok()).collect::<Vec<_>>();
        let nonzero = |time: &Duration| !time.is_zero();
        let username = text(&self.ssh_username).unwrap_or_default();
        SshSettings {
            timeout,
            handshake_attempts,
            algorithms: Algorithms::named(&self.ssh_ciphers, &self.ssh_key_exchange_algorithms)
                .unwrap_or_default(),
            private_key: self.ssh_private_key.text().cloned(),
            bastions: self
                .bastion_hosts()
                .unwrap_or_default()
                .into_iter()
                .map(|host| BastionSettings {
                    address: host.address,
                    username: host
                        .username
                        .or_else(|| text(&self.ssh_bastion_username))
                        .unwrap_or_else(|| username.clone()),
                    login: bastion_login.clone(),
                })
                .collect(),
            proxy: text(&self.ssh_proxy_host).map(|host| Proxy {
                address: Address { host, port: port(self.ssh_proxy_port, PROXY_PORT) },
                login: text(&self.ssh_proxy_username).map(|user| {
                    let password = self.ssh_proxy_password.clone();
                    (user, password.unwrap_or_else(|| Secret::new("")))
                }),
            }),
            pause: self.pause_before_connecting,
            pty: self.ssh_pty,
            sftp: self.ssh_file_transfer_method == "sftp",
            keep_alive_interval: self.keep_alive().unwrap_or_default(),
            read_write_timeout: self.ssh_read_write_timeout.filter(nonzero),
            forward_agent: !self.ssh_disable_agent_forwarding,
            local_tunnels: tunnels(&self.ssh_local_tunnels),
            remote_tunnels: tunnels(&self.ssh_remote_tunnels),
            login,
            username,
        }
    }

    /// The bastion hosts, in the order in which they are gone through.
    pub(super) fn bastion_hosts(&self) -> Result<Vec<BastionHost>, String> {
        match text(&self.ssh_bastion_host) {
            Some(hosts) => BastionHost::list(&hosts, port(self.ssh_bastion_port, 22)),
            None => Ok(Vec::new()),
        }
    }
}

impl SshSettings {
    /// Reads the files. The ways to log in are in Packer's order: the agent, the key file, the key
    /// that was made for this machine, the one in the template, the password.
    ///
    /// With `dial`, bytes get to the machine by its streams, and not through bastion hosts or a
    /// proxy.
    ///
    /// # Errors
    /// A file that cannot be read, and an agent that is wanted and not there.
    pub async fn load(
        &self,
        made_key: Option<&Secret>,
        dial: Option<Arc<dyn Dial>>,
    ) -> Result<SshOptions, CommunicatorError> {
        self.load_with(agent_socket(), made_key, dial).await
    }

    /// The same with the socket of this machine's agent, if it has one.
    pub(crate) async fn load_with(
        &self,
        agent: Option<PathBuf>,
        made_key: Option<&Secret>,
        dial: Option<Arc<dyn Dial>>,
    ) -> Result<SshOptions, CommunicatorError> {
        let keys = [made_key, self.private_key.as_ref()];
        let authentication = self.login.ways(agent.as_ref(), keys).await?;
        Ok(SshOptions {
            timeout: self.timeout,
            handshake_attempts: self.handshake_attempts,
            keep_alive_interval: self.keep_alive_interval,
            pty: self.pty,
            file_transfer: if self.sftp { FileTransfer::Sftp } else { FileTransfer::Stream },
            route: match dial {
                Some(dial) => Route::Dial(dial),
                None => self.route(agent.as_ref()).await?,
            },
            algorithms: self.algorithms.clone(),
            read_write_timeout: self.read_write_timeout,
            pause: self.pause,
            forward_agent: agent.filter(|_| self.forward_agent),
            local_tunnels: self.local_tunnels.clone(),
            remote_tunnels: self.remote_tunnels.clone(),
            ..SshOptions::new(self.username.clone(), authentication)
        })
    }

    async fn route(&self, agent: Option<&PathBuf>) -> Result<Route, CommunicatorError> {
        if let Some(proxy) = &self.proxy {
            return Ok(Route::Proxy(proxy.clone()));
        }
        let mut bastions = Vec::new();
        for one in &self.bastions {
            bastions.push(Bastion {
                address: one.address.clone(),
                username: one.username.clone(),
                authentication: one.login.ways(agent, [None, None]).await?,
            });
        }
        Ok(if bastions.is_empty() { Route::Direct } else { Route::Bastions(bastions) })
    }
}

impl LoginSettings {
    /// The ways with their files read; `keys` come after the key file.
    async fn ways(
        &self,
        agent: Option<&PathBuf>,
        keys: [Option<&Secret>; 2],
    ) -> Result<Vec<Authentication>, CommunicatorError> {
        let mut ways = Vec::new();
        if self.agent {
            let unset =
                || CommunicatorError::Agent { reason: "`SSH_AUTH_SOCK` is not set".to_owned() };
            ways.push(Authentication::Agent(agent.cloned().ok_or_else(unset)?));
        }
        if let Some(file) = &self.private_key_file {
            let key = Secret::new(read(file).await?);
            if let Some(file) = &self.certificate_file {
                let certificate = read(file).await?;
                ways.push(Authentication::Certificate { key: key.clone(), certificate });
            }
            ways.push(Authentication::Key(key));
        }
        ways.extend(keys.into_iter().flatten().cloned().map(Authentication::Key));
        ways.extend(self.password.clone().map(Authentication::Password));
        Ok(ways)
    }
}

async fn read(file: &Path) -> Result<String, CommunicatorError> {
    let failed = |source| CommunicatorError::Read { path: file.to_owned(), source };
    tokio::fs::read_to_string(file).await.map_err(failed)
}

/// Where this machine's SSH agent listens.
fn agent_socket() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// An option's text, when it says something: legacy templates give empty strings for nothing.
fn text(option: &Option<String>) -> Option<String> {
    option.clone().filter(|text| !text.is_empty())
}

fn secret(option: &Option<Secret>) -> Option<Secret> {
    option.clone().filter(|one| !one.reveal().is_empty())
}

fn port(option: Option<u16>, usual: u16) -> u16 {
    option.filter(|port| *port > 0).unwrap_or(usual)
}
