//! Everything that a template may say in a `source "amazon-ebs"`.
//!
//! Names, defaults and meanings are Packer's. What bake does not do yet is declared too, so that
//! it is refused with a place rather than taken for a typo; `UNSUPPORTED` lists it.

mod block_device;
mod check;
mod filter;
mod image;
mod instance;
mod policy;
mod resolve;
mod spot;
#[cfg(test)]
mod tests;

use crate::aws::AccessOptions;
use crate::communicator::CommunicatorOptions;
pub use block_device::BlockDeviceOptions;
pub use check::plan;
pub use filter::{NameValue, SourceFilterOptions, SubnetFilterOptions, VpcFilterOptions};
pub use image::{FastLaunchOptions, FastLaunchTemplate, ImageOptions, KeyValue, ProtectionOptions};
pub use instance::{
    InstanceOptions, LicenseOptions, LicenseRequest, MetadataOptionsBlock, NamedText,
    PlacementOptions,
};
pub use policy::{PolicyDocument, PolicyStatement};
pub use resolve::{Prepared, prepare};
pub use spot::SpotOptions;

crate::options! {
    /// Options of the `amazon-ebs` builder: an image of an instance with an EBS root volume.
    pub struct AmazonEbsOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat image: ImageOptions,
        /// The instance.
        flat instance: InstanceOptions,
        /// Spot instances.
        flat spot: SpotOptions,
        /// How to reach the instance.
        flat communicator: CommunicatorOptions,
    }
}

/// Options that only say which source image is meant; in the image hash the image that they led to
/// stands for them.
pub const SELECTORS: &[&str] = &["source_ami", "source_ami_filter"];

/// The file of `user_data_file`, by the name under which the plan keeps it.
const USER_DATA: &str = "user_data_file";
