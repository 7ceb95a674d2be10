//! Sending files.

use super::super::connection::OpenSession;
use super::super::options::FileTransfer;
use super::gauge::{Gauge, note};
use super::sftp;
use super::split::{self, Lane};
use super::way::Way;
use crate::communicator::stream::{self, Packing, Progress, Sent, failed};
use crate::communicator::{CommunicatorError, Upload, UploadReport};
use crate::plan::Tree;

/// From how many bytes on it may be worth it to pack.
const WORTH_PACKING: u64 = 1 << 20;

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says.
pub(in super::super) async fn upload(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: Progress<'_>,
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    match way.method {
        FileTransfer::Sftp => sftp::upload(session, upload, progress).await?,
        FileTransfer::Stream => match in_streams(way, session, upload, progress).await? {
            Sent::Done(_) => {}
            Sent::No(instead) => {
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

async fn in_streams(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: Progress<'_>,
) -> Result<Sent, CommunicatorError> {
    if split::is_large(upload) && way.is_long().await {
        return split::upload(way, session, upload, progress).await;
    }
    let packing = packing(way, upload).await;
    let gauge = Gauge::new(upload.tree.size() / 3);
    let told = |bytes| {
        gauge.note(bytes);
        progress(bytes);
    };
    let lane = Lane::new(way.connection.clone(), session);
    let sent = stream::send(&lane, upload, packing, &told).await?;
    if let Sent::Done(said) = &sent {
        note(way, said, &gauge, packing);
    }
    Ok(sent)
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
    tokio::task::spawn_blocking(move || stream::is_packable(&tree)).await.unwrap_or(false)
}
