//! Instances: what they are, and the calls that describe them. Making one is in `launch`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::filter::{Field, Filter, Filterable, select};
use super::id::Kind;
use super::page::{Page, Paged};
use super::session::Session;
use super::{ACCOUNT, CloudError, Tags, time_text};
use crate::sandbox::machine::{Machine, RootFs};

/// The states of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Booting.
    Pending,
    /// Up.
    Running,
    /// On its way down.
    Stopping,
    /// Down; its files are kept.
    Stopped,
    /// On its way out.
    ShuttingDown,
    /// Gone.
    Terminated,
}

impl InstanceState {
    /// As EC2 writes it.
    pub fn name(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
        }
    }

    /// EC2's number for it.
    pub fn code(self) -> u8 {
        match self {
            InstanceState::Pending => 0,
            InstanceState::Running => 16,
            InstanceState::ShuttingDown => 32,
            InstanceState::Terminated => 48,
            InstanceState::Stopping => 64,
            InstanceState::Stopped => 80,
        }
    }

    pub(crate) fn is_terminated(self) -> bool {
        self == InstanceState::Terminated
    }
}

/// What happens when the guest powers itself off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownBehavior {
    /// The instance is stopped.
    #[default]
    Stop,
    /// The instance is terminated.
    Terminate,
}

impl ShutdownBehavior {
    /// As EC2 writes it.
    pub fn name(self) -> &'static str {
        match self {
            ShutdownBehavior::Stop => "stop",
            ShutdownBehavior::Terminate => "terminate",
        }
    }

    /// As a request writes it.
    pub fn parse(text: &str) -> Result<Self, CloudError> {
        match text {
            "stop" => Ok(ShutdownBehavior::Stop),
            "terminate" => Ok(ShutdownBehavior::Terminate),
            _ => Err(CloudError::invalid(format!(
                "Invalid value '{text}' for InstanceInitiatedShutdownBehavior"
            ))),
        }
    }
}

/// Options of the instance metadata service. The sandbox has none; they are kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataOptions {
    /// `optional` or `required`.
    pub tokens: String,
    /// 1 to 64.
    pub hop_limit: i64,
    /// `enabled` or `disabled`.
    pub endpoint: String,
    /// `enabled` or `disabled`.
    pub tags: String,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self {
            tokens: "optional".to_owned(),
            hop_limit: 1,
            endpoint: "enabled".to_owned(),
            tags: "disabled".to_owned(),
        }
    }
}

/// A volume of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedVolume {
    /// `/dev/xvda`
    pub device: String,
    /// `vol-…`
    pub volume_id: String,
    /// Whether it goes away with the instance.
    pub delete_on_termination: bool,
    /// Since when.
    pub attached: Timestamp,
}

/// The machine of an instance.
#[derive(Clone)]
pub(crate) struct MachineHandle(pub(crate) Arc<dyn Machine>);

impl fmt::Debug for MachineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine at {}", self.0.ssh_address())
    }
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`
    pub id: String,
    /// `r-…`
    pub reservation_id: String,
    /// Its place in the reservation.
    pub launch_index: i64,
    /// What it was launched from.
    pub image_id: String,
    /// `t3.micro`
    pub instance_type: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The key pair that may log in.
    pub key_name: Option<String>,
    /// Its security groups.
    pub group_ids: Vec<String>,
    /// Where it is.
    pub subnet_id: String,
    /// The VPC of the subnet.
    pub vpc_id: String,
    /// The zone of the subnet.
    pub zone: String,
    /// When it was launched or last started.
    pub launched: Timestamp,
    /// How far it is.
    pub state: InstanceState,
    /// Why it is in this state: a code and a sentence.
    pub state_reason: Option<(String, String)>,
    /// The same in EC2's other form: `User initiated (…)`.
    pub transition_reason: String,
    /// `/dev/xvda`
    pub root_device: String,
    /// Its volumes.
    pub volumes: Vec<AttachedVolume>,
    /// What happens at power-off.
    pub on_shutdown: ShutdownBehavior,
    /// Metadata options.
    pub metadata: MetadataOptions,
    /// ARN and id of the instance profile.
    pub profile: Option<(String, String)>,
    /// When the instance profile was associated, and under which id.
    pub(crate) association: Option<(String, Timestamp)>,
    /// As it was given, in base64.
    pub user_data: Option<String>,
    /// `eni-…`
    pub interface_id: String,
    /// Tags of the network interface.
    pub interface_tags: Tags,
    /// Whether it shows a public address.
    pub public_address: bool,
    /// The token of its launch.
    pub client_token: Option<String>,
    /// EBS optimized.
    pub ebs_optimized: bool,
    /// Enhanced networking.
    pub ena_support: bool,
    /// `simple`
    pub sriov_net_support: Option<String>,
    /// Of the image.
    pub boot_mode: Option<String>,
    /// Of the image.
    pub imds_support: Option<String>,
    /// `default`, `dedicated` or `host`.
    pub tenancy: String,
    /// Detailed monitoring.
    pub monitoring: bool,
    /// The request of a spot instance. It gets capacity like any other.
    pub spot_request_id: Option<String>,
    /// Whether network traffic is checked.
    pub source_dest_check: bool,
    /// Refuses TerminateInstances.
    pub disable_api_termination: bool,
    /// Refuses StopInstances.
    pub disable_api_stop: bool,
    /// Where its SSH server listens, once it is up.
    pub address: Option<SocketAddr>,
    /// Its tags.
    pub tags: Tags,
    /// When its id is found.
    pub visible_at: Timestamp,
    /// When it was terminated.
    pub terminated: Option<Timestamp>,
    /// What is left of its console.
    pub console: Vec<u8>,
    pub(crate) root: RootFs,
    pub(crate) users: Vec<String>,
    pub(crate) make_unknown_users: bool,
    pub(crate) public_key: Option<String>,
    pub(crate) machine: Option<MachineHandle>,
    /// The boot whose agent registered last.
    pub(crate) agent: Option<u64>,
    /// Held while something is done to the machine: one thing at a time.
    pub(crate) operation: Arc<tokio::sync::Mutex<()>>,
}

impl Instance {
    /// The address that a client connects to, while there is one.
    pub fn ip(&self) -> Option<String> {
        let shown = matches!(
            self.state,
            InstanceState::Pending | InstanceState::Running | InstanceState::Stopping
        );
        self.address.filter(|_| shown).map(|address| address.ip().to_string())
    }

    /// As [`Instance::ip`], when it shows a public address.
    pub fn public_ip(&self) -> Option<String> {
        self.ip().filter(|_| self.public_address)
    }

    /// What the status checks say: there is nothing that could be impaired.
    pub fn status(&self) -> &'static str {
        if self.state == InstanceState::Running { "ok" } else { "not-applicable" }
    }

    pub(super) fn visible(&self, now: Timestamp) -> bool {
        self.visible_at <= now
    }
}

fn of_volumes(instance: &Instance, value: fn(&AttachedVolume) -> String) -> Vec<String> {
    instance.volumes.iter().map(value).collect()
}

impl Filterable for Instance {
    const FIELDS: &'static [Field<Self>] = &[
        ("architecture", |i| vec![i.architecture.clone()]),
        ("availability-zone", |i| vec![i.zone.clone()]),
        ("block-device-mapping.device-name", |i| of_volumes(i, |v| v.device.clone())),
        ("block-device-mapping.volume-id", |i| of_volumes(i, |v| v.volume_id.clone())),
        ("block-device-mapping.status", |i| of_volumes(i, |_| "attached".to_owned())),
        ("block-device-mapping.delete-on-termination", |i| {
            of_volumes(i, |v| v.delete_on_termination.to_string())
        }),
        ("client-token", |i| i.client_token.iter().cloned().collect()),
        ("dns-name", |i| i.public_ip().into_iter().collect()),
        ("group-id", |i| i.group_ids.clone()),
        ("hypervisor", |_| vec!["xen".to_owned()]),
        ("iam-instance-profile.arn", |i| i.profile.iter().map(|(arn, _)| arn.clone()).collect()),
        ("image-id", |i| vec![i.image_id.clone()]),
        ("instance-id", |i| vec![i.id.clone()]),
        ("instance-lifecycle", |i| i.spot_request_id.iter().map(|_| "spot".to_owned()).collect()),
        ("instance-state-code", |i| vec![i.state.code().to_string()]),
        ("instance-state-name", |i| vec![i.state.name().to_owned()]),
        ("instance-type", |i| vec![i.instance_type.clone()]),
        ("instance.group-id", |i| i.group_ids.clone()),
        ("instance-status.status", |i| vec![i.status().to_owned()]),
        ("ip-address", |i| i.public_ip().into_iter().collect()),
        ("key-name", |i| i.key_name.iter().cloned().collect()),
        ("launch-index", |i| vec![i.launch_index.to_string()]),
        ("launch-time", |i| vec![time_text(i.launched)]),
        ("metadata-options.http-tokens", |i| vec![i.metadata.tokens.clone()]),
        ("metadata-options.http-endpoint", |i| vec![i.metadata.endpoint.clone()]),
        ("monitoring-state", |i| {
            vec![if i.monitoring { "enabled" } else { "disabled" }.to_owned()]
        }),
        ("network-interface.network-interface-id", |i| vec![i.interface_id.clone()]),
        ("network-interface.subnet-id", |i| vec![i.subnet_id.clone()]),
        ("network-interface.vpc-id", |i| vec![i.vpc_id.clone()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
        ("private-dns-name", |i| i.ip().into_iter().collect()),
        ("private-ip-address", |i| i.ip().into_iter().collect()),
        ("reason", |i| vec![i.transition_reason.clone()]),
        ("reservation-id", |i| vec![i.reservation_id.clone()]),
        ("root-device-name", |i| vec![i.root_device.clone()]),
        ("root-device-type", |_| vec!["ebs".to_owned()]),
        ("source-dest-check", |i| vec![i.source_dest_check.to_string()]),
        ("state-reason-code", |i| i.state_reason.iter().map(|(code, _)| code.clone()).collect()),
        ("spot-instance-request-id", |i| i.spot_request_id.iter().cloned().collect()),
        ("subnet-id", |i| vec![i.subnet_id.clone()]),
        ("system-status.status", |i| vec![i.status().to_owned()]),
        ("tenancy", |i| vec![i.tenancy.clone()]),
        ("virtualization-type", |_| vec!["hvm".to_owned()]),
        ("vpc-id", |i| vec![i.vpc_id.clone()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

impl Session<'_> {
    /// The instance of this id, once it can be seen.
    pub fn instance(&self, id: &str) -> Result<&Instance, CloudError> {
        Kind::Instance.check(id)?;
        let found = self.region.instances.get(id).filter(|i| i.visible(self.now));
        found.ok_or_else(|| Kind::Instance.not_found(id))
    }

    pub(crate) fn instance_mut(&mut self, id: &str) -> Result<&mut Instance, CloudError> {
        Kind::Instance.check(id)?;
        let now = self.now;
        let found = self.region.instances.get_mut(id).filter(|i| i.visible(now));
        found.ok_or_else(|| Kind::Instance.not_found(id))
    }

    /// DescribeInstances and DescribeInstanceStatus; pages hold instances.
    pub fn describe_instances(
        &self,
        ids: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<Instance>, CloudError> {
        if !ids.is_empty() && page.max_results.is_some() {
            return Err(CloudError::combination(
                "The parameter instancesSet cannot be used with the parameter maxResults",
            ));
        }
        for id in ids {
            self.instance(id)?;
        }
        let instances = self.region.instances.values().filter(|i| i.visible(self.now));
        let chosen = instances.filter(|i| ids.is_empty() || ids.contains(&i.id)).cloned();
        page.cut(select(chosen, filters)?, |instance| {
            format!("{} {:04} {}", instance.reservation_id, instance.launch_index, instance.id)
        })
    }

    /// The security groups of an instance, by id and name.
    pub fn groups_of(&self, instance: &Instance) -> Vec<(String, String)> {
        let name = |id: &String| self.region.groups.get(id).map(|group| group.name.clone());
        instance.group_ids.iter().map(|id| (id.clone(), name(id).unwrap_or_default())).collect()
    }

    /// GetConsoleOutput.
    pub fn console_output(&self, id: &str) -> Result<Vec<u8>, CloudError> {
        let instance = self.instance(id)?;
        Ok(match &instance.machine {
            Some(machine) => machine.0.console_output(),
            None => instance.console.clone(),
        })
    }
}
