//! The shared handle of the cloud: one request at a time over a copy of its region.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::command::Command;
use super::iam::Iam;
use super::image_store::ImageStore;
use super::latency::Latency;
use super::session::{Region, Session, Shelf};
use super::{CloudError, Image, ImageState, InstanceState};
use crate::sandbox::machine::{Host, MachineError};

/// The sandbox's account.
pub const ACCOUNT: &str = "123456789012";

/// How long a terminated instance can be described.
const TERMINATED_KEPT: SignedDuration = SignedDuration::from_mins(60);

/// How long an image may be in the making in another process.
const UNFINISHED_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// One account in all regions.
#[derive(Clone)]
pub struct Cloud {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    regions: Mutex<BTreeMap<String, Region>>,
    iam: Mutex<Iam>,
    /// By id.
    pub(super) commands: Mutex<BTreeMap<String, Command>>,
    /// Told whenever an agent registers, or an instance goes away.
    pub(super) agents: Notify,
    pub(super) host: Arc<dyn Host>,
    pub(super) store: Arc<dyn ImageStore>,
    pub(super) latency: Latency,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

impl Cloud {
    /// An account without instances, whose images are in the store.
    pub fn new(host: Arc<dyn Host>, store: Arc<dyn ImageStore>, latency: Latency) -> Self {
        let inner = Inner {
            regions: Mutex::default(),
            iam: Mutex::default(),
            commands: Mutex::default(),
            agents: Notify::new(),
            host,
            store,
            latency,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn regions(&self) -> MutexGuard<'_, BTreeMap<String, Region>> {
        // Requests work on copies, so a panic in one leaves nothing half done.
        self.inner.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Roles and instance profiles. To be let go of before anything else is asked of the cloud.
    pub(crate) fn iam(&self) -> MutexGuard<'_, Iam> {
        self.inner.iam.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long things take.
    pub(crate) fn latency(&self) -> &Latency {
        &self.inner.latency
    }

    /// Runs one request. What it did counts when it succeeds and is no dry run. Reads and writes
    /// the store: not for an async thread. Must be called within a tokio runtime.
    pub fn request<R>(
        &self,
        region: &str,
        dry_run: bool,
        act: impl FnOnce(&mut Session<'_>) -> Result<R, CloudError>,
    ) -> Result<R, CloudError> {
        let (answer, effects) = {
            let mut regions = self.regions();
            if self.inner.closing.is_cancelled() {
                return Err(CloudError::new("Unavailable", "The sandbox is shutting down."));
            }
            let now = Timestamp::now();
            let visible_at = now + self.inner.latency.visible;
            let mut copy = regions.get(region).cloned().unwrap_or_else(|| Region::new(region));
            copy.instances.retain(|_, instance| {
                instance.terminated.is_none_or(|at| now.duration_since(at) < TERMINATED_KEPT)
            });
            let store = self.inner.store.as_ref();
            let iam = self.iam();
            let mut session = Session::new(copy, &regions, &iam, store, now, visible_at);
            let answer = act(&mut session)?;
            if dry_run {
                return Err(CloudError::dry_run());
            }
            let (copy, effects, shelf) = session.finish();
            self.write(&shelf)?;
            regions.insert(region.to_owned(), copy);
            (answer, effects)
        };
        for effect in effects {
            self.begin(region.to_owned(), effect);
        }
        Ok(answer)
    }

    fn write(&self, shelf: &Shelf) -> Result<(), CloudError> {
        let store = &self.inner.store;
        let failed = |error: &dyn std::error::Error| {
            CloudError::internal(format!("the sandbox store: {error}"))
        };
        for id in &shelf.changed {
            let Some(image) = shelf.images.get(id) else { continue };
            let record = image.to_record().map_err(|error| failed(&error))?;
            if let Some(record) = record {
                store.save(&record).map_err(|error| failed(&error))?;
            }
        }
        for id in &shelf.removed {
            match store.remove(id) {
                // Another process was faster, or the capture has not come to its record yet.
                Ok(()) | Err(MachineError::NotFound { .. }) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(())
    }

    /// Removes records of images that were never finished because their sandbox died.
    pub fn sweep(&self) -> Result<(), MachineError> {
        let now = Timestamp::now();
        for record in self.inner.store.images()? {
            let id = record.id.clone();
            let stale = Image::from_record(record).is_ok_and(|image| {
                image.state != ImageState::Available
                    && now.duration_since(image.created) > UNFINISHED_KEPT
            });
            if stale {
                self.inner.store.remove(&id)?;
            }
        }
        Ok(())
    }

    /// Refuses new requests and ends what waits. Machines go away with their last handle.
    pub fn abandon(&self) {
        self.inner.closing.cancel();
    }

    /// Refuses new requests, terminates all instances and waits until their machines are gone.
    pub async fn close(&self) {
        let live: Vec<(String, String)> = {
            let mut regions = self.regions();
            self.inner.closing.cancel();
            let mut live = Vec::new();
            for (name, region) in regions.iter_mut() {
                for instance in region.instances.values_mut() {
                    if !instance.state.is_terminated() {
                        instance.state = InstanceState::ShuttingDown;
                        live.push((name.clone(), instance.id.clone()));
                    }
                }
            }
            live
        };
        for (region, id) in live {
            self.begin(region, super::session::Effect::Terminate(id));
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}
