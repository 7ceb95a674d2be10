//! `amazon-chroot`: an image of a volume that is attached to the instance on which bake runs.

use std::collections::BTreeMap;

use super::Builder;
use super::amazon::{
    BlockDeviceOptions, FirmwareOptions, ImageOptions, KeyValue, SourceOptions, check_access,
    check_late, not_run_yet,
};
use crate::aws::AccessOptions;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

crate::options! {
    /// Options of the `amazon-chroot` builder: an image without a second instance.
    pub struct AmazonChrootOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat image: ImageOptions,
        /// The source image.
        flat source: SourceOptions,
        /// How instances of the image boot.
        flat firmware: FirmwareOptions,
        /// Starts with an empty volume rather than with a source image.
        hashed from_scratch: bool = false,
        /// Block devices of the image.
        hashed ami_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Root device of the image.
        hashed root_device_name: Option<String>,
        /// GiB of the root volume.
        hashed root_volume_size: Option<i64>,
        /// Type of the root volume.
        hashed root_volume_type: Option<String>,
        /// Tags for the root volume.
        unhashed root_volume_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed root_volume_tag: Vec<KeyValue>,
        /// Whether the root volume is encrypted.
        hashed root_volume_encrypt_boot: Option<bool>,
        /// KMS key of the root volume.
        hashed root_volume_kms_key_id: Option<String>,
        /// Device under which the volume is attached; a free one by default.
        unhashed device_path: Option<String>,
        /// Device of the volume where it appears as NVMe.
        unhashed nvme_device_path: Option<String>,
        /// Where the volume is mounted.
        unhashed mount_path: Deferred =
            Deferred::new("/mnt/packer-amazon-chroot-volumes/{{.Device}}"),
        /// Partition to mount; `0` stands for the whole device.
        hashed mount_partition: String = "1".to_owned(),
        /// Options of `mount`.
        hashed mount_options: Vec<String>,
        /// What else is mounted: type, source and place in the volume.
        hashed chroot_mounts: Vec<Vec<String>> = default_mounts(),
        /// Files that are lent to the volume; `/etc/resolv.conf` unless it starts empty.
        unhashed copy_files: Option<Vec<String>>,
        /// How commands are run on this machine.
        unhashed command_wrapper: Deferred = Deferred::new("{{.Command}}"),
        /// Commands before the volume is mounted.
        hashed pre_mount_commands: Vec<Deferred>,
        /// Commands once it is mounted.
        hashed post_mount_commands: Vec<Deferred>,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "amazon-chroot", schema: AmazonChrootOptions::schema, plan },
    prepare: None,
};

fn default_mounts() -> Vec<Vec<String>> {
    let mounts = [
        ["proc", "proc", "/proc"],
        ["sysfs", "sysfs", "/sys"],
        ["bind", "/dev", "/dev"],
        ["devpts", "devpts", "/dev/pts"],
        ["binfmt_misc", "binfmt_misc", "/proc/sys/fs/binfmt_misc"],
    ];
    mounts.iter().map(|mount| mount.iter().map(|part| (*part).to_owned()).collect()).collect()
}

fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonChrootOptions::schema();
    let decoded = planner.decode(schema, AmazonChrootOptions::decode_options);
    let Some(options) = decoded else { return };
    not_run_yet(BUILDER.kind.name, planner);
    check_late(planner);
    check_access(&options.access, planner);
    options.image.check(&options.access, planner);
    options.firmware.check(planner);
    let devices = &options.ami_block_device_mappings;
    BlockDeviceOptions::check_all("ami_block_device_mappings", devices, planner);
    match options.from_scratch {
        // Either may be wanted.
        _ if planner.is_late("from_scratch") => {}
        true => check_from_scratch(planner),
        false => {
            options.source.check(planner);
            check_root(planner);
        }
    }
    check_root_volume(&options, planner);
    for mount in options.chroot_mounts.iter().filter(|mount| mount.len() != 3) {
        let text = format!("a mount has three parts, not {}", mount.len());
        planner.wrong(
            "chroot_mounts",
            text,
            "type, source and place: `[\"bind\", \"/dev\", \"/dev\"]`",
        );
    }
}

fn check_from_scratch(planner: &mut Planner<'_>) {
    for option in [
        "root_volume_size",
        "pre_mount_commands",
        "ami_virtualization_type",
        "root_device_name",
        "ami_block_device_mappings",
    ] {
        if !planner.asks_for(option) {
            let text = format!("`{option}` is needed with `from_scratch = true`");
            planner.wrong(option, text, "");
        }
    }
    for option in ["source_ami", "source_ami_filter"] {
        if planner.asks_for(option) {
            let text = format!("`{option}` has no effect with `from_scratch = true`");
            planner.warn("no-effect", option, text, "leave it out");
        }
    }
}

/// Block devices of the source image are taken over, or given anew as a whole.
fn check_root(planner: &mut Planner<'_>) {
    let (mappings, root) = ("ami_block_device_mappings", "root_device_name");
    match (planner.asks_for(mappings), planner.asks_for(root)) {
        (true, true) if !planner.asks_for("root_volume_size") => {
            let text = format!("`root_volume_size` is needed with `{mappings}`");
            planner.wrong("root_volume_size", text, "");
        }
        (true, false) => {
            planner.wrong(mappings, format!("`{mappings}` needs `{root}`"), "");
        }
        (false, true) => {
            planner.wrong(root, format!("`{root}` needs `{mappings}`"), "");
        }
        _ => {}
    }
}

fn check_root_volume(options: &AmazonChrootOptions, planner: &mut Planner<'_>) {
    if options.root_volume_size.is_some_and(|size| size < 0) {
        planner.wrong("root_volume_size", "`root_volume_size` must not be negative", "");
    }
    if options.root_volume_encrypt_boot == Some(false) && planner.asks_for("root_volume_kms_key_id")
    {
        let text = "a volume that is not encrypted has no key";
        planner.wrong("root_volume_kms_key_id", text, "`root_volume_encrypt_boot = true`");
    }
}
