//! One request's view of the cloud.
//!
//! A request works on a copy of its region. What it changes counts only when
//! it succeeds and is no dry run; what must happen outside (machines, records
//! on disk) is listed as [`Effect`]s and done afterwards by [`super::Cloud`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::iam::Iam;
use super::image::ImageState;
use super::image_store::ImageStore;
use super::instance::Instance;
use super::key_pair::KeyPair;
use super::network::{Subnet, Vpc};
use super::security_group::SecurityGroup;
use super::snapshot::Snapshot;
use super::volume::Volume;
use super::{CloudError, Image};
use crate::sandbox::machine::Base;

/// Everything in one region but the finished images, which are in the store.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) vpc: Vpc,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) groups: BTreeMap<String, SecurityGroup>,
    /// By name.
    pub(crate) key_pairs: BTreeMap<String, KeyPair>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    /// Snapshots without an image.
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    /// Images that are being made, or failed.
    pub(crate) images: BTreeMap<String, Image>,
    /// What a client token gave.
    pub(crate) tokens: BTreeMap<String, Token>,
}

/// A client token that was used.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// Of the parameters.
    pub(crate) digest: String,
    /// The reservation or image that came of it.
    pub(crate) result: String,
}

impl Region {
    pub(crate) fn new(name: &str) -> Self {
        let vpc = Vpc::default_of(name);
        let group = SecurityGroup::default_of(name, &vpc.id);
        Self {
            name: name.to_owned(),
            subnets: Subnet::defaults_of(name),
            vpc,
            groups: BTreeMap::from([(group.id.clone(), group)]),
            key_pairs: BTreeMap::new(),
            instances: BTreeMap::new(),
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            images: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }
}

/// What a request sets going. Instances and images are in the request's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Boots a machine for an instance.
    Launch(String),
    /// Stops an instance's machine.
    Stop(String),
    /// Starts a stopped machine.
    Start(String),
    /// Lets the agent of an instance register with Systems Manager.
    Register(String),
    /// Restarts a machine.
    Reboot(String),
    /// Stops a machine and removes its files.
    Terminate(String),
    /// Copies what a machine wrote, for an image.
    Capture {
        /// The image that is being made.
        image_id: String,
        /// The instance that it is made from.
        instance_id: String,
        /// Whether a running machine is stopped for it.
        reboot: bool,
    },
    /// Completes a copy of an image.
    Copy(String),
}

/// Finished images, read when a request first asks for one.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) changed: BTreeSet<String>,
    pub(crate) removed: BTreeSet<String>,
}

/// One request's view of the cloud.
pub struct Session<'a> {
    pub(crate) region: Region,
    /// Images that are being made in other regions, to copy from.
    pub(crate) others: &'a BTreeMap<String, Region>,
    /// Instance profiles, for launches.
    pub(crate) iam: &'a Iam,
    pub(crate) store: &'a dyn ImageStore,
    pub(crate) now: Timestamp,
    /// When ids made by this request are found.
    pub(crate) visible_at: Timestamp,
    pub(crate) effects: Vec<Effect>,
    shelf: Option<Shelf>,
    bases: Option<Vec<Base>>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        region: Region,
        others: &'a BTreeMap<String, Region>,
        iam: &'a Iam,
        store: &'a dyn ImageStore,
        now: Timestamp,
        visible_at: Timestamp,
    ) -> Self {
        Self {
            region,
            others,
            iam,
            store,
            now,
            visible_at,
            effects: Vec::new(),
            shelf: None,
            bases: None,
        }
    }

    /// The name of the region.
    pub fn region_name(&self) -> &str {
        &self.region.name
    }

    /// The region, what to start, and what to write.
    pub(crate) fn finish(self) -> (Region, Vec<Effect>, Shelf) {
        (self.region, self.effects, self.shelf.unwrap_or_default())
    }

    /// Finished images of all regions.
    pub(crate) fn shelf(&mut self) -> Result<&mut Shelf, CloudError> {
        let shelf = match self.shelf.take() {
            Some(shelf) => shelf,
            None => {
                let records = self.store.images().map_err(store_error)?;
                let images = records
                    .into_iter()
                    .filter_map(|record| match Image::from_record(record) {
                        // Another one's, or unfinished for ever.
                        Ok(image) if image.state != ImageState::Available => None,
                        Ok(image) => Some((image.id.clone(), image)),
                        Err(error) => {
                            tracing::warn!("an image record is left out: {error}");
                            None
                        }
                    })
                    .collect();
                Shelf { images, ..Shelf::default() }
            }
        };
        Ok(self.shelf.insert(shelf))
    }

    /// The bases of the store.
    pub(crate) fn bases(&mut self) -> Result<&[Base], CloudError> {
        let bases = match self.bases.take() {
            Some(bases) => bases,
            None => self.store.bases().map_err(store_error)?,
        };
        Ok(self.bases.insert(bases))
    }

    /// What a client token gave before, when the parameters were the same.
    pub(crate) fn token_result(
        &self,
        token: Option<&ClientToken>,
    ) -> Result<Option<String>, CloudError> {
        let Some(token) = token else { return Ok(None) };
        match self.region.tokens.get(&token.token) {
            None => Ok(None),
            Some(used) if used.digest == token.digest => Ok(Some(used.result.clone())),
            Some(_) => Err(CloudError::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )),
        }
    }

    pub(crate) fn remember_token(&mut self, token: Option<&ClientToken>, result: &str) {
        if let Some(token) = token {
            let used = Token { digest: token.digest.clone(), result: result.to_owned() };
            self.region.tokens.insert(token.token.clone(), used);
        }
    }
}

/// A client token and what the request said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    /// Chosen by the client.
    pub token: String,
    /// Of all other parameters.
    pub digest: String,
}

fn store_error(error: crate::sandbox::machine::MachineError) -> CloudError {
    CloudError::internal(format!("the sandbox store cannot be read: {error}"))
}
