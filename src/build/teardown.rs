//! Teardown: removes what a build has made, newest first, at once where nothing depends on it.
//!
//! ```text
//! images ──▶ their snapshots
//! instance ──▶ terminated ──▶ volumes, security groups
//! key pairs, instance profiles ──▶ their roles
//! instance ──▶ objects in a bucket
//! everything ──▶ lease
//! ```
//!
//! What fails is tried again until a deadline; what is then still there is reported. Something
//! whose create call gave no clear answer is looked for by its name or client token.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::builder::amazon_ebs::RUN_ID;
use super::{Resource, Resources, lease};
use crate::aws::retry::persist;
use crate::aws::time::{milliseconds, seconds};
use crate::aws::wait::{Backoff, Ending, Look, Polling, wait};
use crate::aws::{AwsError, AwsErrorKind, Client, Filter, Image, ImageQuery, Instance};
use crate::event::{Emitter, Fact, ResourceKind};

/// How long EC2 may take until what was just made is found.
const SETTLING: Duration = seconds(60);

/// After how long everything is visible that ever will be.
const OLD: Duration = seconds(300);

/// How often something is looked for at least before it was never made.
const LOOKS: u32 = 5;

/// Something that could not be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What.
    pub kind: ResourceKind,
    /// Its id, or its name or client token when the id never arrived.
    pub id: String,
    /// Where.
    pub region: String,
    /// Why it is still there.
    pub error: String,
}

/// A teardown of one build.
pub struct Teardown<'a> {
    /// The cloud.
    pub client: &'a Client,
    /// What was made.
    pub resources: &'a Resources,
    /// Where to tell it.
    pub events: &'a Emitter,
    /// Gives it up.
    pub leave: &'a CancellationToken,
    /// How long to keep trying.
    pub deadline: Duration,
}

impl Teardown<'_> {
    /// Removes everything that is not kept, and says what is left.
    pub async fn everything(&self) -> Vec<Left> {
        let removing = async {
            let (images, builder) = tokio::join!(self.images(), self.builder());
            // Last: as long as an instance runs, it may put one with a URL that it was given.
            let objects = self.objects().await;
            // Whoever waits for it may find an image of the same name else.
            [images, builder, objects, self.leases().await].concat()
        };
        let left = tokio::select! {
            biased;
            left = removing => left,
            () = self.leave.cancelled() => self.list("the teardown was interrupted"),
        };
        self.report(&left).await;
        left
    }

    /// Removes what is only needed while the image is made: instance, volumes, group, key.
    /// Returns what is left without reporting it, as a later teardown tries again.
    pub async fn builder(&self) -> Vec<Left> {
        let (keys, profiles, instances) =
            tokio::join!(self.key_pairs(), self.profiles(), self.instances());
        [keys, profiles, instances].concat()
    }

    /// Everything that is still there, with the same reason for all.
    pub fn list(&self, why: &str) -> Vec<Left> {
        self.resources.all_open().iter().map(|one| self.left(one, why)).collect()
    }

    /// Tells what is left.
    pub async fn report(&self, left: &[Left]) {
        for one in left {
            self.events
                .emit(Fact::ResourceLeft {
                    kind: one.kind,
                    id: one.id.clone(),
                    region: one.region.clone(),
                    error: one.error.clone(),
                })
                .await;
        }
    }

    fn left(&self, resource: &Resource, error: &str) -> Left {
        Left {
            kind: resource.kind,
            id: resource.id.clone().unwrap_or_else(|| resource.name.clone()),
            region: self.resources.region().to_owned(),
            error: error.to_owned(),
        }
    }

    async fn started(&self, resource: &Resource) {
        let id = resource.id.clone().unwrap_or_else(|| resource.name.clone());
        self.events.emit(Fact::DeleteStarted { kind: resource.kind, id }).await;
    }

    /// Settles one resource after its removal was tried.
    async fn settle(&self, resource: &Resource, result: Result<Gone, AwsError>) -> Option<Left> {
        match result {
            Ok(Gone::Deleted) => {
                self.resources.deleted(resource).await;
                None
            }
            Ok(Gone::NeverMade) => {
                self.resources.never_made(resource).await;
                None
            }
            Err(error) => Some(self.left(resource, &error.with_hints())),
        }
    }

    async fn key_pairs(&self) -> Vec<Left> {
        let each = self.resources.open(ResourceKind::KeyPair).into_iter().map(|key| async move {
            self.started(&key).await;
            // One that was there before has no tags of ours.
            if key.id.is_none()
                && let Ok(Some(tags)) = self.client.key_pair_tags(&key.name).await
                && !tags.contains_key(RUN_ID)
            {
                return self.settle(&key, Ok(Gone::NeverMade)).await;
            }
            // By name: that is no error when the key pair does not exist.
            let gone = self.insist(|| self.client.delete_key_pair(&key.name)).await;
            self.settle(&key, gone.map(|()| Gone::Deleted)).await
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// The lease: by its id, as another build may have one of the same name by now.
    pub async fn leases(&self) -> Vec<Left> {
        let each = self.resources.open(ResourceKind::Lease).into_iter().map(|lease| async move {
            let end = || lease::end(self.client, &lease.name, lease.id.as_deref());
            let gone = match &lease.id {
                Some(_) => self.insist(|| async { end().await.map(drop) }).await.map(|()| true),
                None => {
                    let found =
                        self.search(&lease, || async { Ok(end().await?.then(String::new)) }).await;
                    found.map(|found| found.is_some())
                }
            };
            let gone = gone.map(|was| if was { Gone::Deleted } else { Gone::NeverMade });
            self.settle(&lease, gone).await
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// Objects that lay in a bucket on their way to or from the instance. To delete one that is not
    /// there is no error.
    async fn objects(&self) -> Vec<Left> {
        let each = self.resources.open(ResourceKind::Object).into_iter().map(|object| async move {
            self.started(&object).await;
            let gone = self.insist(|| self.client.delete_object(&object.name)).await;
            self.settle(&object, gone.map(|()| Gone::Deleted)).await
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// Instance profiles, then their roles. An instance may still have them.
    async fn profiles(&self) -> Vec<Left> {
        let mut left = Vec::new();
        for kind in [ResourceKind::InstanceProfile, ResourceKind::Role] {
            // A role whose profile stays may be in it, and would only fail until the deadline.
            let once = !left.is_empty();
            let delete = |name: String| async move {
                match kind {
                    ResourceKind::Role => self.client.delete_role(&name).await,
                    _ => self.client.delete_instance_profile(&name).await,
                }
            };
            let each = self.resources.open(kind).into_iter().map(|one| async move {
                self.started(&one).await;
                let gone = match once {
                    true => delete(one.name.clone()).await,
                    false => self.insist(|| delete(one.name.clone())).await,
                };
                self.settle(&one, gone.map(|()| Gone::Deleted)).await
            });
            let more: Vec<_> = join_all(each).await.into_iter().flatten().collect();
            left.extend(more);
        }
        left
    }

    async fn instances(&self) -> Vec<Left> {
        let mut left = Vec::new();
        let volumes = Mutex::new(BTreeSet::new());
        let seen = &volumes;
        let each =
            self.resources.open(ResourceKind::Instance).into_iter().map(|instance| async move {
                self.started(&instance).await;
                let gone = self.terminate(&instance, seen).await;
                self.settle(&instance, gone).await
            });
        left.extend(join_all(each).await.into_iter().flatten());
        let volumes: Vec<_> =
            volumes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
        // What still has its instance cannot be removed, and would only fail until the deadline.
        if left.is_empty() {
            let (more_volumes, groups) = tokio::join!(self.volumes(volumes), self.groups());
            left.extend(more_volumes);
            left.extend(groups);
        } else {
            for kind in [ResourceKind::Volume, ResourceKind::SecurityGroup] {
                let open = self.resources.open(kind);
                left.extend(open.iter().map(|one| self.left(one, "an instance still uses it")));
            }
        }
        left
    }

    async fn terminate(
        &self,
        resource: &Resource,
        volumes: &Mutex<BTreeSet<String>>,
    ) -> Result<Gone, AwsError> {
        let id = match &resource.id {
            Some(id) => id.clone(),
            None => match self.find_instance(resource).await? {
                Some(id) => {
                    self.resources.identified(resource, &id);
                    id
                }
                None => return Ok(Gone::NeverMade),
            },
        };
        let note = |instance: &Instance| {
            self.resources.seen(ResourceKind::Instance, &id);
            let mut volumes = volumes.lock().unwrap_or_else(PoisonError::into_inner);
            volumes.extend(instance.volume_ids.iter().cloned());
            instance.state.clone()
        };
        self.insist(|| async {
            match self.client.instance(&id).await? {
                Some(instance) if note(&instance) == "terminated" => return Ok(()),
                None if resource.seen || resource.at.elapsed() >= SETTLING => return Ok(()),
                _ => {}
            }
            self.client.terminate_instance(&id).await
        })
        .await
        .or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })?;
        let polling = Polling { deadline: self.deadline, ..Polling::seconds(3, 0) };
        let look = || async {
            let Some(instance) = self.client.instance(&id).await? else {
                return Ok(Look::Done(()));
            };
            let state = note(&instance);
            match state.as_str() {
                "terminated" => return Ok(Look::Done(())),
                "shutting-down" => {}
                // It was taken for gone when it was only not visible yet, or the call had no
                // effect.
                _ => self.client.terminate_instance(&id).await?,
            }
            Ok(Look::Pending { state, progress: 0 })
        };
        match wait(polling, self.leave, |_| {}, look).await? {
            Ending::Done(()) => Ok(Gone::Deleted),
            Ending::Cancelled => Err(self.not_gone(&id, "the teardown was interrupted")),
            Ending::Hopeless { state, .. } | Ending::DeadlinePassed { state, .. } => {
                Err(self.not_gone(&id, &format!("it is still `{state}`")))
            }
        }
    }

    fn not_gone(&self, id: &str, message: &str) -> AwsError {
        let (kind, action) = (AwsErrorKind::Request, "TerminateInstances");
        self.client.failure(kind, "ec2", action, Some(id), message.to_owned())
    }

    /// The instance that a RunInstances call without a clear answer made.
    async fn find_instance(&self, resource: &Resource) -> Result<Option<String>, AwsError> {
        self.search(resource, || async {
            let by = [Filter::new("client-token", &resource.name)];
            let found = self.client.describe_instances(&[], &by).await?;
            Ok(found.into_iter().find(|one| one.state != "terminated").map(|one| one.id))
        })
        .await
    }

    async fn groups(&self) -> Vec<Left> {
        let each =
            self.resources.open(ResourceKind::SecurityGroup).into_iter().map(|group| async move {
                self.started(&group).await;
                let gone = self.delete_group(&group).await;
                self.settle(&group, gone).await
            });
        join_all(each).await.into_iter().flatten().collect()
    }

    async fn delete_group(&self, resource: &Resource) -> Result<Gone, AwsError> {
        let id = match &resource.id {
            Some(id) => id.clone(),
            None => {
                let by = [Filter::new("group-name", &resource.name)];
                let found = self
                    .search(resource, || async {
                        let found = self.client.describe_security_groups(&[], &by).await?;
                        Ok(found.into_iter().next().map(|group| group.id))
                    })
                    .await?;
                match found {
                    Some(id) => {
                        self.resources.identified(resource, &id);
                        id
                    }
                    None => return Ok(Gone::NeverMade),
                }
            }
        };
        self.insist(|| self.client.delete_security_group(&id)).await.map(|()| Gone::Deleted)
    }

    /// Volumes that outlived their instance. All of them: they were made for the build alone, and
    /// a mapping without `delete_on_termination` would otherwise leave one behind on every build.
    async fn volumes(&self, ids: Vec<String>) -> Vec<Left> {
        let by = [Filter { name: "volume-id".to_owned(), values: ids.clone() }];
        let looking = async {
            match ids.is_empty() {
                true => Ok(Vec::new()),
                false => self.insist(|| self.client.describe_volumes(&[], &by)).await,
            }
        };
        let stays = |state: &str| matches!(state, "available" | "in-use" | "error");
        let stay: Vec<_> = match looking.await {
            Ok(found) => {
                found.into_iter().filter(|one| stays(&one.state)).map(|one| one.id).collect()
            }
            // Any of them may have stayed; to delete one that is gone is no error.
            Err(error) => {
                tracing::warn!(%error, "volumes cannot be listed");
                ids
            }
        };
        for id in stay {
            if let Err(error) = self.resources.adopt(ResourceKind::Volume, &id).await {
                tracing::warn!(%error, "the ledger cannot be written");
            }
        }
        let each = self.resources.open(ResourceKind::Volume).into_iter().map(|volume| async move {
            self.started(&volume).await;
            let id = volume.id.clone().unwrap_or_default();
            let gone = self.insist(|| self.client.delete_volume(&id)).await;
            self.settle(&volume, gone.map(|()| Gone::Deleted)).await
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// Images, then their snapshots. Returns what is left without reporting it.
    pub(super) async fn images(&self) -> Vec<Left> {
        let each = self.resources.open(ResourceKind::Image).into_iter().map(|image| async move {
            self.started(&image).await;
            let gone = self.deregister(&image).await;
            self.settle(&image, gone).await
        });
        let mut left: Vec<_> = join_all(each).await.into_iter().flatten().collect();
        // A snapshot whose image stays would only fail until the deadline.
        let once = !left.is_empty();
        let each =
            self.resources.open(ResourceKind::Snapshot).into_iter().map(|snapshot| async move {
                self.started(&snapshot).await;
                let id = snapshot.id.clone().unwrap_or_default();
                let gone = match once {
                    true => self.client.delete_snapshot(&id).await,
                    false => self.insist(|| self.client.delete_snapshot(&id)).await,
                };
                self.settle(&snapshot, gone.map(|()| Gone::Deleted)).await
            });
        let more: Vec<_> = join_all(each).await.into_iter().flatten().collect();
        left.extend(more);
        left
    }

    async fn deregister(&self, resource: &Resource) -> Result<Gone, AwsError> {
        let id = match &resource.id {
            Some(id) => id.clone(),
            None => match self.find_image(resource).await? {
                Some(id) => {
                    self.resources.identified(resource, &id);
                    id
                }
                None => return Ok(Gone::NeverMade),
            },
        };
        // Snapshots first become visible in the image, later by their description; after the
        // image is gone only the latter tells.
        self.adopt_snapshots(&id).await?;
        let settling = !resource.seen && resource.at.elapsed() < SETTLING;
        let until = Instant::now() + SETTLING;
        self.insist(|| async {
            match self.client.deregister_image(&id).await {
                Err(error) if error.is_not_found() && !(settling && Instant::now() < until) => {
                    Ok(())
                }
                other => other,
            }
        })
        .await?;
        self.adopt_snapshots(&id).await?;
        Ok(Gone::Deleted)
    }

    async fn adopt_snapshots(&self, image: &str) -> Result<(), AwsError> {
        let described = format!("*{image}*");
        let by = [Filter::new("description", described)];
        let (found, named) = tokio::join!(
            self.insist(|| self.client.image(image)),
            self.insist(|| self.client.describe_snapshots(&[], &by)),
        );
        let ids = found?
            .into_iter()
            .flat_map(|image| image.snapshot_ids)
            .chain(named?.into_iter().map(|snapshot| snapshot.id));
        for id in ids {
            if let Err(error) = self.resources.adopt(ResourceKind::Snapshot, &id).await {
                tracing::warn!(%error, "the ledger cannot be written");
            }
        }
        Ok(())
    }

    /// The image that a CreateImage call without a clear answer made of this build's instance.
    async fn find_image(&self, resource: &Resource) -> Result<Option<String>, AwsError> {
        let name = &resource.name;
        let query = ImageQuery {
            owners: vec!["self".to_owned()],
            filters: vec![Filter::new("name", name)],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        let instance = self.resources.last_instance();
        let of_the_run = |image: &Image| {
            let run = self.resources.run();
            run.is_some_and(|run| image.tags.get(RUN_ID).is_some_and(|tag| tag == run))
        };
        self.search(resource, || async {
            let found = self.client.describe_images(&query).await?;
            Ok(found
                .into_iter()
                .find(|image| {
                    let of_the_instance =
                        image.source_instance_id.is_some() && image.source_instance_id == instance;
                    &image.name == name && (of_the_instance || of_the_run(image))
                })
                .map(|image| image.id))
        })
        .await
    }

    /// Looks for something for a few seconds, and a few times however long a look takes: it may
    /// exist and not be visible yet. One look is enough for what was made long ago.
    async fn search<F>(
        &self,
        resource: &Resource,
        look: impl Fn() -> F,
    ) -> Result<Option<String>, AwsError>
    where
        F: Future<Output = Result<Option<String>, AwsError>>,
    {
        if resource.at.elapsed() >= OLD {
            return self.insist(&look).await;
        }
        let until = Instant::now() + seconds(10);
        for looks in 1_u32.. {
            if let Some(found) = self.insist(&look).await? {
                return Ok(Some(found));
            }
            let enough = looks >= LOOKS && Instant::now() >= until;
            if enough || self.leave.is_cancelled() {
                break;
            }
            sleep(seconds(1)).await;
        }
        Ok(None)
    }

    /// Makes a call until it succeeds, the thing is gone, the refusal is final, or the deadline
    /// passes.
    async fn insist<T, F>(&self, call: impl Fn() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
        T: GoneWhenNotFound,
    {
        let until = Instant::now() + self.deadline;
        let mut backoff = Backoff::new(milliseconds(300), seconds(5));
        loop {
            let error = match persist(self.leave, &call).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if error.is_not_found()
                && let Some(gone) = T::gone()
            {
                return Ok(gone);
            }
            let pause = backoff.next();
            if is_final(&error) || self.leave.is_cancelled() || Instant::now() + pause > until {
                return Err(error);
            }
            tokio::select! {
                () = self.leave.cancelled() => return Err(error),
                () = sleep(pause) => {}
            }
        }
    }
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Deleted,
    NeverMade,
}

/// What `not found` stands for: success for a call that removes, an error for one that looks.
trait GoneWhenNotFound: Sized {
    fn gone() -> Option<Self>;
}

impl GoneWhenNotFound for () {
    fn gone() -> Option<Self> {
        Some(())
    }
}

impl<T> GoneWhenNotFound for Vec<T> {
    fn gone() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T> GoneWhenNotFound for Option<T> {
    fn gone() -> Option<Self> {
        Some(None)
    }
}

/// Refusals that no repetition changes.
fn is_final(error: &AwsError) -> bool {
    matches!(error.kind, AwsErrorKind::Credentials | AwsErrorKind::Region | AwsErrorKind::Request)
        || error.is_code(&[
            "UnauthorizedOperation",
            "AccessDenied",
            "ExpiredToken",
            "RequestExpired",
            "AuthFailure",
            "InvalidClientTokenId",
            "OperationNotPermitted",
        ])
}
