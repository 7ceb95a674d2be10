//! Sending files.

use tokio::sync::mpsc;

use super::archive::{self, Form};
use super::connection::{Connection, OpenSession};
use super::options::FileTransfer;
use super::{destination, exec, sftp};
use crate::communicator::{Chunk, CommunicatorError, Exit, Upload, UploadReport};

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// How a stream was received.
enum Received {
    Done,
    /// The far side has no `tar`.
    NoTar,
}

/// Sends a file or a tree as
/// [`Communicator::upload`](crate::communicator::Communicator::upload) says.
pub(super) async fn upload(
    connection: &Connection,
    session: OpenSession,
    upload: &Upload,
    method: FileTransfer,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<UploadReport, CommunicatorError> {
    if upload.destination.is_empty() {
        return Err(failed(upload, "the destination is empty"));
    }
    match method {
        FileTransfer::Sftp => sftp::upload(session, upload, progress).await?,
        FileTransfer::Stream => match stream(connection, session, upload, progress).await? {
            Received::Done => {}
            Received::NoTar => {
                sftp::upload(connection.open_session().await?, upload, progress).await?;
            }
        },
    }
    Ok(UploadReport { bytes: upload.tree.size(), files: upload.tree.files() })
}

async fn stream(
    connection: &Connection,
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Received, CommunicatorError> {
    let mark = format!("{:016x}:", rand::random::<u64>());
    let (text, form) = if upload.tree.single_file().is_some() {
        (destination::file(upload), Form::Bare)
    } else {
        (destination::tree(upload, &mark), Form::Tar)
    };
    let made = archive::stream(upload.tree.clone(), form);
    let input = exec::Input::Pieces(made.pieces, progress);
    let (output, complaints) = mpsc::channel(16);
    let (exit, complaints) = tokio::join!(
        exec::run(connection, session, &text, false, input, output),
        listen(complaints)
    );
    let made = made.ended.await.unwrap_or_else(|panicked| {
        Err(failed(upload, &format!("making the archive failed: {panicked}")))
    });
    // A file that cannot be read is why the far side did not get what it waited for.
    let exit = made.and(exit.map_err(|error| named(error, upload)))?;
    match exit {
        Exit::Code(0) => Ok(Received::Done),
        Exit::Code(_) if complaints.contains(&format!("{mark}{}", destination::NO_TAR)) => {
            Ok(Received::NoTar)
        }
        Exit::Code(code) if complaints.is_empty() => {
            Err(failed(upload, &format!("the receiving command ended with status {code}")))
        }
        Exit::Code(_) => Err(failed(upload, &complaints)),
        Exit::Signal(signal) => {
            Err(failed(upload, &format!("the receiving command was killed by SIG{signal}")))
        }
        Exit::Disconnected { reason } => {
            Err(CommunicatorError::Lost { address: connection.name.clone(), reason })
        }
    }
}

/// What the far side says, up to a limit; the rest is read and dropped.
async fn listen(mut output: mpsc::Receiver<Chunk>) -> String {
    let mut said = Vec::new();
    while let Some(chunk) = output.recv().await {
        let room = COMPLAINTS.saturating_sub(said.len());
        said.extend(chunk.bytes.into_iter().take(room));
    }
    let said = String::from_utf8_lossy(&said);
    said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// An upload that failed for a reason of the far side.
pub(super) fn failed(upload: &Upload, reason: &str) -> CommunicatorError {
    CommunicatorError::Upload { destination: upload.destination.clone(), reason: reason.into() }
}

/// Says what stands still.
fn named(error: CommunicatorError, upload: &Upload) -> CommunicatorError {
    match error {
        CommunicatorError::Stalled { idle, sent } => failed(
            upload,
            &format!("no byte was taken for {} s after {sent} bytes", idle.as_secs()),
        ),
        error => error,
    }
}
