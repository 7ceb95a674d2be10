//! A command under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::answer::{Fault, Received, command_id};
use super::client::Client;
use super::envelope::Request;
use super::failure::Failure;
use super::options::Pace;
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin};

/// How long the service may take for anything but output.
pub(super) const OPERATION: Duration = Duration::from_secs(60);
/// How long it may take to end what nobody waits for.
const END: Duration = Duration::from_secs(10);
/// Between two attempts to ask for output after a connection was lost.
const RESUME_PAUSE: Duration = Duration::from_millis(500);

/// A shell on the instance. It ends when it is dropped, and with it what runs in it.
///
/// Each command has one of its own: a shell has the environment of the moment at which it was made,
/// and a later step should see what an earlier one installed.
pub(super) struct Shell {
    pub(super) client: Arc<Client>,
    pub(super) id: String,
    /// Ends shells.
    pub(super) tasks: TaskTracker,
    /// What may still run in it.
    running: Option<String>,
}

impl Shell {
    pub(super) fn new(client: Arc<Client>, id: String, tasks: TaskTracker) -> Self {
        Self { client, id, tasks, running: None }
    }

    /// Runs a command to its end.
    pub(super) async fn run(
        mut self,
        text: &str,
        stdin: Stdin,
        output: &mpsc::Sender<Chunk>,
        pace: Pace,
        room: usize,
    ) -> Result<Exit, CommunicatorError> {
        const WANTED: &str = "start a command";
        let input = has_input(&stdin);
        let started = {
            let request = Request::Command { shell: &self.id, text, input };
            self.client.call(&request, OPERATION).await
        };
        let answer = started.map_err(|failure| match failure.fault {
            Some(fault) => CommunicatorError::Failed { wanted: WANTED, reason: fault.to_string() },
            None if failure.fatal => {
                CommunicatorError::Failed { wanted: WANTED, reason: failure.text }
            }
            None => self.lost(failure.text),
        })?;
        let Some(command) = command_id(&answer) else {
            let reason = "the answer names no command".to_owned();
            return Err(CommunicatorError::Failed { wanted: WANTED, reason });
        };
        self.running = Some(command.clone());
        let (client, shell) = (self.client.clone(), self.id.clone());
        let feeder = Feeder { client, shell, command: command.clone(), room };
        let followed = {
            let receiving = self.receive(&command, output, pace);
            tokio::pin!(receiving);
            tokio::select! {
                exit = &mut receiving => Ok(exit),
                fed = feeder.feed(stdin), if input => match fed {
                    Ok(()) => Ok(receiving.await),
                    Err(reason) => timeout(pace.unfed, receiving).await.map_err(|_| reason),
                },
            }
        };
        match followed {
            Ok(Followed::Ended(exit)) => {
                self.running = None;
                Ok(exit)
            }
            Ok(Followed::Gone(reason)) => Ok(Exit::Disconnected { reason }),
            Err(reason) => Err(self.lost(reason)),
        }
    }

    /// Sends output on until the command has ended.
    async fn receive(&self, command: &str, output: &mpsc::Sender<Chunk>, pace: Pace) -> Followed {
        let request = Request::Receive { shell: &self.id, command };
        let mut lost: Option<Instant> = None;
        loop {
            let received = match self.client.call(&request, pace.poll).await {
                Ok(answer) => Received::of(&answer).map_err(Failure::nonsense),
                Err(failure) if failure.is_timeout() => Ok(Received::default()),
                Err(failure) => Err(failure),
            };
            match received {
                Ok(received) => {
                    lost = None;
                    for chunk in received.chunks {
                        // Nobody may want it any more; the command goes on.
                        drop(output.send(chunk).await);
                    }
                    match (received.done, received.status) {
                        (false, _) => {}
                        (true, Some(status)) => return Followed::Ended(Exit::Code(status)),
                        (true, None) => {
                            return Followed::Gone("it ended without a status".to_owned());
                        }
                    }
                }
                // The service tells nothing twice: output that was not understood is lost.
                Err(failure) if failure.fault.is_some() || failure.fatal || failure.nonsense => {
                    return Followed::Gone(failure.text);
                }
                Err(failure) => {
                    // The command goes on as long as its shell does.
                    let since = *lost.get_or_insert_with(Instant::now);
                    if failure.sent {
                        tracing::warn!(failure.text, "an answer with output may have been lost");
                    } else {
                        tracing::debug!(failure.text, "no output could be asked for");
                    }
                    if since.elapsed() + RESUME_PAUSE > pace.resume {
                        return Followed::Gone(failure.text);
                    }
                    sleep(RESUME_PAUSE.min(pace.resume)).await;
                }
            }
        }
    }

    fn lost(&self, reason: String) -> CommunicatorError {
        CommunicatorError::Lost { address: self.client.address(), reason }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (client, shell) = (self.client.clone(), std::mem::take(&mut self.id));
        let running = self.running.take();
        let ending = async move {
            if let Some(command) = &running {
                let request = Request::Terminate { shell: &shell, command };
                drop(client.call(&request, END).await);
            }
            drop(client.call(&Request::Delete { shell: &shell }, END).await);
        };
        let limited = async move { drop(timeout(END * 2, ending).await) };
        drop(self.tasks.spawn_on(limited, &runtime));
    }
}

/// How following a command ended.
enum Followed {
    Ended(Exit),
    /// Nobody knows what became of it.
    Gone(String),
}

fn has_input(stdin: &Stdin) -> bool {
    match stdin {
        Stdin::Empty => false,
        Stdin::Bytes(bytes) => !bytes.is_empty(),
        Stdin::Stream(_) => true,
    }
}

/// Sends a command its input, in pieces as large as messages may be.
struct Feeder {
    client: Arc<Client>,
    shell: String,
    command: String,
    room: usize,
}

impl Feeder {
    /// All of it.
    ///
    /// # Errors
    /// Why it broke off.
    async fn feed(self, stdin: Stdin) -> Result<(), String> {
        match stdin {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => {
                let mut pieces = bytes.chunks(self.room).peekable();
                while let Some(piece) = pieces.next() {
                    if !self.send(piece, pieces.peek().is_none()).await? {
                        break;
                    }
                }
            }
            Stdin::Stream(queue) => self.feed_queue(&queue).await?,
        }
        Ok(())
    }

    async fn feed_queue(&self, queue: &Mutex<mpsc::Receiver<Vec<u8>>>) -> Result<(), String> {
        let mut queue = queue.lock().await;
        let mut waiting = Vec::new();
        while let Some(bytes) = queue.recv().await {
            waiting.extend(bytes);
            // Whatever else is there goes along.
            while waiting.len() < self.room
                && let Ok(bytes) = queue.try_recv()
            {
                waiting.extend(bytes);
            }
            for piece in waiting.chunks(self.room) {
                if !self.send(piece, false).await? {
                    return Ok(());
                }
            }
            waiting.clear();
        }
        self.send(&[], true).await.map(drop)
    }

    /// A piece; whether more is wanted.
    async fn send(&self, bytes: &[u8], end: bool) -> Result<bool, String> {
        let Self { client, shell, command, .. } = self;
        let request = Request::Send { shell, command, bytes, end };
        match client.call(&request, OPERATION).await {
            Ok(_) => Ok(true),
            // It takes what it wants.
            Err(failure) if failure.fault.as_ref().is_some_and(Fault::is_unread) => Ok(false),
            Err(failure) => Err(failure.text),
        }
    }
}
