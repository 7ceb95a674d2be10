//! Key pair, security group, instance.

use super::network::Network;
use super::run::Run;
use super::settings::{Communication, KeySettings};
use super::{tags, user_data};
use crate::aws::retry::persist;
use crate::aws::wait::{Ending, Look, Polling, wait};
use crate::aws::{Ingress, Instance, NetworkInterface, RunInstance, Tags};
use crate::build::dead_man::{self, System};
use crate::build::preflight;
use crate::build::{BuildError, ResolvedSource};
use crate::communicator::ssh::KeyPair;
use crate::event::{Fact, ResourceKind};

/// Why the temporary group exists, for people who find it in the console.
pub(super) const GROUP_DESCRIPTION: &str = "Temporary group of a bake build";

/// How long EC2 may take until what has a name is found by it.
const VISIBLE: Polling = Polling::seconds(2, 30);

/// A running, or soon running, instance.
pub(super) struct Launched {
    pub(super) instance: Instance,
    pub(super) key: Option<KeyPair>,
}

/// What an instance is launched with.
pub(super) struct With {
    pub(super) key_name: Option<String>,
    pub(super) group_ids: Vec<String>,
    pub(super) profile: Option<String>,
}

impl Run<'_> {
    /// Makes key, group and profile at the same time, then the instance.
    pub(super) async fn launch(
        &self,
        source: &ResolvedSource,
        network: &Network,
        key: Option<KeyPair>,
    ) -> Result<Launched, BuildError> {
        // Not `try_join`: that would drop the other call half way, and with it the id of what it
        // has just made.
        let (key_name, group_ids, profile) = tokio::join!(
            self.key_pair(key.as_ref()),
            self.security_groups(network),
            self.instance_profile(),
        );
        let with = With { key_name: key_name?, group_ids: group_ids?, profile: profile? };
        self.check_cancelled()?;
        let instance = self.instance(source, network, with).await?;
        Ok(Launched { instance, key })
    }

    async fn key_pair(&self, key: Option<&KeyPair>) -> Result<Option<String>, BuildError> {
        let (name, key) = match (self.build.communication.key(), key) {
            (KeySettings::Temporary { name, .. }, Some(key)) => {
                (name.clone().unwrap_or_else(|| self.temporary_name().to_owned()), key)
            }
            (KeySettings::Existing { name }, _) => return Ok(Some(name.clone())),
            (KeySettings::Temporary { .. }, None) | (KeySettings::Nothing, _) => return Ok(None),
        };
        let made = self
            .resources
            .create(
                ResourceKind::KeyPair,
                &name,
                "",
                self.client.import_key_pair(&name, &key.public, &self.run_tags()),
                |_| name.clone(),
            )
            .await;
        match made {
            Ok(_) => Ok(Some(name)),
            // An earlier attempt of the same call, whose answer was lost, may have made it.
            Err(BuildError::Aws(error)) if error.is_code(&["InvalidKeyPair.Duplicate"]) => {
                let Some(tags) = self.tags_of_key_pair(&name).await? else {
                    return Err(error.into());
                };
                if !self.is_ours(&tags) {
                    self.resources.nothing_made(ResourceKind::KeyPair, &name).await;
                    return Err(error.into());
                }
                self.resources.recover(ResourceKind::KeyPair, &name, &name).await?;
                Ok(Some(name))
            }
            Err(error) => Err(error),
        }
    }

    /// The tags of a key pair that is there, perhaps without being visible yet.
    async fn tags_of_key_pair(&self, name: &str) -> Result<Option<Tags>, BuildError> {
        let look = || async {
            Ok(match self.client.key_pair_tags(name).await? {
                Some(tags) => Look::Done(tags),
                None => Look::Pending { state: "not found yet".to_owned(), progress: 0 },
            })
        };
        match wait(VISIBLE, self.context.cancel.stop(), |_| {}, look).await? {
            Ending::Done(tags) => Ok(Some(tags)),
            _ => Ok(None),
        }
    }

    async fn security_groups(&self, network: &Network) -> Result<Vec<String>, BuildError> {
        let communication = &self.build.communication;
        if matches!(communication, Communication::Nothing) || !network.group_ids.is_empty() {
            return Ok(network.group_ids.clone());
        }
        let name = self.temporary_name();
        let made = self
            .resources
            .create(
                ResourceKind::SecurityGroup,
                name,
                name,
                self.client.create_security_group(
                    name,
                    GROUP_DESCRIPTION,
                    network.vpc_id.as_deref(),
                    &self.run_tags(),
                ),
                Clone::clone,
            )
            .await;
        let id = match made {
            Ok(id) => id,
            // The same: an earlier attempt has made it.
            Err(BuildError::Aws(error)) if error.is_code(&["InvalidGroup.Duplicate"]) => {
                let by = [crate::aws::Filter::new("group-name", name)];
                let look = || async {
                    let found = self.client.describe_security_groups(&[], &by).await?;
                    Ok(match found.into_iter().next() {
                        Some(group) => Look::Done(group),
                        None => Look::Pending { state: "not found yet".to_owned(), progress: 0 },
                    })
                };
                let cancel = self.context.cancel.stop();
                let Ending::Done(group) = wait(VISIBLE, cancel, |_| {}, look).await? else {
                    return Err(error.into());
                };
                self.resources.recover(ResourceKind::SecurityGroup, name, &group.id).await?;
                group.id
            }
            Err(error) => return Err(error),
        };
        // Through Systems Manager nothing has to be let in: the group keeps the instance out of
        // those of others.
        let Some(port) = communication.inbound_port() else { return Ok(vec![id]) };
        let ingress = Ingress { port, cidrs: self.build.security.source_cidrs.clone() };
        let opened =
            persist(self.context.cancel.stop(), || self.client.authorize_ingress(&id, &ingress));
        match opened.await {
            Err(error) if !error.is_code(&["InvalidPermission.Duplicate"]) => {
                return Err(error.into());
            }
            _ => {}
        }
        let Ingress { port, cidrs } = ingress;
        self.context.events.emit(Fact::IngressAuthorized { port, cidrs }).await;
        Ok(vec![id])
    }

    /// User data with the dead-man switch, which is in no hash.
    fn switched(&self, source: &ResolvedSource, own: Option<&[u8]>) -> Option<Vec<u8>> {
        match self.system(source) {
            System::Unix => dead_man::user_data(own, &source.image.name, self.context.lifetime),
            System::Windows => None,
        }
    }

    async fn instance(
        &self,
        source: &ResolvedSource,
        network: &Network,
        with: With,
    ) -> Result<Instance, BuildError> {
        let instance_type = &self.build.instance.instance_type;
        let token = uuid::Uuid::new_v4().to_string();
        let run = self.run_request(source, network, with, token.clone());
        let call = persist(self.context.cancel.stop(), || self.client.run_instance(&run));
        let launched = self.resources.create(
            ResourceKind::Instance,
            &token,
            instance_type,
            call,
            |instance| instance.id.clone(),
        );
        launched.await.map_err(|error| preflight::beyond_quota(error, instance_type))
    }

    /// What the instance is launched as.
    pub(super) fn run_request(
        &self,
        source: &ResolvedSource,
        network: &Network,
        with: With,
        client_token: String,
    ) -> RunInstance {
        let settings = &self.build.instance;
        let texts = self.texts();
        RunInstance {
            image_id: source.image.id.clone(),
            instance_type: settings.instance_type.clone(),
            client_token,
            key_name: with.key_name,
            user_data: user_data::encode(settings.user_data.as_deref(), |own| {
                self.switched(source, own)
            }),
            network: NetworkInterface {
                subnet_id: network.subnet_id.clone(),
                security_group_ids: with.group_ids,
                public_address: self.build.network.public_address,
            },
            instance_profile: with.profile,
            devices: settings.devices.clone(),
            placement: settings.placement.clone(),
            ebs_optimized: settings.ebs_optimized,
            enclave: settings.enclave,
            credits: settings.credits,
            metadata: settings.metadata.clone(),
            shutdown_behavior: settings.shutdown_behavior.clone(),
            license_configuration_arns: settings.license_configuration_arns.clone(),
            capacity_reservation_preference: settings.capacity_reservation_preference.clone(),
            capacity_reservation_id: settings.capacity_reservation_id.clone(),
            capacity_reservation_group_arn: settings.capacity_reservation_group_arn.clone(),
            tags: self.run_tags(),
            volume_tags: tags::volume(self.context, self.owner(), &texts.run_volume_tags),
        }
    }
}
