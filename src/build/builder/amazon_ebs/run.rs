//! The order of things.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::data;
use super::launch::Launched;
use super::prepare::Prepared;
use super::settings::{AmazonEbs, Communication, Late, LateTexts};
use super::{BUILDER_ID, tags};
use crate::aws::time::seconds;
use crate::aws::{CallerIdentity, Client, Image, S3Prefix, Tags};
use crate::build::conclusion::conclude;
use crate::build::connection_data::Reached;
use crate::build::dead_man::{self, Guarded, System};
use crate::build::lease::Lease;
use crate::build::machine::hang_up;
use crate::build::preflight::Asker;
use crate::build::step::step;
use crate::build::{
    BuildContext, BuildError, BuildOutcome, ImageIdentity, OnError, ResolvedSource, Resources,
    SharedRecord, Teardown,
};
use crate::communicator::ssh::KeyPair;
use crate::communicator::ssm;
use crate::communicator::{Communicator, clear_authorized_key};
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
    pub(super) late: &'a Late,
    pub(super) context: &'a BuildContext,
    pub(super) client: &'a Client,
    pub(super) resources: &'a Resources,
    /// Finds out what the credentials may do.
    pub(super) asker: Asker,
    caller: Option<CallerIdentity>,
    /// Name of what this build makes for a while; builds of one run must not share it.
    temporary_name: String,
    /// What is known once the source image is.
    pub(super) named: OnceLock<Named>,
    /// Where in S3 the record of the image hash is, once it is there.
    pub(super) shared_at: OnceLock<S3Prefix>,
    /// The image's name beside an older one of the same hash.
    pub(super) renamed: OnceLock<String>,
    /// The lease, once it was asked for.
    pub(super) lease: OnceLock<Lease>,
    /// The way to the instance that keeps it from powering itself off.
    guarded: OnceLock<Arc<Guarded>>,
}

/// The image to be.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) identity: ImageIdentity,
    pub(super) texts: LateTexts,
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

    pub(super) fn artifact(&self, image: String, reused: bool) -> Artifact {
        Artifact::Images {
            builder_id: BUILDER_ID,
            images: vec![(self.client.region().to_owned(), image)],
            image_hash: self.image_hash().to_owned(),
            reused,
        }
    }

    pub(super) fn teardown(&self) -> Teardown<'_> {
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
    pub(super) fn replaces(&self) -> bool {
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
