//! What the build may do, asked before it does it.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::timeout;

use super::launch::{GROUP_DESCRIPTION, With};
use super::network::Network;
use super::run::Run;
use super::settings::{Communication, KeySettings, ProfileSettings};
use crate::build::preflight::Question;
use crate::build::{BuildError, ResolvedSource};
use crate::communicator::ssh::KeyPair;

/// How long a connected build waits for the answers of dry runs.
const PATIENCE: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Asks whether key pair, group and instance may be made. Groups and profiles that the build
    /// makes itself are not in the question, as they do not exist; the default group of the VPC
    /// stands in for the group.
    pub(super) async fn may_launch(
        &self,
        source: &ResolvedSource,
        network: &Network,
        key: Option<&KeyPair>,
    ) -> Result<(), BuildError> {
        let (communication, instance) = (&self.build.communication, &self.build.instance);
        let mut stand_ins = Vec::new();
        let mut questions = Vec::new();
        let tags = self.run_tags();
        let key_name = match (communication.key(), key) {
            (KeySettings::Temporary { name, .. }, Some(key)) => {
                let name = name.clone().unwrap_or_else(|| self.temporary_name().to_owned());
                let tags = tags.clone();
                questions.push(Question::new("which makes the temporary key pair", move || {
                    let (name, tags) = (name.clone(), tags.clone());
                    async move { self.client.may_import_key_pair(&name, &key.public, &tags).await }
                        .boxed()
                }));
                None
            }
            (KeySettings::Existing { name }, _) => Some(name.clone()),
            (KeySettings::Temporary { .. }, None) | (KeySettings::Nothing, _) => None,
        };
        if !matches!(communication, Communication::Nothing) && network.group_ids.is_empty() {
            stand_ins.push("security-group");
            questions.push(Question::new("which makes the temporary security group", move || {
                let tags = tags.clone();
                async move {
                    let (name, vpc) = (self.temporary_name(), network.vpc_id.as_deref());
                    let asking =
                        self.client.may_create_security_group(name, GROUP_DESCRIPTION, vpc, &tags);
                    asking.await
                }
                .boxed()
            }));
        }
        let profile = match &instance.profile {
            ProfileSettings::Nothing => None,
            ProfileSettings::Existing { name } => Some(name.clone()),
            ProfileSettings::Temporary { .. } => {
                // Policies about `ec2:InstanceProfile` are about the instance.
                stand_ins.push("instance");
                None
            }
        };
        let with = With { key_name, group_ids: network.group_ids.clone(), profile };
        let token = uuid::Uuid::new_v4().to_string();
        let run = self.run_request(source, network, with, token);
        let mut launch = Question::new("which launches the instance", move || {
            let run = run.clone();
            async move { self.client.may_run_instance(&run).await }.boxed()
        });
        launch.stand_ins = stand_ins;
        questions.insert(0, launch);
        self.interruptible(self.asker.ask(self.client, questions)).await?
    }

    /// Asks whether the instance may be stopped and terminated, and whether an image may be made
    /// of it. All this can only be asked once it exists: policies may be about its tags.
    async fn may_finish(&self, instance: &str) -> Result<(), BuildError> {
        let mut questions = Vec::new();
        if !self.build.image.skip_create {
            let image = self.image_request(instance);
            questions.push(Question::new("which makes the image", move || {
                let image = image.clone();
                async move { self.client.may_create_image(&image).await }.boxed()
            }));
        }
        if !self.build.instance.disable_stop {
            let purpose = "which stops the instance before its image is made";
            let instance = instance.to_owned();
            questions.push(Question::new(purpose, move || {
                let instance = instance.clone();
                async move { self.client.may_stop_instance(&instance).await }.boxed()
            }));
        }
        let instance = instance.to_owned();
        questions.push(Question::new("which removes the instance", move || {
            let instance = instance.clone();
            async move { self.client.may_terminate_instance(&instance).await }.boxed()
        }));
        self.interruptible(self.asker.ask(self.client, questions)).await?
    }

    /// Does `work` with a launched instance, and meanwhile finds out whether the build may end as
    /// it should: better now than after provisioning.
    pub(super) async fn if_it_may_finish<T>(
        &self,
        instance: &str,
        work: impl Future<Output = Result<T, BuildError>>,
    ) -> Result<T, BuildError> {
        let (mut asking, mut work) = (pin!(self.may_finish(instance)), pin!(work));
        tokio::select! {
            biased;
            answer = &mut asking => {
                answer?;
                work.await
            }
            done = &mut work => {
                let done = done?;
                match timeout(PATIENCE, asking).await {
                    Ok(answer) => answer.map(|()| done),
                    Err(_) => Ok(done),
                }
            }
        }
    }
}
