//! Finishing the image of a run that died while it was made.
//!
//! An image goes on without the process that asked for it. What was to be done with it is in the
//! ledger, so whoever comes later can wait for it, publish it and write its hash.

use std::io;

use tokio_util::sync::CancellationToken;

use super::Clock;
use super::builder::amazon_ebs::{IMAGE_HASH, Publication, Publisher, RUN_ID};
use super::gc::{Clouds, Site};
use super::ledger::{self, BuildReading, Claimed, Ending, Ledger, Leftover, Listed, RunState};
use crate::aws::wait::{Ending as WaitEnding, Look, Polling, wait};
use crate::aws::{AwsError, Client, Filter, Image, ImageQuery};
use crate::event::{Emitter, Fact, ResourceKind};

/// Why an image was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The run is not one that died.
    #[error("run {run} {why}")]
    NotDead {
        /// The run.
        run: String,
        /// What it is instead.
        why: String,
    },
    /// No image had been begun.
    #[error("run {0} had begun no image")]
    Nothing(String),
    /// The image is not there.
    #[error("there is no image `{name}` of the run in {region}: it was never begun, or is removed")]
    NoImage {
        /// The name that it was to have.
        name: String,
        /// Where.
        region: String,
    },
    /// The image will never be available.
    #[error("image {id} is `{state}`{}", reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Hopeless {
        /// The image.
        id: String,
        /// Its state.
        state: String,
        /// Why, as EC2 says it.
        reason: Option<String>,
    },
    /// Another image has the same hash by now.
    #[error("{other} has the same image hash by now")]
    Superseded {
        /// That image.
        other: String,
    },
    /// What was to be done with it is written in another way.
    #[error("the ledger does not say what is to be done with the image: {0}")]
    Publication(#[source] serde_json::Error),
    /// There is no way to the cloud.
    #[error("{0}")]
    Cloud(String),
    /// A call failed.
    #[error("{0}")]
    Aws(#[from] AwsError),
    /// The ledger cannot be read or written.
    #[error("the ledger cannot be written: {0}")]
    Ledger(#[source] io::Error),
    /// It was interrupted.
    #[error("the wait was interrupted; the image goes on")]
    Cancelled,
}

impl ResumeError {
    /// What to do next.
    pub fn hints(&self, run: &str) -> Vec<String> {
        match self {
            Self::NoImage { .. } | Self::Hopeless { .. } | Self::Superseded { .. } => {
                vec![format!("`bake gc -run {run}` removes what is left")]
            }
            Self::Aws(error) => error.hints(),
            Self::Cancelled => vec![format!("`bake runs resume {run}` waits again")],
            _ => Vec::new(),
        }
    }
}

/// Waits for the images that a dead run had begun, publishes them and makes them part of its result.
/// Gives region and id of each. What else is left of the run, `bake gc` removes.
///
/// # Errors
/// See [`ResumeError`]; images that were finished before stay finished.
pub async fn resume(
    listed: &Listed,
    clouds: &dyn Clouds,
    events: &Emitter,
    cancel: &CancellationToken,
    clock: &Clock,
) -> Result<Vec<(String, String)>, ResumeError> {
    let not_dead =
        |why: &str| ResumeError::NotDead { run: listed.run.clone(), why: why.to_owned() };
    match &listed.state {
        RunState::Dead(_) => {}
        RunState::Done(_) => return Err(not_dead("is over, and nothing of it is left")),
        RunState::Alive(_) => return Err(not_dead("is under way")),
        RunState::Elsewhere { until, .. } => {
            return Err(not_dead(&format!("may be under way on another machine until {until}")));
        }
        RunState::Unreadable(why) => return Err(not_dead(&format!("is left alone: {why}"))),
    }
    let claimed = ledger::claim(listed, clock).map_err(ResumeError::Ledger)?;
    let Claimed { ledger, reading } =
        claimed.ok_or_else(|| not_dead("is being worked on by another bake"))?;
    let begun: Vec<(&BuildReading, &Leftover)> = reading
        .leftovers
        .iter()
        .filter(|one| one.intent.kind == ResourceKind::Image)
        .filter_map(|one| {
            let of_it = |build: &&BuildReading| {
                build.name == one.intent.build && build.publication.is_some()
            };
            Some((reading.builds.iter().find(of_it)?, one))
        })
        .collect();
    if begun.is_empty() {
        return Err(ResumeError::Nothing(listed.run.clone()));
    }
    let mut images = Vec::new();
    for (build, leftover) in begun {
        let site = Site::Recorded { place: leftover.intent.place(), sandbox: reading.sandbox };
        let client = clouds.connect(&site).await.map_err(ResumeError::Cloud)?;
        let events = events.of_build(&build.name);
        let resumption = Resumption { client: &client, events: &events, cancel };
        let publication = build.publication.clone().unwrap_or_default();
        let publication: Publication =
            serde_json::from_value(publication).map_err(ResumeError::Publication)?;
        let image = resumption.finish(&listed.run, leftover, &publication).await?;
        keep(&ledger, leftover, &reading.leftovers, &image).await.map_err(ResumeError::Ledger)?;
        let made = (client.region().to_owned(), image.id);
        let recording = ledger.ended(&build.name, Ending::Built, vec![made.clone()]);
        recording.await.map_err(ResumeError::Ledger)?;
        images.push(made);
    }
    Ok(images)
}

/// Makes the image and its snapshots part of the result.
async fn keep(
    ledger: &Ledger,
    leftover: &Leftover,
    all: &[Leftover],
    image: &Image,
) -> io::Result<()> {
    if leftover.id.is_none() {
        ledger.created(leftover.entry, &image.id).await?;
    }
    ledger.kept(leftover.entry).await?;
    let of_image = |one: &&Leftover| {
        one.intent.kind == ResourceKind::Snapshot
            && one.id.as_ref().is_some_and(|id| image.snapshot_ids.contains(id))
    };
    for snapshot in all.iter().filter(of_image) {
        ledger.kept(snapshot.entry).await?;
    }
    Ok(())
}

struct Resumption<'a> {
    client: &'a Client,
    events: &'a Emitter,
    cancel: &'a CancellationToken,
}

impl Resumption<'_> {
    async fn finish(
        &self,
        run: &str,
        leftover: &Leftover,
        publication: &Publication,
    ) -> Result<Image, ResumeError> {
        let id = self.find(run, leftover).await?;
        let image = self.available(&id).await?;
        if let Some(other) = self.same_hash(&publication.image_hash, &id).await? {
            return Err(ResumeError::Superseded { other });
        }
        let publisher = Publisher { client: self.client, events: self.events, cancel: self.cancel };
        publication.set_attributes(publisher, &image).await?;
        publication.write_tags(publisher, &image).await?;
        publication.protect(publisher, &image.id).await?;
        Ok(image)
    }

    /// The image's id; by its name and the run's tag when the id never arrived.
    async fn find(&self, run: &str, leftover: &Leftover) -> Result<String, ResumeError> {
        let query = match &leftover.id {
            Some(id) => ImageQuery { ids: vec![id.clone()], ..ImageQuery::default() },
            None => ImageQuery {
                owners: vec!["self".to_owned()],
                filters: vec![
                    Filter::new("name", &leftover.intent.name),
                    Filter::new(format!("tag:{RUN_ID}"), run),
                ],
                ..ImageQuery::default()
            },
        };
        let found = match self.client.describe_images(&query).await {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        let found = found.into_iter().find(|image| !image.state.is_empty());
        found.map(|image| image.id).ok_or_else(|| ResumeError::NoImage {
            name: leftover.intent.name.clone(),
            region: self.client.region().to_owned(),
        })
    }

    async fn available(&self, id: &str) -> Result<Image, ResumeError> {
        let kind = ResourceKind::Image;
        self.events.emit(Fact::WaitStarted { kind, id: id.to_owned(), state: "available" }).await;
        let look = || async {
            Ok(match self.client.image(id).await? {
                None => Look::Hopeless { state: "gone".to_owned(), reason: None },
                Some(image) => match image.state.as_str() {
                    "available" => Look::Done(image),
                    "pending" | "transient" | "" => Look::Pending {
                        state: image.state,
                        progress: self.progress(&image.snapshot_ids).await,
                    },
                    _ => Look::Hopeless { state: image.state, reason: image.state_reason },
                },
            })
        };
        let seen = |state: &str| {
            let (id, state) = (id.to_owned(), state.to_owned());
            self.events.emit_lossy(Fact::StateChanged { kind, id, state });
        };
        let id = id.to_owned();
        match wait(Polling::seconds(15, 3600), self.cancel, seen, look).await? {
            WaitEnding::Done(image) => Ok(image),
            WaitEnding::Hopeless { state, reason } => {
                Err(ResumeError::Hopeless { id, state, reason })
            }
            WaitEnding::DeadlinePassed { state, .. } => {
                let reason = Some("it did not move for an hour".to_owned());
                Err(ResumeError::Hopeless { id, state, reason })
            }
            WaitEnding::Cancelled => Err(ResumeError::Cancelled),
        }
    }

    /// How far its snapshots are, so that the wait goes on as long as they move.
    async fn progress(&self, snapshots: &[String]) -> u64 {
        if snapshots.is_empty() {
            return 0;
        }
        let found = self.client.describe_snapshots(snapshots, &[]).await.unwrap_or_default();
        found.iter().filter_map(|snapshot| snapshot.progress).sum()
    }

    /// Another image that has the hash by now: there is to be one.
    async fn same_hash(&self, hash: &str, id: &str) -> Result<Option<String>, AwsError> {
        let query = ImageQuery {
            owners: vec!["self".to_owned()],
            filters: vec![Filter::new(format!("tag:{IMAGE_HASH}"), hash)],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        let found = self.client.describe_images(&query).await?;
        let other = |image: &Image| {
            image.id != id && image.tags.get(IMAGE_HASH).is_some_and(|tag| tag == hash)
        };
        Ok(found.into_iter().find(other).map(|image| image.id))
    }
}
