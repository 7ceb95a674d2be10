//! Steps with their durations.

use tokio::time::Instant;

use crate::event::{Emitter, Fact, Step, StepOutcome};

use super::BuildError;

/// Does the work of a step between its two events.
pub(super) async fn step<T>(
    events: &Emitter,
    step: Step,
    work: impl Future<Output = Result<T, BuildError>>,
) -> Result<T, BuildError> {
    let started = Instant::now();
    events.emit(Fact::StepStarted { step }).await;
    // The SDK's futures are large, and nested they overflow a thread's stack.
    let result = Box::pin(work).await;
    let outcome = match &result {
        Ok(_) => StepOutcome::Succeeded,
        Err(BuildError::Cancelled) => StepOutcome::Cancelled,
        Err(_) => StepOutcome::Failed,
    };
    events.emit(Fact::StepEnded { step, outcome, elapsed: started.elapsed() }).await;
    result
}
