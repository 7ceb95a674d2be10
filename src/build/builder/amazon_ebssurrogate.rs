//! `amazon-ebssurrogate`: an image registered from volumes that an instance has filled.

use super::Builder;
use super::amazon::{
    BlockDeviceOptions, FirmwareOptions, ImageOptions, InstanceOptions, SourceOptions, SpotOptions,
    VolumeTagOptions, check_access, check_late, not_run_yet,
};
use crate::aws::AccessOptions;
use crate::communicator::CommunicatorOptions;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

crate::options! {
    /// Options of the `amazon-ebssurrogate` builder: an image of volumes beside the instance's own.
    pub struct AmazonEbsSurrogateOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat image: ImageOptions,
        /// The source image.
        flat source: SourceOptions,
        /// The instance.
        flat instance: InstanceOptions,
        /// Tags of the instance's volumes.
        flat volume_tags: VolumeTagOptions,
        /// Spot instances.
        flat spot: SpotOptions,
        /// How instances of the image boot.
        flat firmware: FirmwareOptions,
        /// How to reach the instance.
        flat communicator: CommunicatorOptions,
        /// Which volume becomes the root of the image.
        hashed ami_root_device: Option<RootDeviceOptions>,
        /// Block devices of the instance.
        hashed launch_block_device_mappings: Vec<SurrogateDeviceOptions>,
        /// Further block devices of the image.
        hashed ami_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Exchanges the instance's root and has EC2 make the image, rather than registering it.
        hashed use_create_image: bool = false,
        /// Description of the snapshots.
        unhashed snapshot_description: Option<Deferred>,
        /// With `use_create_image`: leaves `run_tags` off the image.
        unhashed skip_ami_run_tags: bool = false,
    }
}

crate::options! {
    /// Which volume becomes the root of the image.
    pub struct RootDeviceOptions {
        /// The device as the instance has it.
        hashed source_device_name: Option<String>,
        /// The device as the image has it.
        hashed device_name: Option<String>,
        /// Whether the volume goes with the instance.
        hashed delete_on_termination: bool = false,
        /// I/O operations a second.
        hashed iops: Option<i64>,
        /// `gp3`, `io2` and so on.
        hashed volume_type: Option<String>,
        /// GiB.
        hashed volume_size: Option<i64>,
    }
}

crate::options! {
    /// A block device of the instance.
    pub struct SurrogateDeviceOptions {
        /// The device.
        flat device: BlockDeviceOptions,
        /// Leaves the volume out of the image.
        hashed omit_from_artifact: bool = false,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind {
        name: "amazon-ebssurrogate",
        schema: AmazonEbsSurrogateOptions::schema,
        plan,
    },
    prepare: None,
};

fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonEbsSurrogateOptions::schema();
    let decoded = planner.decode(schema, AmazonEbsSurrogateOptions::decode_options);
    let Some(options) = decoded else { return };
    not_run_yet(BUILDER.kind.name, planner);
    check_late(planner);
    check_access(&options.access, planner);
    options.source.check(planner);
    options.spot.check(planner);
    options.instance.check(&options.spot, &options.communicator, planner);
    options.image.check(&options.access, planner);
    options.firmware.check(planner);
    options.communicator.check(planner);
    let devices = options.launch_block_device_mappings.iter().map(|one| &one.device);
    BlockDeviceOptions::check_all("launch_block_device_mappings", devices, planner);
    let devices = &options.ami_block_device_mappings;
    BlockDeviceOptions::check_all("ami_block_device_mappings", devices, planner);
    if !planner.asks_for("ami_virtualization_type") {
        let text = "`ami_virtualization_type` is needed";
        planner.wrong("ami_virtualization_type", text, "`hvm` on all current instances");
    }
    check_root(&options, planner);
}

fn check_root(options: &AmazonEbsSurrogateOptions, planner: &mut Planner<'_>) {
    let Some(root) = &options.ami_root_device else {
        let help = "`ami_root_device { source_device_name = …, device_name = … }`";
        planner.wrong("ami_root_device", "a block `ami_root_device` is needed", help);
        return;
    };
    let at = |name: &str| format!("ami_root_device.0.{name}");
    for (name, value) in
        [("source_device_name", &root.source_device_name), ("device_name", &root.device_name)]
    {
        if value.as_ref().is_none_or(String::is_empty) {
            let text = format!("`{name}` is needed in `ami_root_device`");
            planner.wrong("ami_root_device", text, "such as `/dev/xvda`");
        }
    }
    for (name, value) in [("iops", root.iops), ("volume_size", root.volume_size)] {
        if value.is_some_and(|value| value < 0) {
            planner.wrong(&at(name), format!("`{name}` must not be negative"), "");
        }
    }
    if root.volume_type.as_deref() == Some("gp2") && root.iops.is_some_and(|iops| iops > 0) {
        planner.wrong(&at("iops"), "`iops` cannot be set with `volume_type` gp2", "");
    }
    let place = at("source_device_name");
    let wanted = root.source_device_name.as_deref().filter(|name| !name.is_empty());
    let Some(wanted) = wanted.filter(|_| !planner.is_late(&place)) else { return };
    let mut devices = options.launch_block_device_mappings.iter();
    match devices.find(|one| one.device.device_name == wanted) {
        None => {
            let text = format!("no `launch_block_device_mappings` has the device `{wanted}`");
            planner.wrong(&place, text, "the instance needs the volume that becomes the root");
        }
        Some(device) if device.omit_from_artifact => {
            let text = format!("`{wanted}` becomes the root and cannot be left out of the image");
            planner.wrong(&place, text, "remove `omit_from_artifact` from its mapping");
        }
        Some(_) => {}
    }
}
