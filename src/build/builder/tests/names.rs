//! The names of all options, as Packer's components list them (packer-plugin-amazon 1.8.2 and
//! packer 1.16.0, without those that Packer sets itself: `packer_build_name` and its kin).

use std::collections::BTreeSet;

use crate::template::schema::{Schema, Shape};

const ACCESS: &str =
    "access_key secret_key token region profile shared_credentials_file assume_role
    vault_aws_engine mfa_code custom_endpoint_ec2 max_retries insecure_skip_tls_verify
    skip_metadata_api_check skip_credential_validation decode_authorization_messages aws_polling";

const IMAGE: &str = "ami_name ami_description ami_virtualization_type ami_users ami_groups
    ami_org_arns ami_ou_arns ami_product_codes ami_regions skip_region_validation
    snapshot_copy_duration_minutes tags tag ena_support sriov_support force_deregister
    force_delete_snapshot encrypt_boot kms_key_id region_kms_key_ids skip_save_build_region
    imds_support deprecate_at deregistration_protection snapshot_tags snapshot_tag snapshot_users
    snapshot_groups";

const RUN: &str = "source_ami source_ami_filter instance_type iam_instance_profile
    skip_profile_validation temporary_iam_instance_profile_policy_document
    associate_public_ip_address elastic_ip_allocation_id availability_zone subnet_id subnet_filter
    vpc_id vpc_filter security_group_id security_group_ids security_group_filter
    temporary_security_group_source_cidrs temporary_security_group_source_public_ip user_data
    user_data_file run_tags run_tag shutdown_behavior disable_stop_instance ebs_optimized
    enable_nitro_enclave enable_unlimited_credits enable_t2_unlimited
    capacity_reservation_preference capacity_reservation_id capacity_reservation_group_arn
    license_specifications placement tenancy metadata_options windows_password_timeout
    ssh_interface session_manager_port pause_before_ssm";

const SPOT: &str = "spot_price spot_instance_types spot_allocation_strategy block_duration_minutes
    spot_tags spot_tag fleet_tags fleet_tag spot_price_auto_product";

const COMMUNICATOR: &str = "communicator pause_before_connecting ssh_host ssh_port ssh_username
    ssh_password ssh_private_key_file ssh_certificate_file ssh_keypair_name ssh_agent_auth
    temporary_key_pair_name temporary_key_pair_type temporary_key_pair_bits
    ssh_clear_authorized_keys ssh_timeout ssh_wait_timeout ssh_handshake_attempts ssh_pty
    ssh_disable_agent_forwarding ssh_ciphers ssh_key_exchange_algorithms ssh_file_transfer_method
    ssh_keep_alive_interval ssh_read_write_timeout ssh_bastion_host ssh_bastion_port
    ssh_bastion_username ssh_bastion_password ssh_bastion_interactive ssh_bastion_agent_auth
    ssh_bastion_private_key_file ssh_bastion_certificate_file ssh_proxy_host ssh_proxy_port
    ssh_proxy_username ssh_proxy_password ssh_local_tunnels ssh_remote_tunnels ssh_public_key
    ssh_private_key winrm_username winrm_password winrm_host winrm_port winrm_timeout winrm_use_ssl
    winrm_insecure winrm_use_ntlm winrm_no_proxy";

const FIRMWARE: &str = "ami_architecture boot_mode uefi_data tpm_support";

const VOLUME_TAGS: &str = "run_volume_tags run_volume_tag";

const MAPPINGS: &str = "launch_block_device_mappings ami_block_device_mappings";

const DEVICE: &str = "device_name delete_on_termination encrypted kms_key_id iops throughput
    volume_size volume_type snapshot_id no_device virtual_name";

const FILTER: &str = "filters filter";

const PAIR: &str = "key value";

/// A builder and its options.
const BUILDERS: &[(&str, &[&str])] = &[
    (
        "amazon-chroot",
        &[
            ACCESS,
            IMAGE,
            FIRMWARE,
            "source_ami source_ami_filter from_scratch ami_block_device_mappings root_device_name
             root_volume_size root_volume_type root_volume_tags root_volume_tag
             root_volume_encrypt_boot root_volume_kms_key_id device_path nvme_device_path mount_path
             mount_partition mount_options chroot_mounts copy_files command_wrapper
             pre_mount_commands post_mount_commands",
        ],
    ),
    (
        "amazon-ebs",
        &[
            ACCESS,
            IMAGE,
            RUN,
            SPOT,
            COMMUNICATOR,
            VOLUME_TAGS,
            MAPPINGS,
            "skip_create_ami skip_ami_run_tags no_ephemeral fast_launch",
        ],
    ),
    (
        "amazon-ebssurrogate",
        &[
            ACCESS,
            IMAGE,
            RUN,
            SPOT,
            COMMUNICATOR,
            VOLUME_TAGS,
            MAPPINGS,
            FIRMWARE,
            "ami_root_device use_create_image snapshot_description skip_ami_run_tags",
        ],
    ),
    (
        "amazon-ebsvolume",
        &[ACCESS, RUN, SPOT, COMMUNICATOR, VOLUME_TAGS, "ena_support sriov_support ebs_volumes"],
    ),
    (
        "amazon-instance",
        &[
            ACCESS,
            IMAGE,
            RUN,
            SPOT,
            COMMUNICATOR,
            MAPPINGS,
            "account_id s3_bucket x509_cert_path x509_key_path x509_upload_path bundle_destination
             bundle_prefix bundle_vol_command bundle_upload_command tpm_support",
        ],
    ),
    ("file", &["source content target"]),
    ("null", &[COMMUNICATOR]),
];

/// Blocks: a builder that has them, the path, whether they may be repeated, and what they hold.
const BLOCKS: &[(&str, &str, bool, &[&str])] = &[
    (
        "amazon-ebs",
        "assume_role",
        false,
        &["role_arn duration_seconds external_id policy policy_arns session_name tags
           transitive_tag_keys"],
    ),
    ("amazon-ebs", "vault_aws_engine", false, &["name role_arn ttl engine_name"]),
    ("amazon-ebs", "aws_polling", false, &["max_attempts delay_seconds"]),
    ("amazon-ebs", "deregistration_protection", false, &["enabled with_cooldown"]),
    ("amazon-ebs", "source_ami_filter", false, &[FILTER, "owners most_recent include_deprecated"]),
    ("amazon-ebs", "source_ami_filter.filter", true, &["name value"]),
    ("amazon-ebs", "subnet_filter", false, &[FILTER, "most_free random"]),
    ("amazon-ebs", "vpc_filter", false, &[FILTER]),
    ("amazon-ebs", "security_group_filter", false, &[FILTER]),
    ("amazon-ebs", "temporary_iam_instance_profile_policy_document", false, &["Version Statement"]),
    (
        "amazon-ebs",
        "temporary_iam_instance_profile_policy_document.Statement",
        true,
        &["Effect Action Resource"],
    ),
    ("amazon-ebs", "license_specifications", true, &["license_configuration_request"]),
    (
        "amazon-ebs",
        "license_specifications.license_configuration_request",
        false,
        &["license_configuration_arn"],
    ),
    ("amazon-ebs", "placement", false, &["host_resource_group_arn host_id tenancy"]),
    (
        "amazon-ebs",
        "metadata_options",
        false,
        &["http_endpoint http_tokens http_put_response_hop_limit instance_metadata_tags"],
    ),
    ("amazon-ebs", "launch_block_device_mappings", true, &[DEVICE]),
    ("amazon-ebs", "ami_block_device_mappings", true, &[DEVICE]),
    (
        "amazon-ebs",
        "fast_launch",
        false,
        &["enable_fast_launch template_id template_name template_version max_parallel_launches
           target_resource_count region_launch_templates"],
    ),
    (
        "amazon-ebs",
        "fast_launch.region_launch_templates",
        true,
        &["region enable_fast_launch template_id template_name template_version"],
    ),
    ("amazon-ebs", "tag", true, &[PAIR]),
    ("amazon-ebs", "snapshot_tag", true, &[PAIR]),
    ("amazon-ebs", "run_tag", true, &[PAIR]),
    ("amazon-ebs", "run_volume_tag", true, &["name value"]),
    ("amazon-ebs", "spot_tag", true, &[PAIR]),
    ("amazon-ebs", "fleet_tag", true, &[PAIR]),
    ("amazon-ebssurrogate", "launch_block_device_mappings", true, &[DEVICE, "omit_from_artifact"]),
    (
        "amazon-ebssurrogate",
        "ami_root_device",
        false,
        &["source_device_name device_name delete_on_termination iops volume_type volume_size"],
    ),
    ("amazon-ebsvolume", "run_volume_tag", true, &[PAIR]),
    (
        "amazon-ebsvolume",
        "ebs_volumes",
        true,
        &[
            DEVICE,
            "tags tag snapshot_volume snapshot_description snapshot_tags snapshot_tag
             snapshot_users snapshot_groups",
        ],
    ),
    ("amazon-ebsvolume", "ebs_volumes.tag", true, &[PAIR]),
    ("amazon-chroot", "root_volume_tag", true, &[PAIR]),
];

/// Options that Packer's builders do not have.
const OWN: &str = "readiness_timeout ssm_bucket ssm_bucket_prefix";

fn names(groups: &[&str]) -> BTreeSet<String> {
    groups.iter().flat_map(|group| group.split_whitespace()).map(str::to_owned).collect()
}

fn declared(schema: &Schema) -> BTreeSet<String> {
    schema.options.iter().map(|option| option.name.to_owned()).collect()
}

fn schema_of(builder: &str) -> &'static Schema {
    let kind = crate::build::KINDS.iter().find(|kind| kind.name == builder);
    (kind.unwrap_or_else(|| panic!("no builder {builder}")).schema)()
}

#[test]
fn every_builder_has_the_options_of_packer() {
    let known: Vec<_> = BUILDERS.iter().map(|(name, _)| *name).collect();
    let registered: Vec<_> = crate::build::KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(known, registered);
    for (builder, groups) in BUILDERS {
        let schema = schema_of(builder);
        let own = names(&[OWN]);
        let shared: BTreeSet<_> = declared(schema).difference(&own).cloned().collect();
        assert_eq!(shared, names(groups), "{builder}");
        assert_eq!(declared(schema).len(), schema.options.len(), "{builder}: one declared twice");
        assert!(schema.options.iter().all(|option| !option.doc.is_empty()), "{builder}");
    }
}

#[test]
fn blocks_are_blocks() {
    for (builder, path, repeated, groups) in BLOCKS {
        let mut schema = schema_of(builder);
        let mut may_repeat = false;
        for name in path.split('.') {
            let option = schema.options.iter().find(|option| option.name == name);
            let option = option.unwrap_or_else(|| panic!("{builder}: no {path}"));
            let Shape::Block { schema: inner, repeated } = option.shape else {
                panic!("{builder}: {path} is no block");
            };
            (schema, may_repeat) = (inner(), repeated);
        }
        assert_eq!(declared(schema), names(groups), "{builder}: {path}");
        assert_eq!(may_repeat, *repeated, "{builder}: {path}");
    }
}
