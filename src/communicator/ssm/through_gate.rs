//! Jobs through the listener on an instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout};

use super::commands::RunCommand;
use super::follow::{Reader, Said};
use super::gate::{self, Arrangement, Place};
use super::pace::Pauses;
use crate::communicator::{ByteStream, Chunk, ConnectStage, Dial, DialError, Exit};
use crate::event::Stream;

/// How long a job may say nothing at all; it gives a sign of life every other second.
const SILENCE: Duration = Duration::from_secs(30);
/// The same while it is fed: to give up then is to lose the command, and the session has its own
/// ways to find out that nothing moves any more.
const FED_SILENCE: Duration = Duration::from_secs(330);
/// How long a job may say nothing before the service is asked whether its agent is there, and how
/// often from then on.
const DOUBT: Duration = Duration::from_secs(6);
/// How long the program that listens may take to start.
const START: Duration = Duration::from_secs(15);

/// A way in.
pub(super) struct Gate {
    pub(super) place: Place,
    pub(super) arrangement: Arrangement,
    pub(super) tunnel: Arc<dyn Dial>,
    pub(super) commands: Arc<dyn RunCommand>,
    pub(super) instance: String,
}

impl Gate {
    /// A stream on which a shell runs what is sent.
    async fn connect(&self) -> Result<Box<dyn ByteStream>, DialError> {
        self.tunnel.dial().await
    }

    /// Waits until the listener answers: its program may take a while to start.
    pub(super) async fn greet(&self) -> Result<(), DialError> {
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

    /// Asks the service, when it is time, whether the agent is connected. Not to know counts as yes.
    async fn is_agent_there(&self, when: Instant) -> bool {
        tokio::time::sleep_until(when.into()).await;
        self.commands.is_connected(self.instance.clone()).await.unwrap_or(true)
    }

    /// Runs a script that answers with `k` when it is done, and waits for that for a little while.
    pub(super) async fn tell(&self, script: &str) -> bool {
        let telling = async {
            let mut stream = self.connect().await.ok()?;
            stream.write_all(&gate::opening(&self.place, script)).await.ok()?;
            stream.flush().await.ok()?;
            let mut answer = [0; 1];
            stream.read_exact(&mut answer).await.ok()?;
            Some(answer == *b"k")
        };
        timeout(Duration::from_secs(10), telling).await == Ok(Some(true))
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
pub(super) struct Job {
    pub(super) name: String,
    /// Whether it is known to have been started.
    pub(super) started: bool,
    /// Whether the last attempt to follow it got hold of it.
    pub(super) followed: bool,
    /// Whether it has got all of its input, or wants no more.
    pub(super) fed: bool,
    /// Bytes of its output that have arrived.
    pub(super) out: u64,
    pub(super) err: u64,
    /// Through which it is killed when nobody waits for it any more.
    pub(super) kill: Option<Arc<Gate>>,
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
pub(super) enum Followed {
    Ended(Exit),
    /// It did not get all of its input.
    Unfed(String),
    /// The stream broke off.
    Broken(String),
}

/// Sends a job's input as it comes.
pub(super) fn feed(
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
pub(super) async fn follow(
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
    let mut doubted = heard;
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
            is_there = gate.is_agent_there(heard.max(doubted) + DOUBT), if !is_feeding => {
                if !is_there {
                    let reason = "the agent is not connected to the service any more";
                    return Followed::Broken(reason.to_owned());
                }
                doubted = Instant::now();
                continue;
            }
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
                        Stream::Stdout => &mut job.out,
                        Stream::Stderr => &mut job.err,
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
