//! What can be wrong with the options before anything is asked of AWS.

use crate::diagnostic::Diagnostic;
use crate::plan::{Planner, Tree};

use super::{AmazonEbsOptions, BlockDeviceOptions, USER_DATA};

/// Options that are refused when they are given, with what to do instead where there is something.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("snapshot_copy_duration_minutes", ""),
    ("kms_key_id", ""),
    ("region_kms_key_ids", ""),
    ("fast_launch", ""),
    ("temporary_iam_instance_profile_policy_document", "set `iam_instance_profile`"),
    ("windows_password_timeout", ""),
    ("session_manager_port", ""),
    ("pause_before_ssm", ""),
    ("spot_instance_types", "set `instance_type`"),
    ("spot_allocation_strategy", ""),
    ("block_duration_minutes", ""),
    ("spot_tags", ""),
    ("spot_tag", ""),
    ("fleet_tags", ""),
    ("fleet_tag", ""),
];

/// Options whose values are needed before the source image is known, or that are not about the
/// build at all; everything else may only be known later.
const LATE: &[&str] = &[
    "ami_name",
    "ami_description",
    "tags",
    "tag",
    "snapshot_tags",
    "snapshot_tag",
    "run_tags",
    "run_tag",
    "run_volume_tags",
    "run_volume_tag",
];

/// The longest user data that EC2 takes, in bytes.
const USER_DATA_LIMIT: usize = 16 * 1024;

/// Plans a use of the builder: checks the options and names the files they use.
pub fn plan(planner: &mut Planner<'_>) {
    let schema = AmazonEbsOptions::schema();
    let Some(options) = planner.decode(&schema, AmazonEbsOptions::decode_options) else { return };
    for option in &schema.options {
        if planner.is_late(option.name) && !LATE.contains(&option.name) {
            let text = format!("`{}` is not known before the build runs", option.name);
            let finding = Diagnostic::error("late-option", text)
                .help("only names, descriptions and tags of this builder can use `build`");
            planner.error(option.name, finding);
        }
    }
    let mut check = Check { planner };
    check.unsupported(&options);
    check.given_up(&options);
    check.access(&options);
    check.source(&options);
    check.instance(&options);
    check.network(&options);
    check.image(&options);
    check.communicator(&options);
    check.devices("launch_block_device_mappings", &options.instance.launch_block_device_mappings);
    check.devices("ami_block_device_mappings", &options.image.ami_block_device_mappings);
    check.user_data(&options);
}

struct Check<'a, 'b> {
    planner: &'a mut Planner<'b>,
}

impl Check<'_, '_> {
    fn wrong(&mut self, option: &str, message: impl Into<String>, help: &str) {
        let finding = Diagnostic::error("wrong-option", message);
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.planner.error(option, finding.maybe_help(help));
    }

    /// Options that Packer still takes and does nothing with.
    fn given_up(&mut self, options: &AmazonEbsOptions) {
        if options.spot.spot_price_auto_product.is_some() {
            let finding = Diagnostic::warning(
                "no-effect",
                "`spot_price_auto_product` has no effect; Packer has given it up",
            );
            self.planner.error("spot_price_auto_product", finding.help("leave it out"));
        }
    }

    fn refused(&mut self, option: &str, help: &str) {
        let finding =
            Diagnostic::error("unsupported-option", format!("`{option}` is not supported yet"));
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.planner.unsupported(option, finding.maybe_help(help));
    }

    fn exclusive(&mut self, one: &str, other: &str) {
        if self.planner.is_given(one) && self.planner.is_given(other) {
            let text = format!("`{one}` and `{other}` exclude each other");
            self.wrong(other, text, "give one of them");
        }
    }

    fn one_of(&mut self, option: &str, value: Option<&str>, allowed: &[&str]) {
        if let Some(value) = value.filter(|value| !allowed.contains(value)) {
            let name = option.rsplit('.').next().unwrap_or(option);
            let text = format!("`{name}` cannot be `{value}`");
            let help = crate::diagnostic::did_you_mean(value, allowed.iter().copied())
                .unwrap_or_else(|| format!("one of {}", allowed.join(", ")));
            self.wrong(option, text, &help);
        }
    }

    fn unsupported(&mut self, options: &AmazonEbsOptions) {
        for (option, help) in UNSUPPORTED {
            if self.planner.is_given(option) {
                self.refused(option, help);
            }
        }
        let AmazonEbsOptions { access, image, instance, .. } = options;
        // A default that is written out asks for nothing.
        let flags = [
            ("skip_save_build_region", image.skip_save_build_region),
            ("encrypt_boot", image.encrypt_boot == Some(true)),
            (
                "temporary_security_group_source_public_ip",
                instance.temporary_security_group_source_public_ip
                    && instance.temporary_security_group_source_cidrs.is_empty(),
            ),
        ];
        for (option, is_set) in flags {
            if is_set {
                let help = match option {
                    "temporary_security_group_source_public_ip" => {
                        "set `temporary_security_group_source_cidrs`"
                    }
                    _ => "",
                };
                self.refused(option, help);
            }
        }
        let copies = image.ami_regions.iter().any(|one| access.region.as_ref() != Some(one));
        if copies {
            self.refused("ami_regions", "");
        }
        let price = options.spot.spot_price.as_deref();
        if price.is_some_and(|price| !matches!(price, "" | "0")) {
            self.refused("spot_price", "leave it out to launch on demand");
        }
    }

    fn access(&mut self, options: &AmazonEbsOptions) {
        for (option, finding) in options.access.problems() {
            self.planner.error(option, finding);
        }
        for (option, finding) in options.access.unsupported() {
            self.planner.unsupported(option, finding);
        }
    }

    fn source(&mut self, options: &AmazonEbsOptions) {
        let instance = &options.instance;
        let Some(filter) = &instance.source_ami_filter else {
            if instance.source_ami.as_ref().is_none_or(String::is_empty) {
                let help = "`source_ami = \"ami-…\"`, or a `source_ami_filter` block";
                self.wrong("source_ami", "a source image is needed", help);
            }
            return;
        };
        let has_id = instance.source_ami.is_some();
        if filter.owners.is_empty() && !has_id {
            let help = "`owners = [\"amazon\"]`, `[\"self\"]` or an account: without it anybody's image may match";
            self.wrong("source_ami_filter", "`source_ami_filter` needs `owners`", help);
        }
        if filter.filters.is_empty() && filter.filter.is_empty() && !has_id {
            self.wrong("source_ami_filter", "`source_ami_filter` has no filters", "");
        }
    }

    fn instance(&mut self, options: &AmazonEbsOptions) {
        let instance = &options.instance;
        let kind = instance.instance_type.as_deref().unwrap_or_default();
        if kind.is_empty() && options.spot.spot_instance_types.is_empty() {
            self.wrong(
                "instance_type",
                "`instance_type` is needed",
                "for example `instance_type = \"t3.micro\"`",
            );
        }
        self.one_of(
            "shutdown_behavior",
            instance.shutdown_behavior.as_deref(),
            &["stop", "terminate"],
        );
        let burstable =
            ["t2.", "t3.", "t3a.", "t4g."].iter().any(|family| kind.starts_with(family));
        let unlimited = if instance.enable_unlimited_credits {
            Some("enable_unlimited_credits")
        } else if instance.enable_t2_unlimited {
            Some("enable_t2_unlimited")
        } else {
            None
        };
        if let Some(option) = unlimited.filter(|_| !burstable && !kind.is_empty()) {
            self.wrong(option, format!("`{kind}` has no CPU credits"), "only t2, t3, t3a, t4g");
        }
        if instance.enable_nitro_enclave && kind.starts_with('t') {
            self.wrong("enable_nitro_enclave", format!("`{kind}` has no enclaves"), "");
        }
        self.exclusive("capacity_reservation_id", "capacity_reservation_group_arn");
        self.exclusive("capacity_reservation_id", "capacity_reservation_preference");
        self.exclusive("capacity_reservation_group_arn", "capacity_reservation_preference");
        self.one_of(
            "capacity_reservation_preference",
            instance.capacity_reservation_preference.as_deref(),
            &["none", "open"],
        );
        if let Some(metadata) = &instance.metadata_options {
            let switch = &["enabled", "disabled"];
            let at = |name: &str| format!("metadata_options.0.{name}");
            self.one_of(&at("http_endpoint"), metadata.http_endpoint.as_deref(), switch);
            let tokens = &["optional", "required"];
            self.one_of(&at("http_tokens"), metadata.http_tokens.as_deref(), tokens);
            let tags = metadata.instance_metadata_tags.as_deref();
            self.one_of(&at("instance_metadata_tags"), tags, switch);
            let limit = metadata.http_put_response_hop_limit;
            if limit.is_some_and(|limit| !(1..=64).contains(&limit)) {
                self.wrong(&at("http_put_response_hop_limit"), "must be from 1 to 64", "");
            }
        }
        let tenancies = &["default", "dedicated", "host"];
        self.one_of("tenancy", instance.tenancy.as_deref(), tenancies);
        if let Some(placement) = &instance.placement {
            self.one_of("placement.0.tenancy", placement.tenancy.as_deref(), tenancies);
            if placement.tenancy.is_some() && instance.tenancy.is_some() {
                self.wrong("tenancy", "`tenancy` is given here and in `placement`", "");
            }
            if placement.host_id.is_some() && placement.host_resource_group_arn.is_some() {
                let text = "`host_id` and `host_resource_group_arn` exclude each other";
                self.wrong("placement.0.host_id", text, "");
            }
            let on_host =
                placement.host_id.is_some() || placement.host_resource_group_arn.is_some();
            let tenancy = placement.tenancy.as_deref().or(instance.tenancy.as_deref());
            if on_host && tenancy.is_some_and(|tenancy| tenancy != "host") {
                self.wrong(
                    "placement.0.tenancy",
                    "a dedicated host needs `tenancy = \"host\"`",
                    "",
                );
            }
        }
    }

    fn network(&mut self, options: &AmazonEbsOptions) {
        let instance = &options.instance;
        self.exclusive("security_group_id", "security_group_ids");
        for (one, other) in [
            ("subnet_id", "subnet_filter"),
            ("vpc_id", "vpc_filter"),
            ("security_group_id", "security_group_filter"),
            ("security_group_ids", "security_group_filter"),
        ] {
            self.exclusive(one, other);
        }
        for cidr in &instance.temporary_security_group_source_cidrs {
            if !is_cidr(cidr) && cidr != "<unknown>" {
                let help = if cidr.contains('/') { "" } else { "a single address ends in `/32`" };
                let option = "temporary_security_group_source_cidrs";
                self.wrong(option, format!("`{cidr}` is no CIDR range"), help);
            }
        }
    }

    fn image(&mut self, options: &AmazonEbsOptions) {
        let image = &options.image;
        if let Some(name) = image.ami_name.as_ref().map(|name| name.text())
            && !name.contains("{{")
            && name != "<unknown>"
            && let Some(problem) = super::resolve::name_problem(name)
        {
            let help = "the function `clean_resource_name` replaces what is not allowed";
            self.wrong("ami_name", format!("`ami_name` {problem}"), help);
        }
        self.one_of("imds_support", image.imds_support.as_deref(), &["v2.0"]);
        for (option, groups) in
            [("ami_groups", &image.ami_groups), ("snapshot_groups", &image.snapshot_groups)]
        {
            for group in groups {
                self.one_of(option, Some(group), &["all"]);
            }
        }
        if let Some(at) = &image.deprecate_at
            && at.parse::<jiff::Timestamp>().is_err()
        {
            let help = "such as `2027-01-31T00:00:00Z`";
            self.wrong("deprecate_at", format!("`{at}` is no time in RFC 3339"), help);
        }
        if image.force_delete_snapshot && !image.force_deregister {
            let text = "`force_delete_snapshot` needs `force_deregister = true`";
            self.wrong("force_delete_snapshot", text, "");
        }
        if let Some("paravirtual") = image.ami_virtualization_type.as_deref() {
            for (option, is_set) in [
                ("ena_support", image.ena_support == Some(true)),
                ("sriov_support", image.sriov_support),
            ] {
                if is_set {
                    self.wrong(option, format!("`{option}` needs `hvm` virtualization"), "");
                }
            }
        }
    }

    fn communicator(&mut self, options: &AmazonEbsOptions) {
        let communicator = &options.communicator;
        communicator.check(self.planner);
        if communicator.kind() != "ssh" {
            return;
        }
        if communicator.temporary_key_pair_type == "ecdsa" {
            let text = "EC2 takes no ECDSA keys";
            self.planner.wrong("temporary_key_pair_type", text, "`ed25519` or `rsa`");
        }
        if communicator.ssh_keypair_name.is_some() && communicator.ssh_private_key_file.is_none() {
            let text = "`ssh_keypair_name` needs `ssh_private_key_file`";
            self.wrong("ssh_keypair_name", text, "leave both out to use a temporary key pair");
        }
        match options.instance.ssh_interface.as_deref() {
            Some("session_manager") => {
                let text = "`ssh_interface = \"session_manager\"` is not supported yet";
                self.planner.not_yet_because("ssh_interface", text, "");
            }
            other => self.one_of(
                "ssh_interface",
                other,
                &["", "public_ip", "private_ip", "public_dns", "private_dns", "ipv6"],
            ),
        }
    }

    fn devices(&mut self, option: &str, devices: &[BlockDeviceOptions]) {
        for (index, device) in devices.iter().enumerate() {
            for (name, message) in device.problems() {
                let path = format!("{option}.{index}.{name}");
                let path = if self.planner.is_given(&path) { path } else { option.to_owned() };
                self.wrong(&path, format!("`{name}`: {message}"), "");
            }
            if devices.iter().take(index).any(|one| one.device_name == device.device_name) {
                let path = format!("{option}.{index}.device_name");
                self.wrong(&path, format!("`{}` is mapped twice", device.device_name), "");
            }
        }
    }

    fn user_data(&mut self, options: &AmazonEbsOptions) {
        let instance = &options.instance;
        self.exclusive("user_data", "user_data_file");
        if let Some(file) = &instance.user_data_file
            && file != "<unknown>"
        {
            let path = crate::communicator::options::user_path(self.planner.directory(), file);
            match std::fs::read(&path) {
                Ok(bytes) if bytes.len() > USER_DATA_LIMIT => self.too_long(USER_DATA, bytes.len()),
                Ok(bytes) => self.planner.add_tree(USER_DATA, Tree::of_bytes(bytes, 0o644)),
                Err(error) => {
                    let text = format!("`{file}` cannot be read: {error}");
                    let help = self.planner.path_help();
                    self.wrong(USER_DATA, text, &help);
                }
            }
        }
        if let Some(text) = &instance.user_data
            && text.len() > USER_DATA_LIMIT
        {
            self.too_long("user_data", text.len());
        }
    }

    fn too_long(&mut self, option: &str, length: usize) {
        let text = format!("user data of {length} bytes; EC2 takes {USER_DATA_LIMIT}");
        self.wrong(option, text, "let it fetch the rest, or use a provisioner");
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => bits <= 32,
        Ok(std::net::IpAddr::V6(_)) => bits <= 128,
        Err(_) => false,
    }
}
