//! Running an `ansible` step.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::inventory::{self, Host};
use super::options::AnsibleOptions;
use super::proxy::{Door, Proxy};
use crate::communicator::ssh::{KeyPair, KeyType};
use crate::communicator::{CommunicatorError, Exit};
use crate::provision::galaxy::{Galaxy, line};
use crate::provision::program::Program;
use crate::provision::script::{Surroundings, environment};
use crate::provision::{ProvisionError, StepRun};
use crate::template::schema::Secret;
use crate::value::{Kind, to_integer};

/// The longest directory in which OpenSSH can still make the socket of a shared connection: the
/// system takes 104 bytes, and names have some 50.
const LONGEST_SOCKET_DIRECTORY: usize = 50;

/// Where SSH servers listen.
const SSH_PORT: u16 = 22;

/// Bits of a key of type `RSA`.
const RSA_BITS: u16 = 2048;

/// Runs the playbook.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let job = Job::new(step)?;
        if !job.options.skip_version_check {
            job.check_version().await?;
        }
        if let Some(file) = given(&job.options.galaxy_file) {
            let text = std::fs::read_to_string(file)
                .map_err(|source| CommunicatorError::Read { path: file.into(), source })?;
            for arguments in job.galaxy().installs(file, &text) {
                let program = job.program(&job.options.galaxy_command, arguments, job.paths());
                job.execute(&program).await?;
            }
        }
        if !job.options.use_proxy {
            let host = job.real_host()?;
            return job.play(&host, job.environment_without_proxy()).await;
        }
        let (proxy, key) = job.open_proxy().await?;
        let host =
            Host { address: "127.0.0.1".to_owned(), port: proxy.port, user: job.proxy_user(), key };
        let environment = job.environment_of_proxy(&proxy)?;
        tokio::select! {
            result = job.play(&host, environment) => result,
            // It never ends by itself.
            () = proxy.serve(step.context.communicator) => Err(ProvisionError::Cancelled),
        }
    }
    .boxed()
}

/// What is given and not empty.
fn given(option: &Option<String>) -> Option<&str> {
    option.as_deref().filter(|text| !text.is_empty())
}

/// A step with a directory for its keys, which goes away with it.
struct Job<'a> {
    around: Surroundings<'a>,
    options: AnsibleOptions,
    private: TempDir,
}

impl<'a> Job<'a> {
    fn new(step: &'a StepRun<'a>) -> Result<Self, ProvisionError> {
        let around = step.surroundings();
        let schema = AnsibleOptions::schema();
        let decoded = around
            .component
            .decode(Some(around.data), schema, AnsibleOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let private = tempfile::Builder::new()
            .prefix("bake-ansible")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(ProvisionError::Temporary)?;
        Ok(Self { around, options: decoded.options, private })
    }

    fn program(
        &self,
        name: &str,
        arguments: Vec<String>,
        environment: BTreeMap<String, String>,
    ) -> Program {
        Program { name: name.to_owned(), arguments, environment }
    }

    /// Says at once that Ansible is missing, rather than after a key was made and roles installed.
    async fn check_version(&self) -> Result<(), ProvisionError> {
        let command = &self.options.command;
        let program = self.program(command, vec!["--version".to_owned()], BTreeMap::new());
        let (output, mut version) = mpsc::channel(4);
        let listen = async { while version.recv().await.is_some() {} };
        match tokio::join!(program.run(output), listen).0? {
            Exit::Code(0) => Ok(()),
            _ => Err(ProvisionError::Unable {
                text: format!("`{command} --version` fails"),
                help: "check the installation of Ansible, or set `skip_version_check = true`"
                    .into(),
            }),
        }
    }

    /// Runs a program of Ansible's and tells its output.
    async fn execute(&self, program: &Program) -> Result<(), ProvisionError> {
        let line = line(std::iter::once(&program.name).chain(&program.arguments));
        self.around.say(format!("Executing Ansible: {line}")).await;
        let status = match program.run_and_tell(self.around.emitter).await? {
            Exit::Code(0) => return Ok(()),
            Exit::Code(status) => status,
            Exit::Signal(signal) => return Err(ProvisionError::Killed { signal }),
            Exit::Disconnected { reason } => return Err(ProvisionError::Disconnected { reason }),
        };
        Err(ProvisionError::Unable {
            text: format!("`{}` exited with status {status}", program.name),
            help: match status {
                2 => "a task failed on the instance: its output is above",
                4 => "Ansible could not reach a host of its inventory, or could not read the playbook: its output is above",
                _ => "its output is above; `extra_arguments = [\"-vvv\"]` makes it say more",
            }
            .into(),
        })
    }

    fn galaxy(&self) -> Galaxy {
        Galaxy {
            roles_path: self.options.roles_path.clone(),
            collections_path: self.options.collections_path.clone(),
            force_install: self.options.galaxy_force_install,
            force_with_deps: self.options.galaxy_force_with_deps,
        }
    }

    /// Where roles and collections are, as the template says.
    fn paths(&self) -> BTreeMap<String, String> {
        let paths = [
            ("ANSIBLE_ROLES_PATH", &self.options.roles_path),
            ("ANSIBLE_COLLECTIONS_PATH", &self.options.collections_path),
        ];
        paths
            .into_iter()
            .filter_map(|(name, path)| Some((name.to_owned(), given(path)?.to_owned())))
            .collect()
    }

    fn environment_without_proxy(&self) -> BTreeMap<String, String> {
        // The host has been there for minutes, and nobody knows its key.
        BTreeMap::from([("ANSIBLE_HOST_KEY_CHECKING".to_owned(), "False".to_owned())])
    }

    /// What makes `ssh` know the proxy and nothing else, without a trace in the user's own files.
    fn environment_of_proxy(
        &self,
        proxy: &Proxy,
    ) -> Result<BTreeMap<String, String>, ProvisionError> {
        let line = format!("[127.0.0.1]:{} {}\n", proxy.port, proxy.host_key);
        let known = self.write("known_hosts", line.as_bytes())?;
        let transfer = if self.options.use_sftp { "sftp" } else { "piped" };
        let mut environment = BTreeMap::from([
            (
                "ANSIBLE_SSH_COMMON_ARGS".to_owned(),
                format!(
                    "-o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null",
                    known.display()
                ),
            ),
            ("ANSIBLE_SSH_TRANSFER_METHOD".to_owned(), transfer.to_owned()),
        ]);
        let sockets = self.private.path().join("cp");
        if sockets.as_os_str().len() <= LONGEST_SOCKET_DIRECTORY {
            let sockets = sockets.display().to_string();
            environment.insert("ANSIBLE_SSH_CONTROL_PATH_DIR".to_owned(), sockets);
        }
        Ok(environment)
    }

    /// Who Ansible takes itself for on the instance: it looks for that user's home directory, so
    /// it is the one whose commands they are.
    fn proxy_user(&self) -> String {
        given(&self.options.user)
            .or_else(|| self.known("User"))
            .map(str::to_owned)
            .or_else(|| std::env::var("USER").ok())
            .unwrap_or_else(|| "packer".to_owned())
    }

    /// What the build knows by this name, if it is a text and not empty.
    fn known(&self, name: &str) -> Option<&str> {
        self.around.data.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The server that Ansible goes through, and the key that it lets in if it is one of ours.
    async fn open_proxy(&self) -> Result<(Proxy, Option<PathBuf>), ProvisionError> {
        let unable = |text| ProvisionError::Unable {
            text,
            help: "check `local_port`, `ssh_host_key_file` and `ssh_authorized_key_file`".into(),
        };
        let read = |path: &str| {
            std::fs::read_to_string(path).map_err(|error| unable(format!("`{path}`: {error}")))
        };
        let host_key = match given(&self.options.ssh_host_key_file) {
            Some(path) => Secret::new(read(path)?),
            None => self.new_key().await?.private,
        };
        let (authorized, key) = match given(&self.options.ssh_authorized_key_file) {
            Some(path) => (read(path)?, None),
            None => {
                let pair = self.new_key().await?;
                let path = self.write("key", pair.private.reveal().as_bytes())?;
                (pair.public, Some(path))
            }
        };
        let port = u16::try_from(self.options.local_port)
            .map_err(|_| unable(format!("there is no port {}", self.options.local_port)))?;
        let sftp_command = self.options.sftp_command.clone();
        let door = Door { port, host_key, authorized, sftp_command };
        Ok((Proxy::open(door).await.map_err(unable)?, key))
    }

    async fn new_key(&self) -> Result<KeyPair, ProvisionError> {
        let kind = match self.options.ansible_proxy_key_type.as_str() {
            "RSA" => KeyType::Rsa(RSA_BITS),
            _ => KeyType::Ecdsa(256),
        };
        let made = tokio::task::spawn_blocking(move || KeyPair::generate(kind, "bake")).await;
        match made {
            Ok(pair) => Ok(pair?),
            Err(error) => Err(ProvisionError::Temporary(io::Error::other(error))),
        }
    }

    /// The instance itself, for Ansible to connect to.
    fn real_host(&self) -> Result<Host, ProvisionError> {
        let unable = |text: &str| ProvisionError::Unable {
            text: text.to_owned(),
            help: "set `use_proxy = true`: Ansible then goes through bake's own connection".into(),
        };
        if self.known("ConnType").is_some_and(|kind| kind != "ssh") {
            return Err(unable(
                "without `use_proxy` Ansible needs an instance that is reached over SSH",
            ));
        }
        let address = self.known("Host").ok_or_else(|| {
            unable("without `use_proxy` Ansible needs the address of the instance")
        })?;
        let port = match self.around.data.get("Port").map(|port| &port.kind) {
            Some(Kind::Number(port)) => to_integer(port).and_then(|port| u16::try_from(port).ok()),
            _ => None,
        };
        let port = port.unwrap_or(SSH_PORT);
        let key = match (self.known("SSHPrivateKey"), self.known("SSHPrivateKeyFile")) {
            (Some(text), _) => Some(self.write("key", text.as_bytes())?),
            (None, Some(path)) => Some(PathBuf::from(path)),
            // Ansible finds one by itself, or the template says which.
            (None, None) => None,
        };
        Ok(Host { address: address.to_owned(), port, user: self.proxy_user(), key })
    }

    /// A file that only this user can read.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, ProvisionError> {
        let path = self.private.path().join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| io::Write::write_all(&mut file, bytes))
            .map_err(ProvisionError::Temporary)?;
        Ok(path)
    }

    /// Runs the playbook against this host.
    async fn play(
        &self,
        host: &Host,
        environment: BTreeMap<String, String>,
    ) -> Result<(), ProvisionError> {
        let made = match given(&self.options.inventory_file) {
            Some(_) => None,
            None => Some(self.make_inventory(host)?),
        };
        let inventory = match (&made, given(&self.options.inventory_file)) {
            (Some(made), _) => made.to_string_lossy().into_owned(),
            (None, given) => given.unwrap_or_default().to_owned(),
        };
        let arguments = self.arguments(host.key.as_deref(), inventory)?;
        let mut variables = environment;
        variables.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        variables.extend(self.paths());
        for text in self.around.render_all("ansible_env_vars", &self.options.ansible_env_vars)? {
            let (name, value) = environment::split(&text).map_err(|message| {
                ProvisionError::Render { option: "ansible_env_vars", message }
            })?;
            variables.insert(name.to_owned(), value.to_owned());
        }
        let program = self.program(&self.options.command, arguments, variables);
        let result = self.execute(&program).await;
        if let Some(made) = made.filter(|_| self.options.keep_inventory_file) {
            let kept = made.keep().map_err(|error| ProvisionError::Temporary(error.error))?;
            self.around.say(format!("The inventory stays: {}", kept.display())).await;
        }
        result
    }

    fn make_inventory(&self, host: &Host) -> Result<tempfile::TempPath, ProvisionError> {
        let text = inventory::text(&self.around, &self.options, host)?;
        let directory = match given(&self.options.inventory_directory) {
            Some(directory) => PathBuf::from(directory),
            None if self.options.keep_inventory_file => std::env::temp_dir(),
            None => self.private.path().to_owned(),
        };
        let make = || {
            let mut file = tempfile::Builder::new()
                .prefix("packer-provisioner-ansible")
                .tempfile_in(directory)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            Ok(file.into_temp_path())
        };
        make().map_err(ProvisionError::Temporary)
    }

    /// What `ansible-playbook` is given; the template's own arguments win over those before.
    fn arguments(
        &self,
        key: Option<&Path>,
        inventory: String,
    ) -> Result<Vec<String>, ProvisionError> {
        let mut arguments = Vec::new();
        let mut variable = |name: &str, value: &str| {
            let json = serde_json::json!({ name: value });
            arguments.extend(["-e".to_owned(), json.to_string()]);
        };
        variable("packer_build_name", self.around.build_name);
        variable("packer_builder_type", self.around.builder_type);
        if let Some(key) = key {
            variable("ansible_ssh_private_key_file", &key.to_string_lossy());
        }
        let ssh = &self.options.ansible_ssh_extra_args;
        let ssh = match self.around.render_all("ansible_ssh_extra_args", ssh)? {
            none if none.is_empty() => "-o IdentitiesOnly=yes".to_owned(),
            words => words.join(" "),
        };
        arguments.push(format!("--ssh-extra-args={ssh}"));
        let extra = &self.options.extra_arguments;
        arguments.extend(self.around.render_all("extra_arguments", extra)?);
        arguments.extend(["-i".to_owned(), inventory, self.options.playbook_file.clone()]);
        Ok(arguments)
    }
}
