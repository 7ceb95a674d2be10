//! The AWS calls that bake makes, as plain functions with plain types.
//!
//! One function a call, one file a resource. SDK types do not leave this room, and
//! nothing here knows what a build is. Every error says which call failed, on what,
//! where, and what to do about it; [`retry`] holds the table of errors that are only
//! eventual consistency, [`wait`] waits for states.

mod attempts;
mod bucket;
mod client;
mod command;
mod dry_run;
mod error;
mod identity;
mod image;
mod image_search;
mod instance;
mod instance_type;
mod key_pair;
mod network;
mod options;
mod own_cloud;
mod pages;
mod parameter;
mod password;
mod query;
pub mod retry;
mod role;
mod s3_prefix;
mod secret_value;
mod security_group;
mod service_quota;
mod session;
mod snapshot;
mod tag;
pub(crate) mod time;
mod volume;
pub mod wait;

#[cfg(test)]
mod systems_manager_tests;

pub use bucket::Bucket;
pub use client::{Access, AssumeRole, Client, Endpoint, StaticCredentials};
pub use error::{AwsError, AwsErrorKind, AwsFailure};
pub use identity::{CallerIdentity, Expiry, Renewal};
pub use image::{CreateImage, Image, ImagePermission, ImageQuery};
pub use image_search::{NameValue, NoImage, SourceFilterOptions, filters};
pub use instance::{Credits, Instance, MetadataOptions, NetworkInterface, Placement, RunInstance};
pub use instance_type::RunningInstance;
pub use key_pair::StoredKeyPair;
pub use network::{Subnet, Vpc};
pub use options::{AccessOptions, AssumeRoleOptions, PollingOptions, VaultOptions, is_region};
pub use own_cloud::OwnCloud;
pub use parameter::Parameter;
pub use query::{BlockDevice, Filter};
pub use s3_prefix::S3Prefix;
pub use secret_value::{SecretQuery, SecretValue};
pub use security_group::{Ingress, SecurityGroup};
pub use service_quota::VcpuQuota;
pub use snapshot::Snapshot;
pub use tag::Tags;
pub use volume::Volume;
