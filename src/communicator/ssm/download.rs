//! Fetching files: one stream, packed where that works, compared with what is there.

use super::communicator::Ssm;
use crate::communicator::stream::{Fetch, Packing, Progress, receive};
use crate::communicator::{CommunicatorError, Download, DownloadReport};

/// Fetches files as
/// [`Communicator::download`](crate::communicator::Communicator::download) says.
pub(super) async fn download(
    ssm: &Ssm,
    download: &Download,
    progress: Progress<'_>,
) -> Result<DownloadReport, CommunicatorError> {
    // The session is slow in any case.
    let packings = &[Packing::Zstd, Packing::Gzip];
    let fetch = Fetch { far: ssm, download, packings, progress };
    fetch.in_one_stream().await?.map_err(|instead| receive::failed(download, &instead))
}
