//! `communicator = "ssm"`: an instance without sshd and without an open port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::commands::RunCommand;
use super::follow::{Reader, Said};
use super::gate::{self, Arrangement, Input, Place};
use super::invoke::{CommandTiming, invoke};
use super::pace::Pauses;
use super::port_forward::PortForward;
use super::sessions::{SessionError, SessionErrorKind, Sessions};
use super::settings::Settings;
use super::{download, upload};
use crate::communicator::{
    ByteStream, Chunk, Command, Communicator, CommunicatorError, ConnectStage, Dial, DialError,
    Download, DownloadReport, Exit, Stdin, Upload, UploadReport,
};

/// How long a job may say nothing at all; it gives a sign of life every other second.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the command that lets us in may run.
const BOOTSTRAP: Duration = Duration::from_secs(120);
/// The same while it is fed: to give up then is to lose the command, and the session has its own
/// ways to find out that nothing moves any more.
const FED_SILENCE: Duration = Duration::from_secs(330);
/// How long the program that listens may take to start.
const START: Duration = Duration::from_secs(15);
/// Ports that are tried.
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
pub struct Ssm {
    pub(super) instance: String,
    commands: Arc<dyn RunCommand>,
    tunnels: Tunnels,
    options: SsmOptions,
    cancel: CancellationToken,
    gate: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Gate>>,
    /// Where it was, when it is not open any more.
    last: Option<Place>,
}

/// A way in.
pub(super) struct Gate {
    place: Place,
    arrangement: Arrangement,
    tunnel: Arc<dyn Dial>,
}

/// Waits until the agent of `instance` can be reached, and makes the way in. The wait is that of
/// the settings' `ready`; `cancel` ends it.
///
/// # Errors
/// [`CommunicatorError::Ssm`] says what was missing.
pub async fn connect(
    instance: &str,
    commands: Arc<dyn RunCommand>,
    sessions: Arc<dyn Sessions>,
    options: SsmOptions,
    cancel: CancellationToken,
) -> Result<Ssm, CommunicatorError> {
    let (target, settings, token) = (instance.to_owned(), options.settings, cancel.clone());
    let tunnels: Tunnels = Box::new(move |port| {
        Arc::new(PortForward::new(sessions.clone(), &target, port, settings, token.clone()))
    });
    let ssm = Ssm::new(instance, commands, tunnels, options, cancel);
    ssm.gate().await?;
    Ok(ssm)
}

impl Ssm {
    pub(super) fn new(
        instance: &str,
        commands: Arc<dyn RunCommand>,
        tunnels: Tunnels,
        options: SsmOptions,
        cancel: CancellationToken,
    ) -> Self {
        let instance = instance.to_owned();
        Self { instance, commands, tunnels, options, cancel, gate: Mutex::default() }
    }

    /// An error of this communicator.
    pub(super) fn failed(
        &self,
        wanted: &'static str,
        reason: impl Into<String>,
    ) -> CommunicatorError {
        let (instance, reason) = (self.instance.clone(), reason.into());
        CommunicatorError::Ssm { wanted, instance, reason, hints: Vec::new() }
    }

    /// Whether data should be compressed on its way: the session is slow.
    pub(super) async fn compresses(&self) -> Result<bool, CommunicatorError> {
        Ok(self.gate().await?.arrangement.gzip)
    }

    /// The way in; another one when there is none or it was lost.
    pub(super) async fn gate(&self) -> Result<Arc<Gate>, CommunicatorError> {
        let mut state = self.gate.lock().await;
        if let Some(gate) = &state.open {
            return Ok(gate.clone());
        }
        let gate = tokio::select! {
            made = self.arrange(&mut state.last) => Arc::new(made?),
            () = self.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
        };
        Ok(state.open.insert(gate).clone())
    }

    /// Lets ourselves in.
    async fn arrange(&self, last: &mut Option<Place>) -> Result<Gate, CommunicatorError> {
        let error = |error: SessionError| CommunicatorError::Ssm {
            wanted: "run a command",
            instance: self.instance.clone(),
            reason: error.message,
            hints: error.hints,
        };
        let deadline = Instant::now() + self.options.settings.ready;
        let timing = self.options.timing;
        let mut pauses = Pauses::new(timing.first, timing.cap);
        let mut ports = 0;
        let mut puzzles = 0;
        loop {
            let place = last.as_ref().map_or_else(Place::new, Place::again);
            let script = gate::bootstrap(&place);
            *last = Some(place.clone());
            let trouble = match self.bootstrap(&script, timing).await {
                Ok(stdout) => match gate::arrangement(&stdout) {
                    Some(found) if found.listener != "none" => {
                        let tunnel = (self.tunnels)(place.port);
                        let gate = Gate { place, arrangement: found, tunnel };
                        match gate.greet().await {
                            Ok(()) => return Ok(gate),
                            Err(reason) if reason.fatal => {
                                return Err(self.failed("open a session", reason.reason));
                            }
                            Err(reason) => {
                                gate.tunnel.close().await;
                                SessionError::new(SessionErrorKind::Transient, reason.reason)
                            }
                        }
                    }
                    Some(_) => {
                        ports += 1;
                        let error = CommunicatorError::Ssm {
                            wanted: "move data",
                            instance: self.instance.clone(),
                            reason: "nothing on the instance can listen at a port".to_owned(),
                            hints: vec!["install one of python3, perl, systemd-socket-activate, socat, ncat or busybox in the source image, or use `communicator = \"ssh\"`".to_owned()],
                        };
                        if ports == PORTS {
                            return Err(error);
                        }
                        continue;
                    }
                    None => {
                        let said: String = stdout.trim().chars().take(300).collect();
                        let reason = format!("the shell did not do what it was told: {said}");
                        puzzles += 1;
                        if puzzles == PUZZLES {
                            return Err(self.failed("run a command", reason));
                        }
                        // A machine on its way down does that.
                        SessionError::new(SessionErrorKind::Transient, reason)
                    }
                },
                Err(trouble) => trouble,
            };
            let pause = pauses.next();
            if !trouble.is_transient() || Instant::now() + pause > deadline {
                return Err(error(trouble));
            }
            tracing::debug!(error = %trouble, instance = self.instance, "no way in yet");
            sleep(pause).await;
        }
    }

    /// Runs the script that lets us in, once the agent has registered.
    async fn bootstrap(&self, script: &str, timing: CommandTiming) -> Result<String, SessionError> {
        let missing =
            |message: &str| Err(SessionError::new(SessionErrorKind::TargetNotConnected, message));
        match self.commands.agent(self.instance.clone()).await? {
            None => return missing("its agent has not registered"),
            Some(agent) if agent.platform == "Windows" => {
                let message = "it runs Windows, and this communicator needs a POSIX shell";
                return Err(SessionError::new(SessionErrorKind::Fatal, message));
            }
            Some(agent) if agent.ping_status != "Online" => {
                return missing(&format!("its agent is {}", agent.ping_status));
            }
            Some(_) => {}
        }
        let ended = invoke(&self.commands, &self.instance, script, BOOTSTRAP, timing).await?;
        Ok(if ended.stdout.trim().is_empty() { ended.stderr } else { ended.stdout })
    }

    /// The way in was lost.
    async fn forget(&self, gate: &Arc<Gate>) {
        let mut state = self.gate.lock().await;
        if state.open.as_ref().is_some_and(|known| Arc::ptr_eq(known, gate)) {
            state.open = None;
            drop(state);
            gate.tunnel.close().await;
        }
    }

    /// Runs a command as [`Communicator::exec`] says.
    pub(super) async fn run(
        &self,
        command: &str,
        stdin: Stdin,
        output: mpsc::Sender<Chunk>,
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
            let gate = match self.gate().await {
                Ok(gate) => gate,
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

impl Gate {
    /// A stream on which a shell runs what is sent.
    async fn connect(&self) -> Result<Box<dyn ByteStream>, DialError> {
        self.tunnel.dial().await
    }

    /// Waits until the listener answers: its program may take a while to start.
    async fn greet(&self) -> Result<(), DialError> {
        let deadline = Instant::now() + START;
        let mut pauses = Pauses::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            let greeted = timeout(SILENCE, self.greeting()).await;
            let error = match greeted {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => unanswered("it says nothing"),
            };
            let pause = pauses.next();
            if error.fatal || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    async fn greeting(&self) -> Result<(), DialError> {
        let mut stream = self.connect().await?;
        let mut answer = [0; 2];
        let exchange = async {
            stream.write_all(&gate::opening(&self.place, "echo k")).await?;
            stream.flush().await?;
            stream.read_exact(&mut answer).await.map(|_| ())
        };
        match exchange.await {
            Ok(()) if answer == *b"k\n" => Ok(()),
            Ok(()) => Err(unanswered("something else is at its port")),
            Err(error) => Err(unanswered(&error.to_string())),
        }
    }

    /// Runs a script that answers with a line, and waits for it for a little while.
    async fn tell(&self, script: &str) {
        let telling = async {
            let mut stream = self.connect().await.ok()?;
            stream.write_all(&gate::opening(&self.place, script)).await.ok()?;
            stream.flush().await.ok()?;
            stream.read(&mut [0; 2]).await.ok()
        };
        drop(timeout(Duration::from_secs(10), telling).await);
    }
}

fn unanswered(reason: &str) -> DialError {
    DialError {
        stage: ConnectStage::Tcp,
        reason: format!("the listener on the instance does not answer: {reason}"),
        fatal: false,
    }
}

/// A command on the instance.
struct Job {
    name: String,
    /// Whether it is known to have been started.
    started: bool,
    /// Whether the last attempt to follow it got hold of it.
    followed: bool,
    /// Whether it has got all of its input, or wants no more.
    fed: bool,
    /// Bytes of its output that have arrived.
    out: u64,
    err: u64,
    /// Through which it is killed when nobody waits for it any more.
    kill: Option<Arc<Gate>>,
}

impl Drop for Job {
    fn drop(&mut self) {
        let (gate, name) = (self.kill.take(), std::mem::take(&mut self.name));
        if let Some(gate) = gate
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            drop(runtime.spawn(async move { gate.tell(&gate::kill(&gate.place, &name)).await }));
        }
    }
}

/// How following a job ended.
enum Followed {
    Ended(Exit),
    /// It did not get all of its input.
    Unfed(String),
    /// The stream broke off.
    Broken(String),
}

/// Sends a job's input as it comes.
fn feed(
    gate: &Arc<Gate>,
    job: &str,
    queue: &Arc<Mutex<mpsc::Receiver<Vec<u8>>>>,
) -> BoxFuture<'static, std::io::Result<()>> {
    let script = gate::feed(&gate.place, job);
    let (gate, queue) = (gate.clone(), queue.clone());
    async move {
        let mut stream = gate.connect().await.map_err(std::io::Error::other)?;
        stream.write_all(&gate::opening(&gate.place, &script)).await?;
        let mut queue = queue.lock().await;
        while let Some(bytes) = queue.recv().await {
            stream.write_all(&bytes).await?;
        }
        stream.shutdown().await?;
        // When the far side has closed too, all of it has been read.
        drop(stream.read(&mut [0; 1]).await);
        Ok(())
    }
    .boxed()
}

/// Starts or resumes a job, and sends its output on.
async fn follow(
    gate: &Gate,
    opening: Vec<u8>,
    feeding: Option<BoxFuture<'static, std::io::Result<()>>>,
    job: &mut Job,
    output: &mpsc::Sender<Chunk>,
) -> Followed {
    let stream = match gate.connect().await {
        Ok(stream) => stream,
        Err(error) => return Followed::Broken(error.reason),
    };
    let (mut read, mut write) = tokio::io::split(stream);
    let length = opening.len() as u64;
    let mut opening = std::io::Cursor::new(opening);
    let mut reader = Reader::default();
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut unfed: Option<(String, Instant)> = None;
    let mut is_feeding = feeding.is_some();
    let mut feeding = feeding.unwrap_or_else(|| std::future::pending().boxed());
    let mut writing = true;
    let mut heard = Instant::now();
    loop {
        let patience = if is_feeding { FED_SILENCE } else { SILENCE };
        let silence = heard + patience;
        let until = unfed.as_ref().map_or(silence, |(_, since)| silence.min(*since + UNFED));
        tokio::select! {
            written = write.write_buf(&mut opening), if writing && opening.position() < length => {
                // The reading half tells why; the job may have been started all the same.
                writing = written.is_ok();
            }
            fed = &mut feeding, if is_feeding => {
                is_feeding = false;
                match fed {
                    Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                        unfed = Some((error.to_string(), Instant::now()));
                    }
                    Ok(()) | Err(_) => job.fed = true,
                }
            }
            got = read.read_buf(&mut buffer) => match got {
                Ok(0) => return Followed::Broken("the listener closed the stream".to_owned()),
                Ok(_) => {
                    reader.push(&buffer);
                    buffer.clear();
                }
                Err(error) => return Followed::Broken(error.to_string()),
            },
            () = tokio::time::sleep_until(until.into()) => {
                return match unfed {
                    Some((reason, _)) => Followed::Unfed(reason),
                    None => {
                        let seconds = patience.as_secs();
                        Followed::Broken(format!("nothing was heard for {seconds} s"))
                    }
                };
            }
        }
        while let Some(said) = reader.next() {
            match said {
                Said::Started => (job.started, job.followed) = (true, true),
                Said::Output(stream, bytes) => {
                    let count = match stream {
                        crate::event::Stream::Stdout => &mut job.out,
                        crate::event::Stream::Stderr => &mut job.err,
                    };
                    *count += bytes.len() as u64;
                    // Nobody may want it any more; the command goes on.
                    drop(output.send(Chunk { stream, bytes }).await);
                }
                Said::Ended(code) => {
                    drop(write.write_all(b"done\n").await);
                    drop(write.flush().await);
                    return Followed::Ended(Exit::Code(code));
                }
                Said::Vanished(reason) => {
                    return Followed::Ended(Exit::Disconnected { reason: reason.to_owned() });
                }
                Said::Nonsense(text) => {
                    return Followed::Broken(format!("the instance answered `{text}`"));
                }
            }
        }
        // Not before: whoever takes the output may have been slow.
        heard = Instant::now();
    }
}

/// How long a job may go on whose input broke off: it may be about to end by itself.
const UNFED: Duration = Duration::from_secs(5);

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
            self.run(&command.text, command.stdin, output).await
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        upload::upload(self, upload, progress).boxed()
    }

    fn download<'a>(
        &'a self,
        download: &'a Download,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        download::download(self, download, progress).boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async move {
            let mut state = self.gate.lock().await;
            if let Some(gate) = state.open.take() {
                gate.tell(&gate::remove(&gate.place)).await;
                gate.tunnel.close().await;
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
