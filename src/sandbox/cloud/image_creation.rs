//! CreateImage and CopyImage.

use super::block_device::{BlockDevice, MappingRequest, merge};
use super::id::{self, Kind};
use super::image::{Image, ImageState};
use super::permission::Permissions;
use super::session::{ClientToken, Effect, Session};
use super::snapshot::Snapshot;
use super::tag::{TagSpecification, tags_for};
use super::{ACCOUNT, CloudError, InstanceState};

/// CreateImage.
#[derive(Clone, Debug, Default)]
pub struct CreateImage {
    /// Of which instance.
    pub instance_id: String,
    /// The image's name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Whether a running instance runs on.
    pub no_reboot: bool,
    /// Changes to the instance's devices.
    pub block_devices: Vec<MappingRequest>,
    /// For `image` and `snapshot`.
    pub tags: Vec<TagSpecification>,
}

/// CopyImage.
#[derive(Clone, Debug, Default)]
pub struct CopyImage {
    /// What to copy.
    pub source_image_id: String,
    /// From where.
    pub source_region: String,
    /// The copy's name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Whether the copy's snapshots are encrypted.
    pub encrypted: bool,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// Whether the image's own tags come along.
    pub copy_tags: bool,
    /// For `image` and `snapshot`.
    pub tags: Vec<TagSpecification>,
    /// Makes the call idempotent.
    pub token: Option<ClientToken>,
}

const TAGGED: [&str; 2] = ["image", "snapshot"];

impl Session<'_> {
    fn check_image_name(&mut self, name: &str) -> Result<(), CloudError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
        if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(CloudError::new(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
            ));
        }
        let taken = self
            .own_images()?
            .into_iter()
            .find(|image| image.name == name && !matches!(image.state, ImageState::Failed(_)));
        match taken {
            Some(image) => Err(CloudError::new(
                "InvalidAMIName.Duplicate",
                format!("AMI name {name} is already in use by AMI {}", image.id),
            )),
            None => Ok(()),
        }
    }

    /// CreateImage; gives the id of the pending image.
    pub fn create_image(&mut self, request: &CreateImage) -> Result<String, CloudError> {
        let instance = self.instance(&request.instance_id)?.clone();
        self.check_image_name(&request.name)?;
        if !matches!(
            instance.state,
            InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped
        ) {
            return Err(CloudError::invalid(format!(
                "Instance is not in state 'running' or 'stopped': the instance '{}' is '{}'",
                instance.id,
                instance.state.name()
            )));
        }
        let image_tags = tags_for(&request.tags, "image", &TAGGED)?;
        let snapshot_tags = tags_for(&request.tags, "snapshot", &TAGGED)?;
        let image_id = id::fresh_image();
        let devices = self.devices_of(&instance);
        let mut devices = merge(&devices, &request.block_devices, |id| self.snapshot(id))?;
        for device in &mut devices {
            // An empty volume that only the request asks for stays empty.
            let volume = instance.volumes.iter().find(|volume| volume.device == device.device);
            let Some(volume) = volume else { continue };
            let size = self.volume(&volume.volume_id)?.size;
            device.snapshot = Some(Snapshot {
                id: id::fresh("snap"),
                volume_id: volume.volume_id.clone(),
                size,
                description: format!("Created by CreateImage({}) for {image_id}", instance.id),
                encrypted: device.encrypted,
                kms_key_id: device.kms_key_id.clone(),
                started: self.now,
                completed: false,
                visible_at: self.visible_at,
                permissions: Permissions::default(),
                tags: snapshot_tags.clone(),
            });
        }
        let image = Image {
            id: image_id.clone(),
            root: None,
            region: self.region.name.clone(),
            name: request.name.clone(),
            description: request.description.clone().unwrap_or_default(),
            owner_id: ACCOUNT.to_owned(),
            owner_alias: None,
            state: ImageState::Pending,
            architecture: instance.architecture.clone(),
            created: self.now,
            visible_at: self.visible_at,
            root_device: instance.root_device.clone(),
            block_devices: devices,
            permissions: Permissions::default(),
            product_codes: Vec::new(),
            boot_mode: instance.boot_mode.clone(),
            imds_support: instance.imds_support.clone(),
            ena_support: instance.ena_support,
            sriov_net_support: instance.sriov_net_support.clone(),
            deprecation: None,
            deregistration_protection: "disabled".to_owned(),
            source_instance_id: Some(instance.id.clone()),
            source_image_id: Some(instance.image_id.clone()),
            source_image_region: Some(self.region.name.clone()),
            users: instance.users.clone(),
            make_unknown_users: instance.make_unknown_users,
            content: None,
            tags: image_tags,
        };
        self.region.images.insert(image_id.clone(), image);
        self.effects.push(Effect::Capture {
            image_id: image_id.clone(),
            instance_id: instance.id,
            reboot: !request.no_reboot,
        });
        Ok(image_id)
    }

    /// The devices of an instance, as an image describes them.
    fn devices_of(&self, instance: &super::Instance) -> Vec<BlockDevice> {
        let device = |attached: &super::AttachedVolume| {
            let volume = self.region.volumes.get(&attached.volume_id)?;
            Some(BlockDevice {
                device: attached.device.clone(),
                delete_on_termination: attached.delete_on_termination,
                size: volume.size,
                volume_type: volume.volume_type.clone(),
                iops: volume.iops,
                throughput: volume.throughput,
                encrypted: volume.encrypted,
                kms_key_id: volume.kms_key_id.clone(),
                snapshot: None,
            })
        };
        instance.volumes.iter().filter_map(device).collect()
    }

    /// CopyImage into this region; gives the id of the pending copy.
    pub fn copy_image(&mut self, request: &CopyImage) -> Result<String, CloudError> {
        if let Some(image_id) = self.token_result(request.token.as_ref())? {
            return Ok(image_id);
        }
        if !super::network::is_region(&request.source_region) {
            return Err(CloudError::invalid(format!(
                "Invalid source region: {}",
                request.source_region
            )));
        }
        let source = self.image_elsewhere(&request.source_image_id, &request.source_region)?;
        if source.state != ImageState::Available {
            return Err(CloudError::new(
                "InvalidAMIID.Unavailable",
                format!("The image ID '{}' is not available for copy", source.id),
            ));
        }
        self.check_image_name(&request.name)?;
        if request.kms_key_id.is_some() && !request.encrypted {
            return Err(CloudError::combination(
                "KmsKeyId may only be specified with Encrypted set to true.",
            ));
        }
        let mut tags = tags_for(&request.tags, "image", &TAGGED)?;
        let snapshot_tags = tags_for(&request.tags, "snapshot", &TAGGED)?;
        if request.copy_tags && source.is_own() {
            for (key, value) in source.tags.clone() {
                tags.entry(key).or_insert(value);
            }
        }
        let image_id = id::fresh_image();
        let mut block_devices = source.block_devices.clone();
        for device in &mut block_devices {
            device.encrypted |= request.encrypted;
            device.kms_key_id = request.kms_key_id.clone().or(device.kms_key_id.take());
            if let Some(snapshot) = &mut device.snapshot {
                *snapshot = Snapshot {
                    id: id::fresh("snap"),
                    volume_id: "vol-ffffffff".to_owned(),
                    size: snapshot.size,
                    description: format!(
                        "Copied for DestinationAmi {image_id} from SourceAmi {} for SourceSnapshot {}. Task created on {}.",
                        source.id,
                        snapshot.id,
                        self.now.as_millisecond()
                    ),
                    encrypted: device.encrypted,
                    kms_key_id: device.kms_key_id.clone(),
                    started: self.now,
                    completed: false,
                    visible_at: self.visible_at,
                    permissions: Permissions::default(),
                    tags: snapshot_tags.clone(),
                };
            }
        }
        let copy = Image {
            id: image_id.clone(),
            region: self.region.name.clone(),
            name: request.name.clone(),
            description: request.description.clone().unwrap_or_else(|| {
                format!("[Copied {} from {}] {}", source.id, source.region, source.description)
            }),
            owner_id: ACCOUNT.to_owned(),
            owner_alias: None,
            state: ImageState::Pending,
            created: self.now,
            visible_at: self.visible_at,
            block_devices,
            permissions: Permissions::default(),
            deprecation: None,
            deregistration_protection: "disabled".to_owned(),
            source_instance_id: None,
            source_image_id: Some(source.id.clone()),
            source_image_region: Some(source.region.clone()),
            tags,
            ..source
        };
        if copy.root.is_none() {
            return Err(listing_only(&copy));
        }
        self.region.images.insert(image_id.clone(), copy);
        self.effects.push(Effect::Copy(image_id.clone()));
        self.remember_token(request.token.as_ref(), &image_id);
        Ok(image_id)
    }

    /// An image of any region.
    fn image_elsewhere(&mut self, id: &str, region: &str) -> Result<Image, CloudError> {
        if region == self.region.name {
            return self.image(id);
        }
        Kind::Image.check(id)?;
        let there = self.others.get(region).cloned();
        let there = there.unwrap_or_else(|| super::session::Region::new(region));
        let mut session =
            Session::new(there, self.others, self.iam, self.store, self.now, self.visible_at);
        session.image(id)
    }
}

/// The error for an image that is listed but that nothing here can start from.
pub(crate) fn listing_only(image: &Image) -> CloudError {
    let host = crate::sandbox::catalogue::host_architecture();
    let reason = if image.architecture == host {
        "the sandbox store has no base; `bake sandbox import` adds one".to_owned()
    } else {
        format!("this machine is {host} and the sandbox does not emulate {}", image.architecture)
    };
    CloudError::new(
        "Unsupported",
        format!("The image {} ({}) cannot be used in the sandbox: {reason}", image.id, image.name),
    )
}
