//! What a transfer needs of whoever carries it.

use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::archive::Piece;
use crate::communicator::{Chunk, CommunicatorError, Exit};

/// Who is told how many bytes of files have moved so far.
pub(crate) type Progress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// What a command reads.
pub(crate) enum Input<'a> {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Pieces as they come, and whom to tell how far we are.
    Pieces(mpsc::Receiver<Piece>, Progress<'a>),
}

/// The far side, where commands can be run.
pub(crate) trait Far: Send + Sync {
    /// Runs one without a terminal, as
    /// [`Communicator::exec`](crate::communicator::Communicator::exec) says. A far side that takes
    /// no commands at all is [`CommunicatorError::Refused`].
    fn run<'a>(
        &'a self,
        text: &'a str,
        input: Input<'a>,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>>;

    /// What it is called when it is lost.
    fn name(&self) -> String;
}
