//! Against a service of our own.

mod connecting;
mod files;
mod front;
mod guard;
mod running;
pub(crate) mod windows;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::windows::Windows;
use super::{Pace, WinRm, WinRmOptions, connect};
use crate::communicator::{Answer, Command, Communicator, CommunicatorError, ask};
use crate::event::{self, Event, Fact};
use crate::template::schema::Secret;

const USER: &str = "Administrator";
const PASSWORD: &str = "S3cret!";

/// Options for a machine at a port, with no time to lose.
fn options(port: u16) -> WinRmOptions {
    WinRmOptions {
        host: "127.0.0.1".to_owned(),
        port,
        username: USER.to_owned(),
        password: Secret::new(PASSWORD),
        tls: false,
        insecure: false,
        ntlm: false,
        proxy: None,
        dial: None,
        timeout: Duration::from_secs(20),
        refusals: 3,
        refusal_pause: Duration::from_millis(5),
        pause: Duration::ZERO,
        pace: Pace {
            failed: Duration::from_millis(40),
            poll: Duration::from_millis(400),
            resume: Duration::from_secs(2),
            unfed: Duration::from_millis(500),
        },
    }
}

/// A machine and where its drive is.
fn machine() -> (Windows, TempDir) {
    let drive = tempfile::tempdir().unwrap();
    (Windows::start(drive.path(), USER, PASSWORD), drive)
}

/// Connects; what was told comes back, too.
async fn connected(options: WinRmOptions) -> (Result<Arc<WinRm>, CommunicatorError>, Vec<Fact>) {
    let (emitter, mut events) = event::channel();
    let connection = connect(options, emitter, CancellationToken::new()).await;
    let mut told = Vec::new();
    while let Some(Event { fact, .. }) = events.recv().await {
        told.push(fact);
    }
    (connection.map(Arc::new), told)
}

/// A connection to a machine.
async fn login(windows: &Windows) -> Arc<WinRm> {
    connected(options(windows.port)).await.0.unwrap()
}

/// What a command comes to.
async fn run(winrm: &dyn Communicator, text: &str) -> Result<Answer, CommunicatorError> {
    ask(winrm, Command::new(text)).await
}
