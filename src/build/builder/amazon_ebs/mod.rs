//! `amazon-ebs`: an image of an instance whose root is an EBS volume.
//!
//! [`AmazonEbs`] is what a template asks for, checked and with every default put in;
//! [`run`] does it. What texts can only say once the source image and the hash are
//! known (names, descriptions, tags) comes through [`Late`].

use crate::plan::ComponentKind;

mod data;
mod image;
mod launch;
mod network;
pub mod options;
mod reach;
mod run;
mod settings;
mod source;
mod tags;
mod user_data;

#[cfg(test)]
mod tests;

pub use super::amazon::SELECTORS;
pub use options::{Prepared, prepare};
pub use run::run;
pub use settings::{
    AddressKind, AmazonEbs, Communication, ImageSettings, InstanceSettings, KeySettings, Late,
    LateTexts, NetworkSettings, SecuritySettings, SourceFilter, SourceSettings, WaitSettings,
};
pub use tags::IMAGE_HASH;

/// The builder, for the registry.
pub const KIND: ComponentKind = ComponentKind {
    name: "amazon-ebs",
    schema: options::AmazonEbsOptions::schema,
    plan: options::plan,
};

/// Packer's id of this builder, in artifacts and manifests.
pub const BUILDER_ID: &str = "mitchellh.amazonebs";
