//! Running one command on a channel.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connection::{Connection, OpenSession};
use super::transfer::Piece;
use crate::communicator::{Chunk, Command, CommunicatorError, Exit, Stdin};
use crate::event::Stream;

/// How much of the input goes into one message.
const PIECE: usize = 64 << 10;

/// How long the far side may take no byte of the input.
const STALL_LIMIT: Duration = Duration::from_secs(180);

/// Once the command has ended: how long nothing must come before we ask the server for a sign of
/// life, and how long nothing must come after that. A process that the command left in the
/// background may keep the output open for ever; but what is only held up, by another reader on the
/// connection or on its way, comes before the answer.
const LINGER: Duration = Duration::from_secs(1);

/// What a command reads.
pub(super) enum Input<'a> {
    Bytes(Arc<[u8]>),
    /// What a queue brings.
    Queue(Arc<Mutex<mpsc::Receiver<Vec<u8>>>>),
    /// Pieces as they come, and whom to tell how far we are.
    Pieces(mpsc::Receiver<Piece>, &'a (dyn Fn(u64) + Send + Sync)),
}

/// Runs a command as [`Communicator::exec`](crate::communicator::Communicator::exec) says.
pub(super) async fn exec(
    connection: &Connection,
    session: OpenSession,
    command: Command,
    output: mpsc::Sender<Chunk>,
) -> Result<Exit, CommunicatorError> {
    let input = match command.stdin {
        Stdin::Empty => Input::Bytes(Arc::new([])),
        Stdin::Bytes(bytes) => Input::Bytes(bytes),
        Stdin::Stream(stream) => Input::Queue(stream),
    };
    let (agent, pty) = (connection.agent_forwarded, command.pty);
    run(connection, session, &command.text, Extras { agent, pty }, input, output).await
}

/// What a command may have besides its pipes.
#[derive(Clone, Copy, Default)]
pub(super) struct Extras {
    /// The SSH agent of this machine.
    agent: bool,
    /// A terminal.
    pty: bool,
}

/// Runs a command with any kind of input.
pub(super) async fn run(
    connection: &Connection,
    session: OpenSession,
    text: &str,
    extras: Extras,
    input: Input<'_>,
    output: mpsc::Sender<Chunk>,
) -> Result<Exit, CommunicatorError> {
    let (channel, permit) = session.take();
    let (mut read, write) = channel.split();
    let write = Arc::new(write);
    let mut ending = Ending { channel: write.clone(), permit: Some(permit), running: true };

    let lost = |_error: russh::Error| connection.lost();
    if extras.agent {
        // Without an answer, so it costs no round trip. A server that forbids it says nothing.
        write.agent_forward(false).await.map_err(lost)?;
    }
    if extras.pty {
        let modes = [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14400), (Pty::TTY_OP_OSPEED, 14400)];
        write.request_pty(false, "xterm", 80, 40, 0, 0, &modes).await.map_err(lost)?;
    }
    // The input follows at once: waiting for the answer would cost a round trip.
    write.exec(true, text).await.map_err(lost)?;

    let sending = send(&write, input);
    tokio::pin!(sending);
    let mut sent = false;
    let mut exit = None;
    let mut closed = false;
    let mut silence = Silence::New;
    let linger = sleep_until(Instant::now() + LINGER);
    tokio::pin!(linger);
    loop {
        let message = tokio::select! {
            message = read.wait() => message,
            result = &mut sending, if !sent => {
                result?;
                sent = true;
                continue;
            }
            () = silence.ends(linger.as_mut(), connection), if exit.is_some() => break,
        };
        silence = Silence::New;
        match message {
            Some(ChannelMsg::Data { data }) => forward(&output, Stream::Stdout, &data).await,
            Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                forward(&output, Stream::Stderr, &data).await;
            }
            Some(ChannelMsg::Failure) => {
                return Err(CommunicatorError::Refused {
                    wanted: "run a command",
                    reason: "it gives no reason; the user may be limited to other uses".into(),
                });
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => exit = Some(Exit::Code(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                exit = Some(Exit::Signal(name(&signal_name)));
            }
            Some(ChannelMsg::Close) => {
                closed = true;
                break;
            }
            Some(_) => {}
            None => break,
        }
        linger.as_mut().reset(Instant::now() + LINGER);
    }
    ending.running = exit.is_none() && !closed;
    match exit {
        Some(exit) => Ok(exit),
        None if closed => Ok(Exit::Disconnected {
            reason: "the server closed the session without an exit status".into(),
        }),
        None if sent => Ok(Exit::Disconnected { reason: connection.end() }),
        None => Err(connection.lost()),
    }
}

/// How sure it is that nothing more comes from a command that has ended.
enum Silence<'a> {
    /// Nothing has come for less than [`LINGER`].
    New,
    /// The server was asked for a sign of life.
    Asked(BoxFuture<'a, ()>),
    /// It has answered since then.
    Answered,
}

impl<'a> Silence<'a> {
    /// Waits until it is sure; may be called again when it was dropped.
    async fn ends(&mut self, mut linger: Pin<&mut Sleep>, connection: &'a Connection) {
        loop {
            match self {
                Self::New => {
                    linger.as_mut().await;
                    *self = Self::Asked(connection.answer().boxed());
                }
                Self::Asked(answer) => {
                    answer.await;
                    linger.as_mut().reset(Instant::now() + LINGER);
                    *self = Self::Answered;
                }
                Self::Answered => return linger.as_mut().await,
            }
        }
    }
}

/// Sends output on; a full receiver holds us up, a dropped one means that nobody wants it.
async fn forward(output: &mpsc::Sender<Chunk>, stream: Stream, data: &[u8]) {
    drop(output.send(Chunk { stream, bytes: data.to_vec() }).await);
}

/// Sends the whole input and its end. A lost connection shows in the reading half, so here it
/// only means never to be done.
async fn send(channel: &ChannelWriteHalf<Msg>, input: Input<'_>) -> Result<(), CommunicatorError> {
    let mut sent = 0;
    match input {
        Input::Bytes(bytes) => {
            for piece in bytes.chunks(PIECE) {
                send_piece(channel, piece.to_vec(), &mut sent).await?;
            }
        }
        Input::Queue(queue) => {
            let mut queue = queue.lock().await;
            while let Some(bytes) = queue.recv().await {
                for piece in bytes.chunks(PIECE) {
                    send_piece(channel, piece.to_vec(), &mut sent).await?;
                }
            }
        }
        Input::Pieces(mut pieces, progress) => {
            while let Some(Piece { bytes, files }) = pieces.recv().await {
                send_piece(channel, bytes, &mut sent).await?;
                progress(files);
            }
        }
    }
    if channel.eof().await.is_err() {
        std::future::pending::<()>().await;
    }
    Ok(())
}

async fn send_piece(
    channel: &ChannelWriteHalf<Msg>,
    bytes: Vec<u8>,
    sent: &mut u64,
) -> Result<(), CommunicatorError> {
    let length = bytes.len() as u64;
    match timeout(STALL_LIMIT, channel.data_bytes(bytes)).await {
        Ok(Ok(())) => {
            *sent += length;
            Ok(())
        }
        Ok(Err(_)) => std::future::pending().await,
        Err(_) => Err(CommunicatorError::Stalled { idle: STALL_LIMIT, sent: *sent }),
    }
}

/// The name of a signal without `SIG`.
fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        signal => format!("{signal:?}"),
    }
}

/// Ends a command that is still running when nobody waits for it any more: with a signal where
/// the server passes it on (OpenSSH does for users other than root), and by closing its pipes.
struct Ending {
    channel: Arc<ChannelWriteHalf<Msg>>,
    permit: Option<OwnedSemaphorePermit>,
    running: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (channel, permit, running) = (self.channel.clone(), self.permit.take(), self.running);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        drop(runtime.spawn(async move {
            if running {
                drop(channel.signal(Sig::TERM).await);
            }
            drop(channel.close().await);
            drop(permit);
        }));
    }
}
