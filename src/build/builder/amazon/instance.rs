//! The instance.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::is_cidr;
use super::image::KeyValue;
use super::{PolicyDocument, SpotOptions, SubnetFilterOptions, VpcFilterOptions};
use crate::communicator::CommunicatorOptions;
use crate::communicator::options::user_path;
use crate::plan::{Planner, Tree};
use crate::template::schema::Deferred;

crate::options! {
    /// The instance.
    pub struct InstanceOptions {
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
        /// Elastic address to give to the instance.
        unhashed elastic_ip_allocation_id: Option<String>,
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
        unhashed windows_password_timeout: Duration = Duration::from_secs(1200),
        /// How long to wait, before the first provisioner, for cloud-init and for package managers
        /// that are at work since the instance started; `0s` does not wait.
        unhashed readiness_timeout: Duration = Duration::from_secs(600),
        /// Which address to connect to: `public_ip`, `private_ip`, `public_dns`, `private_dns`, `ipv6`, `session_manager`.
        unhashed ssh_interface: Option<String>,
        /// Local port of the Session Manager.
        unhashed session_manager_port: Option<u16>,
        /// How long to wait before the Session Manager is used.
        unhashed pause_before_ssm: Option<Duration>,
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

/// The file of `user_data_file`, by the name under which a plan keeps it.
pub const USER_DATA: &str = "user_data_file";

/// The longest user data that EC2 takes, in bytes.
const USER_DATA_LIMIT: usize = 16 * 1024;

impl InstanceOptions {
    /// Reports what is wrong with them and what bake cannot do yet, and names the files they use.
    pub fn check(
        &self,
        spot: &SpotOptions,
        communicator: &CommunicatorOptions,
        planner: &mut Planner<'_>,
    ) {
        self.check_type(spot, planner);
        self.check_profile(planner);
        self.check_reservation(planner);
        self.check_metadata(planner);
        self.check_placement(planner);
        self.check_network(planner);
        self.check_interface(communicator, planner);
        self.check_user_data(planner);
        check_key_pair(communicator, planner);
    }

    fn check_type(&self, spot: &SpotOptions, planner: &mut Planner<'_>) {
        let kind = self.instance_type.as_deref().unwrap_or_default();
        if kind.is_empty() && !planner.asks_for("spot_instance_types") {
            let help = "for example `instance_type = \"t3.micro\"`";
            planner.wrong("instance_type", "`instance_type` is needed", help);
        }
        planner.exclusive("instance_type", "spot_instance_types");
        let behavior = self.shutdown_behavior.as_deref();
        planner.one_of("shutdown_behavior", behavior, &["stop", "terminate"]);
        if self.enable_t2_unlimited {
            let text = "`enable_t2_unlimited` is the old name of `enable_unlimited_credits`";
            planner.warn("deprecated", "enable_t2_unlimited", text, "use the new name");
        }
        let is_known = !kind.is_empty() && !planner.is_late("instance_type");
        let family = kind.split('.').next().unwrap_or_default();
        for option in ["enable_unlimited_credits", "enable_t2_unlimited"] {
            if !is_known || !planner.asks_for(option) {
                continue;
            }
            if !["t2", "t3", "t3a", "t4g"].contains(&family) {
                let text = format!("`{kind}` has no CPU credits");
                planner.wrong(option, text, "only t2, t3, t3a, t4g");
            } else if family == "t2" && spot.is_asked_for() {
                let text = "t2 spot instances have no unlimited credits";
                planner.wrong(option, text, "");
            }
        }
        if self.enable_nitro_enclave && is_known && kind.starts_with('t') {
            planner.wrong("enable_nitro_enclave", format!("`{kind}` has no enclaves"), "");
        }
        if self.enable_nitro_enclave && spot.is_asked_for() {
            planner.wrong("enable_nitro_enclave", "spot instances have no enclaves", "");
        }
        if planner.asks_for("elastic_ip_allocation_id") {
            planner.not_yet("elastic_ip_allocation_id", "");
        }
    }

    fn check_profile(&self, planner: &mut Planner<'_>) {
        let option = "temporary_iam_instance_profile_policy_document";
        if !planner.asks_for(option) {
            return;
        }
        if planner.asks_for("iam_instance_profile") {
            let text = format!("`{option}` has no effect beside `iam_instance_profile`");
            planner.warn("no-effect", option, text, "give one of them");
        }
    }

    fn check_reservation(&self, planner: &mut Planner<'_>) {
        planner.exclusive("capacity_reservation_id", "capacity_reservation_group_arn");
        planner.exclusive("capacity_reservation_id", "capacity_reservation_preference");
        planner.exclusive("capacity_reservation_group_arn", "capacity_reservation_preference");
        let preference = self.capacity_reservation_preference.as_deref();
        planner.one_of("capacity_reservation_preference", preference, &["none", "open"]);
    }

    fn check_metadata(&self, planner: &mut Planner<'_>) {
        let Some(metadata) = &self.metadata_options else { return };
        let switch = &["enabled", "disabled"];
        let at = |name: &str| format!("metadata_options.0.{name}");
        planner.one_of(&at("http_endpoint"), metadata.http_endpoint.as_deref(), switch);
        let tokens = &["optional", "required"];
        planner.one_of(&at("http_tokens"), metadata.http_tokens.as_deref(), tokens);
        let tags = metadata.instance_metadata_tags.as_deref();
        planner.one_of(&at("instance_metadata_tags"), tags, switch);
        // 0 is Packer's word for its default.
        let limit = metadata.http_put_response_hop_limit;
        if limit.is_some_and(|limit| !(0..=64).contains(&limit)) {
            planner.wrong(
                &at("http_put_response_hop_limit"),
                "`http_put_response_hop_limit` must be from 1 to 64",
                "",
            );
        }
    }

    fn check_placement(&self, planner: &mut Planner<'_>) {
        let tenancies = &["default", "dedicated", "host"];
        planner.one_of("tenancy", self.tenancy.as_deref(), tenancies);
        let Some(placement) = &self.placement else { return };
        planner.one_of("placement.0.tenancy", placement.tenancy.as_deref(), tenancies);
        let text = |option: &Option<String>| option.clone().filter(|text| !text.is_empty());
        let tenancy = text(&placement.tenancy);
        if tenancy.is_some() && planner.asks_for("tenancy") {
            let text = "`tenancy` is given here and in `placement`";
            planner.wrong("tenancy", text, "leave it out here");
        }
        let (host, group) = (text(&placement.host_id), text(&placement.host_resource_group_arn));
        if host.is_some() && group.is_some() {
            let text = "`host_id` and `host_resource_group_arn` exclude each other";
            planner.wrong("placement.0.host_id", text, "give one of them");
        }
        let tenancy = tenancy.or_else(|| text(&self.tenancy));
        if (host.is_some() || group.is_some()) && tenancy.is_some_and(|tenancy| tenancy != "host") {
            let text = "a dedicated host needs `tenancy = \"host\"`";
            planner.wrong("placement.0.tenancy", text, "");
        }
    }

    fn check_network(&self, planner: &mut Planner<'_>) {
        planner.exclusive("security_group_id", "security_group_ids");
        for (one, filter) in [
            ("subnet_id", "subnet_filter"),
            ("vpc_id", "vpc_filter"),
            ("security_group_id", "security_group_filter"),
            ("security_group_ids", "security_group_filter"),
        ] {
            if planner.asks_for(one) && planner.asks_for(filter) {
                let text = format!("`{filter}` has no effect beside `{one}`");
                planner.warn("no-effect", filter, text, "give one of them");
            }
        }
        let option = "temporary_security_group_source_cidrs";
        for cidr in self.temporary_security_group_source_cidrs.iter().filter(|one| !is_cidr(one)) {
            let help = if cidr.contains('/') { "" } else { "a single address ends in `/32`" };
            planner.wrong(option, format!("`{cidr}` is no CIDR range"), help);
        }
        let address = "temporary_security_group_source_public_ip";
        if self.temporary_security_group_source_public_ip {
            if planner.asks_for(option) {
                let text = format!("`{address}` has no effect beside `{option}`");
                planner.warn("no-effect", address, text, "give one of them");
            } else {
                planner.not_yet(address, &format!("set `{option}`"));
            }
        }
    }

    fn check_interface(&self, communicator: &CommunicatorOptions, planner: &mut Planner<'_>) {
        let interface = self.ssh_interface.as_deref();
        planner.one_of(
            "ssh_interface",
            interface,
            &["public_ip", "private_ip", "public_dns", "private_dns", "ipv6", "session_manager"],
        );
        communicator.check_effects(interface, planner);
        let managed = interface == Some("session_manager");
        if managed && !matches!(communicator.kind(), "ssh" | "ssm" | "winrm") {
            let text = "the Session Manager needs the communicator `ssh` or `winrm`";
            planner.wrong("ssh_interface", text, "");
        } else if planner.asks_for("ssh_interface") && communicator.kind() == "none" {
            let text = "`ssh_interface` has no effect with `communicator = \"none\"`";
            planner.warn("no-effect", "ssh_interface", text, "leave it out");
        }
        if planner.asks_for("session_manager_port") {
            let text = "`session_manager_port` has no effect: no port of this machine is used";
            planner.warn("no-effect", "session_manager_port", text, "leave it out");
        }
        let through_agent = managed || communicator.kind() == "ssm";
        if planner.asks_for("pause_before_ssm") && !through_agent {
            let text = "`pause_before_ssm` has no effect without the Session Manager";
            let help = "set `ssh_interface = \"session_manager\"`, or leave it out";
            planner.warn("no-effect", "pause_before_ssm", text, help);
        }
        let groups = ["security_group_id", "security_group_ids", "security_group_filter"];
        let why = match groups.iter().find(|option| planner.asks_for(option)) {
            _ if through_agent => "the agent of Systems Manager needs no open port".to_owned(),
            _ if communicator.kind() == "none" => "nothing is connected to".to_owned(),
            Some(group) => format!("with `{group}` no group is made"),
            None => return,
        };
        let option = "temporary_security_group_source_cidrs";
        if planner.asks_for(option) {
            let text = format!("`{option}` has no effect: {why}");
            planner.warn("no-effect", option, text, "leave it out");
        }
    }

    fn check_user_data(&self, planner: &mut Planner<'_>) {
        planner.exclusive("user_data", USER_DATA);
        let late = planner.is_late(USER_DATA);
        if let Some(file) = self.user_data_file.as_ref().filter(|file| !file.is_empty() && !late) {
            let path = user_path(planner.directory(), file);
            match std::fs::read(&path) {
                Ok(bytes) => {
                    check_length(USER_DATA, bytes.len(), planner);
                    planner.add_tree(USER_DATA, path, Tree::of_bytes(bytes, 0o644));
                }
                Err(error) => {
                    let text = format!("`{file}` cannot be read: {error}");
                    let help = planner.path_help();
                    planner.wrong(USER_DATA, text, &help);
                }
            }
        }
        if let Some(text) = &self.user_data {
            check_length("user_data", text.len(), planner);
        }
    }
}

fn check_length(option: &str, length: usize, planner: &mut Planner<'_>) {
    if length > USER_DATA_LIMIT {
        let text = format!("user data of {length} bytes; EC2 takes {USER_DATA_LIMIT}");
        planner.wrong(option, text, "let it fetch the rest, or use a provisioner");
    }
}

/// What EC2's key pairs ask of the communicator.
fn check_key_pair(communicator: &CommunicatorOptions, planner: &mut Planner<'_>) {
    if communicator.temporary_key_pair_type == "ecdsa" {
        let text = "EC2 takes no ECDSA keys";
        planner.wrong("temporary_key_pair_type", text, "`ed25519` or `rsa`");
    }
    if communicator.kind() == "winrm" && !planner.asks_for("winrm_password") {
        check_password_key(communicator, planner);
    }
    if !planner.asks_for("ssh_keypair_name") || planner.asks_for("ssh_private_key_file") {
        return;
    }
    match communicator.kind() {
        "ssh" if !planner.asks_for("ssh_agent_auth") => {
            let text = "`ssh_keypair_name` needs `ssh_private_key_file`";
            let help = "leave both out to use a temporary key pair";
            planner.wrong("ssh_keypair_name", text, help);
        }
        "winrm" if !planner.asks_for("winrm_password") => {
            let text = "`ssh_keypair_name` needs `ssh_private_key_file`";
            let help = "the key decrypts the password of the Windows instance";
            planner.wrong("ssh_keypair_name", text, help);
        }
        _ => {}
    }
}

/// What the key has to be that decrypts the password of a Windows instance.
fn check_password_key(communicator: &CommunicatorOptions, planner: &mut Planner<'_>) {
    // With the type given, its sizes have been checked.
    let is_rsa = communicator.temporary_key_pair_type == "rsa";
    let bits = communicator.temporary_key_pair_bits.filter(|bits| *bits > 0 && !is_rsa);
    if let Some(bits) = bits.filter(|bits| ![2048, 3072, 4096].contains(bits)) {
        let text = format!("no RSA key of {bits} bits");
        planner.wrong("temporary_key_pair_bits", text, "one of 2048, 3072, 4096");
    }
    if planner.asks_for("ssh_private_key_file") && !planner.asks_for("ssh_keypair_name") {
        let text = "`ssh_private_key_file` needs `ssh_keypair_name`";
        let help = "the password of a Windows instance is encrypted for the key pair that it is launched with; leave both out to use a temporary one, or give `winrm_password`";
        planner.wrong("ssh_private_key_file", text, help);
    }
}
