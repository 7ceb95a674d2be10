//! Jobs by Run Command alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio::time::sleep;

use super::posix::ROOM;
use super::report::{Look, Progress, field, line};
use super::seal::Seal;
use super::shell::{Arranged, Encoder, Input, Offsets, Output, Part, Scripts, Shell, Start};
use crate::communicator::ssm::SsmOptions;
use crate::communicator::ssm::commands::RunCommand;
use crate::communicator::ssm::depot;
use crate::communicator::ssm::invoke::{CommandTiming, invoke};
use crate::communicator::ssm::pace::Pauses;
use crate::communicator::ssm::sessions::{SessionError, SessionErrorKind};
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin};
use crate::event::Stream;
use crate::plan::Digest;

/// The most bytes in one command. It goes as base64 into a document of at most 64 KB.
pub(super) const PIECE: usize = 24 << 10;
/// The most of a command, and of its input, that goes along with the script that starts it.
const INLINE: usize = 10 << 10;
/// The most that files may have: at a second or so for 24 KiB, more takes too long.
pub(in super::super) const LARGEST: usize = 16 << 20;
/// Pieces that are under way at once; an agent runs five commands at a time.
const PARALLEL: usize = 4;
/// Pauses between two looks at a job without news.
const PAUSES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(2));
/// How long one of our scripts may run.
const EXECUTION: Duration = Duration::from_secs(120);
/// Answers that make no sense, after which a script is not sent again.
const PUZZLES: usize = 5;

/// A command to run.
pub(in super::super) struct Request<'a> {
    /// The name of the job. One that was started under it, also by another way, is followed and not
    /// started again.
    pub(in super::super) job: String,
    /// For the instance's shell.
    pub(in super::super) command: &'a str,
    /// What it reads.
    pub(in super::super) stdin: Stdin,
    /// Where its output goes.
    pub(in super::super) output: mpsc::Sender<Chunk>,
    /// Whether these are files, which may be too large.
    pub(in super::super) files: bool,
}

/// An instance that is reached by Run Command alone.
pub(in super::super) struct Alone {
    commands: Arc<dyn RunCommand>,
    instance: String,
    pub(super) scripts: Scripts,
    seal: Option<Seal>,
    gzip: bool,
    timing: CommandTiming,
    ready: Duration,
    /// Jobs that have ended, whose files go with the next start.
    finished: Mutex<Vec<String>>,
}

impl Alone {
    /// A directory of an instance, as it may be.
    pub(in super::super) fn at(
        commands: Arc<dyn RunCommand>,
        instance: &str,
        shell: Shell,
        directory: String,
        options: SsmOptions,
    ) -> Self {
        let scripts = Scripts { shell, directory, encoder: Encoder::Own, sealed: false };
        let timing =
            CommandTiming { cap: options.timing.cap.min(Duration::from_secs(2)), ..options.timing };
        Self {
            commands,
            instance: instance.to_owned(),
            scripts,
            seal: None,
            gzip: false,
            timing,
            ready: options.settings.ready,
            finished: Mutex::default(),
        }
    }

    /// Makes the directory on the instance, and agrees with it on a secret.
    pub(in super::super) async fn arrange(
        commands: Arc<dyn RunCommand>,
        instance: &str,
        shell: Shell,
        directory: String,
        options: SsmOptions,
    ) -> Result<Self, SessionError> {
        let mut alone = Self::at(commands, instance, shell, directory, options);
        let said = alone.once(&alone.scripts.arrange()).await?;
        let Some(Arranged { encoder, gzip, key }) = Arranged::parse(&said) else {
            return Err(senseless(&said));
        };
        let Some(encoder) = encoder else {
            let message =
                "it has neither `base64` nor `openssl`, without which nothing can be sent";
            return Err(SessionError::new(SessionErrorKind::Fatal, message));
        };
        alone.scripts.encoder = encoder;
        alone.gzip = gzip;
        if let Some(key) = key {
            alone.agree(&key).await?;
        }
        Ok(alone)
    }

    /// Sends a secret for the instance's key; without success nothing is sealed.
    async fn agree(&mut self, key: &str) -> Result<(), SessionError> {
        let seal = Seal::new();
        let wrapped = match seal.for_key(key) {
            Ok(wrapped) => STANDARD.encode(wrapped),
            Err(reason) => {
                tracing::debug!(reason, instance = self.instance, "its key cannot be used");
                return Ok(());
            }
        };
        let said = self.once(&self.scripts.unwrap_secret(&wrapped)).await?;
        let line = line(&said).ok_or_else(|| senseless(&said))?;
        match field(&line, "sealed") {
            Some("yes") => {
                self.seal = Some(seal);
                self.scripts.sealed = true;
                Ok(())
            }
            Some(_) => Ok(()),
            // To take that for a no would be to send everything as it is.
            None => Err(senseless(&said)),
        }
    }

    /// What the instance's commands are written in.
    pub(in super::super) fn shell(&self) -> Shell {
        self.scripts.shell
    }

    /// Whether the instance has gzip.
    pub(in super::super) fn has_gzip(&self) -> bool {
        self.gzip
    }

    /// Whether what travels is in the account's history as it is.
    pub(in super::super) fn is_readable(&self) -> bool {
        self.seal.is_none()
    }

    /// Where everything is on the instance.
    pub(in super::super) fn directory(&self) -> &str {
        &self.scripts.directory
    }

    /// An error of this way.
    pub(super) fn failed(
        &self,
        wanted: &'static str,
        reason: impl Into<String>,
    ) -> CommunicatorError {
        SessionError::fatal(reason).of(&self.instance, wanted)
    }

    /// An error of the bucket.
    pub(super) fn trouble(&self, error: SessionError) -> CommunicatorError {
        depot::trouble(&self.instance, error)
    }

    pub(super) fn too_large(&self) -> CommunicatorError {
        let most = LARGEST >> 20;
        let reason =
            format!("they are larger than {most} MiB, the most that goes through Run Command");
        let error =
            SessionError { hints: vec![BUCKET_HINT.to_owned()], ..SessionError::fatal(reason) };
        error.of(&self.instance, "move files")
    }

    /// Runs a script of ours once; gives what it printed.
    async fn once(&self, script: &str) -> Result<String, SessionError> {
        let document = self.scripts.shell.document();
        let ended =
            invoke(&self.commands, &self.instance, document, script, EXECUTION, self.timing)
                .await?;
        let nothing = ended.stdout.trim().is_empty();
        Ok(if nothing { ended.stderr } else { ended.stdout })
    }

    /// Runs a script of ours, and again while the agent is away; each does the same when it runs
    /// twice. Gives what `read` makes of its answer.
    async fn ask<T>(
        &self,
        script: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, CommunicatorError> {
        let deadline = Instant::now() + self.ready;
        let mut pauses = Pauses::new(self.timing.first, self.timing.cap);
        let mut puzzles = 0;
        loop {
            let trouble = match self.once(script).await {
                Ok(said) => match read(&said) {
                    Some(answer) => return Ok(answer),
                    None => {
                        puzzles += 1;
                        let mut trouble = senseless(&said);
                        if puzzles == PUZZLES {
                            trouble.kind = SessionErrorKind::Fatal;
                        }
                        trouble
                    }
                },
                Err(trouble) => trouble,
            };
            let trouble = unless_gone(&*self.commands, &self.instance, trouble).await;
            let pause = pauses.next();
            if !trouble.is_transient() || Instant::now() + pause > deadline {
                return Err(trouble.of(&self.instance, "run a command"));
            }
            tracing::debug!(error = %trouble, instance = self.instance, "a command is sent again");
            sleep(pause).await;
        }
    }

    /// The same for a script that only says that it is done.
    fn tell(&self, script: String) -> BoxFuture<'_, Result<(), CommunicatorError>> {
        async move {
            let done = |said: &str| line(said).filter(|line| line == "done=yes");
            self.ask(&script, done).await.map(drop)
        }
        .boxed()
    }

    /// The same for a script that looks at a job.
    fn look(&self, script: String) -> BoxFuture<'_, Result<Look, CommunicatorError>> {
        async move { self.ask(&script, |said| Look::parse(said, self.seal.as_ref())).await }.boxed()
    }

    /// What goes to the instance, sealed if that can be.
    fn sealed(&self, plain: &[u8]) -> Vec<u8> {
        match &self.seal {
            Some(seal) => seal.close(plain),
            None => plain.to_vec(),
        }
    }

    /// Puts a part of a job on its way.
    fn part<'a>(
        &'a self,
        name: String,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Part, CommunicatorError>> {
        async move {
            let sealed = self.sealed(plain);
            if sealed.len() <= INLINE {
                return Ok(Part::Inline(STANDARD.encode(sealed)));
            }
            if sealed.len() > LARGEST + PIECE {
                return Err(self.too_large());
            }
            stream::iter(0..sealed.len().div_ceil(PIECE))
                .map(|number| {
                    let piece = sealed.chunks(PIECE).nth(number).unwrap_or_default();
                    self.tell(self.scripts.piece(&name, number, &STANDARD.encode(piece)))
                })
                .buffer_unordered(PARALLEL)
                .try_collect::<Vec<()>>()
                .await?;
            Ok(Part::Joined { name, size: sealed.len(), digest: Digest::of(&sealed).hex() })
        }
        .boxed()
    }

    /// Runs a command as [`Communicator::exec`](crate::communicator::Communicator::exec) says.
    pub(in super::super) fn run<'a>(
        self: &'a Arc<Self>,
        request: Request<'a>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            let Request { job, command, mut stdin, output, files } = request;
            if let (Shell::PowerShell, Stdin::Stream(queue)) = (self.scripts.shell, &stdin) {
                // Nothing there takes input while it comes.
                let mut queue = queue.lock().await;
                let mut whole = Vec::new();
                while let Some(bytes) = queue.recv().await {
                    whole.extend(bytes);
                    if whole.len() > LARGEST {
                        return Err(self.too_large());
                    }
                }
                drop(queue);
                stdin = Stdin::Bytes(whole.into());
            }
            let input = match &stdin {
                Stdin::Empty => Input::Nothing,
                Stdin::Bytes(bytes) if bytes.is_empty() => Input::Nothing,
                Stdin::Bytes(bytes) => Input::Held(self.part(format!("{job}i"), bytes).await?),
                Stdin::Stream(_) => Input::Fed,
            };
            let command = self.part(format!("{job}c"), format!("{command}\n").as_bytes()).await?;
            let finished = std::mem::take(&mut *self.finished());
            let start = Start { job: &job, command, input, finished: &finished };
            let start = self.scripts.start(&start);
            let mut kill = Kill { alone: self.clone(), job: job.clone(), armed: true };
            let first = self.look(start).await?;
            let mut feeding: BoxFuture<'_, _> = match &stdin {
                Stdin::Stream(queue) => {
                    let queue = queue.clone();
                    let job = job.clone();
                    async move { self.feed(&job, queue.lock_owned().await, files).await }.boxed()
                }
                _ => pending().boxed(),
            };
            let following = self.follow(&job, Offsets::default(), first, &output, files);
            tokio::pin!(following);
            let mut fed = false;
            let exit = loop {
                tokio::select! {
                    exit = &mut following => break exit?,
                    ended = &mut feeding, if !fed => {
                        ended?;
                        fed = true;
                    }
                }
            };
            kill.armed = false;
            self.finished().push(job.clone());
            Ok(exit)
        }
        .boxed()
    }

    /// Goes on with a job that was started through a session, from somewhere in its output.
    pub(in super::super) async fn resume(
        self: &Arc<Self>,
        job: &str,
        out: u64,
        err: u64,
        output: &mpsc::Sender<Chunk>,
    ) -> Result<Exit, CommunicatorError> {
        let mut kill = Kill { alone: self.clone(), job: job.to_owned(), armed: true };
        let at = Offsets { out, err };
        let look = self.look(self.scripts.look(job, at)).await?;
        let exit = self.follow(job, at, look, output, false).await?;
        kill.armed = false;
        self.finished().push(job.to_owned());
        Ok(exit)
    }

    fn finished(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job its input as it comes.
    async fn feed(
        &self,
        job: &str,
        queue: OwnedMutexGuard<mpsc::Receiver<Vec<u8>>>,
        files: bool,
    ) -> Result<(), CommunicatorError> {
        let pieces = stream::unfold((queue, Vec::new()), |(mut queue, mut held)| async move {
            if held.is_empty() {
                held = queue.recv().await?;
            }
            while held.len() < PIECE
                && let Ok(more) = queue.try_recv()
            {
                held.extend(more);
            }
            let rest = held.split_off(held.len().min(PIECE));
            Some((held, (queue, rest)))
        });
        let (mut sent, mut count) = (0, 0);
        let mut under_way = std::pin::pin!(
            pieces
                .enumerate()
                .map(|(number, piece)| {
                    let length = piece.len();
                    let piece = STANDARD.encode(self.sealed(&piece));
                    let telling = self.tell(self.scripts.feed(job, number, &piece));
                    async move { telling.await.map(|()| length) }.boxed()
                })
                .buffer_unordered(PARALLEL)
        );
        while let Some(length) = under_way.next().await {
            sent += length?;
            count += 1;
            if files && sent > LARGEST {
                return Err(self.too_large());
            }
        }
        self.tell(self.scripts.end_of_input(job, count)).await
    }

    /// Looks at a job until it has ended and all that it has printed has arrived.
    async fn follow(
        &self,
        job: &str,
        mut at: Offsets,
        mut look: Look,
        output: &mpsc::Sender<Chunk>,
        files: bool,
    ) -> Result<Exit, CommunicatorError> {
        let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
        loop {
            let news = !look.out.is_empty() || !look.err.is_empty();
            at.out += look.out.len() as u64;
            at.err += look.err.len() as u64;
            deliver(output, Stream::Stdout, look.out).await;
            deliver(output, Stream::Stderr, look.err).await;
            if files && look.out_size > LARGEST as u64 {
                return Err(self.too_large());
            }
            if look.progress == Progress::Incomplete {
                let reason = "what was sent did not arrive whole";
                return Err(self.failed("start a command", reason));
            }
            let caught_up = async {
                at.out = self.ranges(job, Output::Out, at.out, look.out_size, output).await?;
                at.err = self.ranges(job, Output::Err, at.err, look.err_size, output).await?;
                Ok::<_, CommunicatorError>(())
            };
            let caught_up = caught_up.await;
            if let Progress::Vanished(reason) = look.progress {
                return Ok(Exit::Disconnected { reason: reason.to_owned() });
            }
            if let Err(error) = caught_up {
                return Ok(Exit::Disconnected { reason: error.to_string() });
            }
            if let Progress::Ended(code) = look.progress {
                return Ok(Exit::Code(code));
            }
            if news {
                pauses = Pauses::new(PAUSES.0, PAUSES.1);
            } else {
                sleep(pauses.next().min(self.timing.cap)).await;
            }
            look = match self.look(self.scripts.look(job, at)).await {
                Ok(look) => look,
                Err(error) => return Ok(Exit::Disconnected { reason: error.to_string() }),
            };
        }
    }

    /// Fetches what a look had no room for, several ranges at a time; gives where it ends.
    fn ranges<'a>(
        &'a self,
        job: &'a str,
        which: Output,
        from: u64,
        to: u64,
        output: &'a mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<u64, CommunicatorError>> {
        async move {
            let stream = match which {
                Output::Out => Stream::Stdout,
                Output::Err => Stream::Stderr,
            };
            let starts = (from..to).step_by(usize::try_from(ROOM).unwrap_or(usize::MAX));
            let mut ranges = std::pin::pin!(
                stream::iter(starts)
                    .map(|start| {
                        self.look(self.scripts.range(job, which, start, ROOM.min(to - start)))
                    })
                    .buffered(PARALLEL)
            );
            while let Some(range) = ranges.next().await {
                let Look { out, err, .. } = range?;
                deliver(output, stream, if which == Output::Out { out } else { err }).await;
            }
            Ok(to.max(from))
        }
        .boxed()
    }

    /// Takes everything away from the instance.
    pub(in super::super) async fn remove(&self) -> Result<(), CommunicatorError> {
        self.tell(self.scripts.remove()).await
    }
}

/// What to do about files that are too large.
pub(in super::super) const BUCKET_HINT: &str =
    "name a bucket of the account in `ssm_bucket`, through which large files go";

/// The error for a shell that did not do what it was told. A machine on its way down does that.
fn senseless(said: &str) -> SessionError {
    let said: String = said.trim().chars().take(300).collect();
    let message = format!("the shell did not do what it was told: {said}");
    SessionError::new(SessionErrorKind::Transient, message)
}

/// The trouble as it is, or that the instance is gone for good, which nothing waits for.
pub(in super::super) async fn unless_gone(
    commands: &dyn RunCommand,
    instance: &str,
    trouble: SessionError,
) -> SessionError {
    if !trouble.is_transient() {
        return trouble;
    }
    match commands.gone(instance.to_owned()).await {
        Ok(Some(state)) => {
            let message = format!("the instance is `{state}`");
            let mut error = SessionError::new(SessionErrorKind::Fatal, message);
            error.hints.push("somebody or something has ended it while the build ran: its shutdown behaviour is `terminate`, so a shutdown from inside does that, too".to_owned());
            error
        }
        // It is only asked to say more than the trouble does.
        Ok(None) | Err(_) => trouble,
    }
}

/// Passes output on. Nobody may want it any more; the command goes on.
async fn deliver(output: &mpsc::Sender<Chunk>, stream: Stream, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        drop(output.send(Chunk { stream, bytes }).await);
    }
}

/// Kills a job that nobody waits for any more.
struct Kill {
    alone: Arc<Alone>,
    job: String,
    armed: bool,
}

impl Drop for Kill {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (alone, job) = (self.alone.clone(), std::mem::take(&mut self.job));
            let script = alone.scripts.kill(&job);
            drop(runtime.spawn(async move { alone.once(&script).await }));
        }
    }
}
