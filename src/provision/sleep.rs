//! `sleep`: waits.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::run::pause;
use super::{ProvisionError, Provisioner, StepRun};
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::format_go_duration;

crate::options! {
    /// Waits.
    struct SleepOptions {
        /// How long.
        unhashed duration: Duration = Duration::ZERO,
    }
}

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "sleep", schema: SleepOptions::schema, plan },
    run: Some(run),
};

fn plan(planner: &mut Planner<'_>) {
    if let Some(options) = planner.decode(SleepOptions::schema(), SleepOptions::decode_options) {
        planner.set_title(format!("Sleeping for {}", format_go_duration(options.duration)));
    }
}

fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let decoded = step
            .planned
            .component
            .decode(Some(step.context.data), SleepOptions::schema(), SleepOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        pause(decoded.options.duration, step.context.cancel).await
    }
    .boxed()
}
