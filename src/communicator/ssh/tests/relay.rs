//! A network that can fail.

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Passes bytes on to a server, until it does not.
pub(super) struct Relay {
    pub(super) port: u16,
    /// From now on nothing is passed on, and nobody is told.
    pub(super) cut: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

/// Starts a relay to a port of this machine.
pub(super) async fn start(target: u16) -> Relay {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = CancellationToken::new();
    let gone = cut.clone();
    let task = tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let gone = gone.clone();
            drop(tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = gone.cancelled() => std::future::pending().await,
                }
            }));
        }
    });
    Relay { port, cut, _task: AbortOnDropHandle::new(task) }
}
