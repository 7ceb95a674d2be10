//! This machine in the part of the instance: Run Command runs scripts here, and tunnels lead to
//! this machine's loopback.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::communicator::{Ssm, SsmOptions, Tunnels};
use super::super::{
    AgentInformation, CommandTiming, Invocation, RunCommand, SendCommand, SessionError, Settings,
};
use crate::communicator::{ByteStream, ConnectStage, Dial, DialError};
use crate::event::{self, Event, Fact};

/// The service and the machine.
#[derive(Default)]
pub(super) struct Machine {
    /// Answers about commands, as they are to be given.
    answers: Mutex<HashMap<String, Vec<Option<Invocation>>>>,
    /// How often the agent has been asked for.
    asked: AtomicUsize,
    pub(super) sent: Mutex<Vec<String>>,
    /// What the scripts printed.
    pub(super) said: Mutex<Vec<String>>,
    pub(super) cancelled: AtomicUsize,
    /// How many of the next commands do nothing, as on a machine that goes down.
    pub(super) nonsense: AtomicUsize,
    /// Whether the service has lost its agent.
    pub(super) away: AtomicBool,
    /// What EC2 says of it once it is gone.
    pub(super) gone: Mutex<Option<String>>,
    /// Why no session can be had, if so.
    pub(super) refusal: Mutex<Option<DialError>>,
    /// What the platform is.
    pub(super) platform: Mutex<&'static str>,
    /// Directory of the programs that the machine has; all of this machine's when `None`.
    pub(super) path: Mutex<Option<String>>,
    /// Breaks all streams that were made under the token.
    pub(super) breaking: Mutex<CancellationToken>,
    /// Silences all streams that were made under the token.
    freezing: Mutex<CancellationToken>,
    pub(super) dialled: AtomicUsize,
    /// Whether streams that are made from now on say nothing.
    pub(super) mute: AtomicBool,
    /// What its communicators tell the user.
    events: Mutex<Vec<mpsc::Receiver<Event>>>,
}

impl RunCommand for Machine {
    fn send(&self, command: SendCommand) -> BoxFuture<'_, Result<String, SessionError>> {
        async move {
            let id = format!("command-{}", self.sent.lock().unwrap().len());
            self.sent.lock().unwrap().push(command.script.clone());
            let less = |left: usize| left.checked_sub(1);
            let ordering = Ordering::SeqCst;
            let is_nonsense = self.nonsense.fetch_update(ordering, ordering, less).is_ok();
            let script = if is_nonsense { "echo Killed" } else { &command.script };
            let mut shell = tokio::process::Command::new("/bin/sh");
            shell.arg("-c").arg(script);
            if let Some(path) = &*self.path.lock().unwrap() {
                shell.env("PATH", path);
            }
            let output = shell.output().await.unwrap();
            let stdout = String::from_utf8(output.stdout).unwrap();
            assert!(stdout.len() <= 24_000, "the service would cut it off");
            self.said.lock().unwrap().push(stdout.clone());
            let running = |status: &str| {
                let status = status.to_owned();
                Some(Invocation { status, exit_code: -1, ..Invocation::default() })
            };
            let ended = Invocation {
                status: "Success".to_owned(),
                details: "Success".to_owned(),
                exit_code: 0,
                stdout,
                stderr: String::new(),
            };
            let answers = vec![
                Some(ended),
                running("Delayed"),
                running("InProgress"),
                running("Pending"),
                None,
            ];
            self.answers.lock().unwrap().insert(id.clone(), answers);
            Ok(id)
        }
        .boxed()
    }

    fn invocation(
        &self,
        id: String,
        _instance: String,
    ) -> BoxFuture<'_, Result<Option<Invocation>, SessionError>> {
        let answer = self.answers.lock().unwrap().get_mut(&id).and_then(Vec::pop);
        async move { Ok(answer.expect("nobody asks on after the end")) }.boxed()
    }

    fn cancel(&self, _id: String, _instance: String) -> BoxFuture<'_, Result<(), SessionError>> {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }.boxed()
    }

    fn agent(
        &self,
        _instance: String,
    ) -> BoxFuture<'_, Result<Option<AgentInformation>, SessionError>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let platform = *self.platform.lock().unwrap();
        let platform = if platform.is_empty() { "Linux" } else { platform };
        let found = |ping: &str| AgentInformation {
            ping_status: ping.to_owned(),
            agent_version: "3.3.808.0".to_owned(),
            platform: platform.to_owned(),
        };
        let answer = match asked {
            0 => None,
            1 => Some(found("ConnectionLost")),
            _ => Some(found("Online")),
        };
        async move { Ok(answer) }.boxed()
    }

    fn is_connected(&self, _instance: String) -> BoxFuture<'_, Result<bool, SessionError>> {
        let away = self.away.load(Ordering::SeqCst);
        async move { Ok(!away) }.boxed()
    }

    fn gone(&self, _instance: String) -> BoxFuture<'_, Result<Option<String>, SessionError>> {
        let gone = self.gone.lock().unwrap().clone();
        async move { Ok(gone) }.boxed()
    }
}

/// Straight to the port.
struct Direct {
    machine: Arc<Machine>,
    port: u16,
}

impl Dial for Direct {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, DialError>> {
        async move {
            self.machine.dialled.fetch_add(1, Ordering::SeqCst);
            let refusal = self.machine.refusal.lock().unwrap().clone();
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|error| {
                DialError { stage: ConnectStage::Tcp, reason: error.to_string(), fatal: false }
            })?;
            let token = self.machine.breaking.lock().unwrap().clone();
            let broken = token.cancelled_owned().boxed();
            let frozen = self.machine.freezing.lock().unwrap().child_token();
            if self.machine.mute.load(Ordering::SeqCst) {
                frozen.cancel();
            }
            Ok(Box::new(Breakable { stream, broken, frozen }) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn name(&self) -> String {
        "i-0 (Session Manager)".to_owned()
    }
}

/// A stream that can be broken.
struct Breakable {
    stream: TcpStream,
    broken: BoxFuture<'static, ()>,
    frozen: CancellationToken,
}

impl Breakable {
    fn check(&mut self, context: &mut Context<'_>) -> std::io::Result<()> {
        match self.broken.poll_unpin(context) {
            Poll::Ready(()) => {
                self.broken = futures::future::ready(()).boxed();
                Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the session is over"))
            }
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.check(context)?;
        if self.frozen.is_cancelled() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Machine {
    /// Lets no stream that there is say anything more.
    pub(super) fn freeze(&self) {
        std::mem::take(&mut *self.freezing.lock().unwrap()).cancel();
    }

    /// Warnings that were not asked for before.
    pub(super) fn notices(&self) -> Vec<String> {
        warnings(&mut self.events.lock().unwrap())
    }

    /// Breaks all streams that there are.
    pub(super) fn cut(&self) {
        std::mem::take(&mut *self.breaking.lock().unwrap()).cancel();
    }
}

/// The warnings that have come.
pub(in super::super) fn warnings(events: &mut [mpsc::Receiver<Event>]) -> Vec<String> {
    let facts = events.iter_mut().flat_map(|one| std::iter::from_fn(|| one.try_recv().ok()));
    let texts = facts.filter_map(|event| match event.fact {
        Fact::Warning { text } => Some(text),
        _ => None,
    });
    texts.collect()
}

/// A communicator with this machine.
pub(super) fn communicator(machine: &Arc<Machine>) -> Ssm {
    let to = machine.clone();
    let tunnels: Tunnels = Box::new(move |port| Arc::new(Direct { machine: to.clone(), port }));
    let fast = Duration::from_millis(5);
    let options = SsmOptions {
        settings: Settings { ready: Duration::from_secs(20), ..Settings::default() },
        timing: CommandTiming { first: fast, cap: fast * 10, ..CommandTiming::default() },
    };
    let (emitter, events) = event::channel();
    machine.events.lock().unwrap().push(events);
    let cancel = CancellationToken::new();
    Ssm::new("i-0123456789abcdef0", machine.clone(), tunnels, options, emitter, cancel)
}
