//! Running an `ansible-local` step.

use std::path::Path;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::options::AnsibleLocalOptions;
use crate::communicator::ask;
use crate::communicator::{Command, Exit, Upload, quote};
use crate::event::Fact;
use crate::plan::{Tree, read_tree};
use crate::provision::galaxy::{Galaxy, line};
use crate::provision::output::execute;
use crate::provision::script::{Surroundings, file_name};
use crate::provision::{ProvisionError, StepRun};

/// Where staging directories are made unless the template says otherwise.
const STAGING: &str = "/tmp/packer-provisioner-ansible-local";

/// Name of the inventory that is made.
const INVENTORY: &str = "packer-provisioner-ansible-local-inventory";

/// Permission bits of that.
const MODE: u32 = 0o644;

/// Uploads everything, runs the playbooks, and removes what was uploaded if it should.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let job = Job::new(step)?;
        let result = job.play().await;
        if job.options.clean_staging_directory {
            let command = Command::new(format!("rm -rf {}", quote(&job.staging)));
            step.say("Removing staging directory...").await;
            if let Err(error) = ask(step.context.communicator, command).await {
                let text = format!("`{}` is still on the instance: {error}", job.staging);
                step.context.emitter.emit(Fact::Warning { text }).await;
            }
        }
        result
    }
    .boxed()
}

/// A step with the place of its files on the instance.
struct Job<'a> {
    step: &'a StepRun<'a>,
    around: Surroundings<'a>,
    options: AnsibleLocalOptions,
    staging: String,
}

impl<'a> Job<'a> {
    fn new(step: &'a StepRun<'a>) -> Result<Self, ProvisionError> {
        let around = step.surroundings();
        let schema = AnsibleLocalOptions::schema();
        let decoded = around
            .component
            .decode(Some(around.data), schema, AnsibleLocalOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let options = decoded.options;
        let staging = match options.staging_directory.as_deref() {
            Some(given) if !given.is_empty() => given.trim_end_matches('/').to_owned(),
            _ => format!("{STAGING}/{}", uuid::Uuid::new_v4()),
        };
        Ok(Self { step, around, options, staging })
    }

    async fn play(&self) -> Result<(), ProvisionError> {
        let options = &self.options;
        self.step.say("Uploading Playbook directory to Ansible staging directory...").await;
        if let Some(directory) = &options.playbook_dir {
            self.upload("playbook_dir", directory, "").await?;
        }
        let mut playbooks = Vec::new();
        if let Some(path) = &options.playbook_file {
            playbooks.push(self.playbook("playbook_file", path).await?);
        }
        for (index, path) in options.playbook_files.iter().enumerate() {
            playbooks.push(self.playbook(&format!("playbook_files.{index}"), path).await?);
        }
        for (option, path) in
            [("group_vars", &options.group_vars), ("host_vars", &options.host_vars)]
        {
            if let Some(path) = path {
                self.upload(option, path, option).await?;
            }
        }
        for (option, directory, paths) in [
            ("playbook_paths", "playbooks", &options.playbook_paths),
            ("role_paths", "roles", &options.role_paths),
            ("collection_paths", "collections", &options.collection_paths),
        ] {
            for (index, path) in paths.iter().enumerate() {
                let to = format!("{directory}/{}", file_name(path));
                self.upload(&format!("{option}.{index}"), path, &to).await?;
            }
        }
        let inventory = self.inventory().await?;
        if let Some(path) = &options.galaxy_file {
            self.install(path).await?;
        }
        for playbook in playbooks {
            self.run_playbook(&playbook, &inventory).await?;
        }
        Ok(())
    }

    /// A path in the staging directory.
    fn staged(&self, path: &str) -> String {
        if path.is_empty() { self.staging.clone() } else { format!("{}/{path}", self.staging) }
    }

    /// Sends what `option` names to a path in the staging directory, and returns where that is.
    async fn upload(&self, option: &str, path: &str, to: &str) -> Result<String, ProvisionError> {
        let prefix = format!("{option}:");
        let planned = self.around.trees.iter().find(|(name, _)| name.starts_with(&prefix));
        let tree = match planned {
            Some((_, tree)) => tree.clone(),
            // Its path was not known when the plan was made.
            None => read_tree(Path::new(path))?,
        };
        self.send(tree, path, to).await
    }

    async fn send(&self, tree: Tree, path: &str, to: &str) -> Result<String, ProvisionError> {
        let destination = self.staged(to);
        let upload = Upload {
            tree,
            name: file_name(path),
            destination: destination.clone(),
            contents_only: true,
        };
        self.step.context.communicator.upload(&upload, &|_| ()).await?;
        Ok(destination)
    }

    /// Where a playbook is on the instance. One of `playbook_dir` is there already, next to what it
    /// may include.
    async fn playbook(&self, option: &str, path: &str) -> Result<String, ProvisionError> {
        if let Some(directory) = &self.options.playbook_dir {
            let below = Path::new(path).strip_prefix(directory).ok();
            let inside = below.map(Path::to_path_buf).or_else(|| {
                let inside = Path::new(directory).join(path).is_file();
                (inside && !Path::new(path).exists()).then(|| path.into())
            });
            if let Some(inside) = inside {
                return Ok(self.staged(&inside.to_string_lossy()));
            }
        }
        self.upload(option, path, &file_name(path)).await
    }

    /// Where the inventory is on the instance.
    async fn inventory(&self) -> Result<String, ProvisionError> {
        if let Some(path) = &self.options.inventory_file {
            return self.upload("inventory_file", path, &file_name(path)).await;
        }
        let mut text = String::new();
        for group in &self.options.inventory_groups {
            text.push_str(&format!("[{group}]\n127.0.0.1\n"));
        }
        if text.is_empty() {
            text.push_str("127.0.0.1\n");
        }
        self.send(Tree::of_bytes(text.into_bytes(), MODE), INVENTORY, INVENTORY).await
    }

    async fn install(&self, path: &str) -> Result<(), ProvisionError> {
        let file = self.upload("galaxy_file", path, &file_name(path)).await?;
        let text = std::fs::read_to_string(path).map_err(|source| {
            crate::communicator::CommunicatorError::Read { path: path.into(), source }
        })?;
        let or_staged = |path: &Option<String>, usual| {
            path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| self.staged(usual))
        };
        let galaxy = Galaxy {
            roles_path: Some(or_staged(&self.options.galaxy_roles_path, "roles")),
            collections_path: Some(or_staged(&self.options.galaxy_collections_path, "collections")),
            force_install: self.options.galaxy_force_install,
            force_with_deps: self.options.galaxy_force_with_deps,
        };
        for words in galaxy.installs(&file, &text) {
            self.execute(&self.options.galaxy_command, &line(&words)).await?;
        }
        Ok(())
    }

    async fn run_playbook(&self, playbook: &str, inventory: &str) -> Result<(), ProvisionError> {
        let mut words = Vec::new();
        for (name, value) in [
            ("packer_build_name", self.around.build_name),
            ("packer_builder_type", self.around.builder_type),
        ] {
            let json = serde_json::json!({ name: value });
            words.push(format!("-e {}", quote(&json.to_string())));
        }
        let extra = &self.options.extra_arguments;
        words.extend(self.around.render_all("extra_arguments", extra)?);
        words.push(format!("-c local -i {} {}", quote(inventory), quote(playbook)));
        self.execute(&self.options.command, &words.join(" ")).await
    }

    /// Runs a program of Ansible's in the staging directory. As in Packer a shell reads the program
    /// and what the template gives it.
    async fn execute(&self, program: &str, arguments: &str) -> Result<(), ProvisionError> {
        self.step.say(format!("Executing Ansible: {program} {arguments}")).await;
        let line = format!(
            "cd {} && export PYTHONUNBUFFERED=1; {program} {arguments}",
            quote(&self.staging)
        );
        let pty = self.step.context.communicator.uses_pty();
        let command = Command { pty, ..Command::new(format!("exec sh -c {}", quote(&line))) };
        let status = match execute(self.step, command).await? {
            Exit::Code(0) => return Ok(()),
            Exit::Code(status) => status,
            Exit::Signal(signal) => return Err(ProvisionError::Killed { signal }),
            Exit::Disconnected { reason } => return Err(ProvisionError::Disconnected { reason }),
        };
        Err(ProvisionError::Unable {
            text: format!("`{program}` exited with status {status} on the instance"),
            help: match status {
                127 => "install Ansible on the instance in a `shell` provisioner before",
                _ => "its output is above; `extra_arguments = [\"-vvv\"]` makes it say more",
            }
            .into(),
        })
    }
}
