//! `amazon-ebs`: an image of an instance whose root is an EBS volume.
//!
//! [`AmazonEbs`] is what a template asks for, checked and with every default put in;
//! [`run`] does it. What texts can only say once the source image and the hash are
//! known (names, descriptions, tags) comes through [`Late`].

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Builder, PreparedBuild};
use crate::build::{BuildContext, BuildOutcome};
use crate::plan::ComponentKind;

mod data;
mod depot;
mod existing;
mod image;
mod launch;
mod network;
pub mod options;
mod password;
mod permission;
mod prepare;
mod profile;
mod publication;
mod reach;
mod record;
mod run;
mod settings;
pub(in crate::build) mod source;
mod tags;
mod user_data;

#[cfg(test)]
mod tests;

pub use super::amazon::SELECTORS;
pub use options::{Prepared, prepare};
pub(crate) use publication::Publisher;
pub use publication::{ImageAttributes, Publication};
pub use settings::{
    AddressKind, AmazonEbs, Communication, ImageSettings, InstanceSettings, KeySettings, Late,
    LateTexts, NetworkSettings, PasswordSettings, ProfileSettings, SecuritySettings, SourceFilter,
    SourceSettings, WaitSettings,
};
pub use tags::{DEADLINE, IMAGE_HASH, RECORDS, RUN_ID};

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind {
        name: "amazon-ebs",
        schema: options::AmazonEbsOptions::schema,
        plan: options::plan,
    },
    prepare: Some(|plan, settings| {
        let mut prepared = prepare(&plan.builder, &settings.directory)?;
        if let Some(cloud) = &settings.cloud {
            let access = &mut prepared.build.access;
            *access = std::mem::take(access).in_own(cloud);
        }
        Ok(Box::new(prepared))
    }),
};

impl PreparedBuild for Prepared {
    fn run<'a>(&'a self, context: &'a BuildContext) -> BoxFuture<'a, BuildOutcome> {
        run::run(&self.build, &self.late, context).boxed()
    }
}

/// Packer's id of this builder, in artifacts and manifests.
pub const BUILDER_ID: &str = "mitchellh.amazonebs";
