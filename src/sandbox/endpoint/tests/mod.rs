//! The endpoint as clients see it: the AWS SDK over loopback, and raw HTTP.

mod commands;
mod faults;
mod iam;
mod images;
mod instances;
mod network;
mod objects;
mod resources;
mod sessions;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    Filter, Instance, InstanceStateName, InstanceType, KeyType, ResourceType, Tag, TagSpecification,
};

use crate::sandbox::cloud::fake::{FakeHost, MemoryStore};
use crate::sandbox::service::{Options, Sandbox};

/// A sandbox with instant machines, and a client.
struct World {
    sandbox: Sandbox,
    host: Arc<FakeHost>,
    ec2: Client,
}

impl World {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        Self::over(options, Arc::default()).await
    }

    async fn over(options: Options, store: Arc<MemoryStore>) -> Self {
        let host = Arc::new(FakeHost::default());
        let sandbox = Sandbox::start(options, host.clone(), store).await;
        let sandbox = sandbox.unwrap_or_else(|error| panic!("{error}"));
        let ec2 = client(&sandbox, "us-east-1");
        Self { sandbox, host, ec2 }
    }

    /// Ends the sandbox; no machine may be left.
    async fn end(self) {
        self.sandbox.stop().await;
        assert_eq!(crate::sandbox::cloud::fake::held(&self.host.machines).len(), 0);
    }

    /// The newest Debian 12 of the catalogue for this machine.
    async fn debian(&self) -> String {
        let architecture = crate::sandbox::catalogue::host_architecture();
        let found = self.ec2.describe_images().owners("136693071363");
        let found = found.filters(filter("name", &["debian-12-*"]));
        let found = found.filters(filter("architecture", &[architecture]));
        let mut images = good(found.send().await).images.unwrap_or_default();
        images.sort_by_key(|image| image.creation_date.clone());
        images.pop().and_then(|image| image.image_id).expect("the catalogue has Debian 12")
    }

    /// Launches an instance and waits until it runs.
    async fn launch(&self) -> String {
        let image = self.debian().await;
        let run = self.ec2.run_instances().image_id(image).instance_type(instance_type());
        let answer = good(run.min_count(1).max_count(1).send().await);
        let id = answer.instances().first().and_then(|i| i.instance_id.clone());
        let id = id.expect("an instance");
        self.reach(&id, InstanceStateName::Running).await;
        id
    }

    async fn instance(&self, id: &str) -> Instance {
        let found = good(self.ec2.describe_instances().instance_ids(id).send().await);
        let mut instances = found
            .reservations
            .unwrap_or_default()
            .into_iter()
            .flat_map(|r| r.instances.unwrap_or_default());
        instances.next().expect("an instance")
    }

    async fn state(&self, id: &str) -> InstanceStateName {
        let state = self.instance(id).await.state.and_then(|state| state.name);
        state.expect("a state")
    }

    /// Waits until an instance is in a state.
    async fn reach(&self, id: &str, state: InstanceStateName) {
        eventually(|| async { self.state(id).await == state }).await;
    }

    /// Makes an image and waits until it is available.
    async fn image(&self, instance_id: &str, name: &str) -> String {
        let made = self.ec2.create_image().instance_id(instance_id).name(name).send().await;
        let id = good(made).image_id.expect("an image id");
        self.reach_image(&id, "available").await;
        id
    }

    async fn image_state(&self, id: &str) -> String {
        let found = good(self.ec2.describe_images().image_ids(id).send().await);
        let state = found.images().first().and_then(|image| image.state.clone());
        state.map(|state| state.as_str().to_owned()).unwrap_or_default()
    }

    async fn reach_image(&self, id: &str, state: &str) {
        eventually(|| async { self.image_state(id).await == state }).await;
    }
}

fn client(sandbox: &Sandbox, region: &str) -> Client {
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(sandbox.endpoint_url())
        .build();
    Client::from_conf(config)
}

/// A small type of this machine's architecture.
fn instance_type() -> InstanceType {
    match crate::sandbox::catalogue::host_architecture() {
        "arm64" => InstanceType::T4gMicro,
        _ => InstanceType::T3Micro,
    }
}

async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    for _ in 0..400 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen in time");
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn tagged(resource_type: ResourceType, key: &str, value: &str) -> TagSpecification {
    TagSpecification::builder().resource_type(resource_type).tags(tag(key, value)).build()
}

/// What a good call gave.
fn good<T, E, R>(result: Result<T, SdkError<E, R>>) -> T
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    result.unwrap_or_else(|error| panic!("{:?}: {:?}: {error:?}", error.code(), error.message()))
}

/// The code of a refused call.
fn code<T, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata,
{
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}
