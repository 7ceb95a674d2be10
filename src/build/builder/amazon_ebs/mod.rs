//! `amazon-ebs`: an image of an instance whose root is an EBS volume.
//!
//! [`AmazonEbs`] is what a template asks for, checked and with every default put in;
//! [`run`] does it. What texts can only say once the source image and the hash are
//! known (names, descriptions, tags) comes through [`Late`].

mod data;
mod image;
mod launch;
mod network;
mod reach;
mod run;
mod settings;
mod source;
mod tags;
mod user_data;

#[cfg(test)]
mod tests;

pub use run::run;
pub use settings::{
    AddressKind, AmazonEbs, Communication, ImageSettings, InstanceSettings, KeySettings, Late,
    LateTexts, NetworkSettings, SecuritySettings, SourceFilter, SourceSettings, WaitSettings,
};

/// Packer's id of this builder, in artifacts and manifests.
pub const BUILDER_ID: &str = "mitchellh.amazonebs";
