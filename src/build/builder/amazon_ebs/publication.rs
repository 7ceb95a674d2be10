//! What is done with an image once it is available: sharing and the like, then the final tags.
//!
//! It is in the ledger before the image is made, so that [`resume`](crate::build::resume) can finish
//! the image of a run that died meanwhile.

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::run::Run;
use super::tags;
use crate::aws::retry::persist;
use crate::aws::{AwsError, Client, Image, ImagePermission, S3Prefix, Tags};
use crate::build::BuildError;
use crate::event::{Emitter, Fact};

/// What is done with an image once it is available.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Publication {
    /// The image hash, 64 hexadecimal digits; empty for an image that nobody is to take.
    pub image_hash: String,
    /// Its final tags, without the hash.
    pub tags: Tags,
    /// The same of its snapshots.
    pub snapshot_tags: Tags,
    /// Its attributes, and who may use its snapshots.
    #[serde(flatten)]
    pub attributes: ImageAttributes,
}

/// What is set on an image once it is available.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageAttributes {
    /// Who may launch it.
    pub permission: ImagePermission,
    /// Product codes.
    pub product_codes: Vec<String>,
    /// Accounts that may use the snapshots.
    pub snapshot_users: Vec<String>,
    /// `all`, when everybody may use the snapshots.
    pub snapshot_groups: Vec<String>,
    /// `v2.0`.
    pub imds_support: Option<String>,
    /// When it is deprecated, in seconds since 1970.
    pub deprecate_at: Option<i64>,
    /// Protects it from being deregistered; with or without a cooldown.
    pub protection: Option<bool>,
}

/// What publishing goes through.
#[derive(Clone, Copy)]
pub(crate) struct Publisher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) events: &'a Emitter,
    pub(crate) cancel: &'a CancellationToken,
}

impl Publication {
    /// Sets all attributes but the tags and the protection, which would keep a teardown from
    /// removing a half-made image.
    pub(crate) async fn set_attributes(
        &self,
        publisher: Publisher<'_>,
        image: &Image,
    ) -> Result<(), AwsError> {
        let Publisher { client, cancel, .. } = publisher;
        let id = image.id.as_str();
        let sharing = async {
            if self.attributes.permission.is_empty() {
                return Ok(());
            }
            persist(cancel, || client.share_image(id, &self.attributes.permission)).await?;
            publisher.changed(id, "launch permission").await;
            Ok(())
        };
        let codes = async {
            if self.attributes.product_codes.is_empty() {
                return Ok(());
            }
            persist(cancel, || client.set_product_codes(id, &self.attributes.product_codes))
                .await?;
            publisher.changed(id, "product codes").await;
            Ok(())
        };
        let metadata = async {
            let Some(version) = &self.attributes.imds_support else { return Ok(()) };
            persist(cancel, || client.set_imds_support(id, version)).await?;
            publisher.changed(id, "IMDS support").await;
            Ok(())
        };
        let deprecation = async {
            let Some(at) = self.attributes.deprecate_at else { return Ok(()) };
            persist(cancel, || client.deprecate_image(id, at)).await?;
            publisher.changed(id, "deprecation").await;
            Ok(())
        };
        let snapshots = async {
            let (users, groups) =
                (&self.attributes.snapshot_users, &self.attributes.snapshot_groups);
            if users.is_empty() && groups.is_empty() {
                return Ok(());
            }
            for snapshot in &image.snapshot_ids {
                persist(cancel, || client.share_snapshot(snapshot, users, groups)).await?;
            }
            publisher.changed(id, "snapshot permission").await;
            Ok::<_, AwsError>(())
        };
        tokio::try_join!(sharing, codes, metadata, deprecation, snapshots)?;
        Ok(())
    }

    /// Writes the tags that say that the image is complete. The snapshots come first: the image's
    /// hash is the last thing that is written.
    pub(crate) async fn write_tags(
        &self,
        publisher: Publisher<'_>,
        image: &Image,
    ) -> Result<(), AwsError> {
        let Publisher { client, cancel, .. } = publisher;
        let with_hash = |tags: &Tags| {
            let mut tags = tags.clone();
            if !self.image_hash.is_empty() {
                tags.insert(tags::IMAGE_HASH.to_owned(), self.image_hash.clone());
            }
            tags
        };
        let (tags, snapshot_tags) = (with_hash(&self.tags), with_hash(&self.snapshot_tags));
        persist(cancel, || client.create_tags(&image.snapshot_ids, &snapshot_tags)).await?;
        let ids = [image.id.clone()];
        persist(cancel, || client.create_tags(&ids, &tags)).await?;
        publisher.events.emit(Fact::ImageTagged { id: image.id.clone(), tags }).await;
        Ok(())
    }

    /// Protects it from being deregistered, if that is wanted.
    pub(crate) async fn protect(&self, publisher: Publisher<'_>, id: &str) -> Result<(), AwsError> {
        let Some(cooldown) = self.attributes.protection else { return Ok(()) };
        persist(publisher.cancel, || publisher.client.protect_image(id, cooldown)).await?;
        publisher.changed(id, "deregistration protection").await;
        Ok(())
    }
}

impl Publisher<'_> {
    async fn changed(&self, id: &str, what: &'static str) {
        self.events.emit(Fact::AttributesChanged { id: id.to_owned(), what }).await;
    }
}

impl Run<'_> {
    /// What is to be done with this build's image.
    pub(super) fn publication(&self) -> Publication {
        let (settings, texts) = (&self.build.image, self.texts());
        let mut own = Tags::new();
        if !settings.skip_run_tags {
            own.extend(texts.run_tags);
        }
        own.extend(texts.tags);
        let mut tags = tags::lasting(self.context, own);
        let mut snapshot_tags = tags.clone();
        let records = self.shared_at.get().map(S3Prefix::to_string);
        tags.extend(records.map(|place| (tags::RECORDS.to_owned(), place)));
        snapshot_tags.extend(texts.snapshot_tags);
        Publication {
            image_hash: match &self.context.apart {
                Some(apart) if !apart.claims_hash => String::new(),
                _ => self.image_hash().to_owned(),
            },
            tags,
            snapshot_tags,
            attributes: settings.attributes.clone(),
        }
    }

    /// Records it, before the image is made.
    pub(super) async fn record_publication(
        &self,
        publication: &Publication,
    ) -> Result<(), BuildError> {
        let publication =
            serde_json::to_value(publication).map_err(|error| BuildError::Ledger(error.into()))?;
        let recording = self.context.ledger.publication(&self.context.build, publication);
        recording.await.map_err(BuildError::Ledger)
    }

    pub(super) fn publisher(&self) -> Publisher<'_> {
        Publisher {
            client: self.client,
            events: &self.context.events,
            cancel: self.context.cancel.stop(),
        }
    }
}
