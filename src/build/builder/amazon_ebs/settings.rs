//! What a build does, with every default put in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::publication::ImageAttributes;
use crate::aws::wait::Polling;
use crate::aws::{Access, BlockDevice, Credits, Filter, MetadataOptions, Placement, Tags};
use crate::build::{BuildError, Places};
use crate::communicator::ssh::KeyType;
use crate::communicator::{SshSettings, WinRmSettings};
use crate::template::schema::{BuildData, Secret};

/// A build.
#[derive(Clone, Debug, Default)]
pub struct AmazonEbs {
    /// Account, region, endpoint.
    pub access: Access,
    /// Whether to go on without asking STS who the credentials belong to.
    pub skip_credential_validation: bool,
    /// What to launch from.
    pub source: SourceSettings,
    /// Where in the network.
    pub network: NetworkSettings,
    /// Who may reach the instance.
    pub security: SecuritySettings,
    /// The instance.
    pub instance: InstanceSettings,
    /// How to reach the instance.
    pub communication: Communication,
    /// The image.
    pub image: ImageSettings,
    /// How often to look, and how long.
    pub waits: WaitSettings,
    /// Where the template says it.
    pub places: Places,
}

/// What to launch from; all conditions together.
#[derive(Clone, Debug, Default)]
pub struct SourceSettings {
    /// An image id, or `resolve:ssm:` and the name of a parameter that holds one.
    pub id: Option<String>,
    /// A filter.
    pub filter: Option<SourceFilter>,
}

/// `source_ami_filter`.
#[derive(Clone, Debug, Default)]
pub struct SourceFilter {
    /// EC2's filters.
    pub filters: Vec<Filter>,
    /// Accounts or aliases.
    pub owners: Vec<String>,
    /// Takes the newest of several.
    pub most_recent: bool,
    /// Also deprecated ones.
    pub include_deprecated: bool,
}

/// Where in the network.
#[derive(Clone, Debug, Default)]
pub struct NetworkSettings {
    /// A subnet.
    pub subnet_id: Option<String>,
    /// Looks for a subnet.
    pub subnet_filter: Vec<Filter>,
    /// Takes the subnet with the most free addresses of several.
    pub subnet_most_free: bool,
    /// Takes any subnet of several.
    pub subnet_random: bool,
    /// A VPC.
    pub vpc_id: Option<String>,
    /// Looks for a VPC.
    pub vpc_filter: Vec<Filter>,
    /// Whether the instance gets a public address; as the subnet has it when `None`.
    pub public_address: Option<bool>,
}

/// Who may reach the instance.
#[derive(Clone, Debug)]
pub struct SecuritySettings {
    /// Existing groups; a temporary one is made when there are none.
    pub group_ids: Vec<String>,
    /// Looks for groups.
    pub group_filter: Vec<Filter>,
    /// Who may connect by the temporary group.
    pub source_cidrs: Vec<String>,
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self {
            group_ids: Vec::new(),
            group_filter: Vec::new(),
            source_cidrs: vec!["0.0.0.0/0".to_owned()],
        }
    }
}

/// The instance.
#[derive(Clone, Debug, Default)]
pub struct InstanceSettings {
    /// Such as `t3.micro`.
    pub instance_type: String,
    /// Text or bytes; base64 as they are when they are user data in base64 already.
    pub user_data: Option<Vec<u8>>,
    /// What the instance may do.
    pub profile: ProfileSettings,
    /// Devices that differ from the source image's.
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
    /// What a shutdown from inside does.
    pub shutdown_behavior: String,
    /// License configurations.
    pub license_configuration_arns: Vec<String>,
    /// `open` or `none`.
    pub capacity_reservation_preference: Option<String>,
    /// A capacity reservation.
    pub capacity_reservation_id: Option<String>,
    /// A group of capacity reservations.
    pub capacity_reservation_group_arn: Option<String>,
    /// The template's steps stop the instance, not the build.
    pub disable_stop: bool,
    /// Turns ENA on or off before the image is made.
    pub ena_support: Option<bool>,
    /// Turns the older enhanced networking on before the image is made.
    pub sriov_support: bool,
}

/// The instance profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProfileSettings {
    /// None.
    #[default]
    Nothing,
    /// One that exists.
    Existing {
        /// Its name or ARN.
        name: String,
    },
    /// One for this build alone.
    Temporary {
        /// Its policy as JSON; what Systems Manager needs when `None`.
        policy: Option<String>,
    },
}

/// How to reach the instance.
#[derive(Clone, Debug, Default)]
pub enum Communication {
    /// Not at all.
    #[default]
    Nothing,
    /// Over SSH.
    Ssh {
        /// The key pair.
        key: KeySettings,
        /// TCP port.
        port: u16,
        /// A host instead of the instance's own address.
        host: Option<String>,
        /// Which of the instance's addresses.
        address: AddressKind,
        /// How to connect and log in.
        login: Box<SshSettings>,
        /// Whether the temporary key is removed from the image (`ssh_clear_authorized_keys`).
        clear_key: bool,
    },
    /// Over WinRM.
    WinRm {
        /// The key pair.
        key: KeySettings,
        /// TCP port.
        port: u16,
        /// A host instead of the instance's own address.
        host: Option<String>,
        /// Which of the instance's addresses.
        address: AddressKind,
        /// How to connect and log in.
        login: Box<WinRmSettings>,
        /// Where the password comes from.
        password: PasswordSettings,
    },
    /// Through the agent of Systems Manager: commands run as root, and no port is open.
    Ssm {
        /// How long to wait, once the instance runs, before the agent is asked for.
        pause: Duration,
        /// A bucket through which large files go.
        bucket: Option<BucketSettings>,
    },
}

/// A bucket for files on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSettings {
    /// Its name.
    pub name: String,
    /// What the keys of objects begin with; may be empty.
    pub prefix: String,
}

impl Communication {
    /// Whether Systems Manager leads to the instance.
    pub(super) fn uses_systems_manager(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Ssm { .. } => true,
            Self::Ssh { address, .. } | Self::WinRm { address, .. } => {
                matches!(address, AddressKind::SessionManager { .. })
            }
        }
    }

    /// Whether it leads to Windows.
    pub(super) fn is_windows(&self) -> bool {
        matches!(self, Self::WinRm { .. })
    }

    /// The key pair.
    pub(super) fn key(&self) -> &KeySettings {
        match self {
            Self::Nothing | Self::Ssm { .. } => &KeySettings::Nothing,
            Self::Ssh { key, .. } | Self::WinRm { key, .. } => key,
        }
    }

    /// The port on the instance that must be reachable from here.
    pub(super) fn inbound_port(&self) -> Option<u16> {
        match self {
            Self::Ssh { port, .. } | Self::WinRm { port, .. } if !self.uses_systems_manager() => {
                Some(*port)
            }
            _ => None,
        }
    }
}

/// Where the password of a Windows instance comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordSettings {
    /// The template says it.
    #[default]
    Given,
    /// Windows makes one, which EC2 hands out encrypted for the key pair.
    Asked {
        /// The private half of the key pair; the temporary one when `None`.
        key_file: Option<PathBuf>,
        /// How long to wait for it.
        limit: Duration,
    },
}

/// The key pair that the instance is launched with.
#[derive(Clone, Debug, Default)]
pub enum KeySettings {
    /// A temporary one.
    Temporary {
        /// Its kind.
        kind: KeyType,
        /// Its name; `packer_` and the run's id when `None`.
        name: Option<String>,
    },
    /// One that exists.
    Existing {
        /// Its name.
        name: String,
    },
    /// None: the image lets the user in with a password or a key of its own.
    #[default]
    Nothing,
}

/// Which of the instance's addresses to connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressKind {
    /// The public address; the private one when the running instance has no public one.
    #[default]
    Any,
    /// Public IPv4 address.
    PublicIp,
    /// Private IPv4 address.
    PrivateIp,
    /// Public name.
    PublicDns,
    /// Private name.
    PrivateDns,
    /// IPv6 address.
    Ipv6,
    /// None: through a session of Session Manager.
    SessionManager {
        /// How long to wait, once the instance runs, before a session is asked for.
        pause: Duration,
    },
}

/// The image.
#[derive(Clone, Debug, Default)]
pub struct ImageSettings {
    /// Stops after provisioning, without an image.
    pub skip_create: bool,
    /// Replaces an own image of the same name.
    pub force_deregister: bool,
    /// Also deletes the replaced image's snapshots.
    pub force_delete_snapshot: bool,
    /// Devices that differ from the instance's.
    pub devices: Vec<BlockDevice>,
    /// Leaves the run tags off the image.
    pub skip_run_tags: bool,
    /// What is set on it once it is available.
    pub attributes: ImageAttributes,
}

/// How often to look, and how long.
#[derive(Clone, Copy, Debug)]
pub struct WaitSettings {
    /// For the instance to run.
    pub running: Polling,
    /// For the instance to stop.
    pub stopped: Polling,
    /// For the image.
    pub available: Polling,
    /// For the instance to have set itself up, before the first step.
    pub readiness: Duration,
}

impl Default for WaitSettings {
    fn default() -> Self {
        Self {
            running: Polling::seconds(3, 600),
            stopped: Polling::seconds(3, 900),
            // Snapshots of large volumes take hours, but they move.
            available: Polling::seconds(5, 1800),
            readiness: Duration::from_secs(600),
        }
    }
}

/// Texts that can only be rendered once source image and hash are known.
#[derive(Clone, Debug, Default)]
pub struct LateTexts {
    /// The image's name; by default the source's name and the start of the hash.
    pub image_name: Option<String>,
    /// The image's description.
    pub description: Option<String>,
    /// For everything that is made.
    pub run_tags: Tags,
    /// For the instance's volumes.
    pub run_volume_tags: Tags,
    /// For the image and its snapshots.
    pub tags: Tags,
    /// For the snapshots.
    pub snapshot_tags: Tags,
    /// What must not be shown of all that.
    pub secrets: Vec<Secret>,
}

/// Renders [`LateTexts`] with what is known about the build.
pub type Late = Arc<dyn Fn(&BuildData) -> Result<LateTexts, BuildError> + Send + Sync>;
