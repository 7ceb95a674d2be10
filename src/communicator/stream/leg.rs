//! One command that takes a stream.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use super::archive::{self, Load};
use super::far::{Far, Input, Progress};
use super::packing::Packing;
use super::said::{self, Mark, Said};
use super::send::failed;
use crate::communicator::{CommunicatorError, Exit, Upload};

/// A command and what it reads.
pub(crate) struct Leg {
    /// The command.
    pub(crate) text: String,
    /// What the command starts its own words with.
    pub(crate) mark: Mark,
    /// What it reads.
    pub(crate) load: Load,
    /// How that is packed.
    pub(crate) packing: Packing,
}

/// How a leg ended.
pub(crate) enum Ended {
    /// All was received.
    Done(Said),
    /// The far side has no `tar`.
    NoTar,
    /// The command did not run: the server does something else with it. What it said.
    NoShell(String),
}

/// Runs a leg; `progress` gets the bytes of files that it has sent so far.
pub(crate) async fn run(
    far: &dyn Far,
    leg: Leg,
    upload: &Upload,
    progress: Progress<'_>,
) -> Result<Ended, CommunicatorError> {
    let Leg { text, mark, load, packing } = leg;
    let checked_there = Arc::new(AtomicBool::new(false));
    let made = archive::stream(load, packing, checked_there.clone());
    let input = Input::Pieces(made.pieces, progress);
    let (output, words) = mpsc::channel(16);
    let (exit, said) =
        tokio::join!(far.run(&text, input, output), said::listen(&mark, &checked_there, words));
    let made = made.ended.await.unwrap_or_else(|panicked| {
        Err(failed(upload, &format!("making the archive failed: {panicked}")))
    });
    // A file that cannot be read is why the far side did not get what it waited for.
    made?;
    let exit = match exit {
        // It may be that only commands are refused.
        Err(CommunicatorError::Refused { reason, .. }) => return Ok(Ended::NoShell(reason)),
        exit => exit.map_err(|error| named(error, upload))?,
    };
    match exit {
        Exit::Code(_) if said.no_tar => Ok(Ended::NoTar),
        Exit::Code(_) if said.ready.is_none() => Ok(Ended::NoShell(said.instead())),
        Exit::Code(0) if said.done => Ok(Ended::Done(said)),
        exit => match said::wrong(&exit, &said.complaints, "receiving") {
            Some(reason) => Err(failed(upload, &reason)),
            None => Err(lost(far, exit)),
        },
    }
}

/// A connection that was lost while a command ran.
pub(super) fn lost(far: &dyn Far, exit: Exit) -> CommunicatorError {
    let reason = match exit {
        Exit::Disconnected { reason } => reason,
        exit => format!("{exit:?}"),
    };
    CommunicatorError::Lost { address: far.name(), reason }
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
