//! Work that is told of while it goes on, and that signals cancel.

use std::io::Write;

use crate::build::{Cancel, Signal};
use crate::event::{Emitter, channel};
use crate::render::{Console, MachineReadable, Mask, Settings};

use super::outcome::{Stdout, complain, is_machine_readable};
use super::signals::Signals;

/// Where the log for people goes, and what it looks like.
pub(super) type Log<W> = (W, Settings);

/// Does the work and prints its events: to `log` for people, as rows on standard output for programs;
/// without a log not at all. With what came of it, the first signal that came meanwhile.
pub(super) async fn told<T>(
    work: impl AsyncFnOnce(Emitter, &Cancel) -> T,
    signals: Signals,
    log: Option<Log<impl Write + Send + 'static>>,
    mask: &Mask,
) -> (T, Option<Signal>) {
    let (events, received) = channel();
    let cancel = Cancel::new();
    let first_signal = signals.cancel(cancel.clone(), events.clone());
    let printing = log.map(|(out, settings)| {
        if is_machine_readable() {
            tokio::spawn(MachineReadable::new(Stdout, mask.clone()).run(received))
        } else {
            tokio::spawn(Console::new(out, settings, mask.clone()).run(received))
        }
    });
    let done = work(events, &cancel).await;
    let came = *first_signal.borrow();
    // The handler holds an emitter: without it, the renderer knows that nothing more will come.
    drop(first_signal);
    if let Some(printing) = printing
        && let Err(error) = printing.await
    {
        complain(&format!("error: the log broke off: {error}"));
    }
    (done, came)
}
