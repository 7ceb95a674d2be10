//! Public images: the releases of the catalogue, and stand-ins for ids that only AWS knows.

use jiff::Timestamp;

use super::block_device::BlockDevice;
use super::image::{Image, ImageState};
use super::permission::Permissions;
use super::session::Session;
use super::snapshot::Snapshot;
use super::{CloudError, Tags, id};
use crate::sandbox::catalogue::{self, AMAZON, Release};
use crate::sandbox::machine::{Base, RootFs};

/// The tag of a public image that says which base its machines start from.
pub const BASE_TAG: &str = "bake:sandbox-base";

impl Image {
    /// The image of a catalogue release in a region.
    pub(super) fn of_release(release: &Release, region: &str, bases: &[Base]) -> Self {
        let base = catalogue::base_of(release, bases);
        let mut image = Self::public(region, release.name, base);
        let id_words = [release.name, region, &base_identity(base)];
        image.id = id::derived_image(&id_words);
        image.owner_id = release.family.owner.to_owned();
        image.owner_alias = release.family.owner_alias.map(str::to_owned);
        image.architecture = release.architecture.to_owned();
        image.created = release.created.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        image.description = match base {
            Some(base) => format!("sandbox: {} stands in", base_text(base)),
            None => "sandbox: a listing only, nothing here can start from it".to_owned(),
        };
        image.users = vec![release.family.user.to_owned()];
        image.root_device = release.family.root_device.to_owned();
        image.add_root_volume();
        image
    }

    /// What stands in for an AWS image that nothing is known of but its id.
    pub(super) fn stand_in(image_id: &str, region: &str, bases: &[Base]) -> Option<Self> {
        let base = catalogue::any_base(bases)?;
        let mut image = Self::public(region, &format!("stand-in-for-{image_id}"), Some(base));
        image.id = image_id.to_owned();
        image.description = format!("sandbox: {} stands in for {image_id}", base_text(base));
        image.users = ["ec2-user", "ubuntu", "admin"].map(str::to_owned).to_vec();
        image.make_unknown_users = true;
        image.add_root_volume();
        Some(image)
    }

    fn public(region: &str, name: &str, base: Option<&Base>) -> Self {
        let everybody = Permissions { groups: ["all".to_owned()].into(), ..Permissions::default() };
        Self {
            id: String::new(),
            root: base.map(|base| RootFs { base: base.name.clone(), layers: Vec::new() }),
            region: region.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            owner_id: AMAZON.owner.to_owned(),
            owner_alias: AMAZON.owner_alias.map(str::to_owned),
            state: ImageState::Available,
            architecture: catalogue::host_architecture().to_owned(),
            created: Timestamp::UNIX_EPOCH,
            visible_at: Timestamp::UNIX_EPOCH,
            root_device: AMAZON.root_device.to_owned(),
            block_devices: Vec::new(),
            permissions: everybody,
            product_codes: Vec::new(),
            boot_mode: None,
            imds_support: None,
            ena_support: true,
            sriov_net_support: Some("simple".to_owned()),
            deprecation: None,
            deregistration_protection: "disabled".to_owned(),
            source_instance_id: None,
            source_image_id: None,
            source_image_region: None,
            users: Vec::new(),
            make_unknown_users: false,
            content: None,
            tags: Tags::from([(
                BASE_TAG.to_owned(),
                base.map_or_else(|| "none".to_owned(), base_text),
            )]),
        }
    }

    fn add_root_volume(&mut self) {
        let mut device = BlockDevice::empty(&self.root_device, 8);
        device.volume_type = "gp3".to_owned();
        device.iops = Some(3000);
        device.throughput = Some(125);
        device.snapshot = Some(Snapshot {
            id: id::derived("snap", &[&self.id]),
            volume_id: "vol-ffffffff".to_owned(),
            size: device.size,
            description: String::new(),
            encrypted: false,
            kms_key_id: None,
            started: self.created,
            completed: true,
            visible_at: self.created,
            permissions: Permissions::default(),
            tags: Tags::new(),
        });
        self.block_devices = vec![device];
    }
}

/// A base in one line: its name in the store, and what it says that it is.
fn base_text(base: &Base) -> String {
    if base.os_name.is_empty() {
        base.name.clone()
    } else {
        format!("{} ({})", base.name, base.os_name)
    }
}

fn base_identity(base: Option<&Base>) -> String {
    base.map_or_else(String::new, |base| {
        format!("{} {} {}", base.name, base.os_id, base.os_version)
    })
}

impl Session<'_> {
    pub(super) fn public_images(&mut self) -> Result<Vec<Image>, CloudError> {
        let region = self.region.name.clone();
        let bases = self.bases()?;
        let of = |release| Image::of_release(release, &region, bases);
        Ok(catalogue::RELEASES.iter().map(of).collect())
    }

    /// The public image that a Systems Manager parameter names.
    pub fn public_parameter(&mut self, name: &str) -> Result<Option<Image>, CloudError> {
        let named = |release: &&Release| release.parameters.contains(&name);
        let Some(release) = catalogue::RELEASES.iter().find(named) else { return Ok(None) };
        let region = self.region.name.clone();
        Ok(Some(Image::of_release(release, &region, self.bases()?)))
    }
}
