//! Fetching files.

use super::super::connection::OpenSession;
use super::super::options::FileTransfer;
use super::gauge::Gauge;
use super::sftp;
use super::split::{self, Lane};
use super::way::Way;
use crate::communicator::stream::{Fetch, Packing, Progress, receive};
use crate::communicator::{CommunicatorError, Download, DownloadReport};

/// How many bytes tell nothing of the rate: the windows are small at first.
const START: u64 = 1 << 20;

/// Fetches a file or a tree as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(in super::super) async fn download(
    way: &Way<'_>,
    session: OpenSession,
    download: &Download,
    progress: Progress<'_>,
) -> Result<DownloadReport, CommunicatorError> {
    if download.source.is_empty() {
        return Err(receive::failed(download, "the source is empty"));
    }
    if way.method == FileTransfer::Sftp {
        return sftp::download(session, download, progress).await;
    }
    let is_long = way.is_long().await;
    let gauge = Gauge::new(START);
    let told = |bytes| {
        gauge.note(bytes);
        progress(bytes);
    };
    let lane = Lane::new(way.connection.clone(), session);
    let packings = Packing::all_for_rate(way.link.rate_of_downloads());
    let fetch = Fetch { far: &lane, download, packings, progress: &told };
    let fetched = if is_long {
        split::download(way, &fetch, &gauge).await?
    } else {
        let fetched = fetch.in_one_stream().await?;
        if packings.is_empty()
            && let Some(rate) = gauge.rate()
        {
            way.link.note_rate_of_downloads(rate);
        }
        fetched
    };
    match fetched {
        Ok(report) => Ok(report),
        Err(instead) => {
            tracing::debug!(%instead, "no stream: SFTP");
            let session = way.connection.open_session().await?;
            let fetched = sftp::download(session, download, progress).await;
            fetched.map_err(|error| match error {
                CommunicatorError::Refused { .. } => {
                    receive::failed(download, &format!("{instead}; and SFTP: {error}"))
                }
                error => error,
            })
        }
    }
}
