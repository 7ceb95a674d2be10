//! `amazon-ebs`: an image of an instance whose root is an EBS volume.
//!
//! [`AmazonEbs`] is what a template asks for, checked and with every default put in;
//! [`run`] does it. What texts can only say once the source image and the hash are
//! known (names, descriptions, tags) comes through [`Late`].

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Builder, PreparedBuild};
use crate::aws::Client;
use crate::build::{BuildContext, BuildOutcome, ResolvedSource, RunSettings};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::{ComponentKind, Plan};

mod data;
mod depot;
mod image;
mod launch;
mod network;
pub mod options;
mod password;
mod profile;
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
pub use settings::{
    AddressKind, AmazonEbs, Communication, ImageSettings, InstanceSettings, KeySettings, Late,
    LateTexts, NetworkSettings, PasswordSettings, ProfileSettings, SecuritySettings, SourceFilter,
    SourceSettings, WaitSettings,
};
pub use tags::IMAGE_HASH;

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind {
        name: "amazon-ebs",
        schema: options::AmazonEbsOptions::schema,
        plan: options::plan,
    },
    prepare: Some(|plan, settings| Ok(Box::new(prepared(plan, settings)?))),
};

fn prepared(plan: &Plan, settings: &RunSettings) -> Result<Prepared, Diagnostics> {
    let mut prepared = prepare(&plan.builder, &settings.directory)?;
    if let Some(cloud) = &settings.cloud {
        let access = &mut prepared.build.access;
        *access = std::mem::take(access).in_own(cloud);
    }
    Ok(prepared)
}

/// Looks up the source image that a plan means; makes nothing.
///
/// # Errors
/// What is wrong with the options, or what AWS says, at its place.
pub async fn find_source(
    plan: &Plan,
    settings: &RunSettings,
) -> Result<ResolvedSource, Diagnostics> {
    let Prepared { build, .. } = prepared(plan, settings)?;
    let finding = async {
        let client = Client::connect(&build.access).await?;
        source::resolve(&client, &build.source).await
    };
    finding.await.map_err(|error| {
        let finding = Diagnostic::error("source-image", error.report());
        let finding = error.hints().into_iter().fold(finding, Diagnostic::help);
        match build.places.of(&error) {
            Some(place) => finding.at(place, ""),
            None => finding.at(&plan.builder.component.owner, ""),
        }
        .into()
    })
}

impl PreparedBuild for Prepared {
    fn run<'a>(&'a self, context: &'a BuildContext) -> BoxFuture<'a, BuildOutcome> {
        run::run(&self.build, &self.late, context).boxed()
    }
}

/// Packer's id of this builder, in artifacts and manifests.
pub const BUILDER_ID: &str = "mitchellh.amazonebs";
