//! Running steps: what every provisioner gets without doing anything for it.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{PROVISIONERS, ProvisionError, StepContext, StepFailed, StepRun, normalize};
use crate::event::Fact;
use crate::plan::{Component, Plan, StepPlan};
use crate::template::schema::{BuildData, Secret, format_go_duration};
use crate::value::Value;

/// Between two attempts at something that the instance does not do yet.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Runs all steps of a plan in order; the first that fails for good ends the row.
///
/// # Errors
///
/// That of the step that failed.
pub async fn run_steps(plan: &Plan, context: StepContext<'_>) -> Result<(), StepFailed> {
    run_steps_watched(plan, context, None).await
}

/// Looks at a machine between the steps.
pub trait WatchSteps: std::fmt::Debug + Send + Sync {
    /// Looks at an instance before the first step, or `after` the one with that number. The next
    /// one begins when this is done.
    fn look<'a>(&'a self, instance: &'a str, after: Option<usize>) -> BoxFuture<'a, ()>;
}

/// As [`run_steps`], with somebody who looks at the machine between the steps.
///
/// # Errors
///
/// As for `run_steps`.
pub async fn run_steps_watched(
    plan: &Plan,
    context: StepContext<'_>,
    watch: Option<&dyn WatchSteps>,
) -> Result<(), StepFailed> {
    let instance = context.data.get("ID").and_then(Value::as_str);
    let watched = watch.zip(instance);
    if let Some((watch, instance)) = watched {
        watch.look(instance, None).await;
    }
    for (index, step) in plan.steps.iter().enumerate() {
        run_step(index, step, context)
            .await
            .map_err(|error| StepFailed { error, place: step.planned.component.owner.clone() })?;
        if let Some((watch, instance)) = watched {
            watch.look(instance, Some(index)).await;
        }
    }
    Ok(())
}

/// Runs one step with its pause, time limit and retries.
///
/// The time limit is for each attempt and starts after the pause; attempts follow each other at
/// once; the last error is the one that is returned. With `continue_on_error` it becomes a warning.
///
/// # Errors
///
/// That of the last attempt, or [`ProvisionError::Cancelled`].
pub async fn run_step(
    index: usize,
    step: &StepPlan,
    context: StepContext<'_>,
) -> Result<(), ProvisionError> {
    let run = StepRun { planned: &step.planned, context };
    let kind = &step.planned.component.kind;
    let mut provisioners = PROVISIONERS.iter().chain([&normalize::PROVISIONER]);
    let provisioner = provisioners.find(|one| one.kind.name == kind.as_str());
    let Some(attempt_once) = provisioner.and_then(|one| one.run) else {
        return Err(ProvisionError::Unknown { kind: kind.clone() });
    };
    let secrets = secrets(&step.planned.component, context.data);
    if !secrets.is_empty() {
        context.emitter.emit(Fact::SecretsFound { secrets }).await;
    }
    let meta = &step.meta;
    if !meta.pause_before.is_zero() {
        let length = format_go_duration(meta.pause_before);
        run.say(format!("Pausing {length} before the next provisioner...")).await;
        pause(meta.pause_before, context.cancel).await?;
    }
    if let Some(limit) = meta.timeout {
        let length = format_go_duration(limit);
        run.say(format!("Setting a {length} timeout for the next provisioner...")).await;
    }
    let (kind, title) = (kind.clone(), step.planned.title.clone());
    context.emitter.emit(Fact::ProvisionerStarted { index, kind, title }).await;
    let start = Instant::now();

    let mut left = meta.max_retries;
    let result = loop {
        let attempt = async {
            match meta.timeout {
                None => attempt_once(&run).await,
                Some(limit) => match timeout(limit, attempt_once(&run)).await {
                    Ok(result) => result,
                    Err(_) => {
                        run.say("Cancelling provisioner after a timeout...").await;
                        Err(ProvisionError::Timeout { limit })
                    }
                },
            }
        };
        let result = tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(ProvisionError::Cancelled),
            result = attempt => result,
        };
        match result {
            Err(error) if left > 0 && !matches!(error, ProvisionError::Cancelled) => {
                run.say(format!("Provisioner failed, {left} more to try: {error}")).await;
                left -= 1;
            }
            result => break result,
        }
    };

    let (succeeded, elapsed) = (result.is_ok(), start.elapsed());
    context.emitter.emit(Fact::ProvisionerEnded { index, succeeded, elapsed }).await;
    match result {
        Err(error) if meta.continue_on_error && !matches!(error, ProvisionError::Cancelled) => {
            let text = format!("a provisioner failed and the build goes on: {error}");
            context.emitter.emit(Fact::Warning { text }).await;
            Ok(())
        }
        result => result,
    }
}

/// What a step must not show besides what was known when it was planned: secrets of the build, such
/// as a password that was made for it, and what its options make of them.
fn secrets(component: &Component, data: &BuildData) -> Vec<Secret> {
    let mut texts: Vec<String> = data.values().flat_map(Value::sensitive_texts).collect();
    let resolve = component.evaluate.resolve(Some(data));
    let mut open = vec![&*component.body];
    while let Some(body) = open.pop() {
        // What cannot be evaluated is told when the options are read.
        let values = body
            .attributes
            .iter()
            .filter_map(|attribute| resolve.evaluate(&attribute.expression).ok());
        texts.extend(values.flat_map(|value| value.sensitive_texts()));
        open.extend(body.blocks.iter().map(|block| &block.body));
    }
    texts.into_iter().map(Secret::new).collect()
}

/// Waits after a step as its `pause_after` asks, if it does.
pub(super) async fn pause_after(
    step: &StepRun<'_>,
    length: Duration,
) -> Result<(), ProvisionError> {
    if length.is_zero() {
        return Ok(());
    }
    let shown = format_go_duration(length);
    step.say(format!("Pausing {shown} after this provisioner...")).await;
    pause(length, step.context.cancel).await
}

/// Waits as the template asks.
pub(super) async fn pause(
    length: Duration,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    tokio::select! {
        () = cancel.cancelled() => Err(ProvisionError::Cancelled),
        () = sleep(length) => Ok(()),
    }
}
