//! The command: build, build again, compare, remove.

use std::sync::Arc;

use crate::build::{self, Apart, BuildOutcome, Cancel, OnError, RunError, RunSettings, Signal};
use crate::cli::arguments::ReproArguments;
use crate::cli::inputs::{Inputs, Prepared};
use crate::cli::outcome::{self, complain, failed, print, refused};
use crate::cli::signals::Signals;
use crate::cli::told::told;
use crate::cli::{Exit, build as build_command, runtime, sandbox};
use crate::content::{self, Cause, Difference, differences, of_bytes, of_path};
use crate::diagnostic::Diagnostics;
use crate::event::Artifact;
use crate::lookup::Round;
use crate::plan::lock::Pins;
use crate::plan::{Plan, record};
use crate::provision::WatchSteps;
use crate::render::{Mask, Settings};
use crate::sandbox::cloud::Image;
use crate::sandbox::machine::MachineError;
use crate::sandbox::store::Store;
use crate::template::lookup::Answers;

use super::comparison::{By, Comparison, Told};
use super::writers::Writers;

/// How much of two files is looked at for the cause of their difference.
const LOOKED_AT: u64 = 1 << 20;

/// Builds a template twice and says what differs.
pub(in crate::cli) fn run(arguments: ReproArguments, mask: &Mask) -> Exit {
    // Most mistakes are in the template: they are said before anything is started.
    if let Err(found) = read(&arguments, mask) {
        return refused(&found, mask);
    }
    let mask = mask.clone();
    runtime::run_on_worker(async move { twice(&arguments, &mask).await })
}

/// Reads and plans the template as of this moment.
fn read(arguments: &ReproArguments, mask: &Mask) -> Result<(Inputs, Round<Prepared>), Diagnostics> {
    let inputs = Inputs::read(&arguments.template, false, mask)?;
    let first = inputs.evaluate(&Answers::default(), mask);
    match &first.result {
        Err(found) if first.is_final() => Err(found.clone()),
        Ok(prepared) if prepared.unsupported().has_errors() => Err(prepared.unsupported()),
        _ => Ok((inputs, first)),
    }
}

/// One of the two builds.
struct Built {
    plans: Vec<Plan>,
    outcomes: Vec<BuildOutcome>,
    came: Option<Signal>,
}

impl Built {
    /// The ids of the images that it made.
    fn images(&self) -> impl Iterator<Item = &str> {
        self.outcomes.iter().filter_map(image).map(|(id, _)| id)
    }
}

/// The image of a build, and its hash.
fn image(outcome: &BuildOutcome) -> Option<(&str, &str)> {
    match &outcome.result {
        Ok(Artifact::Images { images, image_hash, .. }) => {
            images.first().map(|(_, id)| (id.as_str(), image_hash.as_str()))
        }
        _ => None,
    }
}

async fn twice(arguments: &ReproArguments, mask: &Mask) -> Exit {
    let Some(ledgers) = build::ledger::default_directory() else {
        complain("error: there is no place for ledgers: set HOME or XDG_STATE_HOME");
        return Exit::Failed;
    };
    let pins = match Pins::of_template(&arguments.template.template, false, true) {
        Ok(pins) => pins,
        Err(found) => return refused(&found, mask),
    };
    // Both from the start: a signal between the builds is not lost.
    let signals = Signals::take().and_then(|first| Ok([first, Signals::take()?]));
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let store = match Store::open(Store::default_root()) {
        Ok(store) => store,
        Err(error) => return failed(&error),
    };
    let (cloud, own) = match sandbox::start_own(&arguments.behaviour).await {
        Ok(started) => started,
        Err(error) => return failed(&*error),
    };
    let writers = Arc::new(Writers::new(store.clone()));
    let name = uuid::Uuid::new_v4().simple().to_string();
    let name = name.get(..8).unwrap_or(&name);
    let mut built = Vec::new();
    let mut exit = Exit::Done;
    for (number, signals) in (1..).zip(signals) {
        let settings = RunSettings {
            run_id: uuid::Uuid::now_v7().to_string(),
            force: false,
            on_error: OnError::Cleanup,
            apart: Some(Apart {
                suffix: format!("-repro-{name}-{number}"),
                claims_hash: arguments.keep,
            }),
            watch: Some(Arc::clone(&writers) as Arc<dyn WatchSteps>),
            max_age: None,
            lifetime: build::LIFETIME,
            parallel: None,
            directory: std::env::current_dir().unwrap_or_default(),
            ledgers: ledgers.clone(),
            cloud: Some(own.clone()),
            pins: pins.clone(),
            template: arguments.template.template.clone(),
            records: record::default_directory().filter(|_| arguments.keep),
            shared_records: None,
        };
        match once(arguments, &settings, signals, mask).await {
            Ok(one) => {
                exit = build_command::exit_of(&one.outcomes, one.came);
                built.push(one);
            }
            Err(failed) => exit = failed,
        }
        if exit != Exit::Done {
            break;
        }
    }
    cloud.stop().await;
    let images: Vec<_> = built.iter().flat_map(Built::images).map(str::to_owned).collect();
    if let ([first, second], Exit::Done) = (built.as_slice(), exit) {
        exit = tell(arguments, first, second, &store, &writers, mask);
    }
    if arguments.keep {
        return exit;
    }
    for id in images {
        if let Err(error) = store.remove_image(&id) {
            complain(&format!("error: image {id} is left behind: {error}"));
            exit = Exit::LeftBehind;
        }
    }
    exit
}

/// Builds all images of the template once.
async fn once(
    arguments: &ReproArguments,
    settings: &RunSettings,
    mut signals: Signals,
    mask: &Mask,
) -> Result<Built, Exit> {
    // Again for each build: what comes from a clock or a random source differs, as it would.
    let (inputs, first) = read(arguments, mask).map_err(|found| refused(&found, mask))?;
    let settled = tokio::select! {
        settled = inputs.look_up(first, settings.cloud.as_ref(), &settings.pins, mask) => settled,
        signal = signals.next() => return Err(build_command::interrupted(signal)),
    };
    let mut prepared = settled.map_err(|found| refused(&found, mask))?;
    if arguments.normalize {
        prepared.normalize().map_err(|found| refused(&found, mask))?;
    }
    let unsupported = prepared.unsupported();
    if unsupported.has_errors() {
        return Err(refused(&unsupported, mask));
    }
    // The build logs go where they are in nobody's way: what differs is the result.
    let log =
        Settings { colour: false, progress: outcome::errors_on_terminal(), timestamps: false };
    let plans = &prepared.plans;
    let work = async |events, cancel: &Cancel| build::run(plans, settings, events, cancel).await;
    let (outcomes, came) = told(work, signals, Some((std::io::stderr(), log)), mask).await;
    match outcomes {
        Ok(outcomes) => Ok(Built { plans: prepared.plans, outcomes, came }),
        Err(RunError::Template(found)) => Err(refused(&found, mask)),
        Err(error) => Err(failed(&error)),
    }
}

/// Compares the images of both builds and tells what differs.
fn tell(
    arguments: &ReproArguments,
    first: &Built,
    second: &Built,
    store: &Store,
    writers: &Writers,
    mask: &Mask,
) -> Exit {
    let mut comparisons = Vec::new();
    let outcomes = first.outcomes.iter().zip(&second.outcomes);
    for (plan, (first, second)) in first.plans.iter().zip(outcomes) {
        let (Some(first), Some(second)) = (image(first), image(second)) else {
            complain(&format!("{}: it makes no image, so there is nothing to compare", plan.name));
            continue;
        };
        match compare(plan, first, second, store, writers) {
            Ok(comparison) => comparisons.push(comparison),
            Err(error) => return failed(&error),
        }
    }
    if arguments.json {
        let text = serde_json::to_string_pretty(&comparisons).unwrap_or_default();
        print(&mask.apply(&format!("{text}\n")));
    } else {
        let text: String = comparisons.iter().map(Comparison::text).collect();
        print(&mask.apply(&text));
        if arguments.keep {
            let images: Vec<_> = first.images().chain(second.images()).collect();
            print(&format!("The images are kept: {}\n", images.join(", ")));
        }
        let mut told = comparisons.iter().flat_map(|one| &one.differences);
        if !arguments.normalize && told.any(|one| one.cause.is_removable()) {
            print(
                "What is known to differ from build to build is removed by `-normalize`, here and in `bake build`.\n",
            );
        }
    }
    match comparisons.iter().all(|one| one.identical) && !comparisons.is_empty() {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

/// Compares two images, each given by its id and its hash.
fn compare(
    plan: &Plan,
    first: (&str, &str),
    second: (&str, &str),
    store: &Store,
    writers: &Writers,
) -> Result<Comparison, MachineError> {
    let images = [captured(first.0, store)?, captured(second.0, store)?];
    let [a, b] = &images;
    let differences = differences(&a.tree, &b.tree);
    let told = differences.iter().map(|difference| {
        let writer =
            |image: &Captured, entry| writers.writer(&image.instance, difference.path, entry);
        // The later of both: a step that wrote it in one build only is why it differs.
        let writer = writer(a, difference.first).max(writer(b, difference.second));
        Ok(Told {
            path: format!("/{}", difference.path),
            what: difference.what(),
            cause: cause(difference, a, b, store)?,
            writer: By::of(writer, plan),
        })
    });
    let differences = told.collect::<Result<Vec<_>, MachineError>>()?;
    let digests = [a, b].map(|image| image.content.digest);
    Ok(Comparison {
        build: plan.name.clone(),
        identical: digests[0] == digests[1],
        images: [first.0, second.0].map(str::to_owned),
        image_hashes: [first.1, second.1].map(str::to_owned),
        content_digests: digests.map(|digest| digest.hex()),
        paths: a.tree.entries.len().max(b.tree.entries.len()),
        differences,
    })
}

/// An image in the store.
struct Captured {
    root: crate::sandbox::machine::RootFs,
    tree: content::FileTree,
    content: content::ImageContent,
    instance: String,
}

fn captured(id: &str, store: &Store) -> Result<Captured, MachineError> {
    let missing = || MachineError::NotFound { what: "image", name: id.to_owned() };
    let record = store.images()?.into_iter().find(|record| record.id == id).ok_or_else(missing)?;
    let root = record.root.clone();
    let image = Image::from_record(record)
        .map_err(|error| MachineError::Other(format!("the record of {id}: {error}")))?;
    let unlisted = || MachineError::Other(format!("what {id} holds was not recorded"));
    let tree = store.tree(&root)?.ok_or_else(unlisted)?;
    let content = image.content.ok_or_else(unlisted)?;
    Ok(Captured { root, tree, content, instance: image.source_instance_id.unwrap_or_default() })
}

/// Why a path differs: what it is known for, or else what its bytes show.
fn cause(
    difference: &Difference<'_>,
    first: &Captured,
    second: &Captured,
    store: &Store,
) -> Result<Cause, MachineError> {
    if let Some(cause) = of_path(difference.path) {
        return Ok(cause);
    }
    let read = |image: &Captured| store.read_file(&image.root, difference.path, LOOKED_AT);
    let bytes = read(first)?.zip(read(second)?);
    let of_bytes = bytes.filter(|(a, b)| a != b).and_then(|(a, b)| of_bytes(&a, &b));
    Ok(of_bytes.unwrap_or(Cause::Unknown))
}
