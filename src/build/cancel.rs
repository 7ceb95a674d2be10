//! Interruption, in three strengths.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

/// A signal as the command line's handler reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, a CI job's end, a closed terminal.
    Terminate,
}

impl Signal {
    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Terminate => "terminated",
        }
    }
}

/// What is asked for by now. A later signal can only ask for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Stop the work and tear down.
    Stop,
    /// Skip everything but the teardown.
    Hurry,
    /// Give up the teardown too, and say what is left.
    Leave,
}

/// One tree of cancellation for the whole run.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    stop: CancellationToken,
    hurry: CancellationToken,
    leave: CancellationToken,
    count: Arc<AtomicU32>,
}

impl Cancel {
    /// Nothing asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a signal; says which it was, counted from one, and what is asked for now.
    pub fn signal(&self) -> (u32, Urgency) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let urgency = match count {
            1 => Urgency::Stop,
            2 => Urgency::Hurry,
            _ => Urgency::Leave,
        };
        self.stop.cancel();
        if urgency >= Urgency::Hurry {
            self.hurry.cancel();
        }
        if urgency >= Urgency::Leave {
            self.leave.cancel();
        }
        (count, urgency)
    }

    /// A subtree that a failing neighbour, or a deadline, can stop without stopping the rest.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            stop: self.stop.child_token(),
            hurry: self.hurry.child_token(),
            leave: self.leave.child_token(),
            count: Arc::clone(&self.count),
        }
    }

    /// Stops the work of this subtree without a signal.
    pub fn stop_work(&self) {
        self.stop.cancel();
    }

    /// Ends the work: cancelled by the first signal.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Ends what is done out of courtesy, such as a clean-up provisioner: the second signal.
    pub fn hurry(&self) -> &CancellationToken {
        &self.hurry
    }

    /// Ends the teardown: the third signal.
    pub fn leave(&self) -> &CancellationToken {
        &self.leave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_asks_for_more() {
        let cancel = Cancel::new();
        let child = cancel.child();
        assert!(!child.stop().is_cancelled());
        assert_eq!(cancel.signal(), (1, Urgency::Stop));
        assert!(child.stop().is_cancelled() && !child.hurry().is_cancelled());
        assert_eq!(cancel.signal(), (2, Urgency::Hurry));
        assert!(child.hurry().is_cancelled() && !child.leave().is_cancelled());
        assert_eq!(cancel.signal(), (3, Urgency::Leave));
        assert_eq!(cancel.signal(), (4, Urgency::Leave));
        assert!(child.leave().is_cancelled());
    }

    #[test]
    fn a_stopped_child_leaves_its_neighbours_alone() {
        let cancel = Cancel::new();
        let (one, other) = (cancel.child(), cancel.child());
        one.stop_work();
        assert!(one.stop().is_cancelled());
        assert!(!other.stop().is_cancelled() && !cancel.stop().is_cancelled());
    }
}
