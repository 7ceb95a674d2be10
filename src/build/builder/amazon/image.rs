//! The image.

use std::collections::BTreeMap;

use super::check::{is_kms_key, name_problem};
use crate::aws::AccessOptions;
use crate::plan::Planner;
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

/// Options of the image that bake cannot do yet.
const UNSUPPORTED: &[&str] = &[
    "snapshot_copy_duration_minutes",
    "kms_key_id",
    "region_kms_key_ids",
    "skip_save_build_region",
];

impl ImageOptions {
    /// Reports what is wrong with them, and what bake cannot do yet.
    pub fn check(&self, access: &AccessOptions, planner: &mut Planner<'_>) {
        for option in UNSUPPORTED {
            if planner.asks_for(option) {
                planner.not_yet(option, "");
            }
        }
        if self.encrypt_boot == Some(true) {
            planner.not_yet("encrypt_boot", "");
        }
        if self.ami_regions.iter().any(|one| access.region.as_ref() != Some(one)) {
            planner.not_yet("ami_regions", "");
        }
        self.check_name(planner);
        self.check_keys(planner);
        self.check_sharing(planner);
        planner.one_of("imds_support", self.imds_support.as_deref(), &["v2.0"]);
        if let Some(at) = self.deprecate_at.as_ref().filter(|at| !at.is_empty())
            && at.parse::<jiff::Timestamp>().is_err()
        {
            let help = "such as `2027-01-31T00:00:00Z`";
            planner.wrong("deprecate_at", format!("`{at}` is no time in RFC 3339"), help);
        }
        if self.force_delete_snapshot && !self.force_deregister {
            let text = "`force_delete_snapshot` has no effect without `force_deregister = true`";
            planner.warn("no-effect", "force_delete_snapshot", text, "");
        }
        let virtualization = self.ami_virtualization_type.as_deref();
        planner.one_of("ami_virtualization_type", virtualization, &["hvm", "paravirtual"]);
        if virtualization == Some("paravirtual") {
            for option in ["ena_support", "sriov_support"] {
                if planner.asks_for(option) {
                    planner.wrong(option, format!("`{option}` needs `hvm` virtualization"), "");
                }
            }
        }
    }

    fn check_name(&self, planner: &mut Planner<'_>) {
        let name = self.ami_name.as_ref().map(Deferred::text);
        // What is filled in later can only be checked later.
        let known = name.filter(|name| !name.is_empty() && !name.contains("{{"));
        if planner.is_late("ami_name") {
            return;
        }
        if let Some((problem, help)) = known.and_then(name_problem) {
            planner.wrong("ami_name", format!("`ami_name` {problem}"), help);
        }
    }

    fn check_keys(&self, planner: &mut Planner<'_>) {
        let help = "an id, `alias/…` or an ARN";
        if let Some(key) = self.kms_key_id.as_ref().filter(|key| !key.is_empty()) {
            if !is_kms_key(key) {
                planner.wrong("kms_key_id", format!("`{key}` is no KMS key"), help);
            }
            if self.encrypt_boot != Some(true) && !planner.is_late("encrypt_boot") {
                let text = "`kms_key_id` needs `encrypt_boot = true`";
                planner.wrong("kms_key_id", text, "");
            }
        }
        let keys = &self.region_kms_key_ids;
        let mut given = keys.values().filter(|key| !key.is_empty());
        for key in given.clone().filter(|key| !is_kms_key(key)) {
            planner.wrong("region_kms_key_ids", format!("`{key}` is no KMS key"), help);
        }
        if given.next().is_some()
            && self.encrypt_boot != Some(true)
            && !planner.is_late("encrypt_boot")
        {
            let text = "`region_kms_key_ids` needs `encrypt_boot = true`";
            planner.wrong("region_kms_key_ids", text, "");
        }
        if keys.is_empty()
            || planner.is_late("region_kms_key_ids")
            || planner.is_late("ami_regions")
        {
            return;
        }
        for region in keys.keys().filter(|region| !self.ami_regions.contains(region)) {
            let text = format!("`{region}` has a key but is not in `ami_regions`");
            planner.wrong("region_kms_key_ids", text, "");
        }
        for region in self.ami_regions.iter().filter(|region| !keys.contains_key(*region)) {
            let text = format!("`{region}` has no key in `region_kms_key_ids`");
            planner.wrong("ami_regions", text, "an empty text stands for the region's own key");
        }
    }

    /// An image encrypted with the account's own default key is of no use to others.
    fn check_sharing(&self, planner: &mut Planner<'_>) {
        let has_key = planner.asks_for("kms_key_id") || planner.asks_for("region_kms_key_ids");
        let by_default = self.encrypt_boot == Some(true) && !has_key;
        let somewhere = self.region_kms_key_ids.values().any(String::is_empty);
        for option in ["ami_users", "ami_org_arns", "ami_ou_arns", "snapshot_users"] {
            if (by_default || somewhere) && planner.asks_for(option) {
                let text = "what is encrypted with a default key cannot be shared";
                planner.wrong(option, text, "name keys in `kms_key_id` or `region_kms_key_ids`");
            }
        }
        for (option, groups) in
            [("ami_groups", &self.ami_groups), ("snapshot_groups", &self.snapshot_groups)]
        {
            for group in groups {
                planner.one_of(option, Some(group), &["all"]);
            }
        }
    }
}
