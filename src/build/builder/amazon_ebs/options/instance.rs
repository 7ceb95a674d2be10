//! The instance.

use std::collections::BTreeMap;
use std::time::Duration;

use super::image::KeyValue;
use super::{
    BlockDeviceOptions, PolicyDocument, SourceFilterOptions, SubnetFilterOptions, VpcFilterOptions,
};
use crate::template::schema::Deferred;

crate::options! {
    /// The instance.
    pub struct InstanceOptions {
        /// Source image by id, or `resolve:ssm:` and the name of a parameter that holds it.
        hashed source_ami: Option<String>,
        /// Source image by a filter.
        hashed source_ami_filter: Option<SourceFilterOptions>,
        /// Instance type, such as `t3.micro`.
        hashed instance_type: Option<String>,
        /// Name of an instance profile.
        unhashed iam_instance_profile: Option<String>,
        /// Does not check that the instance profile exists.
        unhashed skip_profile_validation: bool = false,
        /// Policy of a temporary instance profile.
        unhashed temporary_iam_instance_profile_policy_document: Option<PolicyDocument>,
        /// Whether the instance gets a public address.
        unhashed associate_public_ip_address: Option<bool>,
        /// Zone to launch in.
        unhashed availability_zone: Option<String>,
        /// Subnet to launch in.
        unhashed subnet_id: Option<String>,
        /// Looks for a subnet.
        unhashed subnet_filter: Option<SubnetFilterOptions>,
        /// VPC to launch in.
        unhashed vpc_id: Option<String>,
        /// Looks for a VPC.
        unhashed vpc_filter: Option<VpcFilterOptions>,
        /// Security group instead of a temporary one.
        unhashed security_group_id: Option<String>,
        /// Security groups instead of a temporary one.
        unhashed security_group_ids: Vec<String>,
        /// Looks for security groups.
        unhashed security_group_filter: Option<VpcFilterOptions>,
        /// Who may connect by the temporary group; everybody by default.
        unhashed temporary_security_group_source_cidrs: Vec<String>,
        /// Lets only this machine's public address connect.
        unhashed temporary_security_group_source_public_ip: bool = false,
        /// User data.
        hashed user_data: Option<String>,
        /// File with user data.
        unhashed user_data_file: Option<String>,
        /// Tags for everything that the build makes.
        unhashed run_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed run_tag: Vec<KeyValue>,
        /// Tags for the instance's volumes.
        unhashed run_volume_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed run_volume_tag: Vec<NamedText>,
        /// What a shutdown from inside does: `stop` or `terminate`; by default it terminates, unless `disable_stop_instance` is set.
        unhashed shutdown_behavior: Option<String>,
        /// The template's own steps stop the instance.
        unhashed disable_stop_instance: bool = false,
        /// Gives the instance EBS bandwidth of its own.
        unhashed ebs_optimized: bool = false,
        /// Turns Nitro enclaves on.
        hashed enable_nitro_enclave: bool = false,
        /// Unlimited CPU credits of burstable types.
        unhashed enable_unlimited_credits: bool = false,
        /// Old name of `enable_unlimited_credits`.
        unhashed enable_t2_unlimited: bool = false,
        /// `none` or `open`.
        unhashed capacity_reservation_preference: Option<String>,
        /// Capacity reservation to launch in.
        unhashed capacity_reservation_id: Option<String>,
        /// Group of capacity reservations to launch in.
        unhashed capacity_reservation_group_arn: Option<String>,
        /// Licenses.
        unhashed license_specifications: Vec<LicenseOptions>,
        /// Where in the zone.
        unhashed placement: Option<PlacementOptions>,
        /// Old place of `placement.tenancy`.
        unhashed tenancy: Option<String>,
        /// The instance's metadata service.
        hashed metadata_options: Option<MetadataOptionsBlock>,
        /// How long to wait for a Windows password.
        unhashed windows_password_timeout: Option<Duration>,
        /// Which address to connect to: `public_ip`, `private_ip`, `public_dns`, `private_dns`, `ipv6`, `session_manager`.
        unhashed ssh_interface: Option<String>,
        /// Local port of the Session Manager.
        unhashed session_manager_port: Option<u16>,
        /// How long to wait before the Session Manager is used.
        unhashed pause_before_ssm: Option<Duration>,
        /// Block devices of the instance.
        hashed launch_block_device_mappings: Vec<BlockDeviceOptions>,
    }
}

crate::options! {
    /// A tag as a block with `name` in place of `key`.
    pub struct NamedText {
        /// The key.
        unhashed name: Deferred,
        /// The value.
        unhashed value: Deferred,
    }
}

crate::options! {
    /// A license.
    pub struct LicenseOptions {
        /// The license configuration.
        unhashed license_configuration_request: LicenseRequest,
    }
}

crate::options! {
    /// A license configuration.
    pub struct LicenseRequest {
        /// Its ARN.
        unhashed license_configuration_arn: String,
    }
}

crate::options! {
    /// Where in the zone.
    pub struct PlacementOptions {
        /// Group of dedicated hosts.
        unhashed host_resource_group_arn: Option<String>,
        /// Dedicated host.
        unhashed host_id: Option<String>,
        /// `default`, `dedicated` or `host`.
        unhashed tenancy: Option<String>,
    }
}

crate::options! {
    /// The instance's metadata service.
    pub struct MetadataOptionsBlock {
        /// `enabled` or `disabled`.
        hashed http_endpoint: Option<String>,
        /// `optional` or `required`.
        hashed http_tokens: Option<String>,
        /// 1 to 64.
        hashed http_put_response_hop_limit: Option<i32>,
        /// `enabled` or `disabled`.
        hashed instance_metadata_tags: Option<String>,
    }
}
