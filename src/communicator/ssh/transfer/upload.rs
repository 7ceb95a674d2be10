//! Sending files.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::super::connection::OpenSession;
use super::super::options::FileTransfer;
use super::archive::{self, Load};
use super::leg::{self, Ended, Leg};
use super::packing::{self, Packing};
use super::said::{Mark, Said};
use super::shell::{Call, Tool};
use super::way::Way;
use super::{destination, sftp, split};
use crate::communicator::{CommunicatorError, Upload, UploadReport};
use crate::plan::{Digest, Entry, Tree};

/// From how many bytes on it may be worth it to pack.
const WORTH_PACKING: u64 = 1 << 20;

/// How a stream was received.
pub(super) enum Received {
    /// All of it.
    Done,
    /// There is no way to stream; what was found instead.
    No(String),
}

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says.
pub(in super::super) async fn upload(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    match way.method {
        FileTransfer::Sftp => sftp::upload(session, upload, progress).await?,
        FileTransfer::Stream => match stream(way, session, upload, progress).await? {
            Received::Done => {}
            Received::No(instead) => {
                tracing::debug!(%instead, "no stream: SFTP");
                let session = way.connection.open_session().await?;
                sftp::upload(session, upload, progress).await.map_err(|error| match error {
                    // Neither works: the answer to the first question is the better one.
                    CommunicatorError::Refused { .. } => {
                        failed(upload, &format!("{instead}; and SFTP: {error}"))
                    }
                    error => error,
                })?;
            }
        },
    }
    Ok(UploadReport { bytes: upload.tree.size(), files: upload.tree.files() })
}

async fn stream(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Received, CommunicatorError> {
    if split::is_large(upload)
        && way.round_trip().await.is_some_and(|round_trip| round_trip >= split::LONG)
    {
        return split::upload(way, session, upload, progress).await;
    }
    let packing = packing(way, upload).await;
    let gauge = Gauge::new(upload.tree.size());
    let told = |bytes| {
        gauge.note(bytes);
        progress(bytes);
    };
    let leg = whole(upload, packing);
    let ended = leg::run(way.connection, session, leg, upload, &told).await?;
    let said = match ended {
        Ended::Done(said) => said,
        Ended::NoTar => return Ok(Received::No("there is no `tar`".into())),
        Ended::NoShell(instead) => return Ok(Received::No(instead)),
    };
    note(way, &said, &gauge, packing);
    let expected = |tool| match upload.tree.single_file() {
        Some(Entry::File { digest, .. }) => *digest,
        _ => archive::list_digest(&upload.tree, tool),
    };
    let listed = upload.tree.single_file().is_some() || archive::has_list(&upload.tree);
    verify(upload, &upload.tree, &said, listed.then_some(&expected)).await?;
    Ok(Received::Done)
}

/// The only leg of an upload.
fn whole(upload: &Upload, packing: Packing) -> Leg {
    let mark = Mark::new();
    let call = Call { mark: &mark, packing, bytes: upload.tree.size() };
    let (text, load) = match upload.tree.single_file() {
        Some(file) => (destination::file(upload, call, true), Load::file(file)),
        None => {
            let list = archive::has_list(&upload.tree).then(|| destination::list_name(&mark));
            let text = destination::tree(upload, call, list.as_deref());
            (text, Load::Archive { tree: upload.tree.clone(), list })
        }
    };
    Leg { text, mark, load, packing }
}

/// How to pack, by what is known of the link.
async fn packing(way: &Way<'_>, upload: &Upload) -> Packing {
    if upload.tree.size() < WORTH_PACKING {
        return Packing::None;
    }
    let packing = Packing::for_rate(way.link.rate(), &way.link.packings());
    if packing == Packing::None || is_packable(&upload.tree).await {
        packing
    } else {
        Packing::None
    }
}

/// Whether packing makes a tree smaller.
pub(super) async fn is_packable(tree: &Tree) -> bool {
    let tree = tree.clone();
    tokio::task::spawn_blocking(move || packing::is_packable(&tree)).await.unwrap_or(false)
}

/// Keeps what a leg has taught about the link.
pub(super) fn note(way: &Way<'_>, said: &Said, gauge: &Gauge, packing: Packing) {
    if let Some(ready) = &said.ready {
        way.link.note_packings(&ready.packings);
    }
    if packing == Packing::None
        && let Some(rate) = gauge.rate()
    {
        way.link.note_rate(rate);
    }
}

/// Compares what arrived with what was planned. `expected` is the digest that a tool comes to,
/// and `None` when there is nothing to compare.
///
/// The bytes of `tree` were not checked when they were sent if the far side has a tool, so when it
/// told no digest they are checked now.
pub(super) async fn verify(
    upload: &Upload,
    tree: &Tree,
    said: &Said,
    expected: Option<&(dyn Fn(Tool) -> Digest + Sync)>,
) -> Result<(), CommunicatorError> {
    let Some(expected) = expected else { return Ok(()) };
    let Some(tool) = said.ready.as_ref().and_then(|ready| ready.tool) else {
        tracing::debug!(
            destination = upload.destination,
            "the far side cannot compute SHA-256: only sizes were compared"
        );
        return Ok(());
    };
    let arrived = said.digest.as_deref();
    if arrived == Some(&expected(tool).hex()) {
        return Ok(());
    }
    let tree = tree.clone();
    let checked = tokio::task::spawn_blocking(move || archive::recheck(&tree)).await;
    checked
        .unwrap_or_else(|panicked| Err(failed(upload, &format!("reading failed: {panicked}"))))?;
    match arrived {
        // The tool is there and does not work.
        None | Some("") => {
            tracing::debug!(?tool, "no digest: only sizes were compared");
            Ok(())
        }
        Some(_) => Err(failed(
            upload,
            &with(&said.complaints, "what arrived is not what was sent: its SHA-256 differs"),
        )),
    }
}

fn with(complaints: &str, text: &str) -> String {
    if complaints.is_empty() { text.to_owned() } else { format!("{text}: {complaints}") }
}

/// An upload that failed for a reason of the far side.
pub(super) fn failed(upload: &Upload, reason: &str) -> CommunicatorError {
    CommunicatorError::Upload { destination: upload.destination.clone(), reason: reason.into() }
}

/// Measures how fast a stream is once it has got going.
pub(super) struct Gauge {
    /// From how many bytes on it counts.
    from: u64,
    seen: Mutex<Option<[(Instant, u64); 2]>>,
}

/// What is too little, and too short, to tell anything.
const TOO_LITTLE: u64 = 4 << 20;
const TOO_SHORT: Duration = Duration::from_millis(50);

impl Gauge {
    /// For a stream of so many bytes: the first third of it does not count.
    pub(super) fn new(bytes: u64) -> Self {
        Self { from: bytes / 3, seen: Mutex::default() }
    }

    /// Notes how many bytes there were until now.
    pub(super) fn note(&self, bytes: u64) {
        if bytes < self.from {
            return;
        }
        let now = (Instant::now(), bytes);
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match seen.as_mut() {
            Some([_, last]) => *last = now,
            None => *seen = Some([now, now]),
        }
    }

    /// Bytes a second; `None` when it was too little to tell.
    pub(super) fn rate(&self) -> Option<f64> {
        let seen = *self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [(start, first), (end, last)] = seen?;
        let (time, bytes) = (end.duration_since(start), last.saturating_sub(first));
        (bytes >= TOO_LITTLE && time >= TOO_SHORT).then(|| bytes as f64 / time.as_secs_f64())
    }
}
