//! What is known and allowed before anything is made: the plan's look-ups, the image hash, an image
//! that is there already.

use futures::FutureExt as _;

use super::existing::{beside, is_in_the_making};
use super::network::{self, Network};
use super::password::{self, read_key};
use super::run::{Named, Run};
use super::settings::{Communication, KeySettings, PasswordSettings};
use super::{data, source};
use crate::build::key::make_key;
use crate::build::preflight::{self, Launching, QuotaCheck};
use crate::build::{BuildError, ResolvedSource};
use crate::communicator::CommunicatorError;
use crate::communicator::ssh::{self, KeyPair};
use crate::event::{Artifact, Fact};
use crate::template::schema::BuildData;

/// What the look-ups came to.
pub(super) enum Prepared {
    /// Nothing to do.
    Reused(Artifact),
    /// Everything needed for a launch.
    Ready { source: Box<ResolvedSource>, network: Network, key: Option<KeyPair>, data: BuildData },
}

impl Run<'_> {
    /// Looks everything up, and makes sure that there is something to build, and that it may be.
    pub(super) async fn prepare(&self) -> Result<Prepared, BuildError> {
        let events = &self.context.events;
        let quota = QuotaCheck::start(self.client, self.launching());
        let looking = async {
            tokio::try_join!(
                source::resolve(self.client, &self.build.source, self.context).boxed(),
                network::resolve(self.client, self.build).boxed(),
                self.local_key(),
                self.check_login(),
                preflight::check_credentials(self.client, self.context),
                preflight::check_instance_type(
                    self.client,
                    &self.build.instance.instance_type,
                    self.build.instance.placement.availability_zone.as_deref(),
                ),
            )
        };
        let (source, network, key, (), (), ()) = self.interruptible(looking).await??;
        events
            .emit(Fact::SourceImageFound {
                id: source.image.id.clone(),
                name: source.image.name.clone(),
                stand_in: source.image.tags.get("bake:sandbox-base").cloned(),
            })
            .await;
        if let Some(text) = password::doubt(&self.build.communication, &source.image) {
            events.emit(Fact::Warning { text }).await;
        }
        events
            .emit(Fact::NetworkFound {
                vpc_id: network.vpc_id.clone(),
                subnet_id: network.subnet_id.clone(),
            })
            .await;
        let identity = (self.context.identify)(&source).map_err(BuildError::Identity)?;
        let data = data::of_source(&source, &identity.hash, &self.context.run_id);
        let texts = (self.late)(&data)?;
        if !texts.secrets.is_empty() {
            events.emit(Fact::SecretsFound { secrets: texts.secrets.clone() }).await;
        }
        let short: String = identity.hash.chars().take(12).collect();
        let name = texts
            .image_name
            .clone()
            .unwrap_or_else(|| format!("{}-{short}", self.context.source_name));
        let name = match &self.context.apart {
            Some(apart) => beside(&name, &apart.suffix),
            None => name,
        };
        let recording = self.context.ledger.hashed(&self.context.build, &identity.hash, &name);
        recording.await.map_err(BuildError::Ledger)?;
        events.emit(Fact::ImageHashKnown { hash: identity.hash.clone(), name: name.clone() }).await;
        self.named.get_or_init(|| Named { name, identity, texts });
        let looking = async { tokio::try_join!(self.reusable(), self.name_taken()) };
        let (mut reused, taken) = self.interruptible(looking).await??;
        let mut taken = taken.filter(|image| image.name == self.image_name());
        let is_free = taken.as_ref().is_none_or(is_in_the_making);
        let mut allowed = Ok(());
        if reused.is_none() && is_free {
            let instance_type = &self.build.instance.instance_type;
            let quota = quota.finish(self.client.region(), instance_type);
            self.interruptible(quota).await??;
            let asking = self.may_launch(&source, &network, key.as_ref());
            if self.is_shared() {
                let leased;
                (leased, allowed) = tokio::join!(self.leased(), asking);
                (reused, taken) = leased?;
            } else {
                allowed = asking.await;
            }
        }
        if let Some(image) = reused {
            return Ok(Prepared::Reused(self.adopt(&image).await));
        }
        if let Some(image) = taken {
            self.make_way(&image).await?;
        }
        // What may not be made matters only to the build that is to make it.
        allowed?;
        Ok(Prepared::Ready { source: Box::new(source), network, key, data })
    }

    /// What is to be launched, as far as quotas go.
    fn launching(&self) -> Launching<'_> {
        let settings = &self.build.instance;
        let placement = &settings.placement;
        Launching {
            instance_type: &settings.instance_type,
            has_room_of_its_own: placement.tenancy.as_deref() == Some("host")
                || placement.host_id.is_some()
                || placement.host_resource_group_arn.is_some()
                || settings.capacity_reservation_id.is_some()
                || settings.capacity_reservation_group_arn.is_some(),
        }
    }

    async fn local_key(&self) -> Result<Option<KeyPair>, BuildError> {
        match self.build.communication.key() {
            KeySettings::Temporary { kind, .. } => {
                make_key(*kind, self.temporary_name()).await.map(Some)
            }
            KeySettings::Existing { .. } | KeySettings::Nothing => Ok(None),
        }
    }

    /// Finds out before anything is made whether there are the keys and the agent to log in with.
    async fn check_login(&self) -> Result<(), BuildError> {
        let login = match &self.build.communication {
            Communication::Ssh { login, .. } => login,
            Communication::WinRm {
                password: PasswordSettings::Asked { key_file: Some(file), .. },
                ..
            } => return read_key(file).await.map(drop),
            _ => return Ok(()),
        };
        let checking = async { ssh::check_credentials(&login.load(None, None).await?).await };
        checking.await.map_err(|error| BuildError::Option {
            option: match error {
                CommunicatorError::Agent { .. } => "ssh_agent_auth",
                _ => "ssh_private_key_file",
            },
            message: error.to_string(),
            hints: error.hints(),
        })
    }
}
