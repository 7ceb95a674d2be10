//! A host whose machines are instant, and an image store in memory, for tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::image_store::ImageStore;
use crate::content::ImageContent;
use crate::sandbox::machine::{
    Base, Boots, Digest, Ended, Host, Machine, MachineError, MachineSpec, RootFs, Task, TaskEnd,
};
use crate::sandbox::store::ImageRecord;

/// A host of machines that do nothing.
#[derive(Default)]
pub(crate) struct FakeHost {
    launched: AtomicUsize,
    /// What is not terminated, by instance id.
    pub(crate) machines: Arc<Mutex<BTreeMap<String, Arc<FakeMachine>>>>,
    /// All specs, oldest first.
    pub(crate) specs: Mutex<Vec<MachineSpec>>,
    /// What happened to all machines, oldest first.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    /// Makes launches fail.
    pub(crate) broken: std::sync::atomic::AtomicBool,
}

pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeHost {
    pub(crate) fn machine(&self, id: &str) -> Option<Arc<FakeMachine>> {
        held(&self.machines).get(id).cloned()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        held(&self.log).clone()
    }
}

impl Host for FakeHost {
    fn launch(
        &self,
        spec: MachineSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Machine>, MachineError>> {
        if self.broken.load(Ordering::SeqCst) {
            return async { Err(MachineError::Other("no namespaces today".to_owned())) }.boxed();
        }
        let number = self.launched.fetch_add(1, Ordering::SeqCst) + 1;
        let last = u8::try_from(number % 250).unwrap_or(0) + 2;
        let machine = Arc::new(FakeMachine {
            id: spec.id.clone(),
            address: SocketAddr::from(([127, 100, 0, last], 22)),
            state: watch::Sender::new(None),
            boots: watch::Sender::new(Boots { count: 1, up: true }),
            tasks: Mutex::default(),
            captures: AtomicU8::new(0),
            log: self.log.clone(),
            machines: self.machines.clone(),
        });
        machine.note("launch");
        held(&self.specs).push(spec.clone());
        held(&self.machines).insert(spec.id, machine.clone());
        async move { Ok(machine as Arc<dyn Machine>) }.boxed()
    }
}

/// A machine that is a state and a log.
pub(crate) struct FakeMachine {
    id: String,
    address: SocketAddr,
    /// `None` while it runs.
    state: watch::Sender<Option<Ended>>,
    boots: watch::Sender<Boots>,
    /// All tasks, oldest first.
    pub(crate) tasks: Mutex<Vec<Task>>,
    captures: AtomicU8,
    log: Arc<Mutex<Vec<String>>>,
    machines: Arc<Mutex<BTreeMap<String, Arc<FakeMachine>>>>,
}

impl FakeMachine {
    fn note(&self, what: &str) {
        held(&self.log).push(what.to_owned());
    }

    fn change(&self, what: &str, state: Option<Ended>) {
        self.note(what);
        self.set(state);
    }

    fn set(&self, state: Option<Ended>) {
        self.boots.send_modify(|boots| {
            boots.up = state.is_none();
            boots.count += u64::from(boots.up);
        });
        self.state.send_replace(state);
    }

    /// What a guest does with `reboot`.
    pub(crate) fn boot_again(&self) {
        self.note("boot again");
        self.boots.send_modify(|boots| boots.up = false);
        self.boots.send_modify(|boots| {
            boots.up = true;
            boots.count += 1;
        });
    }

    /// What a guest does with `poweroff`.
    pub(crate) fn power_off(&self) {
        self.change("poweroff", Some(Ended::PoweredOff));
    }
}

fn done() -> BoxFuture<'static, Result<(), MachineError>> {
    async { Ok(()) }.boxed()
}

impl Machine for FakeMachine {
    fn ssh_address(&self) -> SocketAddr {
        self.address
    }

    fn ended(&self) -> BoxFuture<'static, Ended> {
        let mut state = self.state.subscribe();
        async move {
            let ended = state.wait_for(Option::is_some).await.ok().and_then(|state| *state);
            ended.unwrap_or(Ended::Asked)
        }
        .boxed()
    }

    fn is_running(&self) -> bool {
        self.state.borrow().is_none()
    }

    fn stop(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        if self.is_running() {
            self.change("stop", Some(Ended::Asked));
        }
        done()
    }

    fn start(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.change("start", None);
        done()
    }

    fn reboot(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.change("reboot", Some(Ended::Asked));
        self.set(None);
        done()
    }

    fn terminate(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.change("terminate", Some(Ended::Asked));
        held(&self.machines).remove(&self.id);
        done()
    }

    fn capture(&self) -> BoxFuture<'static, Result<Digest, MachineError>> {
        let running = self.is_running();
        self.note(if running { "capture running" } else { "capture stopped" });
        let number = self.captures.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("sha256:{number:064x}")) }.boxed()
    }

    fn boots(&self) -> watch::Receiver<Boots> {
        self.boots.subscribe()
    }

    /// Understands scripts of one command: `echo TEXT` (also to standard error), `exit CODE` and
    /// `wait`, which only SIGKILL ends; `again` says 194 the first time.
    fn run(
        &self,
        task: Task,
        kill: CancellationToken,
    ) -> BoxFuture<'static, Result<TaskEnd, MachineError>> {
        let script = task.files.first().map(|file| file.content.trim_end().to_owned());
        let seen = held(&self.tasks).iter().filter(|seen| seen.files == task.files).count();
        held(&self.tasks).push(task);
        async move {
            let end = |code: i32| TaskEnd { code: Some(code), ..TaskEnd::default() };
            let script = script.unwrap_or_default();
            Ok(match script.split_once(' ').unwrap_or((&script, "")) {
                ("echo", text) => {
                    TaskEnd { stdout: text.to_owned(), stderr: text.to_owned(), ..end(0) }
                }
                ("exit", code) => end(code.parse().unwrap_or_default()),
                ("again", _) => end(if seen == 0 { 194 } else { 0 }),
                ("wait", _) => {
                    kill.cancelled().await;
                    TaskEnd { code: None, ..TaskEnd::default() }
                }
                _ => end(0),
            })
        }
        .boxed()
    }

    fn console_output(&self) -> Vec<u8> {
        format!("console of {}\n", self.id).into_bytes()
    }
}

/// Image records in memory, with one base, as on a host that runs Debian 12.
pub(crate) struct MemoryStore {
    pub(crate) bases: Vec<Base>,
    pub(crate) records: Mutex<BTreeMap<String, ImageRecord>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let host = Base {
            name: "host".to_owned(),
            path: PathBuf::from("/"),
            os_id: "debian".to_owned(),
            os_version: "12".to_owned(),
            os_name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        };
        Self { bases: vec![host], records: Mutex::default() }
    }
}

impl ImageStore for MemoryStore {
    fn bases(&self) -> Result<Vec<Base>, MachineError> {
        Ok(self.bases.clone())
    }

    fn images(&self) -> Result<Vec<ImageRecord>, MachineError> {
        Ok(held(&self.records).values().cloned().collect())
    }

    fn save(&self, record: &ImageRecord) -> Result<(), MachineError> {
        held(&self.records).insert(record.id.clone(), record.clone());
        Ok(())
    }

    fn remove(&self, id: &str) -> Result<(), MachineError> {
        held(&self.records).remove(id);
        Ok(())
    }

    fn content(&self, _: &RootFs) -> Result<Option<ImageContent>, MachineError> {
        Ok(None)
    }
}
