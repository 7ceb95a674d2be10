//! Questions to an instance: commands whose output nobody but bake reads.

use tokio::sync::mpsc;

use crate::communicator::{Chunk, Command, Communicator, CommunicatorError, Exit};
use crate::event::Stream;

/// How much of an answer is kept.
const LONGEST_ANSWER: usize = 64 << 10;

/// How many pieces of an answer may wait.
const WAITING: usize = 16;

/// Runs a command and returns what it said on standard output, up to [`LONGEST_ANSWER`] bytes.
pub(super) async fn ask(
    communicator: &dyn Communicator,
    command: Command,
) -> Result<(Exit, String), CommunicatorError> {
    let (output, answer) = mpsc::channel(WAITING);
    let (exit, answer) = tokio::join!(communicator.exec(command, output), listen(answer));
    Ok((exit?, answer))
}

async fn listen(mut output: mpsc::Receiver<Chunk>) -> String {
    let mut heard = Vec::new();
    while let Some(chunk) = output.recv().await {
        if chunk.stream == Stream::Stdout {
            let room = LONGEST_ANSWER.saturating_sub(heard.len());
            heard.extend(chunk.bytes.into_iter().take(room));
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}
