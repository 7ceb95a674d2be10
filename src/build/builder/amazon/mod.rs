//! What the builders of images and volumes on EC2 share: groups of options, each with its checks.
//!
//! Names, defaults and meanings are Packer's. What bake does not do yet is declared too, so that it
//! is told with a place rather than taken for a typo.

mod block_device;
mod check;
mod fast_launch;
mod filter;
mod firmware;
mod image;
mod instance;
mod policy;
mod source;
mod spot;
mod volume_tag;

pub use block_device::BlockDeviceOptions;
pub use check::{check_access, check_late, name_problem, not_run_yet};
pub use fast_launch::{FastLaunchOptions, FastLaunchTemplate};
pub use filter::{SubnetFilterOptions, VpcFilterOptions};
pub use firmware::{FirmwareOptions, check_tpm};
pub use image::{ImageOptions, KeyValue, ProtectionOptions};
pub use instance::{
    InstanceOptions, LicenseOptions, LicenseRequest, MetadataOptionsBlock, PlacementOptions,
    USER_DATA,
};
pub use policy::{PolicyDocument, PolicyStatement};
pub use source::{SELECTORS, SourceOptions};
pub use spot::SpotOptions;
pub use volume_tag::{NamedText, VolumeTagOptions};
