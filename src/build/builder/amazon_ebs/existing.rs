//! Images that exist, and those that other builds are making: what is taken instead of building, and
//! what has the name.

use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt as _;

use super::run::Run;
use super::tags;
use crate::aws::{AwsError, Filter, Image, ImageQuery};
use crate::build::BuildError;
use crate::build::lease::{Lease, Taken};
use crate::event::{Artifact, Fact, ResourceKind};

impl Run<'_> {
    /// Whether builds of the same hash make one image together.
    pub(super) fn is_shared(&self) -> bool {
        !self.build.image.skip_create
            && !self.context.force
            && self.context.apart.is_none()
            && self.unrepeatable().is_none()
    }

    fn unrepeatable(&self) -> Option<&str> {
        self.named.get().and_then(|named| named.identity.unrepeatable.as_deref())
    }

    /// Takes the lease, then looks again for an image that can be taken, and for one that has the
    /// name already: they may have appeared in between.
    pub(super) async fn leased(&self) -> Result<(Option<Image>, Option<Image>), BuildError> {
        let lease = self.lease.get_or_init(|| {
            Lease::new(
                self.client,
                self.resources,
                &self.context.events,
                &self.context.clock,
                self.context.cancel.stop(),
                self.image_hash(),
                self.temporary_name(),
                tags::lease(self.context, self.owner()),
                &self.context.killed,
            )
        });
        // Not interruptible as a whole: it must not be dropped while it makes the lease.
        if let Taken::Image(image) = lease.take(|| self.usable()).await? {
            return Ok((Some(*image), None));
        }
        if let Some(name) = self.renamed.get().cloned() {
            self.context.events.emit(Fact::ImageNameChecked { name }).await;
        }
        let looking = async { tokio::try_join!(self.usable(), self.named_alike()) };
        Ok(self.interruptible(looking).await??)
    }

    /// Makes the name free that an image has. Only one that a killed run began, and nobody finishes
    /// any more, is removed; as `bake gc` would.
    ///
    /// # Errors
    /// When it is any other image, or cannot be removed.
    pub(super) async fn make_way(&self, image: &Image) -> Result<(), BuildError> {
        let name = self.image_name();
        let taken = format!("the name `{name}` is taken by {}", image.id);
        let Some(run) = unfinished_by(image) else {
            return Err(BuildError::option("ami_name", taken).hint("choose another `ami_name`, one with `{{timestamp}}` or `{{ .ImageHash }}` in it, or use -force to replace that image"));
        };
        if !self.is_over(run).await {
            let text = format!("{taken}, which run {run} has not finished");
            return Err(BuildError::option("ami_name", text).hint("if that run is dead, `bake gc` removes what it left; else wait for its end, choose another `ami_name`, or use -force to replace that image"));
        }
        let events = &self.context.events;
        let (id, name, run) = (image.id.clone(), name.to_owned(), run.to_owned());
        events.emit(Fact::UnfinishedImageFound { id: id.clone(), name, run }).await;
        self.resources.adopt(ResourceKind::Image, &id).await?;
        match self.teardown().images().boxed().await.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(BuildError::option("ami_name", taken)
                .hint(format!("it was to be removed, as it is not complete: {}", first.error))),
        }
    }

    /// Whether a run certainly makes nothing any more: it was killed on this machine, or let its
    /// lease run out.
    async fn is_over(&self, run: &str) -> bool {
        if self.lease.get().is_some_and(|lease| lease.has_overtaken(run)) {
            return true;
        }
        let (run, killed) = (run.to_owned(), Arc::clone(&self.context.killed));
        tokio::task::spawn_blocking(move || killed(&run).is_some()).await.unwrap_or(false)
    }

    /// Makes sure that no other build makes the image by now: one may have taken the lease over
    /// from a build that was suspended for long. Gives its image then.
    pub(super) async fn made_by_another(&self) -> Result<Option<Image>, BuildError> {
        let Some(lease) = self.lease.get() else { return Ok(None) };
        if self.resources.open(ResourceKind::Lease).is_empty() || lease.is_held().await? {
            return Ok(None);
        }
        lease.lose().await;
        match lease.take(|| self.usable()).await? {
            Taken::Image(image) => Ok(Some(*image)),
            Taken::Held | Taken::Without => {
                self.interruptible(self.usable()).await?.map_err(Into::into)
            }
        }
    }

    /// Takes an image instead of making one.
    pub(super) async fn adopt(&self, image: &Image) -> Artifact {
        let (id, name) = (image.id.clone(), image.name.clone());
        self.context.events.emit(Fact::ImageReused { id: id.clone(), name }).await;
        self.artifact(id, true)
    }

    /// The newest own available image with this hash, unless it must not be taken; says why.
    pub(super) async fn reusable(&self) -> Result<Option<Image>, AwsError> {
        if self.build.image.skip_create {
            return Ok(None);
        }
        if let Some(reason) = self.unrepeatable() {
            self.context.events.emit(Fact::ReuseSkipped { reason: reason.to_owned() }).await;
            return Ok(None);
        }
        if self.context.force || self.context.apart.is_some() {
            return Ok(None);
        }
        let Some(image) = self.newest().await? else { return Ok(None) };
        let Some(max_age) = self.context.max_age.filter(|_| !self.is_young(&image)) else {
            return Ok(Some(image));
        };
        // A name of ours says nothing but the hash, which the old image has in its name, too.
        if let Some(named) = self.named.get()
            && named.texts.image_name.is_none()
        {
            let at = self.context.clock.compact_timestamp();
            self.renamed.get_or_init(|| format!("{}-{at}", named.name));
        }
        let (id, created) = (image.id, image.creation_date);
        self.context.events.emit(Fact::ImageTooOld { id, created, max_age }).await;
        Ok(None)
    }

    /// The newest image that can be taken.
    async fn usable(&self) -> Result<Option<Image>, AwsError> {
        Ok(self.newest().await?.filter(|image| self.is_young(image)))
    }

    /// Whether an image is not older than was asked for. One without a date is.
    fn is_young(&self, image: &Image) -> bool {
        let Some(max_age) = self.context.max_age else { return true };
        let created = image.creation_date.parse::<jiff::Timestamp>().ok().map(SystemTime::from);
        let oldest = self.context.clock.now().checked_sub(max_age);
        oldest.is_none_or(|oldest| created.is_some_and(|created| created >= oldest))
    }

    /// The newest own available image with this hash.
    async fn newest(&self) -> Result<Option<Image>, AwsError> {
        let hash = self.image_hash();
        let query = ImageQuery {
            owners: vec!["self".to_owned()],
            filters: vec![
                Filter::new(format!("tag:{}", tags::IMAGE_HASH), hash),
                Filter::new("state", "available"),
            ],
            include_deprecated: false,
            ..ImageQuery::default()
        };
        let images = self.client.describe_images(&query).await?;
        // An endpoint that does not know the filter must not make us take any image.
        Ok(images
            .into_iter()
            .filter(|image| {
                image.state == "available"
                    && image.tags.get(tags::IMAGE_HASH).is_some_and(|found| found == hash)
            })
            .max_by(|a, b| (&a.creation_date, &a.id).cmp(&(&b.creation_date, &b.id))))
    }

    /// An own image that has the name already; tells that it was looked for.
    pub(super) async fn name_taken(&self) -> Result<Option<Image>, AwsError> {
        if self.build.image.skip_create || self.replaces() {
            return Ok(None);
        }
        let name = self.image_name().to_owned();
        let taken = self.named_alike().await?;
        self.context.events.emit(Fact::ImageNameChecked { name }).await;
        Ok(taken)
    }

    /// An own image of the same name that is not to be replaced.
    async fn named_alike(&self) -> Result<Option<Image>, AwsError> {
        if self.replaces() {
            return Ok(None);
        }
        Ok(self.own_images_named(self.image_name()).await?.into_iter().next())
    }
}

/// Whether an image may be that of another build under way, whose lease says more.
pub(super) fn is_in_the_making(image: &Image) -> bool {
    image.state != "available" || unfinished_by(image).is_some()
}

/// The run that began an image which is not complete, if it is known.
fn unfinished_by(image: &Image) -> Option<&str> {
    let run = image.tags.get(tags::RUN_ID)?;
    (!image.tags.contains_key(tags::IMAGE_HASH)).then_some(run)
}

/// The longest name that EC2 takes for an image.
const LONGEST_NAME: usize = 128;

/// A name with a suffix, cut in front of it where EC2 would not take it whole.
pub(super) fn beside(name: &str, suffix: &str) -> String {
    let room = LONGEST_NAME.saturating_sub(suffix.len());
    let start = name.get(..name.floor_char_boundary(room)).unwrap_or(name);
    format!("{start}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_another_is_not_too_long() {
        assert_eq!(beside("web-1", "-repro"), "web-1-repro");
        let long = beside(&"n".repeat(128), "-repro");
        assert_eq!(long.len(), 128);
        assert!(long.ends_with("n-repro"));
    }
}
