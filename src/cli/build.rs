//! `bake build`.

use std::path::PathBuf;

use crate::aws::OwnCloud;
use crate::build::{self, BuildOutcome, Cancel, OnError, RunError, RunSettings, Signal};
use crate::lookup::Round;
use crate::plan::lock::Pins;
use crate::plan::{self, Plan};
use crate::render::{Mask, Settings};
use crate::template::lookup::Answers;

use super::Exit;
use super::arguments::{self, BuildArguments};
use super::inputs::{Inputs, Prepared};
use super::outcome::{complain, failed, is_terminal, refused, report};
use super::signals::Signals;
use super::told::told;
use super::{outcome, runtime, sandbox};

/// Builds the images of a template.
pub(super) fn run(arguments: BuildArguments, mask: &Mask) -> Exit {
    let inputs = match Inputs::read(&arguments.template, arguments.warn_on_undeclared_var, mask) {
        Ok(inputs) => inputs,
        Err(found) => return refused(&found, mask),
    };
    let (template, strict) = (&arguments.template.template, arguments.locked);
    let pins = match Pins::of_template(template, strict, arguments.sandbox) {
        Ok(pins) => pins,
        Err(found) => return refused(&found, mask),
    };
    // What is wrong without anybody being asked is said before anybody is.
    let first = inputs.evaluate(&Answers::default(), mask);
    match &first.result {
        Err(found) if first.is_final() => return refused(found, mask),
        Err(_) => {}
        Ok(prepared) => {
            let unsupported = prepared.unsupported();
            if unsupported.has_errors() {
                report(&prepared.warnings, mask);
                return refused(&unsupported, mask);
            }
        }
    }
    let mask = mask.clone();
    runtime::run_on_worker(async move { build(&arguments, &inputs, first, pins, &mask).await })
}

async fn build(
    arguments: &BuildArguments,
    inputs: &Inputs,
    first: Round<Prepared>,
    pins: Pins,
    mask: &Mask,
) -> Exit {
    let Some(ledgers) = build::ledger::default_directory() else {
        complain("error: there is no place for ledgers: set HOME or XDG_STATE_HOME");
        return Exit::Failed;
    };
    // Before anything is made, and before the sandbox has machines.
    let signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    if let Some(place) = arguments.records.place().filter(|_| arguments.sandbox) {
        complain(&format!(
            "warning: no records are kept in {place}: what the sandbox makes stays on this machine, and so do its records"
        ));
    }
    if !arguments.sandbox {
        let settings = settings(arguments, ledgers, None, pins);
        return look_up_and_build(arguments, inputs, first, &settings, signals, mask).await;
    }
    let (cloud, own) = match sandbox::start_own(&arguments.behaviour).await {
        Ok(started) => started,
        Err(error) => return failed(&*error),
    };
    let settings = settings(arguments, ledgers, Some(own), pins);
    let exit = look_up_and_build(arguments, inputs, first, &settings, signals, mask).await;
    cloud.stop().await;
    exit
}

/// Looks up what the template asks for, then builds.
async fn look_up_and_build(
    arguments: &BuildArguments,
    inputs: &Inputs,
    first: Round<Prepared>,
    settings: &RunSettings,
    mut signals: Signals,
    mask: &Mask,
) -> Exit {
    let settled = tokio::select! {
        settled = inputs.look_up(first, settings.cloud.as_ref(), &settings.pins, mask) => settled,
        // Nothing was made yet.
        signal = signals.next() => return interrupted(signal),
    };
    let mut prepared = match settled {
        Ok(prepared) => prepared,
        Err(found) => return refused(&found, mask),
    };
    if arguments.normalize
        && let Err(found) = prepared.normalize()
    {
        return refused(&found, mask);
    }
    report(&prepared.warnings, mask);
    let unsupported = prepared.unsupported();
    if unsupported.has_errors() {
        return refused(&unsupported, mask);
    }
    run_plans(arguments, &prepared.plans, settings, signals, mask).await
}

/// How bake ends when it is interrupted before anything was made.
pub(super) fn interrupted(signal: Signal) -> Exit {
    match signal {
        Signal::Interrupt => Exit::Interrupted,
        Signal::Terminate => Exit::Terminated,
    }
}

fn settings(
    arguments: &BuildArguments,
    ledgers: PathBuf,
    cloud: Option<OwnCloud>,
    pins: Pins,
) -> RunSettings {
    RunSettings {
        run_id: uuid::Uuid::now_v7().to_string(),
        force: arguments.force,
        max_age: arguments.max_age,
        lifetime: arguments.lifetime,
        on_error: match arguments.on_error {
            arguments::OnError::Cleanup => OnError::Cleanup,
            arguments::OnError::Abort => OnError::Abort,
        },
        apart: None,
        watch: None,
        // Packer takes anything below one for "no limit".
        parallel: usize::try_from(arguments.parallel_builds).ok().filter(|limit| *limit > 0),
        directory: std::env::current_dir().unwrap_or_default(),
        ledgers,
        cloud,
        pins,
        template: arguments.template.template.clone(),
        records: plan::record::default_directory(),
        shared_records: arguments.records.place().filter(|_| !arguments.sandbox).cloned(),
    }
}

async fn run_plans(
    arguments: &BuildArguments,
    plans: &[Plan],
    settings: &RunSettings,
    signals: Signals,
    mask: &Mask,
) -> Exit {
    let log = Settings {
        colour: outcome::colour(arguments.color),
        progress: is_terminal() && outcome::errors_on_terminal(),
        timestamps: arguments.timestamp_ui,
    };
    let work = async |events, cancel: &Cancel| build::run(plans, settings, events, cancel).await;
    let (outcomes, came) = told(work, signals, Some((outcome::Stdout, log)), mask).await;
    match outcomes {
        Ok(outcomes) => exit_of(&outcomes, came),
        Err(RunError::Template(found)) => refused(&found, mask),
        Err(error) => failed(&error),
    }
}

/// How bake ends, given how its builds did and the first signal that came.
pub(super) fn exit_of(outcomes: &[BuildOutcome], came: Option<Signal>) -> Exit {
    if outcomes.iter().any(|outcome| !outcome.left.is_empty()) {
        return Exit::LeftBehind;
    }
    if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
        return Exit::Done;
    }
    match came {
        Some(signal) => interrupted(signal),
        None => Exit::Failed,
    }
}
