//! `communicator = "ssm"`: an instance without sshd and without an open port.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::alone::{self, Alone, Request, Shell};
use super::commands::{Document, RunCommand};
use super::depot::Depot;
use super::gate::{self, Input, Place};
use super::invoke::{CommandTiming, invoke};
use super::pace::Pauses;
use super::port_forward::PortForward;
use super::sessions::{SessionError, SessionErrorKind, Sessions};
use super::settings::Settings;
use super::through_gate::{Followed, Gate, Job, feed, follow};
use super::{download, stored, upload};
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, ConnectStage, Dial, Download, DownloadReport,
    Exit, Stdin, Upload, UploadReport,
};
use crate::event::{Emitter, Fact};

/// How long the command that lets us in may run.
const BOOTSTRAP: Duration = Duration::from_secs(120);
/// How long the agent may not take sessions while it takes commands: its two connections are not
/// made at the same moment.
const SESSION_READY: Duration = Duration::from_secs(25);
/// How many ports, and sessions, are tried.
const PORTS: usize = 3;
/// Answers of the shell that make no sense, after which it is not asked again.
const PUZZLES: usize = 8;
/// How often a command is sent anew that may not have been started.
const STARTS: usize = 3;

/// Makes tunnels to a port.
pub(super) type Tunnels = Box<dyn Fn(u16) -> Arc<dyn Dial> + Send + Sync>;

/// How a communicator over Systems Manager behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SsmOptions {
    /// Of its sessions.
    pub settings: Settings,
    /// Of the commands that let it in.
    pub timing: CommandTiming,
}

/// A way to an instance through its agent. Commands run as root, in `sh`.
///
/// A Run Command puts a small listener on the instance's loopback (see `gate`); everything else
/// goes to it through a port-forwarding session. A command is a job there: its output grows in
/// files, is sent as it grows, and the job goes on when the session is lost; then it is followed
/// from where it was. Output lies on the instance's disk until the command has ended, so a slow
/// reader slows what is sent, not the command. Nothing is left there after
/// [`disconnect`](Communicator::disconnect).
///
/// Where nothing can listen, sessions are refused or the instance runs Windows, the same jobs are
/// driven by Run Command alone (see `alone`), which is slower. On Windows commands run as SYSTEM, in
/// `cmd.exe`.
pub struct Ssm {
    pub(super) instance: String,
    commands: Arc<dyn RunCommand>,
    tunnels: Tunnels,
    options: SsmOptions,
    cancel: CancellationToken,
    state: Mutex<State>,
    events: Emitter,
    /// What the user has been told.
    told: StdMutex<Vec<String>>,
    depot: Option<Arc<dyn Depot>>,
}

#[derive(Default)]
struct State {
    way: Option<Way>,
    /// Where it was, when it is not open any more.
    last: Option<Place>,
}

/// How commands get there.
#[derive(Clone)]
enum Way {
    Gate(Arc<Gate>),
    Alone(Arc<Alone>),
}

/// Waits until the agent of `instance` can be reached, and makes the way in. The wait is that of
/// the settings' `ready`; `cancel` ends it. What the user should know about the way, also about
/// another one that is found later, goes to `events`.
///
/// # Errors
/// [`CommunicatorError::Ssm`] says what was missing.
pub async fn connect(
    instance: &str,
    commands: Arc<dyn RunCommand>,
    sessions: Arc<dyn Sessions>,
    options: SsmOptions,
    events: Emitter,
    cancel: CancellationToken,
) -> Result<Ssm, CommunicatorError> {
    let settings =
        Settings { ready: options.settings.ready.min(SESSION_READY), ..options.settings };
    let (target, token) = (instance.to_owned(), cancel.clone());
    let tunnels: Tunnels = Box::new(move |port| {
        Arc::new(PortForward::new(sessions.clone(), &target, port, settings, token.clone()))
    });
    let ssm = Ssm::new(instance, commands, tunnels, options, events, cancel);
    ssm.way().await?;
    Ok(ssm)
}

/// Why there is no listener to go through, and what to do about it.
struct NoGate {
    reason: String,
    hints: Vec<String>,
}

impl Ssm {
    pub(super) fn new(
        instance: &str,
        commands: Arc<dyn RunCommand>,
        tunnels: Tunnels,
        options: SsmOptions,
        events: Emitter,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            commands,
            tunnels,
            options,
            cancel,
            state: Mutex::default(),
            events,
            told: StdMutex::default(),
            depot: None,
        }
    }

    /// The same with a bucket through which large files go.
    #[must_use]
    pub fn through(self, depot: Arc<dyn Depot>) -> Self {
        Self { depot: Some(depot), ..self }
    }

    /// Tells the user something, once.
    fn warn(&self, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&text) {
            self.events.emit_lossy(Fact::Warning { text: text.clone() });
            told.push(text);
        }
    }

    /// An error of this communicator.
    pub(super) fn failed(
        &self,
        wanted: &'static str,
        reason: impl Into<String>,
    ) -> CommunicatorError {
        SessionError::fatal(reason).of(&self.instance, wanted)
    }

    /// Whether data should be compressed on its way, which is slow.
    pub(super) async fn compresses(&self) -> Result<bool, CommunicatorError> {
        Ok(match self.way().await? {
            Way::Gate(gate) => gate.arrangement.gzip,
            Way::Alone(alone) => alone.has_gzip(),
        })
    }

    /// The way in; another one when there is none or it was lost.
    async fn way(&self) -> Result<Way, CommunicatorError> {
        let mut state = self.state.lock().await;
        if let Some(way) = &state.way {
            return Ok(way.clone());
        }
        let way = tokio::select! {
            made = self.arrange(&mut state.last) => made?,
            () = self.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
        };
        Ok(state.way.insert(way).clone())
    }

    /// Finds a way in.
    async fn arrange(&self, last: &mut Option<Place>) -> Result<Way, CommunicatorError> {
        let deadline = Instant::now() + self.options.settings.ready;
        let timing = self.options.timing;
        let mut pauses = Pauses::new(timing.first, timing.cap);
        let mut puzzles = 0;
        let mut closed = 0;
        let mut no_gate = None;
        let mut shell = Shell::Posix;
        loop {
            let place = last.as_ref().map_or_else(|| Place::new(shell), Place::again);
            let trouble = match self.attempt(&place, &mut shell, no_gate.is_some(), last).await {
                Ok(Attempt::Found(way)) => {
                    self.tell(&way, no_gate.as_ref());
                    return Ok(way);
                }
                Ok(Attempt::NoGate(why, is_final)) => {
                    closed += 1;
                    tracing::debug!(reason = why.reason, "no way through a session");
                    if is_final || closed == PORTS {
                        no_gate = Some(why);
                    }
                    continue;
                }
                Ok(Attempt::Windows) => {
                    // What was thought of for the other shell is of no use.
                    *last = None;
                    continue;
                }
                Ok(Attempt::Puzzle(said)) => {
                    puzzles += 1;
                    let reason = format!("the shell did not do what it was told: {said}");
                    if puzzles == PUZZLES {
                        return Err(self.failed("run a command", reason));
                    }
                    // A machine on its way down does that.
                    SessionError::new(SessionErrorKind::Transient, reason)
                }
                Err(trouble) => {
                    let alone = no_gate.is_some() || shell == Shell::PowerShell;
                    puzzles += usize::from(alone && trouble.kind == SessionErrorKind::Transient);
                    if puzzles == PUZZLES {
                        return Err(self.no_way(trouble, no_gate));
                    }
                    trouble
                }
            };
            let trouble = alone::unless_gone(&*self.commands, &self.instance, trouble).await;
            let pause = pauses.next();
            if !trouble.is_transient() || Instant::now() + pause > deadline {
                return Err(self.no_way(trouble, no_gate));
            }
            tracing::debug!(error = %trouble, instance = self.instance, "no way in yet");
            sleep(pause).await;
        }
    }

    /// One attempt at a way in.
    async fn attempt(
        &self,
        place: &Place,
        shell: &mut Shell,
        alone: bool,
        last: &mut Option<Place>,
    ) -> Result<Attempt, SessionError> {
        let missing =
            |message: &str| Err(SessionError::new(SessionErrorKind::TargetNotConnected, message));
        let instance = &self.instance;
        match self.commands.agent(instance.clone()).await? {
            None => return missing("its agent has not registered"),
            Some(agent) if agent.ping_status != "Online" => {
                return missing(&format!("its agent is {}", agent.ping_status));
            }
            Some(agent) if agent.platform == "Windows" && *shell == Shell::Posix => {
                *shell = Shell::PowerShell;
                return Ok(Attempt::Windows);
            }
            Some(_) => {}
        }
        *last = Some(place.clone());
        if alone || *shell == Shell::PowerShell {
            let (commands, directory) = (self.commands.clone(), place.directory.clone());
            let arranged = Alone::arrange(commands, instance, *shell, directory, self.options);
            return Ok(Attempt::Found(Way::Alone(Arc::new(arranged.await?))));
        }
        let (script, timing) = (gate::bootstrap(place), self.options.timing);
        let document = Document::Shell;
        let ended = invoke(&self.commands, instance, document, &script, BOOTSTRAP, timing).await?;
        let said = if ended.stdout.trim().is_empty() { ended.stderr } else { ended.stdout };
        let Some(found) = gate::arrangement(&said) else {
            return Ok(Attempt::Puzzle(said.trim().chars().take(300).collect()));
        };
        if found.listener == "none" {
            let hint = "install one of python3, perl, systemd-socket-activate, socat, ncat or busybox in the source image for a faster way";
            return Ok(Attempt::NoGate(
                NoGate {
                    reason: "nothing on the instance can listen at a port".to_owned(),
                    hints: vec![hint.to_owned()],
                },
                false,
            ));
        }
        let gate = Gate {
            place: place.clone(),
            arrangement: found,
            tunnel: (self.tunnels)(place.port),
            commands: self.commands.clone(),
            instance: instance.clone(),
        };
        match gate.greet().await {
            Ok(()) => Ok(Attempt::Found(Way::Gate(Arc::new(gate)))),
            Err(error) => {
                gate.tunnel.close().await;
                let why = NoGate { reason: error.reason, hints: Vec::new() };
                // Rights do not come by themselves; what else there is may be about to pass.
                Ok(Attempt::NoGate(why, error.stage == ConnectStage::Authentication))
            }
        }
    }

    /// The error when no way was found.
    fn no_way(&self, trouble: SessionError, no_gate: Option<NoGate>) -> CommunicatorError {
        let mut error = trouble.of(&self.instance, "run a command");
        if let (CommunicatorError::Ssm { reason, hints, .. }, Some(no_gate)) = (&mut error, no_gate)
        {
            *reason = format!("{}, and by Run Command alone: {reason}", no_gate.reason);
            hints.extend(no_gate.hints);
        }
        error
    }

    /// Tells what is to be known about a way.
    fn tell(&self, way: &Way, no_gate: Option<&NoGate>) {
        let Way::Alone(alone) = way else { return };
        if let Some(NoGate { reason, hints }) = no_gate {
            let hints: String = hints.iter().map(|hint| format!("; {hint}")).collect();
            self.warn(format!(
                "commands and files go through Run Command alone, which is slow: {reason}{hints}"
            ));
        }
        if alone.is_readable() {
            let why = match alone.shell() {
                Shell::Posix => "the instance has no `openssl` to encrypt it with",
                Shell::PowerShell => "the instance could not agree on a key",
            };
            self.warn(format!("what is sent to the instance and what it prints can be read in the account's history of commands for 30 days: {why}"));
        }
    }

    /// Run Command, to take away what is at a place.
    fn alone_at(&self, place: &Place) -> Arc<Alone> {
        let (commands, directory) = (self.commands.clone(), place.directory.clone());
        Arc::new(Alone::at(commands, &self.instance, place.shell(), directory, self.options))
    }

    /// The way in was lost.
    async fn forget(&self, gate: &Arc<Gate>) {
        let mut state = self.state.lock().await;
        if matches!(&state.way, Some(Way::Gate(known)) if Arc::ptr_eq(known, gate)) {
            state.way = None;
            drop(state);
            gate.tunnel.close().await;
        }
    }

    /// Runs a command that moves files: as [`Communicator::exec`] says, but what it reads and
    /// prints may go other ways, and may be too much for them.
    pub(super) async fn run(
        &self,
        command: &str,
        stdin: Stdin,
        output: mpsc::Sender<Chunk>,
    ) -> Result<Exit, CommunicatorError> {
        match &self.depot {
            Some(depot) => stored::run(self, depot, command, stdin, output).await,
            None => self.job(command, stdin, output, true).await,
        }
    }

    /// Runs a command as [`Communicator::exec`] says.
    pub(super) async fn job(
        &self,
        command: &str,
        stdin: Stdin,
        output: mpsc::Sender<Chunk>,
        files: bool,
    ) -> Result<Exit, CommunicatorError> {
        let name = format!("{:016x}", rand::random::<u64>());
        let (input, body) = match &stdin {
            Stdin::Empty => (Input::Nothing, None),
            Stdin::Bytes(bytes) if bytes.is_empty() => (Input::Nothing, None),
            Stdin::Bytes(bytes) => (Input::Bytes(bytes.len()), Some(bytes.clone())),
            Stdin::Stream(_) => (Input::Fed, None),
        };
        let fed = input != Input::Fed;
        let mut job =
            Job { name, started: false, followed: false, fed, out: 0, err: 0, kill: None };
        let mut failures = 0;
        let mut lost_at: Option<Instant> = None;
        loop {
            let gate = match self.way().await {
                Ok(Way::Gate(gate)) => gate,
                // A session that was lost cannot be had again.
                Ok(Way::Alone(alone)) if job.started => {
                    job.kill = None;
                    return alone.resume(&job.name, job.out, job.err, &output).await;
                }
                Ok(Way::Alone(alone)) => {
                    job.kill = None;
                    // The same job: the session may have broken after all of the start was sent.
                    let job = job.name.clone();
                    return alone.run(Request { job, command, stdin, output, files }).await;
                }
                Err(CommunicatorError::Cancelled) => return Err(CommunicatorError::Cancelled),
                Err(error) if job.started => {
                    job.kill = None;
                    return Ok(Exit::Disconnected { reason: error.to_string() });
                }
                Err(error) => return Err(error),
            };
            let opening = if job.started {
                let script = gate::resume(&gate.place, &job.name, job.out, job.err);
                gate::opening(&gate.place, &script)
            } else {
                let script = gate::start(&gate.place, &job.name, command, input);
                let mut opening = gate::opening(&gate.place, &script);
                opening.extend_from_slice(body.as_deref().unwrap_or_default());
                opening
            };
            job.kill = Some(gate.clone());
            let feeding = match &stdin {
                Stdin::Stream(queue) if !job.fed => Some(feed(&gate, &job.name, queue)),
                _ => None,
            };
            let broken = match follow(&gate, opening, feeding, &mut job, &output).await {
                Followed::Ended(exit) => {
                    job.kill = None;
                    return Ok(exit);
                }
                Followed::Unfed(reason) => {
                    return Err(CommunicatorError::Lost { address: gate.tunnel.name(), reason });
                }
                Followed::Broken(reason) => reason,
            };
            self.forget(&gate).await;
            if std::mem::take(&mut job.followed) {
                (failures, lost_at) = (0, None);
            }
            failures += 1;
            tracing::debug!(instance = self.instance, broken, "a command cannot be followed");
            let since = *lost_at.get_or_insert_with(Instant::now);
            if !job.fed || (!job.started && failures >= STARTS) {
                return Err(CommunicatorError::Lost {
                    address: gate.tunnel.name(),
                    reason: broken,
                });
            }
            if since.elapsed() > self.options.settings.ready {
                return Ok(Exit::Disconnected { reason: broken });
            }
        }
    }
}

impl Communicator for Ssm {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            if command.pty {
                let reason = "commands have no terminal there";
                return Err(self.failed("give a command a terminal", reason));
            }
            self.job(&command.text, command.stdin, output, false).await
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async move {
            match self.way().await? {
                Way::Alone(alone) if alone.shell() == Shell::PowerShell => {
                    alone::upload(&alone, self.depot.as_ref(), upload, progress).await
                }
                _ => upload::upload(self, upload, progress).await,
            }
        }
        .boxed()
    }

    fn download<'a>(
        &'a self,
        download: &'a Download,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        async move {
            match self.way().await? {
                Way::Alone(alone) if alone.shell() == Shell::PowerShell => {
                    alone::download(&alone, self.depot.as_ref(), download, progress).await
                }
                _ => download::download(self, download, progress).await,
            }
        }
        .boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async move {
            let mut state = self.state.lock().await;
            let last = state.last.take();
            let left = match state.way.take() {
                Some(Way::Gate(gate)) => {
                    let is_removed = gate.tell(&gate::remove(&gate.place)).await;
                    gate.tunnel.close().await;
                    if is_removed { None } else { Some(self.alone_at(&gate.place)) }
                }
                Some(Way::Alone(alone)) => Some(alone),
                // It was lost, and no other one was needed since.
                None => last.map(|place| self.alone_at(&place)),
            };
            if let Some(alone) = left
                && let Err(error) = alone.remove().await
            {
                let directory = alone.directory();
                self.warn(format!(
                    "bake's own files stay on the instance in `{directory}`: {error}"
                ));
            }
        }
        .boxed()
    }
}

impl std::fmt::Debug for Ssm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ssm").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// What an attempt at a way in came to.
enum Attempt {
    Found(Way),
    /// It cannot be the listener; and whether another attempt cannot end otherwise.
    NoGate(NoGate, bool),
    /// The instance runs Windows, which was not known.
    Windows,
    /// What the shell said makes no sense.
    Puzzle(String),
}
