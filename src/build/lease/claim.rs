//! Taking, keeping and ending a lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::holder::{Holder, Over, TOKEN};
use crate::aws::time::{milliseconds, seconds};
use crate::aws::wait::{Backoff, Ending, Look, Polling, wait};
use crate::aws::{AwsError, AwsErrorKind, Client, Image, Tags};
use crate::build::builder::amazon_ebs::DEADLINE;
use crate::build::key::make_key;
use crate::build::{BuildError, Clock, Killed, Resources};
use crate::communicator::ssh::KeyType;
use crate::event::{Emitter, Fact, ResourceKind};

/// For how long a lease is taken or renewed.
const TIME: Duration = Duration::from_secs(300);
/// How often it is renewed: several times before it runs out.
const RENEWAL: Duration = seconds(100);
/// Digits of the hash in its name.
const DIGITS: usize = 32;
/// How often to look whether there is the image, or the lease free.
const POLLING: Polling = Polling {
    first: milliseconds(500),
    cap: seconds(10),
    // Somebody else's build takes as long as it takes; its lease has a deadline.
    deadline: seconds(30 * 24 * 3600),
    extend: true,
};

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) enum Taken {
    /// It is this build's.
    Held,
    /// Another build had it and has made the image.
    Image(Box<Image>),
    /// There are no leases here.
    Without,
}

/// The lease of one build, which it may hold or not.
pub(in crate::build) struct Lease {
    client: Client,
    resources: Resources,
    events: Emitter,
    clock: Clock,
    stop: CancellationToken,
    name: String,
    token: String,
    tags: Tags,
    killed: Killed,
    /// Leases that this build has ended, by their ids, each with the run of its holder.
    overtaken: Mutex<BTreeMap<String, Option<String>>>,
    keeper: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// What an attempt came to.
enum Attempt {
    Held,
    Anothers,
    Refused(AwsError),
}

/// What waiting came to.
enum Next {
    Image(Box<Image>),
    Free,
}

impl Lease {
    /// The lease of the image with this hash, not yet taken. `token` is this build's alone;
    /// `tags` say whose it is, and `killed` knows holders whose process is gone.
    #[expect(clippy::too_many_arguments, reason = "what a build has, piece by piece")]
    pub(in crate::build) fn new(
        client: &Client,
        resources: &Resources,
        events: &Emitter,
        clock: &Clock,
        stop: &CancellationToken,
        hash: &str,
        token: &str,
        mut tags: Tags,
        killed: &Killed,
    ) -> Self {
        tags.insert(TOKEN.to_owned(), token.to_owned());
        Self {
            client: client.clone(),
            resources: resources.clone(),
            events: events.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
            name: format!("bake-lease-{}", hash.chars().take(DIGITS).collect::<String>()),
            token: token.to_owned(),
            tags,
            killed: Arc::clone(killed),
            overtaken: Mutex::default(),
            keeper: Mutex::new(None),
        }
    }

    /// Takes the lease, or waits until whoever has it has made the image, which `look` finds.
    ///
    /// Where key pairs cannot be imported or looked at, it goes on without, and says so.
    ///
    /// # Errors
    /// When the run is interrupted, or the cloud cannot be reached.
    pub(in crate::build) async fn take<F>(&self, look: impl Fn() -> F) -> Result<Taken, BuildError>
    where
        F: Future<Output = Result<Option<Image>, AwsError>>,
    {
        let key = make_key(KeyType::Ed25519, &self.name).await?;
        let mut backoff = Backoff::new(milliseconds(200), seconds(5));
        let mut waited = false;
        loop {
            match self.attempt(&key.public).await? {
                Attempt::Held => {
                    self.events.emit(Fact::LeaseTaken { name: self.name.clone(), waited }).await;
                    return Ok(Taken::Held);
                }
                Attempt::Refused(error) => return Ok(self.without(&error).await),
                Attempt::Anothers => {}
            }
            match self.wait(&look).await {
                Ok(Next::Image(image)) => return Ok(Taken::Image(image)),
                Ok(Next::Free) => waited = true,
                Err(BuildError::Aws(error)) if is_refusal(&error) => {
                    return Ok(self.without(&error).await);
                }
                Err(error) => return Err(error),
            }
            // Whoever else waited tries it now, too.
            tokio::select! {
                () = self.stop.cancelled() => return Err(BuildError::Cancelled),
                () = sleep(backoff.next()) => {}
            }
        }
    }

    /// Whether this build still has it; also when nobody may tell.
    ///
    /// # Errors
    /// When the cloud cannot be reached.
    pub(in crate::build) async fn is_held(&self) -> Result<bool, AwsError> {
        match self.client.key_pair(&self.name).await {
            Ok(pair) => Ok(pair.is_some_and(|pair| self.is_ours(&pair.tags))),
            Err(error) if is_refusal(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes note that another build has it by now.
    pub(in crate::build) async fn lose(&self) {
        self.rest();
        for lost in self.resources.open(ResourceKind::Lease) {
            self.resources.deleted(&lost).await;
        }
        self.events.emit(Fact::LeaseLost { name: self.name.clone() }).await;
    }

    /// Whether this build has taken the lease over from that run.
    pub(in crate::build) fn has_overtaken(&self, run: &str) -> bool {
        let overtaken = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.values().any(|holder| holder.as_deref() == Some(run))
    }

    /// Does not renew it any more.
    pub(in crate::build) fn rest(&self) {
        drop(self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn without(&self, error: &AwsError) -> Taken {
        let text = format!(
            "other builds of this image are not waited for, as leases are key pairs and these cannot be used here: {error}"
        );
        self.events.emit(Fact::Warning { text }).await;
        Taken::Without
    }

    async fn attempt(&self, public_key: &str) -> Result<Attempt, BuildError> {
        let mut tags = self.tags.clone();
        tags.insert(DEADLINE.to_owned(), self.clock.timestamp_after(TIME));
        let found_by = format!("{}/{}", self.name, self.token);
        let call = self.client.import_key_pair(&self.name, public_key, &tags);
        let made =
            self.resources.create(ResourceKind::Lease, &found_by, "", call, Clone::clone).await;
        let id = match made {
            Ok(id) => id,
            Err(BuildError::Aws(error)) if error.is_code(&["InvalidKeyPair.Duplicate"]) => {
                // An earlier attempt of the same call, whose answer was lost, may have made it.
                match self.client.key_pair(&self.name).await {
                    Ok(Some(pair)) if self.is_ours(&pair.tags) => {
                        self.resources.recover(ResourceKind::Lease, &found_by, &pair.id).await?;
                        pair.id
                    }
                    Ok(Some(_)) => {
                        self.resources.nothing_made(ResourceKind::Lease, &found_by).await;
                        return Ok(Attempt::Anothers);
                    }
                    // It will become visible; if it is this build's own, that is noticed then.
                    Ok(None) => return Ok(Attempt::Anothers),
                    Err(error) if is_refusal(&error) => return Ok(Attempt::Refused(error)),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(BuildError::Aws(error)) if is_refusal(&error) => {
                return Ok(Attempt::Refused(error));
            }
            Err(error) => return Err(error),
        };
        self.keep(id);
        Ok(Attempt::Held)
    }

    fn is_ours(&self, tags: &Tags) -> bool {
        tags.get(TOKEN) == Some(&self.token)
    }

    /// Renews it from now on, beside everything else.
    fn keep(&self, id: String) {
        let (client, clock, events) =
            (self.client.clone(), self.clock.clone(), self.events.clone());
        let keeping = tokio::spawn(async move {
            let ids = [id];
            let mut pause = RENEWAL;
            let mut told = false;
            loop {
                sleep(pause).await;
                let deadline = (DEADLINE.to_owned(), clock.timestamp_after(TIME));
                pause = RENEWAL;
                let Err(error) = client.create_tags(&ids, &Tags::from([deadline])).await else {
                    continue;
                };
                tracing::warn!(%error, "the lease cannot be renewed");
                // Gone: whether that matters is found out before the image gets its hash.
                if error.is_not_found() || error.is_code(&["InvalidID"]) {
                    return;
                }
                pause = RENEWAL / 5;
                if !told && is_refusal(&error) {
                    told = true;
                    let text = format!("another build may make this image too: {error}");
                    events.emit(Fact::Warning { text }).await;
                }
            }
        });
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        *keeper = Some(AbortOnDropHandle::new(keeping));
    }

    /// Waits until there is the image, or the lease is free; makes it so when its time is over.
    async fn wait<F>(&self, look: &impl Fn() -> F) -> Result<Next, BuildError>
    where
        F: Future<Output = Result<Option<Image>, AwsError>>,
    {
        let seen = Mutex::new(None);
        let look = || self.look(look, &seen);
        match wait(POLLING, &self.stop, |_| (), look).await? {
            Ending::Done(next) => Ok(next),
            Ending::Cancelled => Err(BuildError::Cancelled),
            Ending::Hopeless { .. } | Ending::DeadlinePassed { .. } => Ok(Next::Free),
        }
    }

    async fn look<F>(
        &self,
        look: &impl Fn() -> F,
        seen: &Mutex<Option<Seen>>,
    ) -> Result<Look<Next>, AwsError>
    where
        F: Future<Output = Result<Option<Image>, AwsError>>,
    {
        let pair = self.client.key_pair(&self.name).await?;
        // After the lease: it goes only once there is the image.
        if let Some(image) = look().await? {
            return Ok(Look::Done(Next::Image(Box::new(image))));
        }
        let Some(pair) = pair.filter(|pair| !self.is_ours(&pair.tags)) else {
            return Ok(Look::Done(Next::Free));
        };
        let holder = Holder::of(&pair);
        let (is_new, silent_for) = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = seen.as_ref().is_none_or(|seen| seen.id != pair.id);
            if is_new || seen.as_ref().is_some_and(|seen| seen.renewals != holder.renewals()) {
                let (id, renewals, at) = (pair.id.clone(), holder.renewals(), Instant::now());
                *seen = Some(Seen { id, renewals, at });
            }
            (is_new, seen.as_ref().map(|seen| seen.at.elapsed()).unwrap_or_default())
        };
        let deadline = holder.deadline.map(|at| at.to_string());
        let killed = self.killed(holder.run.clone()).await;
        if let Some(over) = holder.over(self.clock.now(), silent_for, killed) {
            self.client.delete_key_pair_by_id(&pair.id, &self.name).await?;
            if self.overtakes(&pair.id, &holder) {
                let holder = holder.text;
                self.events
                    .emit(match over {
                        Over::Gone { run, left } => Fact::LeaseHolderGone { holder, run, left },
                        Over::Silent => Fact::LeaseTakenOver { holder, deadline },
                    })
                    .await;
            }
            return Ok(Look::Done(Next::Free));
        }
        if is_new {
            let (holder, since) = (holder.text.clone(), holder.since.clone());
            self.events.emit(Fact::LeaseAwaited { holder, since, deadline }).await;
        }
        Ok(Look::Pending { state: pair.id, progress: holder.renewals() })
    }

    /// How much the run of a holder left, when it was killed on this machine.
    async fn killed(&self, run: Option<String>) -> Option<usize> {
        let (run, killed) = (run?, Arc::clone(&self.killed));
        tokio::task::spawn_blocking(move || killed(&run)).await.ok().flatten()
    }

    /// Remembers that a lease is ended; says whether that is new. It may be seen once more.
    fn overtakes(&self, id: &str, holder: &Holder) -> bool {
        let mut overtaken = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.insert(id.to_owned(), holder.run.clone()).is_none()
    }
}

/// A lease as it was seen.
struct Seen {
    id: String,
    renewals: u64,
    /// Since when it is like this.
    at: Instant,
}

/// Deletes the lease that an entry of a ledger is about, if it is still there, and says whether it
/// was: `id` is what the ledger has, `found_by` the name and the token.
///
/// # Errors
/// Those of the calls.
pub(in crate::build) async fn end(
    client: &Client,
    found_by: &str,
    id: Option<&str>,
) -> Result<bool, AwsError> {
    let id = match id {
        Some(id) => Some(id.to_owned()),
        None => find(client, found_by, None).await?,
    };
    let Some(id) = id else { return Ok(false) };
    let (name, _) = parts(found_by);
    client.delete_key_pair_by_id(&id, name).await?;
    Ok(true)
}

/// The id of the lease that an entry of a ledger is about, if it is there; see [`end`].
///
/// # Errors
/// Those of the call.
pub(in crate::build) async fn find(
    client: &Client,
    found_by: &str,
    id: Option<&str>,
) -> Result<Option<String>, AwsError> {
    let (name, token) = parts(found_by);
    let pair = client.key_pair(name).await?.filter(|pair| match id {
        Some(id) => pair.id == id,
        None => pair.tags.get(TOKEN).is_some_and(|found| found == token),
    });
    Ok(pair.map(|pair| pair.id))
}

/// Name and token of a lease.
fn parts(found_by: &str) -> (&str, &str) {
    found_by.split_once('/').unwrap_or((found_by, ""))
}

/// Whether these are the tags of a lease.
pub(in crate::build) fn is_lease(tags: &Tags) -> bool {
    tags.contains_key(TOKEN)
}

/// Whether the cloud does not do, or not allow, what a lease takes.
fn is_refusal(error: &AwsError) -> bool {
    error.kind == AwsErrorKind::Service && !error.is_transient() && !error.may_have_happened()
}
