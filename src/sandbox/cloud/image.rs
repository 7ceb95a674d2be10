//! Images: what they are, and the calls about them. Making one is in `image_creation`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::block_device::BlockDevice;
use super::filter::{Field, Filter, Filterable, select};
use super::id::{self, Kind};
use super::page::{Page, Paged};
use super::permission::{PermissionChange, Permissions};
use super::session::Session;
use super::{ACCOUNT, CloudError, Tags, time_text};
use crate::content::ImageContent;
use crate::sandbox::machine::RootFs;
use crate::sandbox::store::ImageRecord;

/// The tag of an image of the account that says what it holds: the digest of its content.
pub const CONTENT_TAG: &str = "bake:content-digest";

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageState {
    /// Being made.
    Pending,
    /// Can be launched.
    Available,
    /// Could not be made, for this reason.
    Failed(String),
}

impl ImageState {
    /// As EC2 writes it.
    pub fn name(&self) -> &'static str {
        match self {
            ImageState::Pending => "pending",
            ImageState::Available => "available",
            ImageState::Failed(_) => "failed",
        }
    }
}

/// An image: of the account, or a public one of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `ami-…`
    #[serde(skip)]
    pub id: String,
    /// What its machines start from; none when no machine can.
    #[serde(skip)]
    pub root: Option<RootFs>,
    /// Where it is.
    pub region: String,
    /// Unique among the account's images in the region.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The account that has it.
    pub owner_id: String,
    /// `amazon`, …
    pub owner_alias: Option<String>,
    /// How far it is.
    pub state: ImageState,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its id is found.
    pub visible_at: Timestamp,
    /// `/dev/xvda`
    pub root_device: String,
    /// Its volumes.
    pub block_devices: Vec<BlockDevice>,
    /// Who may launch it.
    pub permissions: Permissions,
    /// Paid products.
    pub product_codes: Vec<String>,
    /// `uefi-preferred`, …
    pub boot_mode: Option<String>,
    /// `v2.0`
    pub imds_support: Option<String>,
    /// Enhanced networking.
    pub ena_support: bool,
    /// `simple`
    pub sriov_net_support: Option<String>,
    /// When it is deprecated.
    pub deprecation: Option<Timestamp>,
    /// `disabled`, `enabled-with-cooldown` or `enabled-without-cooldown`.
    pub deregistration_protection: String,
    /// The instance that it was made from.
    pub source_instance_id: Option<String>,
    /// The image that it was copied from, or its instance was launched from.
    pub source_image_id: Option<String>,
    /// The region of that image.
    pub source_image_region: Option<String>,
    /// Users that machines have at first boot.
    pub users: Vec<String>,
    /// Whether a machine makes a user who logs in with the right key.
    pub make_unknown_users: bool,
    /// What was captured; none where the store does not know, and for public images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ImageContent>,
    /// Its tags.
    pub tags: Tags,
}

impl Image {
    /// What the store keeps, as an image.
    ///
    /// # Errors
    /// A record of another version.
    pub fn from_record(record: ImageRecord) -> Result<Self, serde_json::Error> {
        let mut image: Image = serde_json::from_value(record.details)?;
        image.id = record.id;
        image.root = Some(record.root);
        Ok(image)
    }

    /// What the store keeps; none as long as nothing is captured.
    pub(crate) fn to_record(&self) -> Result<Option<ImageRecord>, serde_json::Error> {
        let Some(root) = self.root.clone() else { return Ok(None) };
        Ok(Some(ImageRecord { id: self.id.clone(), root, details: serde_json::to_value(self)? }))
    }

    /// Puts the digest of what was captured where clients see it.
    pub(super) fn tag_content(&mut self) {
        if let Some(content) = &self.content {
            self.tags.insert(CONTENT_TAG.to_owned(), content.digest.hex());
        }
    }

    /// Whether it belongs to the account.
    pub fn is_own(&self) -> bool {
        self.owner_id == ACCOUNT
    }

    fn owned_by(&self, owner: &str) -> bool {
        match owner {
            "self" => self.is_own(),
            _ => self.owner_id == owner || self.owner_alias.as_deref() == Some(owner),
        }
    }

    fn executable_by(&self, user: &str) -> bool {
        match user {
            "all" => self.permissions.is_public(),
            "self" => self.is_own() || self.permissions.users.contains(ACCOUNT),
            _ => self.permissions.users.contains(user),
        }
    }
}

fn of_devices(image: &Image, value: fn(&BlockDevice) -> Option<String>) -> Vec<String> {
    image.block_devices.iter().filter_map(value).collect()
}

impl Filterable for Image {
    const FIELDS: &'static [Field<Self>] = &[
        ("architecture", |i| vec![i.architecture.clone()]),
        ("block-device-mapping.delete-on-termination", |i| {
            of_devices(i, |d| Some(d.delete_on_termination.to_string()))
        }),
        ("block-device-mapping.device-name", |i| of_devices(i, |d| Some(d.device.clone()))),
        ("block-device-mapping.encrypted", |i| of_devices(i, |d| Some(d.encrypted.to_string()))),
        ("block-device-mapping.snapshot-id", |i| {
            of_devices(i, |d| d.snapshot.as_ref().map(|s| s.id.clone()))
        }),
        ("block-device-mapping.volume-size", |i| of_devices(i, |d| Some(d.size.to_string()))),
        ("block-device-mapping.volume-type", |i| of_devices(i, |d| Some(d.volume_type.clone()))),
        ("boot-mode", |i| i.boot_mode.iter().cloned().collect()),
        ("creation-date", |i| vec![time_text(i.created)]),
        ("description", |i| vec![i.description.clone()]),
        ("ena-support", |i| vec![i.ena_support.to_string()]),
        ("free-tier-eligible", |_| vec!["false".to_owned()]),
        ("hypervisor", |_| vec!["xen".to_owned()]),
        ("image-allowed", |_| vec!["true".to_owned()]),
        ("image-id", |i| vec![i.id.clone()]),
        ("image-type", |_| vec!["machine".to_owned()]),
        ("imds-support", |i| i.imds_support.iter().cloned().collect()),
        ("is-public", |i| vec![i.permissions.is_public().to_string()]),
        ("kernel-id", |_| Vec::new()),
        ("manifest-location", |i| vec![format!("{}/{}", i.owner_id, i.name)]),
        ("name", |i| vec![i.name.clone()]),
        ("owner-alias", |i| i.owner_alias.iter().cloned().collect()),
        ("owner-id", |i| vec![i.owner_id.clone()]),
        ("platform", |_| Vec::new()),
        ("product-code", |i| i.product_codes.clone()),
        ("product-code.type", |_| Vec::new()),
        ("ramdisk-id", |_| Vec::new()),
        ("root-device-name", |i| vec![i.root_device.clone()]),
        ("root-device-type", |_| vec!["ebs".to_owned()]),
        ("source-image-id", |i| i.source_image_id.iter().cloned().collect()),
        ("source-image-region", |i| i.source_image_region.iter().cloned().collect()),
        ("source-instance-id", |i| i.source_instance_id.iter().cloned().collect()),
        ("sriov-net-support", |i| i.sriov_net_support.iter().cloned().collect()),
        ("state", |i| vec![i.state.name().to_owned()]),
        ("state-reason-code", |i| match &i.state {
            ImageState::Failed(_) => vec!["Server.InternalError".to_owned()],
            _ => Vec::new(),
        }),
        ("state-reason-message", |i| match &i.state {
            ImageState::Failed(reason) => vec![reason.clone()],
            _ => Vec::new(),
        }),
        ("virtualization-type", |_| vec!["hvm".to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// What DescribeImages asks.
#[derive(Clone, Debug, Default)]
pub struct DescribeImages {
    /// All when empty. An unknown id of AWS is stood in for.
    pub ids: Vec<String>,
    /// `self`, account ids, `amazon`; any of them.
    pub owners: Vec<String>,
    /// `self`, `all`, account ids; any of them.
    pub executable_by: Vec<String>,
    /// Which of them.
    pub filters: Vec<Filter>,
    /// Which part.
    pub page: Page,
}

/// What ModifyImageAttribute changes.
#[derive(Clone, Debug)]
pub enum ImageChange {
    /// `description`
    Description(String),
    /// `launchPermission`
    LaunchPermission(PermissionChange),
    /// `imdsSupport`
    ImdsSupport(String),
    /// `productCodes`; they can only be added.
    ProductCodes(Vec<String>),
}

impl Session<'_> {
    /// The account's images in this region, finished or not.
    pub(crate) fn own_images(&mut self) -> Result<Vec<Image>, CloudError> {
        let mut images: Vec<Image> = self.region.images.values().cloned().collect();
        let region = self.region.name.clone();
        let shelf = self.shelf()?;
        images.extend(shelf.images.values().filter(|image| image.region == region).cloned());
        Ok(images)
    }

    /// An image that can be launched or described: own, public, or a stand-in for one of AWS.
    pub(crate) fn image(&mut self, id: &str) -> Result<Image, CloudError> {
        Kind::Image.check(id)?;
        let now = self.now;
        let own = self.own_images()?.into_iter().find(|image| image.id == id);
        if let Some(image) = own {
            return Some(image)
                .filter(|i| i.visible_at <= now)
                .ok_or_else(|| Kind::Image.not_found(id));
        }
        if let Some(image) = self.public_images()?.into_iter().find(|image| image.id == id) {
            return Ok(image);
        }
        if id::is_ours(id) {
            return Err(Kind::Image.not_found(id));
        }
        let region = self.region.name.clone();
        Image::stand_in(id, &region, self.bases()?).ok_or_else(|| Kind::Image.not_found(id))
    }

    /// An image of the account, to change; a finished one is written again.
    pub(crate) fn image_mut(&mut self, id: &str) -> Result<&mut Image, CloudError> {
        if !self.image(id)?.is_own() {
            return Err(CloudError::new("AuthFailure", format!("Not authorized for image:{id}")));
        }
        if self.region.images.contains_key(id) {
            return self.region.images.get_mut(id).ok_or_else(|| Kind::Image.not_found(id));
        }
        let shelf = self.shelf()?;
        shelf.changed.insert(id.to_owned());
        shelf.images.get_mut(id).ok_or_else(|| Kind::Image.not_found(id))
    }

    /// DescribeImages.
    pub fn describe_images(
        &mut self,
        request: &DescribeImages,
    ) -> Result<Paged<Image>, CloudError> {
        let mut images = Vec::new();
        if request.ids.is_empty() {
            let now = self.now;
            images.extend(self.own_images()?.into_iter().filter(|image| image.visible_at <= now));
            images.extend(self.public_images()?);
        }
        for id in &request.ids {
            images.push(self.image(id)?);
        }
        images.retain(|image| {
            (request.owners.is_empty() || request.owners.iter().any(|o| image.owned_by(o)))
                && (request.executable_by.is_empty()
                    || request.executable_by.iter().any(|user| image.executable_by(user)))
        });
        request.page.cut(select(images, &request.filters)?, |image| image.id.clone())
    }

    /// The image of a DescribeImageAttribute call.
    pub fn image_attributes(&mut self, id: &str) -> Result<Image, CloudError> {
        self.image(id)
    }

    /// ModifyImageAttribute.
    pub fn modify_image(&mut self, id: &str, change: &ImageChange) -> Result<(), CloudError> {
        let image = self.image_mut(id)?;
        match change {
            ImageChange::Description(text) => image.description.clone_from(text),
            ImageChange::LaunchPermission(change) => image.permissions.change(change)?,
            ImageChange::ImdsSupport(version) if version == "v2.0" => {
                image.imds_support = Some(version.clone());
            }
            ImageChange::ImdsSupport(version) => {
                return Err(CloudError::invalid_value("ImdsSupport", version));
            }
            ImageChange::ProductCodes(codes) => {
                for code in codes {
                    if !image.product_codes.contains(code) {
                        image.product_codes.push(code.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// EnableImageDeprecation and, without a time, DisableImageDeprecation.
    pub fn deprecate_image(&mut self, id: &str, at: Option<Timestamp>) -> Result<(), CloudError> {
        if at.is_some_and(|at| at <= self.now) {
            return Err(CloudError::invalid(
                "The deprecation date must be in the future, at most 10 years from now.",
            ));
        }
        self.image_mut(id)?.deprecation = at;
        Ok(())
    }

    /// EnableImageDeregistrationProtection and Disable-; gives the new state.
    pub fn protect_image(
        &mut self,
        id: &str,
        enabled: bool,
        with_cooldown: bool,
    ) -> Result<String, CloudError> {
        let image = self.image_mut(id)?;
        let protection = match (enabled, with_cooldown) {
            (false, _) => "disabled",
            (true, true) => "enabled-with-cooldown",
            (true, false) => "enabled-without-cooldown",
        };
        protection.clone_into(&mut image.deregistration_protection);
        Ok(protection.to_owned())
    }

    /// DeregisterImage; gives the snapshots that went away with it.
    pub fn deregister_image(
        &mut self,
        id: &str,
        delete_snapshots: bool,
    ) -> Result<Vec<String>, CloudError> {
        let image = self.image_mut(id)?.clone();
        if image.deregistration_protection != "disabled" {
            return Err(CloudError::new(
                "OperationNotPermitted",
                format!(
                    "The AMI {id} can't be deregistered: deregistration protection is enabled."
                ),
            ));
        }
        self.region.images.remove(id);
        // An image that is being made has a record, too, once it is captured.
        if image.root.is_some() {
            let shelf = self.shelf()?;
            shelf.images.remove(id);
            shelf.changed.remove(id);
            shelf.removed.insert(id.to_owned());
        }
        let snapshots = image.block_devices.into_iter().filter_map(|device| device.snapshot);
        let mut deleted = Vec::new();
        for mut snapshot in snapshots {
            if delete_snapshots {
                deleted.push(snapshot.id);
            } else {
                // Nothing completes the snapshot of an image that is gone.
                snapshot.completed = true;
                self.region.snapshots.insert(snapshot.id.clone(), snapshot);
            }
        }
        Ok(deleted)
    }
}
