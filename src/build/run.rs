//! A run: all plans of a template, built at the same time.
//!
//! Here the rooms meet: a plan's hash, its way to the instance and its provisioners are put into
//! the context of a builder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::aws::{OwnCloud, S3Prefix};
use crate::communicator::ssh::{self, Address};
use crate::communicator::ssm::{self, SsmOptions};
use crate::communicator::{self, Communicator, CommunicatorError, Dial, winrm};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::event::{Artifact, Emitter, Fact, ResourceKind};
use crate::plan::identity::template_hash;
use crate::plan::lock::Pins;
use crate::plan::{Plan, Record, StepPlan};
use crate::provision::{self, StepContext, WatchSteps};

use super::builder::{BUILDERS, PreparedBuild, amazon_ebs};
use super::context::{
    Apart, BoxError, BuildContext, BuildOutcome, ConnectRequest, ImageIdentity, OnError,
    ProvisionRequest, ResolvedSource, Way,
};
use super::ledger::{self, Ending, Start};
use super::{Cancel, Clock, Ledger, SharedRecord, preflight};

/// After how long a run may be taken for dead, unless it is told otherwise.
pub const LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// How long teardown keeps trying.
pub(super) const TEARDOWN_DEADLINE: Duration = Duration::from_secs(600);

/// How a run is to go.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Id of the run.
    pub run_id: String,
    /// Build although an image with this hash exists.
    pub force: bool,
    /// How old an image may be to be taken instead of building one; any age when `None`.
    pub max_age: Option<Duration>,
    /// After how long without a sign of life the run may be taken for dead; its instances power
    /// themselves off then.
    pub lifetime: Duration,
    /// What a failure does to what was made.
    pub on_error: OnError,
    /// Makes images to be compared, beside those that are used.
    pub apart: Option<Apart>,
    /// Who looks at the machines between the steps.
    pub watch: Option<Arc<dyn WatchSteps>>,
    /// How many builds may run at the same time; `None` for all.
    pub parallel: Option<usize>,
    /// Where relative paths in options start.
    pub directory: PathBuf,
    /// Where ledgers are kept.
    pub ledgers: PathBuf,
    /// A cloud of one's own, in place of the account that the template names.
    pub cloud: Option<OwnCloud>,
    /// What look-ups have come to before.
    pub pins: Pins,
    /// The template as it was named, for records.
    pub template: PathBuf,
    /// Where records of what image hashes were taken over are kept, if anywhere.
    pub records: Option<PathBuf>,
    /// Where in S3 those of the images that are made are kept, too.
    pub shared_records: Option<S3Prefix>,
}

/// Why a run did not begin. Nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Options cannot be read any more, although planning could.
    #[error("the template cannot be read again")]
    Template(Diagnostics),
    /// No ledger can be written, and nothing is made that is not in it.
    #[error("the ledger in `{directory}` cannot be written: {source}")]
    Ledger {
        /// Where it was to be.
        directory: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Builds all plans. Facts go out through `events`; the outcomes are in the order of the plans.
///
/// # Errors
/// See [`RunError`]; what goes wrong with a build is in its outcome.
pub async fn run(
    plans: &[Plan],
    settings: &RunSettings,
    events: Emitter,
    cancel: &Cancel,
) -> Result<Vec<BuildOutcome>, RunError> {
    let started = Instant::now();
    let clock = Clock::system();
    let prepared: Result<Vec<_>, _> =
        plans.iter().map(|plan| Ok((plan, prepare(plan, settings)?))).collect();
    let prepared = prepared.map_err(RunError::Template)?;
    let unwritable = |source| RunError::Ledger { directory: settings.ledgers.clone(), source };
    let ledger =
        Ledger::open(&settings.ledgers, &settings.run_id, clock.clone()).map_err(unwritable)?;
    if let Err(error) = preflight::check_room(&settings.ledgers) {
        // It is of no run; nothing was made.
        ledger.close().await.map_err(unwritable)?;
        return Err(unwritable(error));
    }
    ledger.started(start(plans, settings)).await.map_err(unwritable)?;
    let builds = plans.iter().map(|plan| plan.name.clone()).collect();
    events.emit(Fact::RunStarted { run_id: settings.run_id.clone(), builds }).await;
    let slots = Semaphore::new(settings.parallel.unwrap_or(plans.len()).max(1));
    let builds = prepared.iter().map(|(plan, prepared)| {
        let events = events.of_build(&plan.name);
        let (slots, ledger, clock) = (&slots, ledger.clone(), clock.clone());
        async move {
            // Never closed, so there is always a slot in the end.
            let _slot = slots.acquire().await;
            let template_hash = template_hash(plan).hex();
            events.emit(Fact::BuildStarted { template_hash }).await;
            let context = context(plan, settings, events, cancel.child(), ledger, clock);
            let outcome = prepared.run(&context).await;
            record_end(&context.ledger, &plan.name, &outcome).await;
            outcome
        }
    });
    let outcomes = futures::future::join_all(builds).await;
    if let Err(error) = ledger.close().await {
        // What there was to do is done, and told.
        let text = format!(
            "the ledger in `{}` cannot be closed: {error}; `bake gc` settles it",
            settings.ledgers.display()
        );
        events.emit(Fact::Warning { text }).await;
    }
    events.emit(Fact::RunEnded { elapsed: started.elapsed() }).await;
    Ok(outcomes)
}

/// What the run is about, for its ledger.
fn start(plans: &[Plan], settings: &RunSettings) -> Start {
    let owner = plans.first().map(|plan| &plan.builder.component.owner);
    Start {
        template: owner.map_or_else(String::new, |owner| owner.source().name().to_owned()),
        builds: plans.iter().map(|plan| plan.name.clone()).collect(),
        // A short one is for the instance; whoever cannot see the process waits longer.
        lifetime: settings.lifetime.max(LIFETIME),
        sandbox: settings.cloud.is_some(),
    }
}

/// Records how a build ended, for `bake runs`. It has ended all the same when that fails.
async fn record_end(ledger: &Ledger, build: &str, outcome: &BuildOutcome) {
    let (how, images) = match &outcome.result {
        Ok(Artifact::Images { images, reused: true, .. }) => (Ending::Reused, images.clone()),
        Ok(Artifact::Images { images, .. }) => (Ending::Built, images.clone()),
        Ok(_) => (Ending::Built, Vec::new()),
        Err(error) if error.is_cancelled() => (Ending::Interrupted, Vec::new()),
        Err(_) => (Ending::Failed, Vec::new()),
    };
    if let Err(error) = ledger.ended(build, how, images).await {
        tracing::warn!(%error, "the ledger cannot be written");
    }
}

/// A plan's builder, ready to run. Plans whose builder cannot run are refused before.
fn prepare(plan: &Plan, settings: &RunSettings) -> Result<Box<dyn PreparedBuild>, Diagnostics> {
    let kind = plan.builder.component.kind.as_str();
    let builder = BUILDERS.iter().find(|builder| builder.kind.name == kind);
    match builder.and_then(|builder| builder.prepare) {
        Some(prepare) => prepare(plan, settings),
        None => {
            let text = format!("the builder `{kind}` cannot run");
            Err(Diagnostics::from(
                Diagnostic::error("unsupported", text).at(&plan.builder.component.owner, ""),
            ))
        }
    }
}

fn context(
    plan: &Plan,
    settings: &RunSettings,
    events: Emitter,
    cancel: Cancel,
    ledger: Ledger,
    clock: Clock,
) -> BuildContext {
    let plan = Arc::new(plan.clone());
    let of_record = events.clone();
    BuildContext {
        run_id: settings.run_id.clone(),
        build: plan.name.clone(),
        source_name: plan.source_name.clone(),
        events,
        cancel,
        ledger,
        clock,
        lifetime: settings.lifetime,
        teardown_deadline: TEARDOWN_DEADLINE,
        force: settings.force,
        max_age: settings.max_age,
        on_error: settings.on_error,
        pins: settings.pins.clone(),
        apart: settings.apart.clone(),
        killed: {
            let directory = settings.ledgers.clone();
            Arc::new(move |run| {
                let left = ledger::abandoned(&directory, run)?.leftovers;
                let lease = |one: &&ledger::Leftover| one.intent.kind == ResourceKind::Lease;
                Some(left.iter().filter(|one| !lease(one)).count())
            })
        },
        identify: {
            let (plan, settings) = (Arc::clone(&plan), settings.clone());
            Arc::new(move |source| Ok(identify(&plan, source, &settings, &of_record)))
        },
        connect: Arc::new(|request| connect(request).boxed()),
        provision: {
            let watch = settings.watch.clone();
            Arc::new(move |request| provision(Arc::clone(&plan), request, watch.clone()).boxed())
        },
    }
}

/// The image hash, and whether an image may be known by it. What it was taken over is kept.
fn identify(
    plan: &Plan,
    source: &ResolvedSource,
    settings: &RunSettings,
    events: &Emitter,
) -> ImageIdentity {
    let record = record(plan, source, &settings.directory, &settings.template);
    if let Some(directory) = &settings.records
        && let Err(error) = record.save(directory)
    {
        // The image is as good without; only `bake why` and `bake verify` will know less.
        let text = format!("the record of what the image hash was taken over is not kept: {error}");
        events.emit_lossy(Fact::Warning { text });
    }
    let unrepeatable = plan
        .components()
        .flat_map(|component| &component.volatile)
        .map(|(option, span)| format!("`{option}` at {span} changes with every run"))
        .next();
    let hash = record.image_hash().unwrap_or_default().to_owned();
    let place = settings.shared_records.as_ref();
    let shared = place.and_then(|place| SharedRecord::new(&record, place));
    ImageIdentity { hash, unrepeatable, shared }
}

/// What the image hash of a plan of `template` is taken over, once its source image is known.
/// Relative paths start in `directory`.
pub fn record(plan: &Plan, source: &ResolvedSource, directory: &Path, template: &Path) -> Record {
    let found = json!({ "id": source.image.id, "architecture": source.image.architecture });
    let record = Record::of(plan, directory, template);
    record.with_source_image(plan, amazon_ebs::SELECTORS, &found)
}

/// Closes the way to the machine when nothing comes of connecting over it.
async fn or_close<T>(
    connecting: impl Future<Output = Result<T, CommunicatorError>>,
    dial: Option<Arc<dyn Dial>>,
) -> Result<T, CommunicatorError> {
    let connected = connecting.await;
    if let (Err(_), Some(dial)) = (&connected, dial) {
        dial.close().await;
    }
    connected
}

/// Connects the way that is asked for.
async fn connect(request: ConnectRequest) -> Result<Arc<dyn Communicator>, BoxError> {
    let ConnectRequest { way, events, cancel } = request;
    match way {
        Way::Ssh { host, port, login, dial, private_key } => {
            let connecting = async {
                let options = login.load(private_key.as_ref(), dial.clone()).await?;
                ssh::connect(options, Address::known(host, port), events, cancel).await
            };
            Ok(Arc::new(or_close(connecting, dial.clone()).await?))
        }
        Way::WinRm { host, port, login, dial } => {
            let connecting = async {
                let options = login.load(host, port, dial.clone())?;
                winrm::connect(options, events, cancel).await
            };
            Ok(Arc::new(or_close(connecting, dial.clone()).await?))
        }
        Way::Ssm { instance, client, depot } => {
            let started = Fact::ConnectStarted { communicator: "SSM", address: instance.clone() };
            events.emit(started).await;
            let client = Arc::new(*client);
            let options = SsmOptions::default();
            let connection =
                ssm::connect(&instance, client.clone(), client, options, events.clone(), cancel)
                    .await?;
            let connection = match depot {
                Some(depot) => connection.through(depot),
                None => connection,
            };
            events.emit(Fact::Connected { attempts: 1, address: None }).await;
            Ok(Arc::new(connection))
        }
    }
}

/// Runs the plan's steps and, when one has failed for good, its error-cleanup step.
async fn provision(
    plan: Arc<Plan>,
    request: ProvisionRequest,
    watch: Option<Arc<dyn WatchSteps>>,
) -> Result<(), BoxError> {
    let none: Arc<dyn Communicator> = Arc::new(communicator::None);
    let communicator = request.communicator.as_ref().unwrap_or(&none);
    let started = Instant::now();
    let step_context = |cancel| StepContext {
        communicator: &**communicator,
        emitter: &request.events,
        data: &request.data,
        build_name: &plan.source_name,
        builder_type: &plan.builder.component.kind,
        started,
        cancel,
    };
    let stop = step_context(request.cancel.stop());
    if request.communicator.is_some() && !plan.steps.is_empty() {
        provision::wait_until_ready(stop, request.readiness).await?;
    }
    let result = provision::run_steps_watched(&plan, stop, watch.as_deref()).await;
    if let (Err(_), Some(step)) = (&result, &plan.error_cleanup) {
        error_cleanup(&plan, step, step_context(request.cancel.hurry()), &request.events).await;
    }
    result.map_err(Into::into)
}

async fn error_cleanup(plan: &Plan, step: &StepPlan, context: StepContext<'_>, events: &Emitter) {
    if let Err(error) = provision::run_step(plan.steps.len(), step, context).await {
        let text = format!("the error-cleanup-provisioner failed too: {error}");
        events.emit(Fact::Warning { text }).await;
    }
}
