//! One command that takes a stream.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use super::super::connection::{Connection, OpenSession};
use super::super::exec;
use super::archive::{self, Load};
use super::packing::Packing;
use super::said::{self, Mark, Said};
use super::upload::failed;
use crate::communicator::{CommunicatorError, Exit, Upload};

/// A command and what it reads.
pub(super) struct Leg {
    /// The command.
    pub(super) text: String,
    /// What the command starts its own words with.
    pub(super) mark: Mark,
    /// What it reads.
    pub(super) load: Load,
    /// How that is packed.
    pub(super) packing: Packing,
}

/// How a leg ended.
pub(super) enum Ended {
    /// All was received.
    Done(Said),
    /// The far side has no `tar`.
    NoTar,
    /// The command did not run: the server does something else with it. What it said.
    NoShell(String),
}

/// Runs a leg; `progress` gets the bytes of files that it has sent so far.
pub(super) async fn run(
    connection: &Connection,
    session: OpenSession,
    leg: Leg,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Ended, CommunicatorError> {
    let Leg { text, mark, load, packing } = leg;
    let checked_there = Arc::new(AtomicBool::new(false));
    let made = archive::stream(load, packing, checked_there.clone());
    let input = exec::Input::Pieces(made.pieces, progress);
    let (output, words) = mpsc::channel(16);
    let (exit, said) = tokio::join!(
        exec::run(connection, session, &text, false, input, output),
        said::listen(&mark, &checked_there, words)
    );
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
        Exit::Code(_) if said.ready.is_none() => {
            let said = said.complaints;
            Ok(Ended::NoShell(if said.is_empty() { "it says nothing".into() } else { said }))
        }
        Exit::Code(0) if said.done => Ok(Ended::Done(said)),
        Exit::Code(code) => Err(failed(upload, &complaint(code, &said.complaints))),
        Exit::Signal(signal) => {
            Err(failed(upload, &format!("the receiving command was killed by SIG{signal}")))
        }
        Exit::Disconnected { reason } => {
            Err(CommunicatorError::Lost { address: connection.name.clone(), reason })
        }
    }
}

/// What went wrong on the far side.
fn complaint(code: u32, said: &str) -> String {
    // What a shell makes of a command that was killed.
    let killed = code.checked_sub(128).filter(|signal| (1..=64).contains(signal));
    match (killed, said) {
        (Some(signal), "") => format!("the receiving command was killed by signal {signal}"),
        (Some(signal), said) => {
            format!("the receiving command was killed by signal {signal}: {said}")
        }
        (None, "") => format!("the receiving command ended with status {code}"),
        (None, said) => said.to_owned(),
    }
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
