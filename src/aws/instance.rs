//! Instances.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types;
use futures::FutureExt as _;

use super::pages::{described, page_size};
use super::query::{devices, filters, list};
use super::tag::{from_sdk, specification};
use super::{AwsError, BlockDevice, Client, Filter, Tags};

/// An instance to launch.
#[derive(Clone, Debug, Default)]
pub struct RunInstance {
    /// The source image.
    pub image_id: String,
    /// Such as `t3.micro`.
    pub instance_type: String,
    /// Makes a repeated call harmless: the same token gives the same instance.
    pub client_token: String,
    /// The key pair for its login user.
    pub key_name: Option<String>,
    /// Base64.
    pub user_data: Option<String>,
    /// Where in the network.
    pub network: NetworkInterface,
    /// Name of an instance profile.
    pub instance_profile: Option<String>,
    /// Devices that differ from the image's.
    pub devices: Vec<BlockDevice>,
    /// Where in the zone.
    pub placement: Placement,
    /// Whether its EBS bandwidth is its own.
    pub ebs_optimized: bool,
    /// Whether Nitro enclaves are on.
    pub enclave: bool,
    /// CPU credits of the burstable types.
    pub credits: Option<Credits>,
    /// Its metadata service.
    pub metadata: MetadataOptions,
    /// What a shutdown from inside does: `stop` or `terminate`.
    pub shutdown_behavior: String,
    /// License configurations.
    pub license_configuration_arns: Vec<String>,
    /// `open` or `none`.
    pub capacity_reservation_preference: Option<String>,
    /// A capacity reservation.
    pub capacity_reservation_id: Option<String>,
    /// A group of capacity reservations.
    pub capacity_reservation_group_arn: Option<String>,
    /// Tags for the instance and its network interface.
    pub tags: Tags,
    /// Tags for its volumes.
    pub volume_tags: Tags,
}

/// Where an instance is in the network.
#[derive(Clone, Debug, Default)]
pub struct NetworkInterface {
    /// The subnet; the default one of the zone when `None`.
    pub subnet_id: Option<String>,
    /// Its security groups.
    pub security_group_ids: Vec<String>,
    /// Whether it gets a public address; as the subnet has it when `None`.
    pub public_address: Option<bool>,
}

/// Where an instance is in the zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The zone.
    pub availability_zone: Option<String>,
    /// `default`, `dedicated`, `host`.
    pub tenancy: Option<String>,
    /// A dedicated host.
    pub host_id: Option<String>,
    /// A group of dedicated hosts.
    pub host_resource_group_arn: Option<String>,
}

/// CPU credits of the burstable types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credits {
    /// The baseline.
    Standard,
    /// Beyond it, for money.
    Unlimited,
}

/// The metadata service; what is `None` is the image's or account's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataOptions {
    /// `enabled` or `disabled`.
    pub http_endpoint: Option<String>,
    /// `optional` or `required`.
    pub http_tokens: Option<String>,
    /// 1 to 64.
    pub http_put_response_hop_limit: Option<i32>,
    /// `enabled` or `disabled`.
    pub instance_metadata_tags: Option<String>,
}

impl MetadataOptions {
    fn to_sdk(&self) -> Option<types::InstanceMetadataOptionsRequest> {
        (*self != Self::default()).then(|| {
            types::InstanceMetadataOptionsRequest::builder()
                .set_http_endpoint(
                    self.http_endpoint.as_deref().map(types::InstanceMetadataEndpointState::from),
                )
                .set_http_tokens(self.http_tokens.as_deref().map(types::HttpTokensState::from))
                .set_http_put_response_hop_limit(self.http_put_response_hop_limit)
                .set_instance_metadata_tags(
                    self.instance_metadata_tags
                        .as_deref()
                        .map(types::InstanceMetadataTagsState::from),
                )
                .build()
        })
    }
}

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`.
    pub state: String,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// Public IPv4 address.
    pub public_ip: Option<String>,
    /// Private IPv4 address.
    pub private_ip: Option<String>,
    /// Public DNS name.
    pub public_dns: Option<String>,
    /// Private DNS name.
    pub private_dns: Option<String>,
    /// IPv6 address.
    pub ipv6: Option<String>,
    /// Its zone.
    pub availability_zone: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its EBS volumes.
    pub volume_ids: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Instance {
    fn from_sdk(instance: types::Instance) -> Option<Self> {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Some(Self {
            id: instance.instance_id?,
            state: instance
                .state
                .and_then(|state| state.name)
                .map(|name| name.as_str().to_owned())
                .unwrap_or_default(),
            state_reason: instance
                .state_reason
                .and_then(|reason| reason.message)
                .or(text(instance.state_transition_reason)),
            public_ip: text(instance.public_ip_address),
            private_ip: text(instance.private_ip_address),
            public_dns: text(instance.public_dns_name),
            private_dns: text(instance.private_dns_name),
            ipv6: text(instance.ipv6_address).or_else(|| {
                instance
                    .network_interfaces
                    .iter()
                    .flatten()
                    .flat_map(|interface| interface.ipv6_addresses())
                    .find_map(|address| address.ipv6_address.clone())
            }),
            availability_zone: instance.placement.and_then(|placement| placement.availability_zone),
            vpc_id: instance.vpc_id,
            volume_ids: instance
                .block_device_mappings
                .unwrap_or_default()
                .into_iter()
                .filter_map(|mapping| mapping.ebs?.volume_id)
                .collect(),
            tags: from_sdk(instance.tags),
        })
    }

    /// Whether it is gone or on its way there.
    pub fn is_ending(&self) -> bool {
        matches!(self.state.as_str(), "shutting-down" | "terminated")
    }
}

impl Client {
    /// Launches one instance.
    pub async fn run_instance(&self, run: &RunInstance) -> Result<Instance, AwsError> {
        self.run_instances_call(run)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "RunInstances", Some(&run.image_id), error))?
            .instances
            .unwrap_or_default()
            .into_iter()
            .find_map(Instance::from_sdk)
            .ok_or_else(|| self.incomplete("ec2", "RunInstances", "instance"))
    }

    /// The call, with all its parameters.
    pub(super) fn run_instances_call(&self, run: &RunInstance) -> RunInstancesFluentBuilder {
        let tags: Vec<_> = specification(types::ResourceType::Instance, &run.tags)
            .into_iter()
            .chain(specification(types::ResourceType::NetworkInterface, &run.tags))
            .chain(specification(types::ResourceType::Volume, &run.volume_tags))
            .collect();
        let placement = (run.placement != Placement::default()).then(|| {
            types::Placement::builder()
                .set_availability_zone(run.placement.availability_zone.clone())
                .set_tenancy(run.placement.tenancy.as_deref().map(types::Tenancy::from))
                .set_host_id(run.placement.host_id.clone())
                .set_host_resource_group_arn(run.placement.host_resource_group_arn.clone())
                .build()
        });
        let mut call = self
            .ec2
            .run_instances()
            .image_id(&run.image_id)
            .instance_type(types::InstanceType::from(run.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .client_token(&run.client_token)
            .set_key_name(run.key_name.clone())
            .set_user_data(run.user_data.clone())
            .set_block_device_mappings(devices(&run.devices))
            .set_placement(placement)
            .set_ebs_optimized(run.ebs_optimized.then_some(true))
            .set_metadata_options(run.metadata.to_sdk())
            .instance_initiated_shutdown_behavior(types::ShutdownBehavior::from(
                run.shutdown_behavior.as_str(),
            ))
            .set_tag_specifications((!tags.is_empty()).then_some(tags));
        if let Some(profile) = &run.instance_profile {
            // An ARN is accepted where a name is expected by habit.
            let profile = if profile.starts_with("arn:") {
                types::IamInstanceProfileSpecification::builder().arn(profile)
            } else {
                types::IamInstanceProfileSpecification::builder().name(profile)
            };
            call = call.iam_instance_profile(profile.build());
        }
        if run.enclave {
            call =
                call.enclave_options(types::EnclaveOptionsRequest::builder().enabled(true).build());
        }
        if let Some(credits) = run.credits {
            let word = match credits {
                Credits::Standard => "standard",
                Credits::Unlimited => "unlimited",
            };
            call = call.credit_specification(
                types::CreditSpecificationRequest::builder().cpu_credits(word).build(),
            );
        }
        for arn in &run.license_configuration_arns {
            call = call.license_specifications(
                types::LicenseConfigurationRequest::builder()
                    .license_configuration_arn(arn)
                    .build(),
            );
        }
        if run.capacity_reservation_preference.is_some()
            || run.capacity_reservation_id.is_some()
            || run.capacity_reservation_group_arn.is_some()
        {
            let target = (run.capacity_reservation_id.is_some()
                || run.capacity_reservation_group_arn.is_some())
            .then(|| {
                types::CapacityReservationTarget::builder()
                    .set_capacity_reservation_id(run.capacity_reservation_id.clone())
                    .set_capacity_reservation_resource_group_arn(
                        run.capacity_reservation_group_arn.clone(),
                    )
                    .build()
            });
            call = call.capacity_reservation_specification(
                types::CapacityReservationSpecification::builder()
                    .set_capacity_reservation_preference(
                        run.capacity_reservation_preference
                            .as_deref()
                            .map(types::CapacityReservationPreference::from),
                    )
                    .set_capacity_reservation_target(target)
                    .build(),
            );
        }
        // A wish about the public address needs the network interface spelt out, and that in
        // turn must hold subnet and groups; EC2 refuses them in both places.
        match run.network.public_address {
            Some(wanted) if run.network.subnet_id.is_some() => call.network_interfaces(
                types::InstanceNetworkInterfaceSpecification::builder()
                    .device_index(0)
                    .delete_on_termination(true)
                    .associate_public_ip_address(wanted)
                    .set_subnet_id(run.network.subnet_id.clone())
                    .set_groups(list(&run.network.security_group_ids))
                    .build(),
            ),
            _ => call
                .set_subnet_id(run.network.subnet_id.clone())
                .set_security_group_ids(list(&run.network.security_group_ids)),
        }
    }

    /// Instances with these ids and filters.
    pub async fn describe_instances(
        &self,
        ids: &[String],
        by: &[Filter],
    ) -> Result<Vec<Instance>, AwsError> {
        let call = || self.ec2.describe_instances();
        let reservations =
            described!(self, "DescribeInstances", call(), set_instance_ids(ids), by, reservations)?;
        Ok(reservations
            .into_iter()
            .flat_map(|reservation| reservation.instances.unwrap_or_default())
            .filter_map(Instance::from_sdk)
            .collect())
    }

    /// The instance `id`; `None` when it does not exist, or not yet.
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, AwsError> {
        match self.describe_instances(&[id.to_owned()], &[]).await {
            Ok(instances) => Ok(instances.into_iter().next()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks an instance to stop.
    pub async fn stop_instance(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .stop_instances()
            .instance_ids(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "StopInstances", Some(id), error))?;
        Ok(())
    }

    /// Terminates an instance.
    pub async fn terminate_instance(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .terminate_instances()
            .instance_ids(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "TerminateInstances", Some(id), error))?;
        Ok(())
    }

    /// Turns ENA of a stopped instance on or off; its image inherits that.
    pub async fn set_ena_support(&self, id: &str, on: bool) -> Result<(), AwsError> {
        self.ec2
            .modify_instance_attribute()
            .instance_id(id)
            .ena_support(types::AttributeBooleanValue::builder().value(on).build())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyInstanceAttribute", Some(id), error))?;
        Ok(())
    }

    /// Turns the older enhanced networking (`simple`) of a stopped instance on.
    pub async fn set_sriov_support(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .modify_instance_attribute()
            .instance_id(id)
            .sriov_net_support(types::AttributeValue::builder().value("simple").build())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyInstanceAttribute", Some(id), error))?;
        Ok(())
    }
}
