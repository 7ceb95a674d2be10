//! Ways that a transfer takes at the same time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::super::connection::{Connection, OpenSession};
use super::super::super::exec;
use super::super::way::Way;
use crate::communicator::stream::{Far, Input};
use crate::communicator::{Chunk, CommunicatorError, Exit};

/// How many streams there are.
const LANES: usize = 4;

/// How long to wait for another connection.
const EXTRA_CONNECTION: Duration = Duration::from_secs(5);

/// A connection to run commands on. A session that is not used is closed when it goes.
pub(in super::super) struct Lane {
    connection: Arc<Connection>,
    /// What the next command runs in.
    ready: Mutex<Option<OpenSession>>,
}

impl Lane {
    /// One whose first command runs in a session that is open.
    pub(in super::super) fn new(connection: Arc<Connection>, session: OpenSession) -> Self {
        Self { connection, ready: Mutex::new(Some(session)) }
    }

    /// One that opens a session for each command.
    pub(in super::super) fn on(connection: &Arc<Connection>) -> Self {
        Self { connection: connection.clone(), ready: Mutex::default() }
    }

    fn take(&self) -> Option<OpenSession> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Far for Lane {
    fn run<'a>(
        &'a self,
        text: &'a str,
        input: Input<'a>,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            let session = match self.take() {
                Some(session) => session,
                None => self.connection.open_session().await?,
            };
            let input = match input {
                Input::Bytes(bytes) => exec::Input::Bytes(bytes.into()),
                Input::Pieces(pieces, progress) => exec::Input::Pieces(pieces, progress),
            };
            exec::run(&self.connection, session, text, exec::Extras::default(), input, output).await
        }
        .boxed()
    }

    fn name(&self) -> String {
        self.connection.name.clone()
    }
}

/// Lanes on connections of their own as far as the server allows, then on the one that is there.
/// There may be none while that one is busy.
pub(super) async fn extra(way: &Way<'_>) -> Vec<Lane> {
    let known = way.link.take_extra();
    let missing = (LANES - 1).saturating_sub(known.len());
    let made = (0..missing).map(|_| async {
        match timeout(EXTRA_CONNECTION, (way.connect)()).await {
            Ok(Ok(connection)) => Some(connection),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no extra connection");
                None
            }
            Err(_) => None,
        }
    });
    let extra: Vec<_> =
        known.into_iter().chain(join_all(made).await.into_iter().flatten()).collect();
    way.link.keep_extra(extra.iter().cloned());
    let opened = extra.into_iter().map(|connection| async move {
        match timeout(EXTRA_CONNECTION, connection.open_session()).await {
            Ok(Ok(session)) => Some(Lane::new(connection, session)),
            Ok(Err(_)) | Err(_) => None,
        }
    });
    let mut lanes: Vec<_> = join_all(opened).await.into_iter().flatten().collect();
    while lanes.len() < LANES {
        match way.second_session().await {
            Some(session) => lanes.push(Lane::new(way.connection.clone(), session)),
            None => break,
        }
    }
    lanes
}

/// At least one lane: on the connection that is there, which is free now.
pub(super) fn at_least_one(way: &Way<'_>, lanes: &mut Vec<Lane>) {
    if lanes.is_empty() {
        lanes.push(Lane::on(way.connection));
    }
}
