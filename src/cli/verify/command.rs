//! The command: the checks, one after another.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::build::builder::amazon_ebs::SELECTORS;
use crate::cli::arguments::{TemplateArguments, VerifyArguments};
use crate::cli::inputs::Inputs;
use crate::cli::outcome::{complain, failed, print, report};
use crate::cli::records::Records;
use crate::cli::{Exit, runtime};
use crate::diagnostic::Diagnostics;
use crate::plan::identity::image_hash;
use crate::plan::{Plan, Record};
use crate::provision::normalize;
use crate::render::Mask;
use crate::sandbox::machine::MachineError;
use crate::sandbox::store::ContentFinding;
use crate::template::lookup::Answers;

use super::claim::{Claim, Kept, find};
use super::finding::{Check, Finding, Outcome, Verdict};

/// Looks at an image and says what fits and what does not.
pub(in crate::cli) fn run(arguments: &VerifyArguments, mask: &Mask) -> Exit {
    runtime::run(async {
        let claim = match find(arguments).await {
            Ok(Some(claim)) => claim,
            Ok(None) => {
                complain(&format!("error: there is no image `{}`", arguments.image));
                return Exit::Failed;
            }
            Err(error) => return failed(&*error),
        };
        let findings = match check(&claim, arguments, mask).await {
            Ok(findings) => findings,
            Err(error) => return failed(&error),
        };
        let verdict = Verdict::new(&arguments.image, &claim.name, &claim.place, findings);
        let text = match arguments.json {
            true => serde_json::to_string_pretty(&verdict).unwrap_or_default() + "\n",
            false => verdict.text(),
        };
        print(&mask.apply(&text));
        if verdict.fits { Exit::Done } else { Exit::Failed }
    })
}

async fn check(
    claim: &Claim,
    arguments: &VerifyArguments,
    mask: &Mask,
) -> Result<Vec<Finding>, MachineError> {
    let (hash, finding) = claim.hash();
    let mut findings = vec![finding];
    if let Some(hash) = hash {
        let records = Records::new(&arguments.records, arguments.region.as_deref());
        let (record, finding) = of_record(hash, claim, &records).await;
        findings.push(finding);
        findings.push(of_template(hash, claim, record, arguments, mask).await);
    }
    match &claim.kept {
        Some(kept) => findings.extend(of_content(kept)?),
        None => findings.push(Finding::new(
            Check::Content,
            Outcome::Unknown,
            "the files of an image can be seen in the sandbox only",
        )),
    }
    Ok(findings)
}

/// Whether the claim fits what was recorded.
async fn of_record(hash: &str, claim: &Claim, records: &Records) -> (Option<Record>, Finding) {
    let finding = |outcome, text: String| Finding::new(Check::Record, outcome, text);
    let tag = claim.records.as_deref();
    let record = match records.load(hash, tag).await {
        Ok(Some(record)) => record,
        Ok(None) => {
            let text = format!("no plan of this hash is recorded in {}", records.places(tag));
            return (None, finding(Outcome::Unknown, text));
        }
        Err(failure) => {
            let outcome = if failure.is_garbled() { Outcome::Differs } else { Outcome::Unknown };
            return (None, finding(outcome, failure.to_string()));
        }
    };
    let source = source_image(&record);
    let source = source.and_then(|one| one.get("id")?.as_str()).unwrap_or_default();
    let told = match &claim.source_image {
        Some(made_of) if made_of != source => {
            let text = format!(
                "the recorded plan starts from {source}, and the image was made from {made_of}"
            );
            finding(Outcome::Differs, text)
        }
        _ => {
            let text = format!("the recorded plan of {} gives this hash", record.build());
            finding(Outcome::Fits, text)
        }
    };
    (Some(record), told)
}

/// The source image that a record has.
fn source_image(record: &Record) -> Option<&Json> {
    record.image_recipe()?.get("source_image")
}

/// Whether the template that is given, or recorded, still makes the hash.
async fn of_template(
    hash: &str,
    claim: &Claim,
    record: Option<Record>,
    arguments: &VerifyArguments,
    mask: &Mask,
) -> Finding {
    let finding = |outcome, text: String| Finding::new(Check::Template, outcome, text);
    let recorded = record.as_ref().map(Record::template).filter(|path| path.exists());
    let Some(template) = arguments.template.as_deref().or(recorded) else {
        let text = match &record {
            Some(record) => format!("{} is not there any more", record.template().display()),
            None => "no template is given, and none is recorded".to_owned(),
        };
        return finding(Outcome::Unknown, text);
    };
    let named = template.display();
    let found = record.as_ref().and_then(source_image).cloned().or_else(|| {
        let id = claim.source_image.as_ref()?;
        Some(json!({ "id": id, "architecture": claim.architecture }))
    });
    let Some(source_image) = found else {
        let text = format!("which source image {named} would start from is not known");
        return finding(Outcome::Unknown, text);
    };
    let plans = match plans(template, claim, arguments, mask).await {
        Ok(Some(plans)) => plans,
        Ok(None) => {
            let text = format!("{named} needs look-ups, and those of the sandbox are not running");
            return finding(Outcome::Unknown, text);
        }
        Err(found) => {
            report(&found, mask);
            return finding(Outcome::Differs, format!("{named} cannot be evaluated"));
        }
    };
    judge(hash, claim, &plans, &source_image, &named.to_string())
}

/// Looks for the hash among those that the plans make, as they are and normalised.
fn judge(
    hash: &str,
    claim: &Claim,
    plans: &[Plan],
    source_image: &Json,
    template: &str,
) -> Finding {
    let finding = |outcome, text: String| Finding::new(Check::Template, outcome, text);
    let hash_of = |plan: &Plan| image_hash(plan, SELECTORS, source_image).hex();
    for plan in plans {
        if hash_of(plan) == hash {
            return finding(Outcome::Fits, format!("{template} still makes it ({})", plan.name));
        }
        let mut normalized = plan.clone();
        if normalize::add(&mut normalized).is_ok() && hash_of(&normalized) == hash {
            let text = format!("{template} still makes it with `-normalize` ({})", plan.name);
            return finding(Outcome::Fits, text);
        }
    }
    let named = plans.iter().find(|plan| claim.build.as_ref() == Some(&plan.name));
    match named.or(match plans {
        [only] => Some(only),
        _ => None,
    }) {
        Some(plan) if !plan.is_repeatable() => finding(
            Outcome::Unknown,
            format!("what {template} makes changes with every run ({})", plan.name),
        ),
        Some(plan) => finding(
            Outcome::Differs,
            format!("{template} makes {} now ({})", hash_of(plan), plan.name),
        ),
        None => finding(Outcome::Differs, format!("no build of {template} makes it")),
    }
}

/// The plans of a template; `None` when that takes look-ups which cannot be made.
async fn plans(
    template: &Path,
    claim: &Claim,
    arguments: &VerifyArguments,
    mask: &Mask,
) -> Result<Option<Vec<Plan>>, Diagnostics> {
    let arguments = TemplateArguments::of(template.to_owned(), arguments.values.clone());
    let inputs = Inputs::read(&arguments, false, mask)?;
    let first = inputs.evaluate(&Answers::default(), mask);
    if first.is_final() {
        return first.result.map(|prepared| Some(prepared.plans));
    }
    if claim.kept.is_some() {
        return Ok(None);
    }
    let settled = inputs.settle(first, &inputs.resolver(None), mask).await;
    settled.map(|prepared| Some(prepared.plans))
}

/// Whether the files are those that were captured.
fn of_content(kept: &Kept) -> Result<Vec<Finding>, MachineError> {
    let finding = |outcome, text: String| Finding::new(Check::Content, outcome, text);
    let Some(content) = &kept.content else {
        let text = "what it holds was not recorded when it was captured".to_owned();
        return Ok(vec![finding(Outcome::Unknown, text)]);
    };
    let mut findings = Vec::new();
    let digest = content.digest.hex();
    if kept.tag.as_ref().is_some_and(|tag| *tag != digest) {
        let text = format!("its tag does not say {digest}, as was recorded");
        findings.push(finding(Outcome::Differs, text));
    }
    for found in kept.store.check_content(&kept.root, content)? {
        findings.push(match found {
            ContentFinding::Path { path, what } => {
                Finding { path: Some(format!("/{path}")), ..finding(Outcome::Differs, what) }
            }
            ContentFinding::Changed { what } => finding(Outcome::Differs, what),
            ContentFinding::Unknown { what } => finding(Outcome::Unknown, what),
        });
    }
    if findings.iter().all(|one| one.outcome != Outcome::Differs) {
        let text = format!("its layers are those that were captured, content digest {digest}");
        findings.push(finding(Outcome::Fits, text));
    }
    Ok(findings)
}
