//! The host of real machines.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use futures::future::BoxFuture;
use russh::keys::ssh_key::{LineEnding, private::PrivateKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::boot::{Outcome, Run, Stop};
use super::directory::{WorkingDirectory, remove_stale};
use super::failure::Tried;
use super::mask::{Mask, resolver_in_run};
use super::protocol::{Boot, Guest};
use super::shim::Shims;
use super::{
    Boots, Digest, Ended, Host, Machine, MachineError, MachineSpec, Task, TaskEnd, support, task,
};
use crate::sandbox::store::{HOST, Store};

/// How much of the console is kept for asking, as on EC2.
const CONSOLE: u64 = 64 << 10;
/// How long an orderly stop may take before everything is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs machines as userlands of this host: copy-on-write trees in their own namespaces.
#[derive(Clone, Debug)]
pub struct UserlandHost {
    store: Store,
    program: PathBuf,
    shims: Arc<Shims>,
}

impl UserlandHost {
    /// Checks that this host can run userlands, and removes what dead bakes left in the store.
    ///
    /// # Errors
    ///
    /// `Unsupported` with the command that helps.
    pub fn new(store: Store) -> Result<Self, MachineError> {
        Self::with_program(store, "/proc/self/exe")
    }

    /// As [`new`](Self::new), with another executable that calls
    /// [`reentry`](super::reentry) first: tests are not bake themselves.
    ///
    /// # Errors
    ///
    /// As for `new`.
    pub fn with_program(store: Store, program: impl Into<PathBuf>) -> Result<Self, MachineError> {
        support::check()?;
        let program = program.into();
        remove_stale(&store.instances());
        let shims = Arc::new(Shims::prepare(store.root(), &program)?);
        Ok(Self { store, program, shims })
    }

    fn launch_now(self, spec: MachineSpec) -> Result<Arc<dyn Machine>, MachineError> {
        let base = self.store.base(&spec.root.base)?;
        let is_host = base.name == HOST;
        let directory = WorkingDirectory::create(&self.store.instances(), &spec.id)?;
        {
            // From the look at a layer to the link that keeps it.
            let _lock = self.store.lock_shared()?;
            for (n, digest) in spec.root.layers.iter().rev().enumerate() {
                directory.link(&format!("layer/{n}"), &self.store.layer(digest)?)?;
            }
            if is_host {
                directory.make("base")?;
            } else {
                directory.link("base", &base.path)?;
            }
        }
        directory.link("shims", self.shims.path())?;

        let (address, listener) = Address::claim()?;
        let mask = Mask {
            base: &base.path,
            is_host,
            store: self.store.root(),
            hostname: &spec.hostname,
            address: address.get().ip(),
        };
        mask.write(&directory.join("mask"))?;

        let mut boot = Boot {
            directory: directory.path().to_owned(),
            run_files: resolver_in_run(&base.path),
            store_in_base: contains(&base.path, directory.path()),
            base: base.path,
            bind_base: is_host,
            layers: spec.root.layers.len(),
            hostname: spec.hostname,
            guest: Guest {
                first_boot: true,
                authorized_keys: spec.authorized_keys,
                users: spec.users,
                make_unknown_users: spec.make_unknown_users,
                user_data: spec
                    .user_data
                    .map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)),
                host_key: new_host_key()?,
            },
        };
        let settings = write_settings(&directory, &boot)?;
        let console = open_console(&directory)?;
        let run = Run::start(&self.program, &settings, listener, console)
            .map_err(|error| with_console(error, &directory))?;
        boot.guest.first_boot = false;
        boot.guest.user_data = None;
        write_settings(&directory, &boot)?;

        let (phase, _) = watch::channel(Phase::Running);
        let inner = Arc::new(Inner {
            store: self.store,
            program: self.program,
            _shims: self.shims,
            directory,
            settings,
            address,
            phase,
            boots: watch::Sender::default(),
            operation: Mutex::new(Kept::Files),
            run: Mutex::new(None),
        });
        inner.supervise(run)?;
        Ok(Arc::new(Userland(inner)))
    }
}

impl Host for UserlandHost {
    fn launch(
        &self,
        spec: MachineSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Machine>, MachineError>> {
        let host = self.clone();
        blocking(move || host.launch_now(spec))
    }
}

/// Runs blocking work where it does not hold up the runtime.
fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MachineError> + Send + 'static,
) -> BoxFuture<'static, Result<T, MachineError>> {
    Box::pin(async move {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(MachineError::Other(format!("interrupted: {error}"))))
    })
}

/// Whether a directory lies in another one on the same file system.
fn contains(outer: &Path, inner: &Path) -> bool {
    let device = |path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    inner.starts_with(outer) && device(inner) == device(outer)
}

fn new_host_key() -> Result<String, MachineError> {
    let failed = |error| MachineError::Other(format!("cannot make an SSH host key: {error}"));
    let key =
        PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).map_err(failed)?;
    Ok(key.to_openssh(LineEnding::LF).map_err(failed)?.to_string())
}

fn write_settings(directory: &WorkingDirectory, boot: &Boot) -> Result<PathBuf, MachineError> {
    // The directory is for root alone.
    let path = directory.join("boot.json");
    let text = serde_json::to_vec(boot).tried_on("write", &path)?;
    std::fs::write(&path, text).tried_on("write", &path)?;
    Ok(path)
}

fn open_console(directory: &WorkingDirectory) -> Result<File, MachineError> {
    let path = directory.join("console");
    File::options().append(true).create(true).open(&path).tried_on("open", &path)
}

/// What the processes inside said last, which goes away with the directory.
fn with_console(error: MachineError, directory: &WorkingDirectory) -> MachineError {
    let text = std::fs::read(directory.join("console")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match (error, text.trim_end().rsplit('\n').next()) {
        (MachineError::Other(what), Some(last)) if !last.is_empty() => {
            MachineError::Other(format!("{what} (its console ends with: {last})"))
        }
        (error, _) => error,
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    Ended(Ended),
}

/// What is left of a machine; also the lock of its operations, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Files,
    Nothing,
}

/// The processes of now, from outside the thread that waits for them.
struct Current {
    stop: Stop,
    init: OwnedFd,
    asked: bool,
    supervisor: Option<Supervisor>,
}

/// The thread that waits for the processes.
struct Supervisor {
    thread: JoinHandle<()>,
    /// Disconnected when the thread is done.
    over: mpsc::Receiver<()>,
}

impl Supervisor {
    fn join(self) {
        // It does not panic; and there would be nothing left to do about it.
        drop(self.thread.join());
    }
}

struct Inner {
    store: Store,
    program: PathBuf,
    _shims: Arc<Shims>,
    directory: WorkingDirectory,
    settings: PathBuf,
    address: Address,
    phase: watch::Sender<Phase>,
    boots: watch::Sender<Boots>,
    operation: Mutex<Kept>,
    run: Mutex<Option<Current>>,
}

/// The handle that is given out; the last one dropped ends the machine.
struct Userland(Arc<Inner>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn is_running(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Running)
    }

    /// Waits for the run in a thread, and boots again when the guest asks for that.
    fn supervise(self: &Arc<Self>, run: Run) -> Result<(), MachineError> {
        let stop = run.stop_handle().tried(|| "copy a socket".to_owned())?;
        let init = run.init().tried(|| "copy a process handle".to_owned())?;
        let mut current = lock(&self.run);
        self.booted();
        self.phase.send_replace(Phase::Running);
        let inner = Arc::clone(self);
        let (done, over) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("machine".into())
            .spawn(move || {
                let _done: mpsc::Sender<()> = done;
                inner.wait(run);
            })
            .tried(|| "start a thread".to_owned())?;
        let supervisor = Some(Supervisor { thread, over });
        *current = Some(Current { stop, init, asked: false, supervisor });
        Ok(())
    }

    fn wait(&self, mut run: Run) {
        loop {
            let outcome = run.wait();
            self.boots.send_modify(|boots| boots.up = false);
            let ended = match outcome {
                Outcome::Over(ended) => ended,
                Outcome::Reboot => match self.boot_again() {
                    Ok(Some(next)) => {
                        run = next;
                        continue;
                    }
                    Ok(None) => Ended::Asked,
                    Err(_) => Ended::Died,
                },
            };
            let asked = lock(&self.run).as_ref().is_some_and(|current| current.asked);
            let ended = if asked { Ended::Asked } else { ended };
            self.phase.send_replace(Phase::Ended(ended));
            return;
        }
    }

    fn booted(&self) {
        self.boots.send_modify(|boots| {
            boots.count += 1;
            boots.up = true;
        });
    }

    /// A handle of process 1.
    fn init(&self) -> Result<OwnedFd, MachineError> {
        let current = lock(&self.run);
        let init = current.as_ref().map(|current| current.init.try_clone());
        init.unwrap_or_else(|| Err(std::io::ErrorKind::NotFound.into()))
            .tried(|| "find the machine's first process".to_owned())
    }

    /// `None` when a stop was asked for in the meantime.
    fn boot_again(&self) -> Result<Option<Run>, MachineError> {
        let mut current = lock(&self.run);
        match current.as_mut() {
            Some(current) if !current.asked => {
                let run = self.start_run(self.address.listen()?)?;
                current.stop = run.stop_handle().tried(|| "copy a socket".to_owned())?;
                current.init = run.init().tried(|| "copy a process handle".to_owned())?;
                self.booted();
                Ok(Some(run))
            }
            _ => Ok(None),
        }
    }

    fn start_run(&self, listener: TcpListener) -> Result<Run, MachineError> {
        // overlayfs marks these as used without syncing and would refuse them;
        // after a crash of the host they would be gone with the whole machine.
        for part in ["work", "mask-work"] {
            let path = self.directory.join(part);
            std::fs::remove_dir_all(&path).tried_on("remove", &path)?;
            self.directory.make(part)?;
        }
        Run::start(&self.program, &self.settings, listener, open_console(&self.directory)?)
    }

    fn stop_now(&self) {
        let supervisor = {
            let mut current = lock(&self.run);
            let Some(current) = current.as_mut() else { return };
            current.asked = true;
            current.stop.ask();
            current.supervisor.take()
        };
        let Some(supervisor) = supervisor else { return };
        // With a limit; then the lifeline is cut, which nothing inside survives.
        let _: Result<_, _> = supervisor.over.recv_timeout(STOP_PATIENCE);
        self.cut();
        supervisor.join();
        *lock(&self.run) = None;
    }

    /// Kills everything.
    fn cut(&self) {
        if let Some(current) = lock(&self.run).as_ref() {
            current.stop.kill();
        }
    }

    fn start_now(self: &Arc<Self>, kept: Kept) -> Result<(), MachineError> {
        if kept == Kept::Nothing {
            return Err(MachineError::Other("the machine was terminated".into()));
        }
        if self.is_running() {
            return Ok(());
        }
        *lock(&self.run) = None;
        let run = self.start_run(self.address.listen()?)?;
        self.supervise(run)
    }

    fn remove_files(&self) -> Result<(), MachineError> {
        match std::fs::remove_dir_all(self.directory.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).tried_on("remove", self.directory.path())
            }
            _ => Ok(()),
        }
    }

    fn capture_now(&self) -> Result<Digest, MachineError> {
        let upper = self.directory.join("upper");
        self.store.capture(&upper, |layer| self.refer(layer))
    }

    /// Keeps a captured layer from being removed while this machine exists.
    fn refer(&self, layer: &Path) -> Result<(), MachineError> {
        let name = layer.file_name().unwrap_or_default();
        let link = self.directory.join("captured").join(name);
        match std::os::unix::fs::symlink(layer, &link) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error).tried_on("link", &link)
            }
            _ => Ok(()),
        }
    }

    fn console(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(self.directory.join("console"))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE)))?;
        let mut text = Vec::new();
        file.take(CONSOLE).read_to_end(&mut text)?;
        Ok(text)
    }
}

impl Userland {
    /// One operation, after those before it.
    fn operate<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>, &mut Kept) -> Result<T, MachineError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, MachineError>> {
        let inner = Arc::clone(&self.0);
        blocking(move || {
            let mut kept = lock(&inner.operation);
            work(&inner, &mut kept)
        })
    }
}

impl Machine for Userland {
    fn ssh_address(&self) -> SocketAddr {
        self.0.address.get()
    }

    fn ended(&self) -> BoxFuture<'static, Ended> {
        let mut phase = self.0.phase.subscribe();
        Box::pin(async move {
            let ended = |phase: &Phase| matches!(phase, Phase::Ended(_));
            match phase.wait_for(ended).await.as_deref() {
                Ok(Phase::Ended(ended)) => *ended,
                // The machine is dropped, which kills it.
                _ => Ended::Asked,
            }
        })
    }

    fn is_running(&self) -> bool {
        self.0.is_running()
    }

    fn stop(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.operate(|inner, _| {
            inner.stop_now();
            Ok(())
        })
    }

    fn start(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.operate(|inner, kept| inner.start_now(*kept))
    }

    fn reboot(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.operate(|inner, kept| {
            inner.stop_now();
            inner.start_now(*kept)
        })
    }

    fn terminate(&self) -> BoxFuture<'static, Result<(), MachineError>> {
        self.operate(|inner, kept| {
            inner.stop_now();
            *kept = Kept::Nothing;
            inner.remove_files()
        })
    }

    fn capture(&self) -> BoxFuture<'static, Result<Digest, MachineError>> {
        self.operate(|inner, kept| match kept {
            Kept::Files => inner.capture_now(),
            Kept::Nothing => Err(MachineError::Other("the machine was terminated".into())),
        })
    }

    fn boots(&self) -> watch::Receiver<Boots> {
        self.0.boots.subscribe()
    }

    fn run(
        &self,
        task: Task,
        kill: CancellationToken,
    ) -> BoxFuture<'static, Result<TaskEnd, MachineError>> {
        // Without a hold on the machine: a task must not keep it.
        let (program, init) = (self.0.program.clone(), self.0.init());
        Box::pin(async move { task::run(&program, init?, &task, kill).await })
    }

    fn console_output(&self) -> Vec<u8> {
        // Nothing is left of a terminated machine's console.
        self.0.console().unwrap_or_default()
    }
}

impl Drop for Userland {
    fn drop(&mut self) {
        // No grace: whoever wants one calls `stop`. It takes milliseconds.
        self.0.cut();
        let supervisor = lock(&self.0.run).as_mut().and_then(|current| {
            current.asked = true;
            current.supervisor.take()
        });
        if let Some(supervisor) = supervisor {
            supervisor.join();
        }
    }
}
