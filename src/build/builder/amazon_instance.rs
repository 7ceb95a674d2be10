//! `amazon-instance`: an image backed by instance store, bundled on the instance and kept in S3.

use super::Builder;
use super::amazon::{
    BlockDeviceOptions, ImageOptions, InstanceOptions, SourceOptions, SpotOptions, check_access,
    check_late, check_tpm, not_run_yet,
};
use crate::aws::AccessOptions;
use crate::communicator::CommunicatorOptions;
use crate::communicator::options::user_path;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

crate::options! {
    /// Options of the `amazon-instance` builder: an image backed by instance store.
    pub struct AmazonInstanceOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat image: ImageOptions,
        /// The source image.
        flat source: SourceOptions,
        /// The instance.
        flat instance: InstanceOptions,
        /// Spot instances.
        flat spot: SpotOptions,
        /// How to reach the instance.
        flat communicator: CommunicatorOptions,
        /// Block devices of the instance.
        hashed launch_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Block devices of the image.
        hashed ami_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Account that owns the bundle.
        unhashed account_id: Option<String>,
        /// Bucket for the bundle.
        unhashed s3_bucket: Option<String>,
        /// X.509 certificate of the account.
        unhashed x509_cert_path: Option<String>,
        /// Private key of the certificate.
        unhashed x509_key_path: Option<String>,
        /// Where both are put on the instance.
        unhashed x509_upload_path: String = "/tmp".to_owned(),
        /// Where the bundle is made on the instance.
        unhashed bundle_destination: String = "/tmp".to_owned(),
        /// Name of the bundle; `image-` and the time by default.
        unhashed bundle_prefix: Option<String>,
        /// Command that makes the bundle.
        hashed bundle_vol_command: Option<Deferred>,
        /// Command that uploads the bundle.
        unhashed bundle_upload_command: Option<Deferred>,
        /// `v2.0`: instances have a trusted platform module.
        hashed tpm_support: Option<String>,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "amazon-instance", schema: AmazonInstanceOptions::schema, plan },
    prepare: None,
};

fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonInstanceOptions::schema();
    let decoded = planner.decode(schema, AmazonInstanceOptions::decode_options);
    let Some(options) = decoded else { return };
    not_run_yet(BUILDER.kind.name, planner);
    check_late(planner);
    check_access(&options.access, planner);
    options.source.check(planner);
    options.spot.check(planner);
    options.instance.check(&options.spot, &options.communicator, planner);
    options.image.check(&options.access, planner);
    options.communicator.check(planner);
    check_tpm(options.tpm_support.as_deref(), planner);
    for (option, devices) in [
        ("launch_block_device_mappings", &options.launch_block_device_mappings),
        ("ami_block_device_mappings", &options.ami_block_device_mappings),
    ] {
        BlockDeviceOptions::check_all(option, devices, planner);
    }
    for option in ["account_id", "s3_bucket"] {
        if !planner.asks_for(option) {
            planner.wrong(option, format!("`{option}` is needed"), "");
        }
    }
    for (option, file) in
        [("x509_cert_path", &options.x509_cert_path), ("x509_key_path", &options.x509_key_path)]
    {
        check_file(option, file.as_deref().unwrap_or_default(), planner);
    }
}

fn check_file(option: &str, file: &str, planner: &mut Planner<'_>) {
    if file.is_empty() {
        planner.wrong(option, format!("`{option}` is needed"), "");
    } else if !planner.is_late(option)
        && let Err(error) = std::fs::metadata(user_path(planner.directory(), file))
    {
        let help = planner.path_help();
        planner.wrong(option, format!("`{file}` cannot be read: {error}"), &help);
    }
}
