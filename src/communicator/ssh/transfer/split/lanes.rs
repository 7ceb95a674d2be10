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
use crate::communicator::stream::destination::BLOCK;
use crate::communicator::stream::{Far, Input};
use crate::communicator::{Chunk, CommunicatorError, Exit};

/// How many streams there are.
const LANES: usize = 4;

/// What a new connection falls behind while TCP finds out how much the link carries: about the window
/// of a channel, four times.
const BEHIND: u64 = 8 << 20;

/// How long to wait for another connection.
const EXTRA_CONNECTION: Duration = Duration::from_secs(5);

/// A connection to run commands on. A session that is not used is closed when it goes.
pub(in super::super) struct Lane {
    connection: Arc<Connection>,
    /// What the next command runs in.
    ready: Mutex<Option<OpenSession>>,
    /// Whether it is the one that all steps share, which has got going.
    is_warm: bool,
}

impl Lane {
    /// One whose first command runs in a session that is open.
    pub(in super::super) fn new(connection: Arc<Connection>, session: OpenSession) -> Self {
        Self { connection, ready: Mutex::new(Some(session)), is_warm: true }
    }

    /// One that opens a session for each command.
    pub(in super::super) fn on(connection: &Arc<Connection>) -> Self {
        Self { connection: connection.clone(), ready: Mutex::default(), is_warm: true }
    }

    /// How many bytes the others are ahead.
    pub(super) fn behind(&self) -> u64 {
        if self.is_warm { 0 } else { BEHIND }
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
    for peer in extra.iter().filter_map(|connection| connection.peer) {
        way.link.note_round_trip(peer.round_trip);
    }
    way.link.keep_extra(extra.iter().cloned());
    let opened = extra.into_iter().map(|connection| async move {
        match timeout(EXTRA_CONNECTION, connection.open_session()).await {
            Ok(Ok(session)) => Some(Lane { is_warm: false, ..Lane::new(connection, session) }),
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

/// How many bytes of so many each lane takes, so that all are done at the same time: whole blocks, but
/// for the last ones.
pub(super) fn parts(bytes: u64, lanes: &[Lane]) -> Vec<u64> {
    let behind: Vec<_> = lanes.iter().map(Lane::behind).collect();
    parts_of(bytes, &behind)
}

fn parts_of(bytes: u64, behind: &[u64]) -> Vec<u64> {
    let each = (bytes + behind.iter().sum::<u64>()).div_ceil(behind.len() as u64);
    let mut left = bytes;
    let part = |behind: &u64| {
        let part = each.saturating_sub(*behind).next_multiple_of(BLOCK).min(left);
        left -= part;
        part
    };
    behind.iter().map(part).collect()
}

/// The lanes that pay, now that the connection that is there is free: it alone, when the others have
/// shown that the link is not long.
pub(super) async fn that_pay(way: &Way<'_>, lanes: &mut Vec<Lane>) {
    if !way.is_long().await {
        lanes.clear();
    }
    if lanes.is_empty() {
        lanes.push(Lane::on(way.connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_begins_takes_less() {
        let mib = |parts: &[u64]| parts.iter().map(|part| part >> 20).collect::<Vec<_>>();
        let behind = [BEHIND, BEHIND, BEHIND, 0];
        assert_eq!(mib(&parts_of(80 << 20, &behind)), [18, 18, 18, 26]);
        assert_eq!(mib(&parts_of(80 << 20, &[0; 4])), [20; 4]);
        assert_eq!(mib(&parts_of(80 << 20, &[0])), [80]);
    }

    #[test]
    fn nothing_is_lost_or_sent_twice() {
        for bytes in [0, 1, BLOCK, BLOCK + 1, 5 << 20, (24 << 20) + 7, (1 << 30) - 1] {
            for behind in [&[0][..], &[BEHIND, 0], &[0, BEHIND, BEHIND], &[BEHIND; 4]] {
                let parts = parts_of(bytes, behind);
                assert_eq!(parts.iter().sum::<u64>(), bytes, "{behind:?}");
                let whole = parts.iter().rposition(|part| *part > 0).unwrap_or_default();
                assert!(parts.iter().take(whole).all(|part| part % BLOCK == 0), "{parts:?}");
            }
        }
    }
}
