//! What plans start from, found without building them: for locks, and for what must be known before.

use std::path::Path;

use super::builder::amazon_ebs::{self, AmazonEbs, source};
use super::{BuildError, ResolvedSource};
use crate::aws::{Client, OwnCloud};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::Plan;
use crate::plan::lock::{ImagePin, Pin, Pinned, Pins};

/// A plan's search for its source image.
#[derive(Clone, Debug)]
pub struct SourceSearch {
    build: String,
    settings: AmazonEbs,
}

impl SourceSearch {
    /// The search of a plan; `None` where its builder starts from no image. In place of the account
    /// that the template names, a `cloud` of one's own is asked.
    ///
    /// # Errors
    /// Options that cannot be read, which a plan without errors and look-ups rules out.
    pub fn of(
        plan: &Plan,
        directory: &Path,
        cloud: Option<&OwnCloud>,
    ) -> Result<Option<Self>, Diagnostics> {
        if plan.builder.component.kind != amazon_ebs::BUILDER.kind.name {
            return Ok(None);
        }
        let mut settings = amazon_ebs::prepare(&plan.builder, directory)?.build;
        if let Some(cloud) = cloud {
            settings.access = std::mem::take(&mut settings.access).in_own(cloud);
        }
        Ok(Some(Self { build: plan.name.clone(), settings }))
    }

    /// The build.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Finds the image, by its pin where there is one.
    ///
    /// # Errors
    /// Why there is none, at the option that asks for it.
    pub async fn find(&self, pins: &Pins) -> Result<ResolvedSource, Diagnostic> {
        Ok(self.look(pins).await?.source)
    }

    /// Finds the image and the pin that leads to it; no pin for an id that is given outright.
    ///
    /// # Errors
    /// Why there is none, at the option that asks for it.
    pub async fn pin(&self, pins: &Pins) -> Result<Option<Pin>, Diagnostic> {
        let Some(asked) = self.settings.source.asked() else { return Ok(None) };
        let found = self.look(pins).await?;
        let image = found.source.image;
        let answer = match found.pin {
            Some(pin) => pin.answer,
            None => Pinned::Image(ImagePin {
                id: image.id,
                name: image.name,
                architecture: image.architecture,
                creation_date: image.creation_date,
            }),
        };
        Ok(Some(Pin {
            template: pins.template().to_owned(),
            name: self.build.clone(),
            place: Some(pins.place(found.source.region)),
            asked,
            answer,
        }))
    }

    /// Whether the image may be looked for: without a pin not where `pins` are strict. Nobody is
    /// asked.
    ///
    /// # Errors
    /// That it may not, at the option that asks for it.
    pub async fn check(&self, pins: &Pins) -> Result<(), Diagnostic> {
        let settings = &self.settings.source;
        let Some(asked) = settings.asked() else { return Ok(()) };
        let client = self.client().await?;
        let found = pins.find(&self.build, Some(&pins.place(client.region())), &asked);
        source::may_be_looked_for(settings, pins, found, client.region())
            .map_err(|error| self.diagnostic(&error))
    }

    async fn look(&self, pins: &Pins) -> Result<source::FoundSource, Diagnostic> {
        let client = self.client().await?;
        let found = source::find(&client, &self.settings.source, &self.build, pins).await;
        found.map_err(|error| self.diagnostic(&error))
    }

    async fn client(&self) -> Result<Client, Diagnostic> {
        let client = Client::connect(&self.settings.access).await;
        client.map_err(|error| self.diagnostic(&error.into()))
    }

    fn diagnostic(&self, error: &BuildError) -> Diagnostic {
        let summary = format!("`{}`: {}", self.build, error.report());
        let finding = Diagnostic::error("source-image", summary);
        let places = &self.settings.places;
        let place = places.of_option(self.settings.source.option());
        let finding = match places.of(error).or(place) {
            Some(span) => finding.at(span, ""),
            None => finding,
        };
        error.hints().into_iter().fold(finding, Diagnostic::help)
    }
}
