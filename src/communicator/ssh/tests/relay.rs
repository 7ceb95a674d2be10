//! A network that can fail.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Passes bytes on to a server, until it does not.
pub(super) struct Relay {
    pub(super) port: u16,
    /// From now on nothing is passed on, and nobody is told.
    pub(super) cut: CancellationToken,
    /// While this is set, what the server says is held.
    pub(super) held: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

/// Starts a relay to a port of this machine.
pub(super) async fn start(target: u16) -> Relay {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = CancellationToken::new();
    let gone = cut.clone();
    let held = watch::Sender::new(false);
    let holds = held.clone();
    let task = tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (gone, holds) = (gone.clone(), holds.subscribe());
            drop(tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let ((mut from_near, to_near), (from_far, mut to_far)) =
                    (near.split(), far.split());
                let there = async {
                    drop(tokio::io::copy(&mut from_near, &mut to_far).await);
                    drop(to_far.shutdown().await);
                };
                let passing = async { tokio::join!(there, pass_back(from_far, to_near, holds)) };
                tokio::select! {
                    _ = passing => {}
                    () = gone.cancelled() => std::future::pending().await,
                }
            }));
        }
    });
    Relay { port, cut, held, _task: AbortOnDropHandle::new(task) }
}

/// Passes on what the server says, unless it is held.
async fn pass_back(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut holds: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        drop(holds.wait_for(|held| !held).await);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
