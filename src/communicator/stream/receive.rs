//! One command that sends a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::far::{Far, Input, Progress};
use super::landing::Mishap;
use super::leg::lost;
use super::said::{self, Listener, Mark, Said};
use super::unpack::{Incoming, Target, Unpack, Unpacked};
use crate::communicator::{Chunk, CommunicatorError, Download, Exit};
use crate::event::Stream;

/// Pieces that may wait for this machine's disk.
const WAITING: usize = 16;

/// A command and where to put what it sends.
pub(crate) struct Order {
    /// The command.
    pub(crate) text: String,
    /// What the command starts its own words with.
    pub(crate) mark: Mark,
    /// What the command reads.
    pub(crate) input: Vec<u8>,
    /// Where its output goes.
    pub(crate) target: Target,
}

/// What has arrived and what the far side said; or what was found instead when there is no way to
/// stream.
pub(crate) type Received = Result<(Unpacked, Said), String>;

/// Runs an order; `progress` gets the bytes of files that have arrived so far.
pub(crate) async fn run(
    far: &dyn Far,
    order: Order,
    download: &Download,
    progress: Progress<'_>,
) -> Result<Received, CommunicatorError> {
    let Order { text, mark, input, target } = order;
    let (sender, pieces) = mpsc::channel(WAITING);
    let count = Arc::new(AtomicU64::new(0));
    let unpack = Unpack {
        incoming: Incoming::new(pieces),
        mark: format!("{}:", mark.text()),
        target,
        count: count.clone(),
    };
    let unpacked = tokio::task::spawn_blocking(move || unpack.run());

    let (output, mut chunks) = mpsc::channel::<Chunk>(WAITING);
    let listen = async {
        let ignored = AtomicBool::new(false);
        let mut listener = Listener::new(&mark, &ignored);
        while let Some(Chunk { stream, bytes }) = chunks.recv().await {
            match stream {
                Stream::Stderr => listener.take(&bytes),
                Stream::Stdout => {
                    // Who unpacks has an error to tell.
                    sender.send(bytes).await.map_err(|_| None)?;
                    progress(count.load(Ordering::Relaxed));
                }
            }
        }
        drop(sender);
        Ok::<Said, Option<CommunicatorError>>(listener.end())
    };
    let run = async { far.run(&text, Input::Bytes(input), output).await.map_err(Some) };
    let ended = tokio::try_join!(run, listen);
    let unpacked = match unpacked.await {
        Ok(unpacked) => unpacked,
        Err(panicked) => return Err(failed(download, &format!("unpacking failed: {panicked}"))),
    };
    let (exit, said) = match ended {
        Ok(ended) => ended,
        Err(Some(CommunicatorError::Refused { reason, .. })) => return Ok(Err(reason)),
        Err(Some(error)) => return Err(error),
        Err(None) => {
            let mishap = unpacked.err();
            return Err(mishap.map_or_else(
                || failed(download, "more came than was to come"),
                |mishap| told(download, mishap),
            ));
        }
    };
    match exit {
        Exit::Code(_) if said.no_tar => return Ok(Err("there is no `tar`".into())),
        Exit::Code(_) if said.ready.is_none() => return Ok(Err(said.instead())),
        Exit::Code(0) if said.done => {}
        exit => {
            return Err(match said::wrong(&exit, &said.complaints, "sending") {
                Some(reason) => failed(download, &reason),
                None => lost(far, exit),
            });
        }
    }
    let unpacked = unpacked.map_err(|mishap| told(download, mishap))?;
    progress(count.load(Ordering::Relaxed));
    Ok(Ok((unpacked, said)))
}

/// A mishap of a download.
pub(crate) fn told(download: &Download, mishap: Mishap) -> CommunicatorError {
    match mishap {
        Mishap::Here(error) => error,
        Mishap::There(reason) => failed(download, &reason),
    }
}

/// A download that failed for a reason of the far side.
pub(crate) fn failed(download: &Download, reason: &str) -> CommunicatorError {
    CommunicatorError::Download { remote: download.source.clone(), reason: reason.into() }
}
