//! The state of one account, and its transitions.
//!
//! Knows nothing of HTTP or XML: requests and answers are typed, errors are
//! EC2's codes. Each region is apart, as on AWS; finished images are in the
//! store, everything else lives as long as the process.
//!
//! [`Cloud`] is the shared handle. A request is a function over a [`Session`],
//! which is a copy of its region: it either counts whole or not at all, and a
//! dry run is the same call whose copy is thrown away. What a request sets
//! going happens after it: machines in `lifecycle`, images in `capture`.

mod account;
mod agent;
mod block_device;
mod capture;
mod command;
mod error;
mod filter;
mod iam;
mod id;
mod image;
mod image_creation;
mod image_store;
mod instance;
mod instance_change;
mod instance_profile;
mod instance_type;
mod key_pair;
mod latency;
mod launch;
mod lifecycle;
mod network;
mod network_interface;
mod page;
mod permission;
mod power;
mod public_image;
mod security_group;
mod session;
mod snapshot;
mod tag;
mod tagging;
mod volume;

#[cfg(test)]
pub(crate) mod fake;

pub use account::{ACCOUNT, Cloud};
pub(crate) use agent::AgentConnection;
pub use agent::{AGENT_VERSION, AgentInformation};
pub use block_device::{BlockDevice, MappingRequest};
pub use command::{Command, CommandStatus, Invocation, SHELL_DOCUMENT, SHELL_PLUGIN, SendCommand};
pub use error::CloudError;
pub use filter::Filter;
pub use iam::{Iam, InstanceProfile, NewEntity, Role};
pub use image::{CONTENT_TAG, DescribeImages, Image, ImageChange, ImageState};
pub use image_creation::{CopyImage, CreateImage};
pub use image_store::ImageStore;
pub use instance::{AttachedVolume, Instance, InstanceState, MetadataOptions, ShutdownBehavior};
pub use instance_change::InstanceChange;
pub use instance_profile::Association;
pub use instance_type::{InstanceType, Offering};
pub use key_pair::{Generated, KeyPair, KeyType, PublicMaterial, generate, parse_public_key};
pub use latency::{Latency, LatencyError};
pub use launch::{Interface, RunInstances, VCPU_LIMIT};
pub use network::{RegionInfo, Subnet, Vpc, Zone};
pub use page::{Page, Paged};
pub use permission::{PermissionChange, Permissions};
pub use power::{Power, StateChange};
pub use public_image::BASE_TAG;
pub use security_group::{
    DescribeSecurityGroups, GroupName, Peer, Ports, Rule, RuleRequest, SecurityGroup,
};
pub use session::{ClientToken, Session};
pub use snapshot::{DescribeSnapshots, Snapshot};
pub use tag::{TagSpecification, Tags};
pub use tagging::TagDescription;
pub use volume::{Attachment, Volume};

pub(crate) use filter::wildcard;
pub(crate) use latency::parse_duration;
pub(crate) use network::is_region;

/// A time as EC2 writes it: UTC with milliseconds.
pub(crate) fn time_text(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
