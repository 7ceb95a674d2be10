//! RunInstances.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::block_device::{MappingRequest, merge};
use super::image::ImageState;
use super::image_creation::listing_only;
use super::instance::{AttachedVolume, Instance, InstanceState, MetadataOptions, ShutdownBehavior};
use super::network::Subnet;
use super::session::{ClientToken, Effect, Session};
use super::tag::{TagSpecification, tags_for};
use super::volume::{Attachment, Volume};
use super::{CloudError, InstanceType, id, instance_type};
use crate::aws::VcpuQuota;

/// At most this many instances at a time in a region: each is processes of this machine.
const INSTANCE_LIMIT: usize = 64;
/// At most this many vCPUs at a time, in a region and under each of EC2's quotas.
pub const VCPU_LIMIT: u64 = 256;
/// At most this much user data, decoded.
const USER_DATA_LIMIT: usize = 16_384;

/// RunInstances.
#[derive(Clone, Debug, Default)]
pub struct RunInstances {
    /// What to launch.
    pub image_id: String,
    /// `t3.micro`
    pub instance_type: String,
    /// At least this many, or none.
    pub min_count: i64,
    /// At most this many.
    pub max_count: i64,
    /// Which key may log in.
    pub key_name: Option<String>,
    /// Security groups by id.
    pub group_ids: Vec<String>,
    /// Security groups by name.
    pub group_names: Vec<String>,
    /// Where.
    pub subnet_id: Option<String>,
    /// The other form of the last three.
    pub interface: Option<Interface>,
    /// `us-east-1a`
    pub zone: Option<String>,
    /// `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
    /// In base64.
    pub user_data: Option<String>,
    /// Changes to the image's devices.
    pub block_devices: Vec<MappingRequest>,
    /// Instance metadata service.
    pub metadata: MetadataOptions,
    /// Name or ARN of an instance profile.
    pub profile: Option<String>,
    /// What happens at power-off.
    pub on_shutdown: ShutdownBehavior,
    /// EBS optimized.
    pub ebs_optimized: bool,
    /// Detailed monitoring.
    pub monitoring: bool,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Refuses TerminateInstances.
    pub disable_api_termination: bool,
    /// Refuses StopInstances.
    pub disable_api_stop: bool,
    /// For `instance`, `volume`, `network-interface`, …
    pub tags: Vec<TagSpecification>,
    /// Makes the call idempotent.
    pub token: Option<ClientToken>,
}

/// The first network interface of a launch.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// Where.
    pub subnet_id: Option<String>,
    /// Security groups by id.
    pub group_ids: Vec<String>,
    /// Whether it has a public address.
    pub public_address: Option<bool>,
}

/// What RunInstances can tag; the spot request and the like do not exist here.
const TAGGED: [&str; 5] =
    ["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"];

impl Session<'_> {
    /// RunInstances; gives the new instances.
    pub fn run_instances(&mut self, request: &RunInstances) -> Result<Vec<Instance>, CloudError> {
        if let Some(reservation) = self.token_result(request.token.as_ref())? {
            let same = |instance: &&Instance| instance.reservation_id == reservation;
            return Ok(self.region.instances.values().filter(same).cloned().collect());
        }
        let kind = instance_type::find(&request.instance_type)?;
        let count = self.count(request)?.min(self.count_by_vcpus(request, &kind)?);
        let image = self.image(&request.image_id)?;
        match &image.state {
            ImageState::Available => {}
            state => {
                return Err(CloudError::new(
                    "InvalidAMIID.Unavailable",
                    format!("The image ID '{}' is {}", image.id, state.name()),
                ));
            }
        }
        // A stand-in has no architecture of its own: the template knows what it asks for.
        if kind.architecture != image.architecture && !image.make_unknown_users {
            return Err(CloudError::invalid(format!(
                "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
                kind.architecture, image.architecture
            )));
        }
        let Some(root) = image.root.clone() else { return Err(listing_only(&image)) };
        let public_key = match &request.key_name {
            Some(name) => Some(self.key_pair(name)?.public_key.clone()),
            None => None,
        };
        let subnet = self.subnet_for_launch(request)?;
        let group_ids = self.groups_for_launch(request)?;
        check_user_data(request.user_data.as_deref())?;
        check_metadata(&request.metadata)?;
        let tenancy = request.tenancy.clone().unwrap_or_else(|| "default".to_owned());
        if !["default", "dedicated", "host"].contains(&tenancy.as_str()) {
            return Err(CloudError::invalid_value("Placement.Tenancy", &tenancy));
        }
        let profile = request.profile.as_deref();
        let profile = profile.map(|name| self.iam.profile_for_launch(name)).transpose()?;
        let tags = tags_for(&request.tags, "instance", &TAGGED)?;
        let volume_tags = tags_for(&request.tags, "volume", &TAGGED)?;
        let interface_tags = tags_for(&request.tags, "network-interface", &TAGGED)?;
        let devices = merge(&image.block_devices, &request.block_devices, |id| self.snapshot(id))?;

        let reservation_id = id::fresh("r");
        let mut launched = Vec::new();
        for launch_index in 0..count {
            let instance_id = id::fresh("i");
            let volumes = devices.iter().map(|device| {
                let volume = Volume {
                    id: id::fresh("vol"),
                    size: device.size,
                    volume_type: device.volume_type.clone(),
                    iops: device.iops,
                    throughput: device.throughput,
                    encrypted: device.encrypted,
                    kms_key_id: device.kms_key_id.clone(),
                    snapshot_id: device.snapshot.as_ref().map(|snapshot| snapshot.id.clone()),
                    zone: subnet.zone.name.clone(),
                    created: self.now,
                    attachment: Some(Attachment {
                        instance_id: instance_id.clone(),
                        device: device.device.clone(),
                        delete_on_termination: device.delete_on_termination,
                        attached: self.now,
                    }),
                    tags: volume_tags.clone(),
                };
                let attached = AttachedVolume {
                    device: device.device.clone(),
                    volume_id: volume.id.clone(),
                    delete_on_termination: device.delete_on_termination,
                    attached: self.now,
                };
                self.region.volumes.insert(volume.id.clone(), volume);
                attached
            });
            let volumes: Vec<AttachedVolume> = volumes.collect();
            let public_address =
                request.interface.as_ref().and_then(|i| i.public_address).unwrap_or(true);
            let instance = Instance {
                id: instance_id.clone(),
                reservation_id: reservation_id.clone(),
                launch_index,
                image_id: image.id.clone(),
                instance_type: kind.name.clone(),
                architecture: image.architecture.clone(),
                key_name: request.key_name.clone(),
                group_ids: group_ids.clone(),
                subnet_id: subnet.id.clone(),
                vpc_id: subnet.vpc_id.clone(),
                zone: subnet.zone.name.clone(),
                launched: self.now,
                state: InstanceState::Pending,
                state_reason: None,
                transition_reason: String::new(),
                root_device: image.root_device.clone(),
                volumes,
                on_shutdown: request.on_shutdown,
                metadata: request.metadata.clone(),
                profile: profile.clone(),
                association: profile.as_ref().map(|_| (id::fresh("iip-assoc"), self.now)),
                user_data: request.user_data.clone(),
                interface_id: id::fresh("eni"),
                interface_tags: interface_tags.clone(),
                public_address,
                client_token: request.token.as_ref().map(|token| token.token.clone()),
                ebs_optimized: request.ebs_optimized,
                ena_support: image.ena_support,
                sriov_net_support: image.sriov_net_support.clone(),
                boot_mode: image.boot_mode.clone(),
                imds_support: image.imds_support.clone(),
                tenancy: tenancy.clone(),
                monitoring: request.monitoring,
                spot_request_id: request.spot.then(|| id::fresh("sir")),
                source_dest_check: true,
                disable_api_termination: request.disable_api_termination,
                disable_api_stop: request.disable_api_stop,
                address: None,
                tags: tags.clone(),
                visible_at: self.visible_at,
                terminated: None,
                console: Vec::new(),
                root: root.clone(),
                users: image.users.clone(),
                make_unknown_users: image.make_unknown_users,
                public_key: public_key.clone(),
                machine: None,
                agent: None,
                operation: Arc::default(),
            };
            self.effects.push(Effect::Launch(instance_id.clone()));
            self.region.instances.insert(instance_id, instance.clone());
            launched.push(instance);
        }
        self.remember_token(request.token.as_ref(), &reservation_id);
        Ok(launched)
    }

    fn count(&self, request: &RunInstances) -> Result<i64, CloudError> {
        if request.min_count < 1 || request.max_count < request.min_count {
            return Err(CloudError::invalid(format!(
                "Value ({}) for parameter minCount is invalid. It must be at least 1 and at most maxCount ({}).",
                request.min_count, request.max_count
            )));
        }
        let live = self.region.instances.values().filter(|i| !i.state.is_terminated()).count();
        let free = i64::try_from(INSTANCE_LIMIT.saturating_sub(live)).unwrap_or(0);
        if request.min_count > free {
            return Err(CloudError::new(
                "InstanceLimitExceeded",
                format!(
                    "You have requested more instances ({}) than your current instance limit of {INSTANCE_LIMIT} allows.",
                    request.min_count
                ),
            ));
        }
        Ok(request.max_count.min(free))
    }

    /// How many instances the quota of vCPUs of on-demand instances has room for.
    fn count_by_vcpus(
        &self,
        request: &RunInstances,
        kind: &InstanceType,
    ) -> Result<i64, CloudError> {
        let Some(quota) = VcpuQuota::of(&kind.name).filter(|_| !request.spot) else {
            return Ok(i64::MAX);
        };
        let counts = |instance: &&Instance| {
            matches!(instance.state, InstanceState::Pending | InstanceState::Running)
                && instance.spot_request_id.is_none()
                && VcpuQuota::of(&instance.instance_type) == Some(quota)
        };
        let of = |name: &str| instance_type::find(name).map_or(0, |kind| u64::from(kind.vcpus));
        let live = self.region.instances.values().filter(counts);
        let used: u64 = live.map(|instance| of(&instance.instance_type)).sum();
        let free = VCPU_LIMIT.saturating_sub(used) / u64::from(kind.vcpus).max(1);
        let free = i64::try_from(free).unwrap_or(i64::MAX);
        if request.min_count > free {
            return Err(CloudError::new(
                "VcpuLimitExceeded",
                format!(
                    "You have requested more vCPU capacity than your current vCPU limit of {VCPU_LIMIT} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
                ),
            ));
        }
        Ok(free)
    }

    fn subnet_for_launch(&self, request: &RunInstances) -> Result<Subnet, CloudError> {
        let of_interface = request.interface.as_ref().and_then(|i| i.subnet_id.as_ref());
        if request.interface.is_some() && request.subnet_id.is_some() {
            return Err(CloudError::combination(
                "Network interfaces and an instance-level subnet ID may not be specified on the same request",
            ));
        }
        let zone = request.zone.as_deref();
        if let Some(id) = of_interface.or(request.subnet_id.as_ref()) {
            let subnet = self.subnet(id)?;
            if zone.is_some_and(|zone| zone != subnet.zone.name) {
                return Err(CloudError::invalid(format!(
                    "The specified availability zone does not match the one of subnet '{id}'"
                )));
            }
            return Ok(subnet.clone());
        }
        let mut subnets = self.region.subnets.iter();
        let found = match zone {
            Some(zone) => subnets.find(|subnet| subnet.zone.name == zone),
            None => subnets.next(),
        };
        found.cloned().ok_or_else(|| {
            CloudError::invalid(format!(
                "Invalid availability zone: [{}]",
                zone.unwrap_or_default()
            ))
        })
    }

    fn groups_for_launch(&self, request: &RunInstances) -> Result<Vec<String>, CloudError> {
        let given = !request.group_ids.is_empty() || !request.group_names.is_empty();
        if request.interface.is_some() && given {
            return Err(CloudError::combination(
                "Network interfaces and an instance-level security groups may not be specified on the same request",
            ));
        }
        let of_interface = request.interface.iter().flat_map(|interface| &interface.group_ids);
        let mut ids = Vec::new();
        for id in request.group_ids.iter().chain(of_interface) {
            ids.push(self.group(id)?.id.clone());
        }
        for name in &request.group_names {
            ids.push(self.group_by_name(name)?.id.clone());
        }
        if ids.is_empty() {
            ids.push(self.group_by_name("default")?.id.clone());
        }
        Ok(ids)
    }
}

fn check_user_data(user_data: Option<&str>) -> Result<(), CloudError> {
    let Some(text) = user_data else { return Ok(()) };
    let decoded = decode_user_data(text)?;
    if decoded.len() > USER_DATA_LIMIT {
        return Err(CloudError::invalid("User data is limited to 16384 bytes"));
    }
    Ok(())
}

/// User data as the machine gets it.
pub(crate) fn decode_user_data(text: &str) -> Result<Vec<u8>, CloudError> {
    let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).map_err(|_| CloudError::invalid("Invalid BASE64 encoding of user data."))
}

fn check_metadata(metadata: &MetadataOptions) -> Result<(), CloudError> {
    let on_off = ["enabled", "disabled"];
    if !["optional", "required"].contains(&metadata.tokens.as_str()) {
        return Err(CloudError::invalid_value("HttpTokens", &metadata.tokens));
    }
    if !on_off.contains(&metadata.endpoint.as_str()) {
        return Err(CloudError::invalid_value("HttpEndpoint", &metadata.endpoint));
    }
    if !on_off.contains(&metadata.tags.as_str()) {
        return Err(CloudError::invalid_value("InstanceMetadataTags", &metadata.tags));
    }
    if !(1..=64).contains(&metadata.hop_limit) {
        return Err(CloudError::invalid_value(
            "HttpPutResponseHopLimit",
            &metadata.hop_limit.to_string(),
        ));
    }
    Ok(())
}
