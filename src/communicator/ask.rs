//! Questions to an instance: commands whose output nobody but bake reads.

use tokio::sync::mpsc;

use super::{Chunk, Command, Communicator, CommunicatorError, Exit};
use crate::event::Stream;

/// How much of each stream of an answer is kept.
const LONGEST_ANSWER: usize = 64 << 10;

/// How many pieces of an answer may wait.
const WAITING: usize = 16;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub exit: Exit,
    /// The first 64 KiB of its standard output.
    pub stdout: String,
    /// The first 64 KiB of its standard error.
    pub stderr: String,
}

impl Answer {
    /// Why it is no success, in a few words; `None` with status 0.
    pub fn complaint(&self) -> Option<String> {
        let said = self.stderr.trim().lines().collect::<Vec<_>>().join("; ");
        Some(match &self.exit {
            Exit::Code(0) => return None,
            Exit::Code(code) if said.is_empty() => format!("status {code}"),
            Exit::Code(_) => said,
            Exit::Signal(signal) => format!("killed by SIG{signal}"),
            Exit::Disconnected { reason } => reason.clone(),
        })
    }
}

/// Runs a command and returns what it said.
///
/// # Errors
/// Those of [`Communicator::exec`].
pub async fn ask(
    communicator: &dyn Communicator,
    command: Command,
) -> Result<Answer, CommunicatorError> {
    let (output, answer) = mpsc::channel(WAITING);
    let (exit, [stdout, stderr]) = tokio::join!(communicator.exec(command, output), listen(answer));
    Ok(Answer { exit: exit?, stdout, stderr })
}

async fn listen(mut output: mpsc::Receiver<Chunk>) -> [String; 2] {
    let [mut stdout, mut stderr] = [Vec::new(), Vec::new()];
    while let Some(chunk) = output.recv().await {
        let heard = match chunk.stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        let room = LONGEST_ANSWER.saturating_sub(heard.len());
        heard.extend(chunk.bytes.into_iter().take(room));
    }
    [stdout, stderr].map(|heard| String::from_utf8_lossy(&heard).into_owned())
}
