//! A visitor's connection, and what is asked for on it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::communicator::{Chunk, Command, Communicator, Exit, Stdin};
use crate::event::Stream;

/// How many packets of input (32 KiB each) may wait for the instance. After that the connection
/// stands still until it has taken one.
const WAITING_INPUT: usize = 128;

/// How many pieces of output may wait for the visitor.
const WAITING_OUTPUT: usize = 32;

/// `SSH_EXTENDED_DATA_STDERR`, RFC 4254 5.2.
const STDERR: u32 = 1;

/// What `ssh` itself exits with when a connection fails.
const CONNECTION_FAILED: u32 = 255;

/// A connection.
pub(super) struct Visitor {
    keys: Arc<[PublicKey]>,
    sftp_command: Arc<str>,
    requests: mpsc::Sender<Request>,
    waiting: HashMap<ChannelId, Waiting>,
    running: HashMap<ChannelId, Running>,
}

/// A session channel that nothing was asked for on.
struct Waiting {
    channel: Channel<Msg>,
    pty: bool,
}

/// A session channel with a command.
struct Running {
    /// Gone once the visitor has said all.
    input: Option<mpsc::Sender<Vec<u8>>>,
    /// Cancelled when the channel is closed.
    gone: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// A command that a visitor wants to run.
pub(super) struct Request {
    command: Command,
    channel: ChannelWriteHalf<Msg>,
    handle: Handle,
    gone: CancellationToken,
}

impl Visitor {
    pub(super) fn new(
        keys: Arc<[PublicKey]>,
        sftp_command: Arc<str>,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        Self { keys, sftp_command, requests, waiting: HashMap::new(), running: HashMap::new() }
    }

    fn answer(&self, key: &PublicKey) -> Auth {
        let known = self.keys.iter().any(|known| known.key_data() == key.key_data());
        if known { Auth::Accept } else { Auth::reject() }
    }

    async fn start(
        &mut self,
        id: ChannelId,
        text: String,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(Waiting { channel, pty }) = self.waiting.remove(&id) else {
            return session.channel_failure(id);
        };
        let (input, stdin) = mpsc::channel(WAITING_INPUT);
        let stdin = Stdin::Stream(Arc::new(Mutex::new(stdin)));
        let gone = CancellationToken::new();
        // What arrives comes through `data`.
        let (_unread, channel) = channel.split();
        let command = Command { text, stdin, pty };
        let handle = session.handle();
        let request = Request { command, channel, handle, gone: gone.clone() };
        if self.requests.send(request).await.is_err() {
            return session.channel_failure(id);
        }
        self.running.insert(id, Running { input: Some(input), gone });
        session.channel_success(id)
    }
}

impl Handler for Visitor {
    type Error = russh::Error;

    fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        let answer = self.answer(offer.public_key);
        async move { Ok(answer) }
    }

    fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> impl Future<Output = Result<Auth, Self::Error>> + Send {
        let answer = self.answer(key.public_key);
        async move { Ok(answer) }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.waiting.insert(channel.id(), Waiting { channel, pty: false });
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.waiting.get_mut(&id) {
            Some(waiting) => {
                waiting.pty = true;
                session.channel_success(id)
            }
            None => session.channel_failure(id),
        }
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match std::str::from_utf8(line) {
            Ok(text) => self.start(id, text.to_owned(), session).await,
            Err(_) => session.channel_failure(id),
        }
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name != "sftp" {
            return session.channel_failure(id);
        }
        let command = self.sftp_command.to_string();
        self.start(id, command, session).await
    }

    async fn data(
        &mut self,
        id: ChannelId,
        bytes: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(input) = self.running.get(&id).and_then(|running| running.input.as_ref()) {
            // A command that has ended takes no more.
            drop(input.send(bytes.to_vec()).await);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(running) = self.running.get_mut(&id) {
            running.input = None;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.waiting.remove(&id);
        self.running.remove(&id);
        Ok(())
    }
}

impl Request {
    /// Runs the command on the instance and passes its output and its end on.
    pub(super) async fn serve(self, communicator: &dyn Communicator) {
        let Self { command, channel, handle, gone } = self;
        let id = channel.id();
        let (output, chunks) = mpsc::channel(WAITING_OUTPUT);
        let work = async {
            let (exit, ()) =
                tokio::join!(communicator.exec(command, output), forward(&channel, chunks));
            // A visitor who has gone does not hear it; nobody else needs to.
            let told = match exit {
                Ok(Exit::Code(status)) => channel.exit_status(status).await,
                Ok(Exit::Signal(name)) => {
                    let (none, signal) = (String::new, signal(&name));
                    let told = handle.exit_signal_request(id, signal, false, none(), none()).await;
                    told.map_err(|()| russh::Error::Disconnect)
                }
                Ok(Exit::Disconnected { reason }) => fail(&channel, &reason).await,
                Err(error) => fail(&channel, &error.to_string()).await,
            };
            if told.is_ok() && channel.eof().await.is_ok() {
                drop(channel.close().await);
            }
        };
        tokio::select! {
            () = gone.cancelled() => {}
            () = work => {}
        }
    }
}

/// Passes output on, no faster than the visitor takes it.
async fn forward(channel: &ChannelWriteHalf<Msg>, mut chunks: mpsc::Receiver<Chunk>) {
    while let Some(Chunk { stream, bytes }) = chunks.recv().await {
        let sent = match stream {
            Stream::Stdout => channel.data_bytes(bytes).await,
            Stream::Stderr => channel.extended_data_bytes(STDERR, bytes).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Tells why there is no status.
async fn fail(channel: &ChannelWriteHalf<Msg>, reason: &str) -> Result<(), russh::Error> {
    let text = format!("bake: {reason}\n").into_bytes();
    channel.extended_data_bytes(STDERR, text).await?;
    channel.exit_status(CONNECTION_FAILED).await
}

fn signal(name: &str) -> Sig {
    match name {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "FPE" => Sig::FPE,
        "HUP" => Sig::HUP,
        "ILL" => Sig::ILL,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "SEGV" => Sig::SEGV,
        "TERM" => Sig::TERM,
        "USR1" => Sig::USR1,
        other => Sig::Custom(other.to_owned()),
    }
}
