//! The image.

use std::collections::BTreeMap;

use super::BlockDeviceOptions;
use crate::template::schema::Deferred;

crate::options! {
    /// A pair as a block.
    pub struct KeyValue {
        /// The key.
        unhashed key: Deferred,
        /// The value.
        unhashed value: Deferred,
    }
}

crate::options! {
    /// The image.
    pub struct ImageOptions {
        /// Name of the image; defaults to the source's name, `-`, and the first 12 digits of the image hash.
        unhashed ami_name: Option<Deferred>,
        /// Description of the image.
        unhashed ami_description: Option<Deferred>,
        /// `hvm` or `paravirtual`.
        hashed ami_virtualization_type: Option<String>,
        /// Accounts that may launch the image.
        unhashed ami_users: Vec<String>,
        /// `all` lets everybody launch the image.
        unhashed ami_groups: Vec<String>,
        /// Organizations that may launch the image.
        unhashed ami_org_arns: Vec<String>,
        /// Organizational units that may launch the image.
        unhashed ami_ou_arns: Vec<String>,
        /// Product codes of the image.
        unhashed ami_product_codes: Vec<String>,
        /// Regions to copy the image to.
        unhashed ami_regions: Vec<String>,
        /// Does not check the names of `ami_regions`.
        unhashed skip_region_validation: bool = false,
        /// Minutes that a copy may take.
        unhashed snapshot_copy_duration_minutes: Option<i64>,
        /// Tags for the image and its snapshots.
        unhashed tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed tag: Vec<KeyValue>,
        /// Turns ENA on or off.
        hashed ena_support: Option<bool>,
        /// Turns the older enhanced networking on.
        hashed sriov_support: bool = false,
        /// Replaces an own image of the same name.
        unhashed force_deregister: bool = false,
        /// With `force_deregister`: also deletes the old snapshots.
        unhashed force_delete_snapshot: bool = false,
        /// Encrypts the image by a copy.
        unhashed encrypt_boot: Option<bool>,
        /// KMS key for `encrypt_boot`.
        unhashed kms_key_id: Option<String>,
        /// KMS keys of the copies.
        unhashed region_kms_key_ids: BTreeMap<String, String>,
        /// Keeps only the copies.
        unhashed skip_save_build_region: bool = false,
        /// `v2.0`: instances of the image need IMDSv2.
        hashed imds_support: Option<String>,
        /// When the image is deprecated, in RFC 3339.
        unhashed deprecate_at: Option<String>,
        /// Protects the image from being deregistered.
        unhashed deregistration_protection: Option<ProtectionOptions>,
        /// Tags for the snapshots alone.
        unhashed snapshot_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed snapshot_tag: Vec<KeyValue>,
        /// Accounts that may use the snapshots.
        unhashed snapshot_users: Vec<String>,
        /// `all` lets everybody use the snapshots.
        unhashed snapshot_groups: Vec<String>,
        /// Stops after provisioning.
        unhashed skip_create_ami: bool = false,
        /// Leaves `run_tags` off the image.
        unhashed skip_ami_run_tags: bool = false,
        /// Leaves instance store volumes out of the image.
        hashed no_ephemeral: bool = false,
        /// Faster launches of Windows images.
        unhashed fast_launch: Option<FastLaunchOptions>,
        /// Block devices of the image.
        hashed ami_block_device_mappings: Vec<BlockDeviceOptions>,
    }
}

crate::options! {
    /// Protection from being deregistered.
    pub struct ProtectionOptions {
        /// Turns it on.
        unhashed enabled: bool = false,
        /// Keeps it on for a day after it was turned off.
        unhashed with_cooldown: bool = false,
    }
}

crate::options! {
    /// Faster launches of Windows images.
    pub struct FastLaunchOptions {
        /// Turns it on.
        unhashed enable_fast_launch: bool = false,
        /// Launch template by id.
        unhashed template_id: Option<String>,
        /// Launch template by name.
        unhashed template_name: Option<String>,
        /// Version of the launch template.
        unhashed template_version: Option<i64>,
        /// Launches at the same time.
        unhashed max_parallel_launches: Option<i64>,
        /// Prepared snapshots.
        unhashed target_resource_count: Option<i64>,
        /// Launch templates by region.
        unhashed region_launch_templates: Vec<FastLaunchTemplate>,
    }
}

crate::options! {
    /// A launch template of a region.
    pub struct FastLaunchTemplate {
        /// The region.
        unhashed region: String,
        /// Turns it on.
        unhashed enable_fast_launch: Option<bool>,
        /// Launch template by id.
        unhashed template_id: Option<String>,
        /// Launch template by name.
        unhashed template_name: Option<String>,
        /// Version of the launch template.
        unhashed template_version: Option<i64>,
    }
}
