//! Sending files: one stream, packed where that helps, checked on arrival.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};

use super::communicator::Ssm;
use crate::communicator::stream::{self, Far, Input, Packing, Piece, Progress, Sent, failed};
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin, Upload, UploadReport};

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says.
pub(super) async fn upload(
    ssm: &Ssm,
    upload: &Upload,
    progress: Progress<'_>,
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    // The session is slow in any case.
    let packing = if ssm.compresses().await? { Packing::Gzip } else { Packing::None };
    let tree = upload.tree.clone();
    let is_packable = tokio::task::spawn_blocking(move || stream::is_packable(&tree));
    let packing = if is_packable.await.unwrap_or(false) { packing } else { Packing::None };
    match stream::send(ssm, upload, packing, progress).await? {
        Sent::Done(_) => {}
        Sent::No(instead) => return Err(failed(upload, &instead)),
    }
    Ok(UploadReport { bytes: upload.tree.size(), files: upload.tree.files() })
}

impl Far for Ssm {
    fn run<'a>(
        &'a self,
        text: &'a str,
        input: Input<'a>,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            let (pieces, progress) = match input {
                Input::Bytes(bytes) => {
                    return Self::run(self, text, Stdin::Bytes(bytes.into()), output).await;
                }
                Input::Pieces(pieces, progress) => (pieces, progress),
            };
            let (sender, bytes) = mpsc::channel(1);
            let stdin = Stdin::Stream(Arc::new(Mutex::new(bytes)));
            let running = Self::run(self, text, stdin, output);
            tokio::pin!(running);
            tokio::select! {
                exit = &mut running => exit,
                () = forward(pieces, sender, progress) => running.await,
            }
        }
        .boxed()
    }

    fn name(&self) -> String {
        format!("{} (Systems Manager)", self.instance)
    }
}

/// Hands pieces on until there are no more, or nobody takes them.
async fn forward(
    mut pieces: mpsc::Receiver<Piece>,
    to: mpsc::Sender<Vec<u8>>,
    progress: Progress<'_>,
) {
    while let Some(Piece { bytes, files }) = pieces.recv().await {
        if to.send(bytes).await.is_err() {
            return;
        }
        progress(files);
    }
}
