//! SSH: one connection that is kept for the whole build and made again when it is lost.
//!
//! [`connect`] waits until an instance lets the user log in; it may be called before the address
//! is known. The [`Ssh`] it returns runs commands and takes uploads, several at a time.
//!
//! Types of the `russh` crate do not leave this folder.

mod agent;
mod algorithm;
mod authenticate;
mod client;
mod connection;
mod decrypt;
mod exec;
mod key;
mod options;
mod route;
mod stream;
mod transfer;
mod tunnel;
mod wait;
mod way;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::authenticate::Credentials;
use self::connection::{Connection, OpenSession};
use self::tunnel::LocalTunnels;
use self::way::Way;
use super::{
    Chunk, Command, Communicator, CommunicatorError, Download, DownloadReport, Exit, Upload,
    UploadReport,
};
use crate::event::Emitter;

pub use algorithm::Algorithms;
#[cfg(test)]
pub(crate) use decrypt::encrypt;
pub use decrypt::{check_decryption_key, decrypt};
pub use key::{KeyPair, KeyType, check_certificate, check_private_key};
pub use options::{Address, Authentication, FileTransfer, SshOptions};
pub use route::{Bastion, Proxy, Route};
pub use tunnel::Tunnel;

/// A way to an instance over SSH.
///
/// All commands and uploads share one connection. russh gives a channel's window back as bytes
/// arrive and stops reading the connection when 100 packets wait for one reader: so a reader that
/// does not keep up slows the far side down, and with it the other channels of this connection.
pub struct Ssh {
    options: SshOptions,
    address: watch::Receiver<Option<Address>>,
    emitter: Emitter,
    cancel: CancellationToken,
    current: Mutex<Option<Arc<Connection>>>,
    /// Whether there was a connection before.
    was_connected: AtomicBool,
    local_tunnels: LocalTunnels,
    link: transfer::Link,
}

/// Waits until it is possible to log in.
///
/// The address may come later, and may change when the instance was stopped and started: `address`
/// tells. The time limit of the options starts when the first address is known. Until then the
/// wait ends only when all senders of `address` are gone, or when `cancel` is.
///
/// # Errors
///
/// [`CommunicatorError::Connect`] says which stage never worked, and at which stop on the way;
/// [`CommunicatorError::Key`], [`CommunicatorError::Agent`] and [`CommunicatorError::Tunnel`] come
/// at once.
pub async fn connect(
    options: SshOptions,
    address: watch::Receiver<Option<Address>>,
    emitter: Emitter,
    cancel: CancellationToken,
) -> Result<Ssh, CommunicatorError> {
    let local_tunnels = LocalTunnels::open(&options.local_tunnels, &emitter).await?;
    let current = Mutex::new(None);
    let (was_connected, link) = (AtomicBool::new(false), transfer::Link::default());
    let ssh =
        Ssh { options, address, emitter, cancel, current, was_connected, local_tunnels, link };
    ssh.connection().await?;
    if !ssh.options.pause.is_zero() {
        ssh.hang_up().await;
        tokio::select! {
            biased;
            () = ssh.cancel.cancelled() => return Err(CommunicatorError::Cancelled),
            () = tokio::time::sleep(ssh.options.pause) => {}
        }
        ssh.connection().await?;
    }
    Ok(ssh)
}

/// Whether what the options name to log in with can be used, as far as this machine can tell: keys,
/// certificates, an agent with keys. Nothing is connected to.
///
/// # Errors
/// [`CommunicatorError::Key`] and [`CommunicatorError::Agent`].
pub async fn check_credentials(options: &SshOptions) -> Result<(), CommunicatorError> {
    Credentials::read(&options.username, &options.authentication).await?;
    Way::new(options).await.map(drop)
}

impl Ssh {
    /// The connection; a new one when there is none or it was lost.
    async fn connection(&self) -> Result<Arc<Connection>, CommunicatorError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        *current = None;
        let connection =
            wait::until_ready(&self.options, self.address.clone(), &self.emitter, &self.cancel)
                .await?;
        let connection = Arc::new(connection);
        let limit = match self.was_connected.swap(true, Ordering::Relaxed) {
            true => tunnel::TAKEN_LIMIT,
            false => Duration::ZERO,
        };
        tunnel::open_remote(&connection, &self.options.remote_tunnels, limit).await?;
        self.local_tunnels.lead_through(&connection);
        Ok(current.insert(connection).clone())
    }

    /// One more connection along the same route, logged in: for transfers over several at a time.
    /// It is the caller's own; tunnels stay with the main one.
    ///
    /// # Errors
    /// When the one attempt fails, such as when the server has enough connections.
    async fn extra_connection(&self) -> Result<Arc<Connection>, CommunicatorError> {
        let connection =
            wait::once(&self.options, self.address.clone(), &self.emitter, &self.cancel).await?;
        Ok(Arc::new(connection))
    }

    /// Ends all connections, for now.
    async fn hang_up(&self) {
        self.link.disconnect().await;
        if let Some(connection) = self.current.lock().await.take() {
            connection.disconnect().await;
        }
    }

    /// An open channel. A connection that turns out to be gone is made again once.
    async fn session(&self) -> Result<(Arc<Connection>, OpenSession), CommunicatorError> {
        let connection = self.connection().await?;
        match connection.next_session().await {
            Ok(session) => Ok((connection, session)),
            Err(CommunicatorError::Lost { .. }) => {
                self.forget(&connection).await;
                let connection = self.connection().await?;
                let session = connection.next_session().await?;
                Ok((connection, session))
            }
            Err(error) => Err(error),
        }
    }

    /// What transfers go over.
    fn way<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        connect: &'a transfer::Connect<'a>,
    ) -> transfer::Way<'a> {
        transfer::Way { connection, link: &self.link, connect, method: self.options.file_transfer }
    }

    /// Drops a connection that is of no more use, unless another one has taken its place.
    async fn forget(&self, connection: &Arc<Connection>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|known| Arc::ptr_eq(known, connection)) {
            *current = None;
        }
    }
}

impl Communicator for Ssh {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            let (connection, session) = self.session().await?;
            exec::exec(&connection, session, command, output).await
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async move {
            let (connection, session) = self.session().await?;
            let connect = || self.extra_connection().boxed();
            let way = self.way(&connection, &connect);
            transfer::upload(&way, session, upload, progress).await
        }
        .boxed()
    }

    fn download<'a>(
        &'a self,
        download: &'a Download,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        async move {
            let (connection, session) = self.session().await?;
            let connect = || self.extra_connection().boxed();
            let way = self.way(&connection, &connect);
            transfer::download(&way, session, download, progress).await
        }
        .boxed()
    }

    fn uses_pty(&self) -> bool {
        self.options.pty
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async move {
            self.hang_up().await;
            if let Route::Dial(dial) = &self.options.route {
                dial.close().await;
            }
        }
        .boxed()
    }
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ssh").field("options", &self.options).finish_non_exhaustive()
    }
}
