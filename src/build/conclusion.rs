//! The end of a build, whatever it is.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio::time::Instant;

use super::{BuildContext, BuildError, BuildOutcome, Left, Places};
use crate::event::{Artifact, Fact};

/// Does the work of a build and tells how it ended. A panic is an error like any other, so that
/// the builds beside it go on.
pub(super) async fn conclude(
    context: &BuildContext,
    places: &Places,
    work: impl Future<Output = (Result<Artifact, BuildError>, Vec<Left>)> + Send,
) -> BuildOutcome {
    let started = Instant::now();
    let guarded = AssertUnwindSafe(work).catch_unwind().boxed();
    let (result, left) = match guarded.await {
        Ok(ended) => ended,
        Err(panic) => (Err(BuildError::of_panic(&*panic)), Vec::new()),
    };
    let elapsed = started.elapsed();
    let told = match &result {
        Ok(artifact) => Fact::BuildFinished { artifact: artifact.clone(), elapsed },
        Err(error) => Fact::BuildFailed {
            error: error.report(),
            place: places.of(error).cloned(),
            hints: error.hints(),
            elapsed,
            cancelled: error.is_cancelled(),
        },
    };
    context.events.emit(told).await;
    BuildOutcome { result, left, elapsed }
}
