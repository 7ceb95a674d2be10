//! From a provisioned instance to a finished image.

use tokio_util::sync::CancellationToken;

use super::run::Run;
use crate::aws::retry::{patience, persist};
use crate::aws::time::{milliseconds, seconds};
use crate::aws::wait::{Backoff, Look, wait};
use crate::aws::{AwsError, AwsErrorKind, CreateImage, Filter, Image, ImageQuery};
use crate::build::BuildError;
use crate::event::{Fact, ResourceKind};

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long EC2 may take until an image that was just made is found.
const SETTLING: Duration = seconds(60);

/// How long CreateImage is tried while the endpoint gives no clear answer.
const CREATE_PATIENCE: Duration = seconds(180);

impl Run<'_> {
    /// Stops the instance, and changes what can only be changed while it is stopped.
    pub(super) async fn stop(&self, id: &str) -> Result<(), BuildError> {
        let events = &self.context.events;
        let settings = &self.build.instance;
        let cancel = self.context.cancel.stop();
        if !settings.disable_stop {
            events.emit(Fact::StopRequested { id: id.to_owned() }).await;
            persist(cancel, || self.client.stop_instance(id)).await?;
        }
        events
            .emit(Fact::WaitStarted {
                kind: ResourceKind::Instance,
                id: id.to_owned(),
                state: "stopped",
            })
            .await;
        let look = || async {
            Ok(match self.client.instance(id).await? {
                None => Look::Hopeless { state: "gone".to_owned(), reason: None },
                Some(instance) => match instance.state.as_str() {
                    "stopped" => Look::Done(()),
                    "shutting-down" | "terminated" => {
                        Look::Hopeless { state: instance.state, reason: instance.state_reason }
                    }
                    _ => Look::Pending { state: instance.state, progress: 0 },
                },
            })
        };
        let ending = wait(
            self.build.waits.stopped,
            cancel,
            |state| self.state_changed(ResourceKind::Instance, id, state),
            look,
        );
        self.ended(ResourceKind::Instance, id, "stopped", ending.await?)?;
        let ena = async {
            match settings.ena_support {
                Some(on) => persist(cancel, || self.client.set_ena_support(id, on)).await,
                None => Ok(()),
            }
        };
        let sriov = async {
            if settings.sriov_support {
                persist(cancel, || self.client.set_sriov_support(id)).await
            } else {
                Ok(())
            }
        };
        tokio::try_join!(ena, sriov)?;
        Ok(())
    }

    /// Removes own images of the same name. An image cannot be renamed and a name cannot be used
    /// twice, so with `force_deregister` the old one has to go before the new one can be made;
    /// this is done as late as possible, once there is a stopped instance to make it of. Snapshots
    /// of it that cannot be deleted are this build's from then on: they are tried again at the end.
    pub(super) async fn deregister_old(&self, name: &str) -> Result<(), BuildError> {
        for image in self.own_images_named(name).await? {
            self.deregister_one(&image.id).await?;
            let kind = ResourceKind::Image;
            self.context.events.emit(Fact::ResourceDeleted { kind, id: image.id.clone() }).await;
            if !self.build.image.force_delete_snapshot {
                continue;
            }
            for id in &image.snapshot_ids {
                self.resources.adopt(ResourceKind::Snapshot, id).await?;
            }
            for snapshot in self.resources.open(ResourceKind::Snapshot) {
                let Some(id) = &snapshot.id else { continue };
                let cancel = self.context.cancel.stop();
                match gone(persist(cancel, || self.client.delete_snapshot(id)).await) {
                    Ok(()) => self.resources.deleted(&snapshot).await,
                    Err(error) => tracing::warn!(%error, "a snapshot of the old image stays"),
                }
            }
        }
        Ok(())
    }

    /// Deregisters an image; without a clear answer it may be gone all the same.
    async fn deregister_one(&self, id: &str) -> Result<(), AwsError> {
        let cancel = self.context.cancel.stop();
        match gone(persist(cancel, || self.client.deregister_image(id)).await) {
            Err(error) if error.may_have_happened() => match self.client.image(id).await {
                Ok(None) => Ok(()),
                _ => Err(error),
            },
            other => other,
        }
    }

    /// Own images of exactly this name.
    pub(super) async fn own_images_named(&self, name: &str) -> Result<Vec<Image>, AwsError> {
        let query = ImageQuery {
            owners: vec!["self".to_owned()],
            filters: vec![Filter::new("name", name)],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        let mut images = self.client.describe_images(&query).await?;
        images.retain(|image| image.name == name);
        Ok(images)
    }

    /// Starts the image and returns its id. On the way the endpoint may turn out not to take tags
    /// for snapshots; they are tagged later then.
    pub(super) async fn create_image(&self, instance: &str) -> Result<String, BuildError> {
        let publication = self.publication();
        self.record_publication(&publication).await?;
        let image_tags = publication.tags;
        let name = self.image_name();
        let mut request = self.image_request(instance);
        let call = self.create_image_once(&mut request);
        let id =
            self.resources.create(ResourceKind::Image, name, instance, call, Clone::clone).await?;
        if request.tags.is_empty() {
            let ids = [id.clone()];
            let cancel = self.context.cancel.stop();
            persist(cancel, || self.client.create_tags(&ids, &image_tags)).await?;
        }
        Ok(id)
    }

    /// What the image is made as.
    pub(super) fn image_request(&self, instance: &str) -> CreateImage {
        let publication = self.publication();
        let mut request = CreateImage {
            instance_id: instance.to_owned(),
            name: self.image_name().to_owned(),
            description: self.texts().description,
            devices: self.build.image.devices.clone(),
            tags: publication.tags,
            snapshot_tags: publication.snapshot_tags,
        };
        if self.client.tags_images_after_create() {
            request.tags.clear();
            request.snapshot_tags.clear();
        }
        request
    }

    /// Makes one image, however often it has to ask: CreateImage has no client token, so after an
    /// unclear answer the image is looked for before it is asked for again.
    async fn create_image_once(&self, request: &mut CreateImage) -> Result<String, AwsError> {
        let started = Instant::now();
        let mut backoff = Backoff::new(milliseconds(300), seconds(10));
        // An image may have been made then, whatever is answered later.
        let mut unclear: Option<AwsError> = None;
        loop {
            let error = match self.client.create_image(request).await {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            let duplicate = error.is_code(&["InvalidAMIName.Duplicate"]);
            if error.may_have_happened() {
                unclear = Some(error.clone());
            }
            if duplicate || error.may_have_happened() {
                let images = match self.own_images_named(&request.name).await {
                    Ok(images) => images,
                    Err(failed) => return Err(unclear.unwrap_or(failed)),
                };
                let made = images.into_iter().find(|image| {
                    image.source_instance_id.as_deref() == Some(request.instance_id.as_str())
                        || self.is_ours(&image.tags)
                });
                if let Some(image) = made {
                    return Ok(image.id);
                }
            }
            if refuses_snapshot_tags(&error) && !request.snapshot_tags.is_empty() {
                request.snapshot_tags.clear();
                continue;
            }
            // The name is taken by the image that an unclear answer was about, which is not visible
            // yet.
            let soon = duplicate && unclear.is_some() && started.elapsed() < SETTLING;
            let again = soon
                || error.is_transient()
                || patience(&error).is_some_and(|within| started.elapsed() < within);
            let pause = backoff.next();
            if !again || started.elapsed() + pause > CREATE_PATIENCE {
                return Err(unclear.unwrap_or(error));
            }
            tokio::select! {
                () = self.context.cancel.stop().cancelled() => {
                    return Err(unclear.unwrap_or(error));
                }
                () = sleep(pause) => {}
            }
        }
    }

    /// Waits until the image is available. `safe` is cancelled as soon as the instance is not
    /// needed for it any more: a snapshot holds the moment at which it was started, so once every
    /// device has one, instance and volumes may go.
    pub(super) async fn image_available(
        &self,
        id: &str,
        safe: &CancellationToken,
    ) -> Result<Image, BuildError> {
        let kind = ResourceKind::Image;
        let events = &self.context.events;
        events.emit(Fact::WaitStarted { kind, id: id.to_owned(), state: "available" }).await;
        let look = || self.look_at_image(id, safe);
        let ending = wait(
            self.build.waits.available,
            self.context.cancel.stop(),
            |state| self.state_changed(kind, id, state),
            look,
        );
        self.ended(kind, id, "available", ending.await?)
    }

    async fn look_at_image(
        &self,
        id: &str,
        safe: &CancellationToken,
    ) -> Result<Look<Image>, AwsError> {
        let Some(image) = self.client.image(id).await? else {
            return Ok(Look::Pending { state: "not found yet".to_owned(), progress: 0 });
        };
        self.resources.seen(ResourceKind::Image, id);
        match image.state.as_str() {
            "available" => {
                safe.cancel();
                return Ok(Look::Done(image));
            }
            "pending" | "transient" | "" => {}
            _ => return Ok(Look::Hopeless { state: image.state, reason: image.state_reason }),
        }
        for snapshot in &image.snapshot_ids {
            if let Err(error) = self.resources.adopt(ResourceKind::Snapshot, snapshot).await {
                tracing::warn!(%error, "the ledger cannot be written");
            }
        }
        let mut progress = 0;
        if !image.snapshot_ids.is_empty() {
            let found = match self.client.describe_snapshots(&image.snapshot_ids, &[]).await {
                Ok(found) => found,
                Err(error) if error.is_transient() => return Err(error),
                // Ids travel slowly here too; and who may not look at snapshots sees no progress.
                Err(error) => {
                    tracing::debug!(%error, "snapshots are not looked at");
                    Vec::new()
                }
            };
            progress = found.iter().filter_map(|snapshot| snapshot.progress).sum();
            let started = found
                .iter()
                .filter(|one| matches!(one.state.as_str(), "pending" | "completed"))
                .count();
            if started == image.ebs_devices {
                safe.cancel();
            }
            let percent = progress / image.snapshot_ids.len().max(1) as u64;
            self.context.events.emit_lossy(Fact::ImageProgressed { id: id.to_owned(), percent });
        }
        Ok(Look::Pending { state: "pending".to_owned(), progress })
    }

    /// Sets sharing and the like, then the final tags, the hash among them. When another build has
    /// made the image meanwhile, that one is given back, and this one stays without its hash.
    pub(super) async fn publish(&self, image: &Image) -> Result<Option<Image>, BuildError> {
        for snapshot in &image.snapshot_ids {
            self.resources.adopt(ResourceKind::Snapshot, snapshot).await?;
        }
        let (publication, publisher) = (self.publication(), self.publisher());
        publication.set_attributes(publisher, image).await?;
        self.check_cancelled()?;
        if let Some(anothers) = self.made_by_another().await? {
            return Ok(Some(anothers));
        }
        publication.write_tags(publisher, image).await?;
        publication.protect(publisher, &image.id).await?;
        Ok(None)
    }
}

/// What is not there is gone: an earlier attempt whose answer was lost has removed it.
fn gone(removed: Result<(), AwsError>) -> Result<(), AwsError> {
    match removed {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

/// Whether the endpoint does not know tags for snapshots at CreateImage: China and GovCloud say so,
/// some implementations of EC2 break.
fn refuses_snapshot_tags(error: &AwsError) -> bool {
    match error.kind {
        AwsErrorKind::Malformed => true,
        AwsErrorKind::Service => {
            error.status == Some(500)
                || error.is_code(&["NotImplemented", "UnsupportedOperation"])
                || (error.is_code(&["InvalidParameterValue", "InvalidParameter"])
                    && error.message.to_lowercase().contains("tag"))
        }
        _ => false,
    }
}
