//! Everything that a template may say in a `source "amazon-ebs"`.

mod check;
mod resolve;
#[cfg(test)]
mod tests;

use crate::aws::AccessOptions;
use crate::build::builder::amazon::{
    BlockDeviceOptions, FastLaunchOptions, ImageOptions, InstanceOptions, SourceOptions,
    SpotOptions, VolumeTagOptions,
};
use crate::communicator::CommunicatorOptions;

pub use check::plan;
pub use resolve::{Prepared, prepare};

crate::options! {
    /// Options of the `amazon-ebs` builder: an image of an instance with an EBS root volume.
    pub struct AmazonEbsOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat image: ImageOptions,
        /// The source image.
        flat source: SourceOptions,
        /// The instance.
        flat instance: InstanceOptions,
        /// Tags of the instance's volumes.
        flat volume_tags: VolumeTagOptions,
        /// Spot instances.
        flat spot: SpotOptions,
        /// How to reach the instance.
        flat communicator: CommunicatorOptions,
        /// Block devices of the instance.
        hashed launch_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Block devices of the image.
        hashed ami_block_device_mappings: Vec<BlockDeviceOptions>,
        /// Stops after provisioning.
        unhashed skip_create_ami: bool = false,
        /// Leaves `run_tags` off the image.
        unhashed skip_ami_run_tags: bool = false,
        /// Leaves instance store volumes out of the image.
        hashed no_ephemeral: bool = false,
        /// Faster launches of Windows images.
        unhashed fast_launch: Option<FastLaunchOptions>,
    }
}
