//! `bake build`.

use std::path::PathBuf;

use crate::aws::OwnCloud;
use crate::build::{self, BuildOutcome, Cancel, OnError, RunError, RunSettings, Signal};
use crate::diagnostic::Diagnostics;
use crate::event::channel;
use crate::lookup::Round;
use crate::plan::lock::Pins;
use crate::plan::{self, Plan};
use crate::render::{Console, MachineReadable, Mask, Settings};
use crate::template::lookup::Answers;
use crate::template::schema::Secret;

use super::Exit;
use super::arguments::{self, BuildArguments};
use super::inputs::{Inputs, Prepared};
use super::outcome::{complain, is_terminal, report};
use super::signals::Signals;
use super::{outcome, sandbox};

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
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return sandbox::failed(&error),
    };
    // On a worker of the runtime: what sends files then takes turns with what encrypts them, where a
    // thread of its own would have to be woken for each packet.
    let mask = mask.clone();
    let built = runtime.spawn(async move { build(&arguments, &inputs, first, pins, &mask).await });
    match runtime.block_on(built) {
        Ok(exit) => exit,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn refused(found: &Diagnostics, mask: &Mask) -> Exit {
    report(found, mask);
    Exit::Failed
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
        Err(error) => return sandbox::failed(&error),
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
    // Other users of this machine can reach the port too, and may not run commands as this one.
    let access_key = uuid::Uuid::new_v4().simple().to_string();
    let bind = ([127, 0, 0, 1], 0).into();
    let started = sandbox::start(bind, Some(access_key.clone()), &arguments.behaviour).await;
    let cloud = match started {
        Ok(cloud) => cloud,
        Err(error) => return sandbox::failed(&*error),
    };
    let own = OwnCloud { url: cloud.endpoint_url(), access_key: Secret::new(access_key) };
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
    let (events, received) = channel();
    let cancel = Cancel::new();
    let first_signal = signals.cancel(cancel.clone(), events.clone());
    let printing = if outcome::is_machine_readable() {
        tokio::spawn(MachineReadable::new(outcome::Stdout, mask.clone()).run(received))
    } else {
        let settings = Settings {
            colour: outcome::colour(arguments.color),
            progress: is_terminal() && outcome::errors_on_terminal(),
            timestamps: arguments.timestamp_ui,
        };
        tokio::spawn(Console::new(outcome::Stdout, settings, mask.clone()).run(received))
    };
    let outcomes = build::run(plans, settings, events, &cancel).await;
    let came = *first_signal.borrow();
    // The handler holds an emitter: without it, the console knows that nothing more will come.
    drop(first_signal);
    if let Err(error) = printing.await {
        complain(&format!("error: the build log broke off: {error}"));
    }
    match outcomes {
        Ok(outcomes) => exit_of(&outcomes, came),
        Err(RunError::Template(found)) => refused(&found, mask),
        Err(error) => sandbox::failed(&error),
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
