//! `bake hash`.

use serde_json::{Value as Json, json};

use crate::aws::OwnCloud;
use crate::build::{self, SourceSearch};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan::difference::render_differences;
use crate::plan::lock::Pins;
use crate::plan::{Plan, Record, difference};
use crate::render::Mask;
use crate::template::lookup::Answers;

use super::arguments::{HashArguments, SandboxBehaviour};
use super::inputs::Inputs;
use super::outcome::{complain, failed, print, refused, report};
use super::records::Records;
use super::{Exit, runtime, sandbox};

/// Prints the hash of each build: the hash alone when there is one, else a line for each with its
/// name. Unless that is asked for nothing is looked up: where a value would be, the template hash
/// covers how it comes about.
pub(super) fn run(arguments: &HashArguments, mask: &Mask) -> Exit {
    let found = match arguments.resolve {
        false => offline(arguments, mask),
        true => resolved(arguments, mask),
    };
    match found {
        Ok(records) => tell(arguments, &records, mask),
        Err(Failure::Found(found)) => refused(&found, mask),
        Err(Failure::Machine(error)) => failed(&*error),
    }
}

/// Why there are no hashes.
enum Failure {
    /// What is wrong with the template, or what others say to it.
    Found(Diagnostics),
    /// What this machine lacks.
    Machine(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::Found(found)
    }
}

/// A build's record, and whether its image may be known by its hash.
struct Build {
    record: Record,
    is_repeatable: bool,
}

fn offline(arguments: &HashArguments, mask: &Mask) -> Result<Vec<Build>, Failure> {
    let inputs = Inputs::read(&arguments.template, true, mask)?;
    let prepared = inputs.offline("the hash cannot be known", mask)?;
    let template = &arguments.template.template;
    let builds = prepared.plans.iter().map(|plan| Build {
        record: Record::of(plan, inputs.directory(), template),
        is_repeatable: plan.is_repeatable(),
    });
    Ok(builds.collect())
}

/// Looks everything up; makes nothing.
fn resolved(arguments: &HashArguments, mask: &Mask) -> Result<Vec<Build>, Failure> {
    let inputs = Inputs::read(&arguments.template, true, mask)?;
    let looking_up = async {
        if !arguments.sandbox {
            return look_up(arguments, &inputs, None, mask).await;
        }
        let started = sandbox::start_own(&SandboxBehaviour::default()).await;
        let (cloud, own) = started.map_err(Failure::Machine)?;
        let found = look_up(arguments, &inputs, Some(own), mask).await;
        cloud.stop().await;
        found
    };
    runtime::block_on(looking_up).map_err(|error| Failure::Machine(error.into()))?
}

async fn look_up(
    arguments: &HashArguments,
    inputs: &Inputs,
    cloud: Option<OwnCloud>,
    mask: &Mask,
) -> Result<Vec<Build>, Failure> {
    let template = &arguments.template.template;
    let pins = Pins::of_template(template, arguments.locked, arguments.sandbox)?;
    let first = inputs.evaluate(&Answers::default(), mask);
    let prepared = inputs.look_up(first, cloud.as_ref(), &pins, mask).await?;
    report(&prepared.warnings, mask);
    let directory = inputs.directory();
    let resolving = prepared.plans.iter().map(async |plan| {
        let Some(search) = SourceSearch::of(plan, directory, cloud.as_ref())? else {
            return Err(no_image_hash(plan).into());
        };
        let source = search.find(&pins).await?;
        let record = build::record(plan, &source, directory, template);
        Ok::<_, Diagnostics>(Build { record, is_repeatable: plan.is_repeatable() })
    });
    let mut builds = Vec::new();
    let mut wrong = Diagnostics::new();
    for found in futures::future::join_all(resolving).await {
        builds.extend(wrong.take(found));
    }
    if wrong.has_errors() { Err(wrong.into()) } else { Ok(builds) }
}

fn no_image_hash(plan: &Plan) -> Diagnostic {
    let component = &plan.builder.component;
    let text = format!("images of the builder `{}` have no hash", component.kind);
    Diagnostic::error("no-image-hash", text)
        .at(&component.owner, "")
        .help("leave the build out with -except, or leave out -resolve for its template hash")
}

fn tell(arguments: &HashArguments, builds: &[Build], mask: &Mask) -> Exit {
    let text = if arguments.json {
        let all: Vec<_> = builds.iter().map(|build| json(build, arguments.explain)).collect();
        format!("{:#}\n", Json::Array(all))
    } else if arguments.explain {
        builds.iter().map(explanation).collect()
    } else if let [build] = builds {
        format!("{}\n", hash(&build.record))
    } else {
        let line = |one: &Build| format!("{}  {}\n", hash(&one.record), one.record.build());
        builds.iter().map(line).collect()
    };
    print(&mask.apply(&text));
    match &arguments.check {
        Some(expected) => check(expected, builds, &Records::new(&arguments.records, None), mask),
        None => Exit::Done,
    }
}

/// The image hash, or else the template hash.
fn hash(record: &Record) -> &str {
    record.image_hash().unwrap_or_else(|| record.template_hash())
}

fn json(build: &Build, explain: bool) -> Json {
    let record = &build.record;
    let mut form = json!({
        "build": record.build(),
        "template_hash": record.template_hash(),
        "image_hash": record.image_hash(),
        "repeatable": build.is_repeatable,
    });
    if explain {
        form["inputs"] = json!(record.inputs());
    }
    form
}

/// The hash and what it is taken over.
fn explanation(build: &Build) -> String {
    let record = &build.record;
    let what = if record.image_hash().is_some() { "image hash" } else { "template hash" };
    let mut text = format!("{}  {} ({what})\n", hash(record), record.build());
    for one in record.inputs() {
        text += &format!("{}    {}\n", one.digest, one.input);
    }
    text
}

/// Whether a build has the hash that is expected; if not, what differs from what that was taken
/// over, where there is a record of it.
fn check(expected: &str, builds: &[Build], records: &Records, mask: &Mask) -> Exit {
    let has = |record: &Record| {
        let (template, image) = record.hashes();
        image.into_iter().chain([template]).any(|hash| hash.starts_with(expected))
    };
    if builds.iter().any(|build| has(&build.record)) {
        return Exit::Done;
    }
    complain(&format!("error: no build has the hash {expected}"));
    let known = match records.find(expected) {
        Ok(known) => known,
        Err(error) => {
            complain(&format!("  = note: {error}"));
            return Exit::Failed;
        }
    };
    let pair = known.iter().find_map(|old| {
        let same = builds.iter().find(|one| one.record.build() == old.build());
        Some((old, same.or_else(|| builds.first().filter(|_| builds.len() == 1))?))
    });
    match pair {
        Some((old, new)) => {
            if old.template_hash() == new.record.template_hash()
                && new.record.image_hash().is_none()
            {
                complain(
                    "  = note: it is the image hash of an image that was made of this recipe; which source image that would start from today was not looked up",
                );
                complain("  = help: with -resolve, image hashes are compared");
            }
            print(&mask.apply(&render_differences(&difference(old, &new.record))));
        }
        None => {
            let places = records.places(None);
            complain(&format!(
                "  = note: there is no record of it in {places}, so it cannot be told what differs"
            ));
        }
    }
    Exit::Failed
}
