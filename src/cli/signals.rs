//! Signals as values.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::watch;

use crate::build::{Cancel, Signal, Urgency};
use crate::event::{Emitter, Fact};

/// The signals that ask bake to end.
pub(super) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    /// A closed terminal; left alone where it was ignored from the start (`nohup`).
    hangup: Option<Stream>,
}

impl Signals {
    /// Takes the signals over from their default, which is to die.
    pub(super) fn take() -> io::Result<Self> {
        let hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hangup => Signal::Terminate,
        }
    }

    /// Turns signals into cancellation: the first asks the builds to stop and tear down, the second
    /// leaves out everything but the teardown, the third gives that up too. Returns what knows
    /// which came first; when that is dropped, it ends.
    pub(super) fn cancel(
        mut self,
        cancel: Cancel,
        events: Emitter,
    ) -> watch::Receiver<Option<Signal>> {
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let came = tokio::select! {
                    came = self.next() => came,
                    () = tell.closed() => return,
                };
                tell.send_modify(|first| *first = first.or(Some(came)));
                let (count, urgency) = cancel.signal();
                events.emit(Fact::Interrupted { signal: came.name(), count }).await;
                if urgency == Urgency::Leave {
                    return;
                }
            }
        });
        told
    }
}

/// Whether the parent had SIGHUP ignored, as `nohup` does (`SigIgn` of proc(5)).
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}
