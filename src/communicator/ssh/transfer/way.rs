//! The link to a server, and what is known of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::timeout;

use super::super::connection::{Connection, OpenSession};
use super::super::options::FileTransfer;
use super::split::LONG;
use crate::communicator::CommunicatorError;
use crate::communicator::stream::Packing;

/// How long a server may take to open a second session before we do without: one that allows only
/// a few refuses, and we would wait for another session to end.
const SECOND_SESSION: Duration = Duration::from_secs(1);

/// How often the server is asked for an answer at most, and how long one may take.
const PINGS: usize = 3;
const ANSWER: Duration = Duration::from_secs(2);

/// A round trip that no busy machine explains.
const SURELY_LONG: Duration = Duration::from_millis(60);

/// Opens one more connection to the same server.
pub(in super::super) type Connect<'a> =
    dyn Fn() -> BoxFuture<'a, Result<Arc<Connection>, CommunicatorError>> + Send + Sync + 'a;

/// What a transfer goes over.
pub(in super::super) struct Way<'a> {
    /// The connection that all steps share.
    pub(in super::super) connection: &'a Arc<Connection>,
    /// What is known of the link.
    pub(in super::super) link: &'a Link,
    /// Opens more connections for large transfers.
    pub(in super::super) connect: &'a Connect<'a>,
    /// How files travel.
    pub(in super::super) method: FileTransfer,
}

/// What is known of the link to a server; it outlives a connection.
#[derive(Default)]
pub(in super::super) struct Link(Mutex<Known>);

#[derive(Default)]
struct Known {
    round_trip: Option<Duration>,
    /// Whether that was measured, or tried in vain.
    is_measured: bool,
    rate: Option<f64>,
    /// The same in the other direction.
    coming: Option<f64>,
    packings: Vec<Packing>,
    extra: Vec<Arc<Connection>>,
}

impl Link {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes a second that one stream came to, when one was long enough to tell.
    pub(super) fn rate(&self) -> Option<f64> {
        self.known().rate
    }

    /// Notes what a stream came to.
    pub(super) fn note_rate(&self, rate: f64) {
        self.known().rate = Some(rate);
    }

    /// Bytes a second at which one stream came from the far side; what one came to that went
    /// there, as long as that is all that is known.
    pub(super) fn rate_of_downloads(&self) -> Option<f64> {
        let known = self.known();
        known.coming.or(known.rate)
    }

    /// Notes at what rate a stream came from the far side.
    pub(super) fn note_rate_of_downloads(&self, rate: f64) {
        self.known().coming = Some(rate);
    }

    /// What the far side can unpack, as far as it is known.
    pub(super) fn packings(&self) -> Vec<Packing> {
        self.known().packings.clone()
    }

    /// Notes what the far side can unpack.
    pub(super) fn note_packings(&self, packings: &[Packing]) {
        self.known().packings = packings.to_vec();
    }

    /// Notes how long another connection took, where a busy machine may have been the reason that
    /// the link looks long.
    pub(super) fn note_round_trip(&self, time: Duration) {
        let mut known = self.known();
        if let Some(least) = &mut known.round_trip
            && *least < SURELY_LONG
        {
            *least = time.min(*least);
        }
    }

    /// Takes the extra connections that are still there.
    pub(super) fn take_extra(&self) -> Vec<Arc<Connection>> {
        let mut extra = std::mem::take(&mut self.known().extra);
        extra.retain(|connection| connection.is_open());
        extra
    }

    /// Keeps extra connections for the next large transfer.
    pub(super) fn keep_extra(&self, connections: impl IntoIterator<Item = Arc<Connection>>) {
        self.known().extra.extend(connections);
    }

    /// Makes the link look as if it had been measured.
    #[cfg(test)]
    pub(in super::super) fn pretend(&self, round_trip: Duration, rate: Option<f64>) {
        let mut known = self.known();
        (known.round_trip, known.is_measured) = (Some(round_trip), true);
        (known.rate, known.coming) = (rate, rate);
    }

    /// How many extra connections are kept.
    #[cfg(test)]
    pub(in super::super) fn extra(&self) -> usize {
        self.known().extra.len()
    }

    /// Ends the extra connections.
    pub(in super::super) async fn disconnect(&self) {
        for connection in self.take_extra() {
            connection.disconnect().await;
        }
    }
}

impl Way<'_> {
    /// The time from a question to its answer, measured once; `None` when no answer comes.
    async fn round_trip(&self) -> Option<Duration> {
        {
            let known = self.link.known();
            if known.is_measured {
                return known.round_trip;
            }
        }
        let measured = match self.connection.peer {
            Some(peer) => Some(peer.round_trip),
            None => self.shortest_ping().await,
        };
        let mut known = self.link.known();
        (known.round_trip, known.is_measured) = (measured, true);
        measured
    }

    /// The time in which the server answers. A busy machine answers late, so what looks long is
    /// measured again, and the shortest counts.
    async fn shortest_ping(&self) -> Option<Duration> {
        let mut least = None;
        for _ in 0..PINGS {
            let Ok(Some(time)) = timeout(ANSWER, self.connection.ping()).await else { break };
            least = Some(least.map_or(time, |least: Duration| least.min(time)));
            if !(LONG..SURELY_LONG).contains(&time) {
                break;
            }
        }
        least
    }

    /// Whether the round trip is so long that a large transfer should be split.
    pub(super) async fn is_long(&self) -> bool {
        self.round_trip().await.is_some_and(|round_trip| round_trip >= LONG)
    }

    /// One more session on the connection, if the server lets us have it.
    pub(super) async fn second_session(&self) -> Option<OpenSession> {
        match timeout(SECOND_SESSION, self.connection.open_session()).await {
            Ok(Ok(session)) => Some(session),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_only_looked_long_is_found_out() {
        let link = Link::default();
        let after = |first: u64, then: u64| {
            link.pretend(Duration::from_millis(first), None);
            link.note_round_trip(Duration::from_millis(then));
            link.known().round_trip
        };
        assert_eq!(after(20, 1), Some(Duration::from_millis(1)));
        assert_eq!(after(20, 30), Some(Duration::from_millis(20)));
        // No busy machine makes that of a short one.
        assert_eq!(after(100, 1), Some(Duration::from_millis(100)));
    }
}
