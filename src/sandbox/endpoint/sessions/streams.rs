//! The instance's side of a session: connections to a port.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::communicator::ssm::frame::Flag;
use crate::communicator::ssm::smux::{self, Command, Decoder};

/// What the agent takes from the client for all streams before it stops, as the reference does.
const BUDGET: usize = 4 << 20;

/// What goes to the client.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Bytes of the stream.
    Bytes(Vec<u8>),
    /// A flag of its own.
    Flag(Flag),
    /// The end of the session, and why if it is an error.
    End(String),
}

/// How to reach the port.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    /// The instance's SSH server, which may have another port here than 22.
    pub(super) ssh: SocketAddr,
    pub(super) port: u16,
}

impl Dialer {
    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = if self.port == 22 {
            TcpStream::connect(self.ssh).await?
        } else {
            // Instances share the host's network: a service may listen on theirs alone, or on all.
            match TcpStream::connect((self.ssh.ip(), self.port)).await {
                Ok(stream) => stream,
                Err(_) => TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?,
            }
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// What was taken from the client and not written yet.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: AtomicUsize,
    freed: Notify,
}

impl Budget {
    pub(super) fn is_spent(&self) -> bool {
        self.used.load(Ordering::SeqCst) >= BUDGET
    }

    /// Resolves when something was written since the last time.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::SeqCst);
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        self.freed.notify_one();
    }
}

/// What a connection gets from the client; what it has not written is given back to the budget.
struct Input {
    pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    budget: Arc<Budget>,
}

impl Drop for Input {
    fn drop(&mut self) {
        self.pieces.close();
        while let Ok(piece) = self.pieces.try_recv() {
            self.budget.give_back(piece.len());
        }
    }
}

/// The connections of a session.
#[derive(Debug)]
pub(super) struct Streams {
    dialer: Dialer,
    outgoing: mpsc::Sender<Outgoing>,
    budget: Arc<Budget>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Multiplexed {
        decoder: Decoder,
        open: HashMap<u32, mpsc::UnboundedSender<Vec<u8>>>,
        /// The last stream that the client opened.
        last: u32,
    },
    Single(mpsc::UnboundedSender<Vec<u8>>),
}

impl Streams {
    /// Many streams, which the client opens.
    pub(super) fn multiplexed(
        dialer: Dialer,
        outgoing: mpsc::Sender<Outgoing>,
        budget: Arc<Budget>,
    ) -> Self {
        let kind = Kind::Multiplexed { decoder: Decoder::default(), open: HashMap::new(), last: 1 };
        Self { dialer, outgoing, budget, kind }
    }

    /// One stream, whose end is the session's.
    pub(super) fn single(
        dialer: Dialer,
        outgoing: mpsc::Sender<Outgoing>,
        budget: Arc<Budget>,
    ) -> Self {
        let (sender, pieces) = mpsc::unbounded_channel();
        let input = Input { pieces, budget: budget.clone() };
        let (own, to_client) = (dialer.clone(), outgoing.clone());
        tokio::spawn(async move {
            let reason = match own.dial().await {
                Ok(stream) => {
                    carry(stream, input, &to_client, <[u8]>::to_vec).await;
                    String::new()
                }
                Err(error) => format!("Connection to destination port failed: {error}"),
            };
            // The session may have ended before.
            drop(to_client.send(Outgoing::End(reason)).await);
        });
        Self { dialer, outgoing, budget, kind: Kind::Single(sender) }
    }

    /// Takes bytes from the client.
    ///
    /// # Errors
    /// What the client did wrong.
    pub(super) fn take(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        match &mut self.kind {
            Kind::Single(sender) => {
                push(sender, bytes, &self.budget);
                Ok(())
            }
            Kind::Multiplexed { decoder, open, last } => {
                decoder.push(&bytes);
                while let Some(frame) = decoder.next().map_err(|error| error.to_string())? {
                    let id = frame.stream;
                    match frame.command {
                        Command::Syn if id % 2 == 0 || id <= *last => {
                            return Err(format!(
                                "a stream was opened as {id}, which is not an odd number above {last}"
                            ));
                        }
                        Command::Syn => {
                            *last = id;
                            let (sender, pieces) = mpsc::unbounded_channel();
                            open.insert(id, sender);
                            let input = Input { pieces, budget: self.budget.clone() };
                            tokio::spawn(serve(
                                self.dialer.clone(),
                                id,
                                input,
                                self.outgoing.clone(),
                            ));
                        }
                        Command::Fin => drop(open.remove(&id)),
                        Command::Push => {
                            let gone = open
                                .get(&id)
                                .is_some_and(|sender| !push(sender, frame.data, &self.budget));
                            if gone {
                                open.remove(&id);
                            }
                        }
                        Command::Nop => {}
                    }
                }
                Ok(())
            }
        }
    }
}

/// Whether there was somebody to take it.
fn push(sender: &mpsc::UnboundedSender<Vec<u8>>, bytes: Vec<u8>, budget: &Budget) -> bool {
    let length = bytes.len();
    budget.take(length);
    let taken = sender.send(bytes).is_ok();
    if !taken {
        budget.give_back(length);
    }
    taken
}

/// One of many streams.
async fn serve(dialer: Dialer, id: u32, input: Input, outgoing: mpsc::Sender<Outgoing>) {
    match dialer.dial().await {
        Ok(stream) => {
            let framed = move |bytes: &[u8]| {
                let mut frame = Vec::with_capacity(smux::HEADER + bytes.len());
                smux::encode(Command::Push, id, bytes, &mut frame);
                frame
            };
            carry(stream, input, &outgoing, framed).await;
        }
        Err(_) => drop(outgoing.send(Outgoing::Flag(Flag::ConnectToPortError)).await),
    }
    let mut frame = Vec::new();
    smux::encode(Command::Fin, id, &[], &mut frame);
    // The session may have ended before.
    drop(outgoing.send(Outgoing::Bytes(frame)).await);
}

/// Copies both ways until either ends: there is no half-closed stream.
async fn carry(
    stream: TcpStream,
    mut input: Input,
    outgoing: &mpsc::Sender<Outgoing>,
    frame: impl Fn(&[u8]) -> Vec<u8>,
) {
    let (mut reader, mut writer) = stream.into_split();
    let budget = input.budget.clone();
    let down = async {
        let mut buffer = vec![0; smux::PIECE];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            let bytes = buffer.get(..count).unwrap_or_default();
            if outgoing.send(Outgoing::Bytes(frame(bytes))).await.is_err() {
                break;
            }
        }
    };
    let up = async {
        while let Some(piece) = input.pieces.recv().await {
            let written = writer.write_all(&piece).await;
            budget.give_back(piece.len());
            if written.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = down => {}
        () = up => {}
    }
}
