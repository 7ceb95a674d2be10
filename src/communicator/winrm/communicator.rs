//! The communicator.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::HeaderValue;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::envelope_limit;
use super::client::Client;
use super::connection::User;
use super::envelope::{Request, room};
use super::job::{OPERATION, Shell};
use super::link::Link;
use super::ntlm::Credentials;
use super::options::WinRmOptions;
use super::{download, tls, upload, wait};
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Download, DownloadReport, Exit, Stdin, Upload,
    UploadReport,
};
use crate::event::{Emitter, Fact};

/// What messages of a service may have whose settings we may not read: that of the oldest.
const SMALLEST_LIMIT: usize = 150 << 10;
/// What proves that commands run.
const PROOF: &str = "echo bake";
/// How long shells may take to end when the connection does.
const LAST: Duration = Duration::from_secs(4);

/// A way to a Windows machine over WinRM. Commands run in `cmd.exe`, each in a shell of its own.
///
/// One without input has a console on which nobody types: WinRM has no end of file for it, and a
/// command that waits for a key waits for ever, as with Packer.
pub struct WinRm {
    client: Arc<Client>,
    options: WinRmOptions,
    cancel: CancellationToken,
    tasks: TaskTracker,
    /// How many bytes of input fit into a message.
    room: OnceCell<usize>,
}

/// Waits until it is possible to log in and to run a command.
///
/// # Errors
/// [`CommunicatorError::WinRm`] says which stage never worked.
pub async fn connect(
    options: WinRmOptions,
    emitter: Emitter,
    cancel: CancellationToken,
) -> Result<WinRm, CommunicatorError> {
    let winrm = WinRm::new(options, cancel);
    let address = winrm.client.address();
    emitter.emit(Fact::ConnectStarted { communicator: "WinRM", address }).await;
    let mut attempts = winrm.proven().await?;
    let pause = winrm.options.pause;
    if !pause.is_zero() {
        winrm.client.hang_up();
        tokio::select! {
            biased;
            () = winrm.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
            () = sleep(pause) => {}
        }
        attempts += winrm.proven().await?;
    }
    let address = winrm.client.peer();
    emitter.emit(Fact::Connected { attempts, address }).await;
    Ok(winrm)
}

impl WinRm {
    fn new(options: WinRmOptions, cancel: CancellationToken) -> Self {
        let link = Link {
            host: options.host.clone(),
            port: options.port,
            tls: options.tls.then(|| tls::connector(options.insecure)),
            proxy: options.proxy.clone(),
            dial: options.dial.clone(),
        };
        let login = format!("{}:{}", options.username, options.password.reveal());
        let basic = format!("Basic {}", BASE64_STANDARD.encode(login));
        let mut basic = HeaderValue::from_str(&basic).expect("base64 is a header's text");
        basic.set_sensitive(true);
        let ntlm = Credentials::new(&options.username, options.password.clone());
        let client = Arc::new(Client::new(link, User { basic, ntlm }, options.ntlm));
        let (tasks, room) = (TaskTracker::new(), OnceCell::new());
        Self { client, options, cancel, tasks, room }
    }

    /// Waits for a first command that runs; tells how many attempts it took. A machine that sets
    /// itself up lets users in, and restarts.
    async fn proven(&self) -> Result<u32, CommunicatorError> {
        let deadline = Instant::now() + self.options.timeout;
        let mut attempts = 0;
        loop {
            let (shell, more) = self.shell().await?;
            attempts += more;
            let error = match self.prove(shell).await {
                Ok(()) => return Ok(attempts),
                Err(error) => error,
            };
            let pause = self.options.pace.failed;
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, "no command runs yet");
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
                () = sleep(pause) => {}
            }
        }
    }

    /// Runs a command that does nothing.
    async fn prove(&self, shell: Shell) -> Result<(), CommunicatorError> {
        let (output, mut chunks) = mpsc::channel(1);
        let running = self.run_in(shell, PROOF, Stdin::Empty, output);
        let listening = async { while chunks.recv().await.is_some() {} };
        match tokio::join!(running, listening).0?.or_lost()? {
            Exit::Code(0) => Ok(()),
            exit => {
                let reason = format!("`{PROOF}` ended with {exit:?}");
                Err(CommunicatorError::Failed { wanted: "run a command", reason })
            }
        }
    }

    /// A shell; waits for the instance when it cannot be reached.
    async fn shell(&self) -> Result<(Shell, u32), CommunicatorError> {
        let (id, attempts) = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
            made = wait::shell(&self.client, &self.options) => made?,
        };
        Ok((Shell::new(self.client.clone(), id, self.tasks.clone()), attempts))
    }

    /// Runs a command in a new shell.
    pub(super) async fn run(
        &self,
        text: &str,
        stdin: Stdin,
        output: mpsc::Sender<Chunk>,
    ) -> Result<Exit, CommunicatorError> {
        let (shell, _) = self.shell().await?;
        self.run_in(shell, text, stdin, output).await
    }

    async fn run_in(
        &self,
        shell: Shell,
        text: &str,
        stdin: Stdin,
        output: mpsc::Sender<Chunk>,
    ) -> Result<Exit, CommunicatorError> {
        let room = match &stdin {
            Stdin::Empty => 0,
            Stdin::Bytes(_) | Stdin::Stream(_) => self.room().await,
        };
        shell.run(text, stdin, &output, self.options.pace, room.max(1)).await
    }

    /// How many bytes of input fit into a message. Whoever may not read the settings of the service
    /// gets on with less.
    async fn room(&self) -> usize {
        let ask = async {
            let limit = match self.client.call(&Request::Settings, OPERATION).await {
                Ok(answer) => envelope_limit(&answer),
                Err(failure) => {
                    tracing::debug!(failure.text, "the service does not tell its settings");
                    None
                }
            };
            room(limit.unwrap_or(SMALLEST_LIMIT))
        };
        *self.room.get_or_init(|| ask).await
    }
}

impl Communicator for WinRm {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            if command.pty {
                let reason = "WinRM has none".to_owned();
                return Err(CommunicatorError::Failed {
                    wanted: "give a command a terminal",
                    reason,
                });
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
            self.tasks.close();
            drop(timeout(LAST, self.tasks.wait()).await);
            self.client.hang_up();
            if let Some(dial) = &self.options.dial {
                dial.close().await;
            }
        }
        .boxed()
    }
}

impl std::fmt::Debug for WinRm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WinRm").field("options", &self.options).finish_non_exhaustive()
    }
}
