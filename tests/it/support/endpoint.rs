//! A sandbox that runs by itself, asked as any other client would ask it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Image, InstanceStateName};
use rustix::process::Signal;

use super::{Outcome, Running, Workspace};

/// `bake sandbox serve` in a workspace.
pub(crate) struct Endpoint {
    running: Option<Running>,
    url: String,
    runtime: tokio::runtime::Runtime,
    client: Client,
    iam: aws_sdk_iam::Client,
}

/// Tag of an image that is complete.
const IMAGE_HASH: &str = "bake:image-hash";

impl Endpoint {
    /// Starts it and waits until it listens.
    pub(crate) fn start(workspace: &Workspace, options: &[&str]) -> Self {
        let arguments = ["sandbox", "serve"].iter().chain(options);
        let mut command = workspace.command(arguments);
        command.stderr(std::process::Stdio::inherit());
        let mut running = Running::start(command);
        let url = running.wait_for_word("http://");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let configuration = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let client = Client::from_conf(configuration);
        let configuration = aws_sdk_iam::Config::builder()
            .behavior_version(aws_sdk_iam::config::BehaviorVersion::latest())
            .region(aws_sdk_iam::config::Region::new("us-east-1"))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let iam = aws_sdk_iam::Client::from_conf(configuration);
        Self { running: Some(running), url, runtime, client, iam }
    }

    /// A client of EC2 there.
    pub(crate) fn ec2(&self) -> &Client {
        &self.client
    }

    /// A client of IAM there.
    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.iam
    }

    /// Waits for a call of these clients.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes a command talk to it.
    pub(crate) fn used_by(&self, mut command: Command) -> Command {
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// Builds a template here.
    #[track_caller]
    pub(crate) fn build(
        &self,
        workspace: &Workspace,
        options: &[&str],
        template: &Path,
    ) -> Outcome {
        let mut command = workspace.command(["build"]);
        command.args(options).arg(template);
        Running::start(self.used_by(command)).finish()
    }

    /// All instances that it remembers, with their states.
    pub(crate) fn instances(&self) -> Vec<(String, InstanceStateName)> {
        let answer = self.runtime.block_on(self.client.describe_instances().send());
        answer
            .expect("describe instances")
            .reservations()
            .iter()
            .flat_map(aws_sdk_ec2::types::Reservation::instances)
            .map(|instance| {
                let state = instance.state().and_then(|state| state.name()).expect("a state");
                (instance.instance_id().unwrap_or_default().to_owned(), state.clone())
            })
            .collect()
    }

    /// The names of the key pairs in a region.
    pub(crate) fn key_pairs_in(&self, region: &str) -> Vec<String> {
        let there = aws_sdk_ec2::Config::builder().region(Region::new(region.to_owned()));
        let ask = self.client.describe_key_pairs().customize().config_override(there).send();
        let found = self.runtime.block_on(ask).expect("describe key pairs");
        found.key_pairs().iter().filter_map(|key| key.key_name().map(str::to_owned)).collect()
    }

    /// The account's own images.
    pub(crate) fn images(&self) -> Vec<Image> {
        let ask = self.client.describe_images().owners("self").send();
        self.runtime.block_on(ask).expect("describe images").images().to_vec()
    }

    /// The image hashes of the account's own images that are complete.
    pub(crate) fn image_hashes(&self) -> Vec<String> {
        let hash = |image: &Image| {
            let tag = image.tags().iter().find(|tag| tag.key() == Some(IMAGE_HASH))?;
            tag.value().map(str::to_owned)
        };
        self.images().iter().filter_map(hash).collect()
    }

    /// What there is besides complete images and their snapshots: ids by kind.
    pub(crate) fn left(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut left: BTreeMap<_, Vec<String>> = BTreeMap::new();
        let mut add = |kind, id: Option<&str>| {
            left.entry(kind).or_default().push(id.unwrap_or_default().to_owned());
        };
        for (id, _) in self.instances().iter().filter(|one| one.1 != InstanceStateName::Terminated)
        {
            add("instance", Some(id));
        }
        let mut used = Vec::new();
        for image in self.images() {
            match image.tags().iter().any(|tag| tag.key() == Some(IMAGE_HASH)) {
                true => used.extend(image.block_device_mappings().to_vec()),
                false => add("image", image.image_id()),
            }
        }
        let is_used = |id: Option<&str>| {
            used.iter().any(|one| one.ebs().and_then(|ebs| ebs.snapshot_id()) == id)
        };
        self.runtime.block_on(async {
            let ec2 = &self.client;
            for pair in ec2.describe_key_pairs().send().await.expect("key pairs").key_pairs() {
                let is_lease = pair.key_name().is_some_and(|name| name.starts_with("bake-lease-"));
                add(if is_lease { "lease" } else { "key pair" }, pair.key_name());
            }
            let groups = ec2.describe_security_groups().send().await.expect("security groups");
            for group in groups.security_groups() {
                if group.group_name() != Some("default") {
                    add("security group", group.group_id());
                }
            }
            for volume in ec2.describe_volumes().send().await.expect("volumes").volumes() {
                add("volume", volume.volume_id());
            }
            let snapshots = ec2.describe_snapshots().owner_ids("self").send().await;
            for snapshot in snapshots.expect("snapshots").snapshots() {
                if !is_used(snapshot.snapshot_id()) {
                    add("snapshot", snapshot.snapshot_id());
                }
            }
            for role in self.iam.list_roles().send().await.expect("roles").roles() {
                add("role", Some(role.role_name()));
            }
            let profiles = self.iam.list_instance_profiles().send().await.expect("profiles");
            for profile in profiles.instance_profiles() {
                add("instance profile", Some(profile.instance_profile_name()));
            }
        });
        left
    }

    /// Fails the test if anything but images and their snapshots is left.
    #[track_caller]
    pub(crate) fn assert_only_images(&self) {
        for (id, state) in self.instances() {
            assert_eq!(state, InstanceStateName::Terminated, "instance {id} is left");
        }
        let keys = self.runtime.block_on(self.client.describe_key_pairs().send());
        assert!(keys.expect("describe key pairs").key_pairs().is_empty(), "a key pair is left");
        let groups = self.runtime.block_on(self.client.describe_security_groups().send());
        let groups = groups.expect("describe security groups");
        let left: Vec<_> = groups
            .security_groups()
            .iter()
            .filter(|group| group.group_name() != Some("default"))
            .collect();
        assert!(left.is_empty(), "a security group is left: {left:?}");
        let volumes = self.runtime.block_on(self.client.describe_volumes().send());
        assert!(volumes.expect("describe volumes").volumes().is_empty(), "a volume is left");
        let snapshots =
            self.runtime.block_on(self.client.describe_snapshots().owner_ids("self").send());
        let used: Vec<_> = self
            .images()
            .iter()
            .flat_map(|image| image.block_device_mappings().to_vec())
            .filter_map(|mapping| {
                mapping.ebs().and_then(|ebs| ebs.snapshot_id().map(str::to_owned))
            })
            .collect();
        for snapshot in snapshots.expect("describe snapshots").snapshots() {
            let id = snapshot.snapshot_id().unwrap_or_default().to_owned();
            assert!(used.contains(&id), "snapshot {id} is left");
        }
    }

    /// Ends it and waits until it has.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::INT);
            running.finish();
        }
    }
}
