//! `amazon-ebsvolume`: volumes that an instance has filled, and snapshots of them.

use std::collections::BTreeMap;

use super::Builder;
use super::amazon::{
    BlockDeviceOptions, InstanceOptions, KeyValue, SourceOptions, SpotOptions, check_access,
    check_late, not_run_yet,
};
use crate::aws::AccessOptions;
use crate::communicator::CommunicatorOptions;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

crate::options! {
    /// Options of the `amazon-ebsvolume` builder: volumes of an instance, with what it put there.
    pub struct AmazonEbsVolumeOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The source image.
        flat source: SourceOptions,
        /// The instance.
        flat instance: InstanceOptions,
        /// Tags for the instance's volumes while it runs.
        unhashed run_volume_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed run_volume_tag: Vec<KeyValue>,
        /// Spot instances.
        flat spot: SpotOptions,
        /// How to reach the instance.
        flat communicator: CommunicatorOptions,
        /// Turns ENA on or off.
        hashed ena_support: Option<bool>,
        /// Turns the older enhanced networking on.
        hashed sriov_support: bool = false,
        /// The volumes; those with `delete_on_termination = false` stay.
        hashed ebs_volumes: Vec<VolumeOptions>,
    }
}

crate::options! {
    /// A volume of the instance.
    pub struct VolumeOptions {
        /// The device.
        flat device: BlockDeviceOptions,
        /// Tags for the volume.
        unhashed tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed tag: Vec<KeyValue>,
        /// Makes a snapshot of the volume.
        hashed snapshot_volume: bool = false,
        /// Description of the snapshot.
        unhashed snapshot_description: Option<Deferred>,
        /// Tags for the snapshot.
        unhashed snapshot_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed snapshot_tag: Vec<KeyValue>,
        /// Accounts that may use the snapshot.
        unhashed snapshot_users: Vec<String>,
        /// `all` lets everybody use the snapshot.
        unhashed snapshot_groups: Vec<String>,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "amazon-ebsvolume", schema: AmazonEbsVolumeOptions::schema, plan },
    prepare: None,
};

fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonEbsVolumeOptions::schema();
    let decoded = planner.decode(schema, AmazonEbsVolumeOptions::decode_options);
    let Some(options) = decoded else { return };
    not_run_yet(BUILDER.kind.name, planner);
    check_late(planner);
    check_access(&options.access, planner);
    options.source.check(planner);
    options.spot.check(planner);
    options.instance.check(&options.spot, &options.communicator, planner);
    options.communicator.check(planner);
    let devices = options.ebs_volumes.iter().map(|volume| &volume.device);
    BlockDeviceOptions::check_all("ebs_volumes", devices, planner);
    for (index, volume) in options.ebs_volumes.iter().enumerate() {
        let at = |name: &str| format!("ebs_volumes.{index}.{name}");
        let place = at("snapshot_description");
        let has_description =
            volume.snapshot_description.as_ref().is_some_and(|one| !one.text().is_empty());
        if has_description && !volume.snapshot_volume && !planner.is_late(&at("snapshot_volume")) {
            let text = "`snapshot_description` needs `snapshot_volume = true`";
            planner.wrong(&place, text, "");
        }
        for group in &volume.snapshot_groups {
            planner.one_of(&at("snapshot_groups"), Some(group), &["all"]);
        }
    }
}
