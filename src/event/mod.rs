//! What happened during a run, as facts in the past.
//!
//! The run emits these and never prints; renderers are the only code that writes
//! to a terminal. Ids, byte counts and durations are fields, not text.

mod emitter;
mod fact;

pub use emitter::{Emitter, channel};
pub use fact::{Artifact, Event, Fact, LONGEST_LINE, ResourceKind, Step, StepOutcome, Stream};
