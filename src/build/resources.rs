//! Everything that a build has made, in memory and in the ledger.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::ledger::{Intent, Leftover};
use super::{BuildError, Ledger};
use crate::aws::{AwsError, Client};
use crate::event::{Emitter, Fact, ResourceKind};

/// Something that was made, or may have been.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Number of its entry in the ledger.
    pub entry: u64,
    /// What it is.
    pub kind: ResourceKind,
    /// Name or client token by which it can be found.
    pub name: String,
    /// Its id; `None` when the call gave no clear answer.
    pub id: Option<String>,
    /// When the call was made.
    pub at: Instant,
    /// Whether it was seen by a Describe call, so that `not found` means that it is gone.
    pub seen: bool,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Deleted,
    NeverMade,
    Kept,
}

/// The resources of one build.
#[derive(Clone)]
pub struct Resources {
    ledger: Ledger,
    events: Emitter,
    build: String,
    region: String,
    endpoint: Option<String>,
    ec2_only: bool,
    account: Option<String>,
    /// The run whose they are, where it is not this one.
    run: Option<String>,
    all: Arc<Mutex<Vec<Resource>>>,
}

impl Resources {
    /// Nothing yet, in the client's region.
    pub fn new(
        ledger: Ledger,
        events: Emitter,
        build: &str,
        client: &Client,
        account: Option<String>,
    ) -> Self {
        Self {
            ledger,
            events,
            build: build.to_owned(),
            region: client.region().to_owned(),
            endpoint: client.endpoint().map(ToOwned::to_owned),
            ec2_only: client.has_ec2_endpoint_only(),
            account,
            run: None,
            all: Arc::default(),
        }
    }

    /// What a dead run left, each with how long ago it was made.
    pub(crate) fn reopened(
        mut self,
        run: &str,
        leftovers: impl IntoIterator<Item = (Leftover, Duration)>,
    ) -> Self {
        self.run = Some(run.to_owned());
        let now = Instant::now();
        self.lock().extend(leftovers.into_iter().map(|(one, age)| Resource {
            entry: one.entry,
            kind: one.intent.kind,
            // EC2 makes them by itself, so their names are their ids; a ledger that is cut off may
            // not repeat that.
            id: one.id.or_else(|| match one.intent.kind {
                ResourceKind::Volume | ResourceKind::Snapshot => Some(one.intent.name.clone()),
                _ => None,
            }),
            name: one.intent.name,
            at: now.checked_sub(age).unwrap_or(now),
            seen: false,
            fate: Fate::Open,
        }));
        self
    }

    /// The run whose they are, where it is not this one.
    pub(crate) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// The region in which they are.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Makes something: records the intent, calls, records the id. `call` must not be dropped half
    /// way, so nothing here listens to an interruption.
    ///
    /// # Errors
    /// When the ledger cannot be written (then nothing was made, or it is torn down by its name),
    /// or the call fails.
    pub async fn create<T>(
        &self,
        kind: ResourceKind,
        name: &str,
        detail: &str,
        call: impl Future<Output = Result<T, AwsError>>,
        id_of: impl FnOnce(&T) -> String,
    ) -> Result<T, BuildError> {
        let entry = self.intend(kind, name, None).await?;
        self.events
            .emit(Fact::CreateStarted { kind, name: name.to_owned(), detail: detail.to_owned() })
            .await;
        match call.await {
            Ok(made) => {
                let id = id_of(&made);
                self.update(entry, |one| one.id = Some(id.clone()));
                let written = self.ledger.created(entry, &id).await;
                self.events
                    .emit(Fact::ResourceCreated { kind, id, detail: detail.to_owned() })
                    .await;
                written.map_err(BuildError::Ledger)?;
                Ok(made)
            }
            Err(error) => {
                if !error.may_have_happened() {
                    self.update(entry, |one| one.fate = Fate::NeverMade);
                    self.ledger.refused(entry).await.map_err(BuildError::Ledger)?;
                }
                Err(error.into())
            }
        }
    }

    /// Takes in what EC2 made by itself, such as the snapshots of an image. May be dropped half
    /// way: then it is known all the same.
    pub async fn adopt(&self, kind: ResourceKind, id: &str) -> Result<(), BuildError> {
        let known = self.lock().iter().any(|one| one.kind == kind && one.id.as_deref() == Some(id));
        if known {
            return Ok(());
        }
        self.intend(kind, id, Some(id)).await.map(drop)
    }

    /// Takes in what an attempt has made whose answer was lost, under the entry that it was recorded
    /// with.
    pub async fn recover(
        &self,
        kind: ResourceKind,
        name: &str,
        id: &str,
    ) -> Result<(), BuildError> {
        let unclear = |one: &Resource| one.name == name && one.id.is_none();
        match self.open(kind).into_iter().find(unclear) {
            Some(one) => {
                self.identified(&one, id);
                self.ledger.created(one.entry, id).await.map_err(BuildError::Ledger)
            }
            None => self.adopt(kind, id).await,
        }
    }

    /// Takes note that an attempt without a clear answer has made nothing: what has the name is
    /// another's.
    pub async fn nothing_made(&self, kind: ResourceKind, name: &str) {
        let unclear = |one: &Resource| one.name == name && one.id.is_none();
        if let Some(one) = self.open(kind).into_iter().find(unclear) {
            self.never_made(&one).await;
        }
    }

    /// Remembers that a Describe call showed it.
    pub fn seen(&self, kind: ResourceKind, id: &str) {
        for one in self.lock().iter_mut() {
            if one.kind == kind && one.id.as_deref() == Some(id) {
                one.seen = true;
            }
        }
    }

    /// Remembers the id of something whose create call gave no clear answer.
    pub(crate) fn identified(&self, resource: &Resource, id: &str) {
        self.update(resource.entry, |one| one.id = Some(id.to_owned()));
    }

    /// What is still there of a kind, newest first.
    pub fn open(&self, kind: ResourceKind) -> Vec<Resource> {
        let all = self.lock();
        all.iter().rev().filter(|one| one.kind == kind && one.fate == Fate::Open).cloned().collect()
    }

    /// Everything that is still there, newest first.
    pub fn all_open(&self) -> Vec<Resource> {
        self.lock().iter().rev().filter(|one| one.fate == Fate::Open).cloned().collect()
    }

    /// Everything that is gone, and was there before.
    pub fn all_deleted(&self) -> Vec<Resource> {
        self.lock().iter().filter(|one| one.fate == Fate::Deleted).cloned().collect()
    }

    /// The id of the newest instance, whether it is still there or not.
    pub fn last_instance(&self) -> Option<String> {
        let all = self.lock();
        let mut instances = all.iter().rev().filter(|one| one.kind == ResourceKind::Instance);
        instances.find_map(|one| one.id.clone())
    }

    /// Records that something is gone. A ledger that cannot be written is no reason to stop a
    /// teardown: at worst `bake gc` looks for something that is not there.
    pub async fn deleted(&self, resource: &Resource) {
        self.update(resource.entry, |one| one.fate = Fate::Deleted);
        if let Err(error) = self.ledger.deleted(resource.entry).await {
            tracing::warn!(%error, "the ledger cannot be written");
        }
        let id = resource.id.clone().unwrap_or_else(|| resource.name.clone());
        self.events.emit(Fact::ResourceDeleted { kind: resource.kind, id }).await;
    }

    /// Records that something never came to be.
    pub async fn never_made(&self, resource: &Resource) {
        self.update(resource.entry, |one| one.fate = Fate::NeverMade);
        if let Err(error) = self.ledger.refused(resource.entry).await {
            tracing::warn!(%error, "the ledger cannot be written");
        }
    }

    /// Makes those of a kind with these ids part of the result.
    pub async fn keep(&self, kind: ResourceKind, ids: &[String]) -> Result<(), BuildError> {
        let open = self.open(kind).into_iter();
        for one in open.filter(|one| one.id.as_ref().is_some_and(|id| ids.contains(id))) {
            self.update(one.entry, |one| one.fate = Fate::Kept);
            self.ledger.kept(one.entry).await.map_err(BuildError::Ledger)?;
        }
        Ok(())
    }

    /// Remembers a resource and records the intent. It is remembered first: an interruption in
    /// between must not leave an entry in the ledger that no teardown knows.
    async fn intend(
        &self,
        kind: ResourceKind,
        name: &str,
        known_id: Option<&str>,
    ) -> Result<u64, BuildError> {
        let entry = self.ledger.open_entry();
        self.lock().push(Resource {
            entry,
            kind,
            name: name.to_owned(),
            id: known_id.map(str::to_owned),
            at: Instant::now(),
            seen: known_id.is_some(),
            fate: Fate::Open,
        });
        let intent = Intent {
            kind,
            name: name.to_owned(),
            build: self.build.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            ec2_only: self.ec2_only,
            account: self.account.clone(),
        };
        let written = match known_id {
            Some(id) => self.ledger.adopted(entry, intent, id).await,
            None => self.ledger.intend(entry, intent).await,
        };
        if let Err(error) = written {
            // Nothing is made that is not in the ledger; what exists already stays remembered.
            if known_id.is_none() {
                self.update(entry, |one| one.fate = Fate::NeverMade);
                self.ledger.forget(entry);
            }
            return Err(BuildError::Ledger(error));
        }
        Ok(entry)
    }

    fn update(&self, entry: u64, change: impl FnOnce(&mut Resource)) {
        if let Some(one) = self.lock().iter_mut().find(|one| one.entry == entry) {
            change(one);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Resource>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
