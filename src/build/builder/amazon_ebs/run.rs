//! The order of things.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::data;
use super::launch::Launched;
use super::network::{self, Network};
use super::password::{self, read_key};
use super::settings::{AmazonEbs, Communication, KeySettings, Late, LateTexts, PasswordSettings};
use super::{BUILDER_ID, source, tags};
use crate::aws::time::seconds;
use crate::aws::{AwsError, CallerIdentity, Client, Filter, Image, ImageQuery, S3Prefix, Tags};
use crate::build::conclusion::conclude;
use crate::build::connection_data::Reached;
use crate::build::dead_man::{self, Guarded, System};
use crate::build::key::make_key;
use crate::build::lease::{Lease, Taken};
use crate::build::machine::hang_up;
use crate::build::preflight::{self, Asker, Launching, QuotaCheck};
use crate::build::step::step;
use crate::build::{
    BuildContext, BuildError, BuildOutcome, ImageIdentity, OnError, ResolvedSource, Resources,
    SharedRecord, Teardown,
};
use crate::communicator::ssh::{self, KeyPair};
use crate::communicator::ssm;
use crate::communicator::{Communicator, CommunicatorError, clear_authorized_key};
use crate::event::{Artifact, Fact, ResourceKind, Step};
use crate::template::schema::BuildData;

/// Builds an image and tears down whatever it took, however the build ends.
pub(super) async fn run(build: &AmazonEbs, late: &Late, context: &BuildContext) -> BuildOutcome {
    conclude(context, &build.places, whole(build, late, context)).await
}

/// Everything, with teardown.
async fn whole(
    build: &AmazonEbs,
    late: &Late,
    context: &BuildContext,
) -> (Result<Artifact, BuildError>, Vec<crate::build::Left>) {
    let (client, caller) = match sign_in(build, context).await {
        Ok(signed_in) => signed_in,
        Err(error) => return (Err(error), Vec::new()),
    };
    let resources = Resources::new(
        context.ledger.clone(),
        context.events.clone(),
        &context.build,
        &client,
        caller.as_ref().map(|caller| caller.account.clone()),
    );
    let run = Run {
        build,
        late,
        context,
        client: &client,
        resources: &resources,
        asker: Asker::new(
            caller.as_ref().map(|caller| caller.arn.clone()),
            !build.skip_credential_validation,
        ),
        caller,
        temporary_name: format!("packer_{}", uuid::Uuid::new_v4()),
        named: OnceLock::new(),
        shared_at: OnceLock::new(),
        renamed: OnceLock::new(),
        lease: OnceLock::new(),
        guarded: OnceLock::new(),
    };
    let result = match AssertUnwindSafe(run.work()).catch_unwind().boxed().await {
        Ok(result) => result,
        Err(panic) => Err(BuildError::of_panic(&*panic)),
    };
    // An interruption shows up as whatever error it led to; it is the reason all the same.
    let result = match result {
        Err(_) if context.cancel.stop().is_cancelled() => Err(BuildError::Cancelled),
        other => other,
    };
    let teardown = run.teardown();
    let keep = result.is_err() && context.on_error == OnError::Abort;
    let only_lease = resources.all_open().iter().all(|one| one.kind == ResourceKind::Lease);
    let left = if keep || only_lease {
        if let Some(lease) = run.lease.get() {
            lease.rest();
        }
        // There is nothing to look at in a lease, and others wait for it.
        let held = teardown.leases().await;
        let left = if keep { teardown.list("left in place by -on-error=abort") } else { held };
        teardown.report(&left).await;
        left
    } else {
        let removing = async { Ok(teardown.everything().boxed().await) };
        step(&context.events, Step::Teardown, removing).await.unwrap_or_default()
    };
    (result, left)
}

/// Finds region and credentials, and checks that they work.
async fn sign_in(
    build: &AmazonEbs,
    context: &BuildContext,
) -> Result<(Client, Option<CallerIdentity>), BuildError> {
    let signing = async {
        let client = Client::connect(&build.access).await?;
        let caller = if build.skip_credential_validation {
            None
        } else {
            Some(client.caller_identity().await?)
        };
        Ok((client, caller))
    };
    tokio::select! {
        biased;
        () = context.cancel.stop().cancelled() => Err(BuildError::Cancelled),
        signed_in = signing => signed_in,
    }
}

/// A build under way.
pub(super) struct Run<'a> {
    pub(super) build: &'a AmazonEbs,
    late: &'a Late,
    pub(super) context: &'a BuildContext,
    pub(super) client: &'a Client,
    pub(super) resources: &'a Resources,
    /// Finds out what the credentials may do.
    pub(super) asker: Asker,
    caller: Option<CallerIdentity>,
    /// Name of what this build makes for a while; builds of one run must not share it.
    temporary_name: String,
    /// What is known once the source image is.
    named: OnceLock<Named>,
    /// Where in S3 the record of the image hash is, once it is there.
    pub(super) shared_at: OnceLock<S3Prefix>,
    /// The image's name beside an older one of the same hash.
    renamed: OnceLock<String>,
    /// The lease, once it was asked for.
    lease: OnceLock<Lease>,
    /// The way to the instance that keeps it from powering itself off.
    guarded: OnceLock<Arc<Guarded>>,
}

/// The image to be.
struct Named {
    name: String,
    identity: ImageIdentity,
    texts: LateTexts,
}

/// What the look-ups came to.
enum Prepared {
    /// Nothing to do.
    Reused(Artifact),
    /// Everything needed for a launch.
    Ready { source: Box<ResolvedSource>, network: Network, key: Option<KeyPair>, data: BuildData },
}

impl Run<'_> {
    async fn work(&self) -> Result<Artifact, BuildError> {
        let events = &self.context.events;
        let prepared = step(events, Step::Prepare, self.prepare()).await?;
        let (source, network, key, mut data) = match prepared {
            Prepared::Reused(artifact) => return Ok(artifact),
            Prepared::Ready { source, network, key, data } => (*source, network, key, data),
        };
        self.check_cancelled()?;
        let launching = step(events, Step::Launch, self.launch(&source, &network, key)).boxed();
        let sharing = self.share_record().map(Ok).boxed();
        let (launched, ()) = tokio::try_join!(launching, sharing)?;
        let instance = launched.instance.id.clone();
        let system = self.system(&source);
        let connecting = self.connect(&launched, system, &mut data);
        let connecting = self.if_it_may_finish(&instance, connecting);
        let communicator = step(events, Step::Connect, connecting).await?;
        let key = launched.key.as_ref();
        step(events, Step::Provision, self.provision(communicator, data, key)).await?;
        step(events, Step::Stop, self.stop(&instance)).await?;
        if self.build.image.skip_create {
            return Ok(Artifact::Nothing);
        }
        // It has the same name, as a rule.
        if let Some(anothers) = self.made_by_another().await? {
            return Ok(self.adopt(&anothers).await);
        }
        let image = step(events, Step::Image, self.image(&instance)).await?;
        if let Some(anothers) = step(events, Step::Publish, self.publish(&image)).await? {
            return Ok(self.adopt(&anothers).await);
        }
        self.resources.keep(ResourceKind::Image, std::slice::from_ref(&image.id)).await?;
        self.resources.keep(ResourceKind::Snapshot, &image.snapshot_ids).await?;
        Ok(self.artifact(image.id, false))
    }

    async fn prepare(&self) -> Result<Prepared, BuildError> {
        let events = &self.context.events;
        let quota = QuotaCheck::start(self.client, self.launching());
        let looking = async {
            tokio::try_join!(
                source::resolve(self.client, &self.build.source, self.context).boxed(),
                network::resolve(self.client, self.build).boxed(),
                self.local_key(),
                self.check_login(),
                preflight::check_credentials(self.client, self.context),
                preflight::check_instance_type(
                    self.client,
                    &self.build.instance.instance_type,
                    self.build.instance.placement.availability_zone.as_deref(),
                ),
            )
        };
        let (source, network, key, (), (), ()) = self.interruptible(looking).await??;
        events
            .emit(Fact::SourceImageFound {
                id: source.image.id.clone(),
                name: source.image.name.clone(),
                stand_in: source.image.tags.get("bake:sandbox-base").cloned(),
            })
            .await;
        if let Some(text) = password::doubt(&self.build.communication, &source.image) {
            events.emit(Fact::Warning { text }).await;
        }
        events
            .emit(Fact::NetworkFound {
                vpc_id: network.vpc_id.clone(),
                subnet_id: network.subnet_id.clone(),
            })
            .await;
        let identity = (self.context.identify)(&source).map_err(BuildError::Identity)?;
        let data = data::of_source(&source, &identity.hash, &self.context.run_id);
        let texts = (self.late)(&data)?;
        if !texts.secrets.is_empty() {
            events.emit(Fact::SecretsFound { secrets: texts.secrets.clone() }).await;
        }
        let short: String = identity.hash.chars().take(12).collect();
        let name = texts
            .image_name
            .clone()
            .unwrap_or_else(|| format!("{}-{short}", self.context.source_name));
        let name = match &self.context.apart {
            Some(apart) => beside(&name, &apart.suffix),
            None => name,
        };
        let recording = self.context.ledger.hashed(&self.context.build, &identity.hash, &name);
        recording.await.map_err(BuildError::Ledger)?;
        events.emit(Fact::ImageHashKnown { hash: identity.hash.clone(), name: name.clone() }).await;
        self.named.get_or_init(|| Named { name, identity, texts });
        let looking = async { tokio::try_join!(self.reusable(), self.name_taken()) };
        let (mut reused, taken) = self.interruptible(looking).await??;
        let mut taken = taken.filter(|image| image.name == self.image_name());
        let is_free = taken.as_ref().is_none_or(is_in_the_making);
        if reused.is_none() && is_free {
            let instance_type = &self.build.instance.instance_type;
            let quota = quota.finish(self.client.region(), instance_type);
            self.interruptible(quota).await??;
            let asking = self.may_launch(&source, &network, key.as_ref());
            if self.is_shared() {
                // What may not be made matters only to the build that is to make it.
                let (leased, allowed) = tokio::join!(self.leased(), asking);
                (reused, taken) = leased?;
                if reused.is_none() && taken.is_none() {
                    allowed?;
                }
            } else if taken.is_none() {
                asking.await?;
            }
        }
        if let Some(image) = reused {
            return Ok(Prepared::Reused(self.adopt(&image).await));
        }
        if let Some(image) = taken {
            self.make_way(&image).await?;
        }
        Ok(Prepared::Ready { source: Box::new(source), network, key, data })
    }

    /// What is to be launched, as far as quotas go.
    fn launching(&self) -> Launching<'_> {
        let settings = &self.build.instance;
        let placement = &settings.placement;
        Launching {
            instance_type: &settings.instance_type,
            has_room_of_its_own: placement.tenancy.as_deref() == Some("host")
                || placement.host_id.is_some()
                || placement.host_resource_group_arn.is_some()
                || settings.capacity_reservation_id.is_some()
                || settings.capacity_reservation_group_arn.is_some(),
        }
    }

    async fn local_key(&self) -> Result<Option<KeyPair>, BuildError> {
        match self.build.communication.key() {
            KeySettings::Temporary { kind, .. } => {
                make_key(*kind, self.temporary_name()).await.map(Some)
            }
            KeySettings::Existing { .. } | KeySettings::Nothing => Ok(None),
        }
    }

    /// Finds out before anything is made whether there are the keys and the agent to log in with.
    async fn check_login(&self) -> Result<(), BuildError> {
        let login = match &self.build.communication {
            Communication::Ssh { login, .. } => login,
            Communication::WinRm {
                password: PasswordSettings::Asked { key_file: Some(file), .. },
                ..
            } => return read_key(file).await.map(drop),
            _ => return Ok(()),
        };
        let checking = async { ssh::check_credentials(&login.load(None, None).await?).await };
        checking.await.map_err(|error| BuildError::Option {
            option: match error {
                CommunicatorError::Agent { .. } => "ssh_agent_auth",
                _ => "ssh_private_key_file",
            },
            message: error.to_string(),
            hints: error.hints(),
        })
    }

    /// Whether builds of the same hash make one image together.
    fn is_shared(&self) -> bool {
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
    async fn leased(&self) -> Result<(Option<Image>, Option<Image>), BuildError> {
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
    async fn make_way(&self, image: &Image) -> Result<(), BuildError> {
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
    async fn adopt(&self, image: &Image) -> Artifact {
        let (id, name) = (image.id.clone(), image.name.clone());
        self.context.events.emit(Fact::ImageReused { id: id.clone(), name }).await;
        self.artifact(id, true)
    }

    /// The newest own available image with this hash, unless it must not be taken; says why.
    async fn reusable(&self) -> Result<Option<Image>, AwsError> {
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
    async fn name_taken(&self) -> Result<Option<Image>, AwsError> {
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

    async fn connect(
        &self,
        launched: &Launched,
        system: System,
        data: &mut BuildData,
    ) -> Result<Option<Arc<dyn Communicator>>, BuildError> {
        let reached = self.reach(launched).await?;
        let host = reached.host.as_deref().unwrap_or_default();
        let way = match &self.build.communication {
            Communication::Nothing => None,
            Communication::Ssh { port, login, .. } => {
                let (user, login) = (login.username.as_str(), Some(&**login));
                Some(Reached { kind: "ssh", host, port: *port, user, login, password: None })
            }
            Communication::WinRm { port, login, .. } => {
                let (user, password) = (login.username.as_str(), reached.password.as_ref());
                Some(Reached { kind: "winrm", host, port: *port, user, login: None, password })
            }
            Communication::Ssm { .. } => {
                let (login, password) = (None, None);
                Some(Reached { kind: "ssm", host, port: 0, user: "root", login, password })
            }
        };
        data::add_instance(data, &reached.instance, way.as_ref(), launched.key.as_ref());
        // What another host runs is nothing to power off.
        if let Some(inner) = reached.communicator.as_ref().filter(|_| !self.has_own_host()) {
            let guarded = self.guarded.get_or_init(|| {
                let (lifetime, events) = (self.context.lifetime, self.context.events.clone());
                Arc::new(Guarded::new(Arc::clone(inner), system, lifetime, events))
            });
            return Ok(Some(Arc::clone(guarded) as Arc<dyn Communicator>));
        }
        Ok(reached.communicator)
    }

    /// What the instance runs.
    pub(super) fn system(&self, source: &ResolvedSource) -> System {
        let platform = source.image.platform.as_deref().unwrap_or_default();
        let is_windows =
            self.build.communication.is_windows() || platform.eq_ignore_ascii_case("windows");
        if is_windows { System::Windows } else { System::Unix }
    }

    /// Whether the template names the host to connect to, which need not be the instance.
    fn has_own_host(&self) -> bool {
        let (Communication::Ssh { host, .. } | Communication::WinRm { host, .. }) =
            &self.build.communication
        else {
            return false;
        };
        host.is_some()
    }

    /// Says as long as it is polled that the build lives: the timer of the instance starts anew, and
    /// the deadlines in the tags move on.
    async fn keep_alive(&self) -> Infallible {
        loop {
            sleep(self.context.lifetime / 3).await;
            if let Some(guarded) = self.guarded.get() {
                guarded.arm().await;
            }
            let kinds = [ResourceKind::Instance, ResourceKind::SecurityGroup];
            let open = kinds.into_iter().flat_map(|kind| self.resources.open(kind));
            let ids: Vec<_> = open.filter_map(|one| one.id).collect();
            if let Err(error) = self.client.create_tags(&ids, &tags::deadline(self.context)).await {
                tracing::warn!(%error, "the deadline of the instance cannot be moved");
            }
        }
    }

    async fn provision(
        &self,
        communicator: Option<Arc<dyn Communicator>>,
        data: BuildData,
        key: Option<&KeyPair>,
    ) -> Result<(), BuildError> {
        // cloud-init and its like are not on Windows, nor is the shell to look for them.
        let readiness = match self.build.communication.is_windows() {
            true => Duration::ZERO,
            false => self.build.waits.readiness,
        };
        let result = tokio::select! {
            biased;
            done = self.context.provision_machine(communicator.as_ref(), data, readiness) => done,
            never = self.keep_alive() => match never {},
        };
        let result = match (result, &communicator) {
            (Ok(()), Some(communicator)) => {
                self.interruptible(self.tidy(&**communicator, key)).await.flatten()
            }
            (result, _) => result,
        };
        // By Run Command it takes a few seconds, and leaves something in the image when it is given
        // up.
        let leaves =
            matches!(self.build.communication, Communication::Ssm { .. }) && result.is_ok();
        let patience = if leaves { seconds(20) } else { seconds(5) };
        let ended = hang_up(communicator, patience, self.context.cancel.hurry()).await;
        result?;
        self.check_cancelled()?;
        if leaves && !ended {
            let text = "bake's own files may stay in the image: the instance did not say in time that they are removed";
            self.context.events.emit(Fact::Warning { text: text.to_owned() }).await;
        }
        Ok(())
    }

    /// Takes out of the image to be what only the build needed: the temporary key, when the template
    /// asks for that, and the traces of Systems Manager.
    async fn tidy(
        &self,
        communicator: &dyn Communicator,
        key: Option<&KeyPair>,
    ) -> Result<(), BuildError> {
        let failed = |error| BuildError::Provision(Box::new(error));
        let clears = matches!(self.build.communication, Communication::Ssh { clear_key: true, .. });
        let mut told = Vec::new();
        if let Some(key) = key.filter(|_| clears) {
            told.push(clear_authorized_key(communicator, &key.public).await.map_err(failed)?);
        }
        let communication = &self.build.communication;
        if communication.uses_systems_manager() && !communication.is_windows() {
            told.push(ssm::clear_traces(communicator).await.map_err(failed)?);
        }
        if self.guarded.get().is_some_and(|guarded| guarded.is_unix()) {
            dead_man::forget(communicator).await.map_err(failed)?;
        }
        for text in told.into_iter().flatten() {
            self.context.events.emit(Fact::Warning { text }).await;
        }
        Ok(())
    }

    /// Makes the image and meanwhile, once that is safe, removes the instance.
    async fn image(&self, instance: &str) -> Result<Image, BuildError> {
        if self.replaces() {
            self.deregister_old(self.image_name()).await?;
        }
        let id = self.create_image(instance).await?;
        let safe = CancellationToken::new();
        let over = CancellationToken::new();
        let waiting = async {
            let image = self.image_available(&id, &safe).await;
            over.cancel();
            image
        };
        let releasing = async {
            // Whoever wants to look at a failed build wants to find its instance.
            if self.context.on_error == OnError::Abort {
                return;
            }
            tokio::select! {
                biased;
                () = safe.cancelled() => {}
                () = over.cancelled() => return,
            }
            // What is left now is tried again, and then reported, at the end.
            self.teardown().builder().boxed().await;
        };
        let (image, ()) = tokio::join!(waiting, releasing);
        image
    }

    fn artifact(&self, image: String, reused: bool) -> Artifact {
        Artifact::Images {
            builder_id: BUILDER_ID,
            images: vec![(self.client.region().to_owned(), image)],
            image_hash: self.image_hash().to_owned(),
            reused,
        }
    }

    fn teardown(&self) -> Teardown<'_> {
        Teardown {
            client: self.client,
            resources: self.resources,
            events: &self.context.events,
            leave: self.context.cancel.leave(),
            deadline: self.context.teardown_deadline,
        }
    }

    pub(super) fn check_cancelled(&self) -> Result<(), BuildError> {
        if self.context.cancel.stop().is_cancelled() { Err(BuildError::Cancelled) } else { Ok(()) }
    }

    /// Whether an image of the same name is to be replaced.
    fn replaces(&self) -> bool {
        self.context.apart.is_none() && (self.context.force || self.build.image.force_deregister)
    }

    /// The name of what this build makes for a while.
    pub(super) fn temporary_name(&self) -> &str {
        &self.temporary_name
    }

    /// Whether tags were put there by this run.
    pub(super) fn is_ours(&self, tags: &Tags) -> bool {
        tags.get(tags::RUN_ID) == Some(&self.context.run_id)
    }

    pub(super) fn owner(&self) -> Option<&str> {
        self.caller.as_ref().map(|caller| caller.arn.as_str())
    }

    /// Tags of what goes away with the run.
    pub(super) fn run_tags(&self) -> Tags {
        tags::temporary(self.context, self.owner(), &self.texts().run_tags)
    }

    pub(super) fn texts(&self) -> LateTexts {
        self.named.get().map(|named| named.texts.clone()).unwrap_or_default()
    }

    pub(super) fn image_name(&self) -> &str {
        let named = self.named.get().map_or("", |named| &named.name);
        self.renamed.get().map_or(named, String::as_str)
    }

    /// The record of the image hash, where it is to be kept in S3.
    pub(super) fn shared_record(&self) -> Option<&SharedRecord> {
        self.named.get()?.identity.shared.as_ref()
    }

    pub(super) fn image_hash(&self) -> &str {
        self.named.get().map_or("", |named| &named.identity.hash)
    }
}

/// Whether an image may be that of another build under way, whose lease says more.
fn is_in_the_making(image: &Image) -> bool {
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
fn beside(name: &str, suffix: &str) -> String {
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
