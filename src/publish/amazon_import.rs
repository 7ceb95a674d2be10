//! `amazon-import`: an image made of a disk file.

use std::collections::BTreeMap;

use crate::aws::AccessOptions;
use crate::diagnostic::Diagnostic;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

use super::ROLE;

/// What a disk may be written as.
const FORMATS: &[&str] = &["ova", "raw", "vhd", "vhdx", "vmdk"];

crate::options! {
    /// Makes an image of a disk file, by way of S3.
    struct AmazonImportOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// Bucket that the disk goes through.
        unhashed s3_bucket_name: String,
        /// Its key there; `packer-import-{{timestamp}}.FORMAT` by default.
        unhashed s3_key_name: Option<Deferred>,
        /// Encryption in S3: `AES256` or `aws:kms`.
        unhashed s3_encryption: Option<String>,
        /// KMS key for `aws:kms`.
        unhashed s3_encryption_key: Option<String>,
        /// Format of the disk: `ova`, `raw`, `vhd`, `vhdx` or `vmdk`.
        unhashed format: String = "ova".to_owned(),
        /// Architecture of the image.
        unhashed architecture: String = "x86_64".to_owned(),
        /// `legacy-bios` or `uefi`; `uefi` on arm64, else `legacy-bios` by default.
        unhashed boot_mode: Option<String>,
        /// `linux` or `windows`; `uefi` needs it.
        unhashed platform: Option<String>,
        /// Licence of the operating system: `AWS` or `BYOL`.
        unhashed license_type: Option<String>,
        /// Role that imports; `vmimport` by default.
        unhashed role_name: Option<String>,
        /// Name of the image.
        unhashed ami_name: Option<Deferred>,
        /// Description of the image.
        unhashed ami_description: Option<Deferred>,
        /// Accounts that may launch the image.
        unhashed ami_users: Vec<String>,
        /// Groups that may launch the image; `all` makes it public.
        unhashed ami_groups: Vec<String>,
        /// Organizations that may launch the image.
        unhashed ami_org_arns: Vec<String>,
        /// Organizational units that may launch the image.
        unhashed ami_ou_arns: Vec<String>,
        /// `v2.0` makes instances ask the metadata service in its second version.
        unhashed imds_support: Option<String>,
        /// Whether the image is encrypted.
        unhashed ami_encrypt: bool = false,
        /// KMS key of the image.
        unhashed ami_kms_key: Option<String>,
        /// Tags of the image and its snapshots.
        unhashed tags: BTreeMap<String, Deferred>,
        /// Whether the disk stays in the bucket.
        unhashed skip_clean: bool = false,
        /// Whether the region is taken as it is.
        unhashed skip_region_validation: bool = false,
    }
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "amazon-import", schema: AmazonImportOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = AmazonImportOptions::schema();
    let Some(options) = planner.decode(schema, AmazonImportOptions::decode_options) else {
        return;
    };
    let usual_mode = if options.architecture == "arm64" { "uefi" } else { "legacy-bios" };
    planner.usual("boot_mode", &usual_mode.to_owned());
    for option in ["s3_key_name", "ami_name", "ami_description", "tags"] {
        planner.check_fields(option, &[]);
    }
    planner.set_title(format!("Importing through s3://{}", options.s3_bucket_name));
    if options.s3_bucket_name.is_empty() {
        let finding = Diagnostic::error("wrong-value", "`s3_bucket_name` is empty");
        planner.error("s3_bucket_name", finding);
    }
    planner.one_of("format", Some(&options.format), FORMATS);
    for (option, text, known) in [
        ("s3_encryption", &options.s3_encryption, &["AES256", "aws:kms"][..]),
        ("boot_mode", &options.boot_mode, &["legacy-bios", "uefi"][..]),
        ("platform", &options.platform, &["linux", "windows"][..]),
        ("imds_support", &options.imds_support, &["v2.0"][..]),
    ] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            planner.one_of(option, Some(text), known);
        }
    }
    together(planner, &options);
}

/// Options that only make sense with others.
fn together(planner: &mut Planner<'_>, options: &AmazonImportOptions) {
    let given = |option: &Option<String>| option.as_ref().is_some_and(|text| !text.is_empty());
    let wrong = |text: &str| Diagnostic::error("wrong-option", text);
    let by_key = options.s3_encryption.as_deref() == Some("aws:kms");
    if given(&options.s3_encryption_key) && !by_key && !planner.is_late("s3_encryption") {
        let finding = wrong("`s3_encryption_key` needs `s3_encryption = \"aws:kms\"`");
        planner.error("s3_encryption_key", finding);
    }
    let arm = options.architecture == "arm64";
    let mode = options.boot_mode.as_deref();
    if arm && mode == Some("legacy-bios") {
        planner.error("boot_mode", wrong("arm64 has no `legacy-bios`"));
    }
    let uefi = mode == Some("uefi") || (arm && mode.is_none());
    if uefi && !given(&options.platform) && !planner.is_late("platform") {
        let finding =
            wrong("`uefi` needs `platform`").help("`platform = \"linux\"` or `\"windows\"`");
        planner.error(if mode.is_some() { "boot_mode" } else { "architecture" }, finding);
    }
}
