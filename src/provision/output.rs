//! Output of commands, told line by line.

use tokio::sync::mpsc;

use super::StepRun;
use super::lines::Lines;
use crate::communicator::{Chunk, Command, CommunicatorError, Exit};
use crate::event::{Emitter, Fact};

/// How many pieces of output may wait for the renderer.
pub(super) const WAITING_OUTPUT: usize = 32;

/// Runs a command on the instance and tells its output.
pub(super) async fn execute(
    step: &StepRun<'_>,
    command: Command,
) -> Result<Exit, CommunicatorError> {
    let (output, chunks) = mpsc::channel(WAITING_OUTPUT);
    let (exit, ()) = tokio::join!(
        step.context.communicator.exec(command, output),
        tell(step.context.emitter, chunks)
    );
    exit
}

/// Tells what arrives, until it ends.
pub(super) async fn tell(emitter: &Emitter, mut chunks: mpsc::Receiver<Chunk>) {
    let mut lines = Lines::default();
    while let Some(chunk) = chunks.recv().await {
        for (stream, line) in lines.push(&chunk) {
            emitter.emit(Fact::Output { stream, line }).await;
        }
    }
    for (stream, line) in lines.finish() {
        emitter.emit(Fact::Output { stream, line }).await;
    }
}
