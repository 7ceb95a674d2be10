//! Two sides, and what is between them.

use serde_json::json;

use crate::plan::Record;
use crate::plan::difference::render_differences;
use crate::render::Mask;

use super::compare::{Comparison, Verdict, compare};
use super::side::{Failure, Side};
use crate::cli::Exit;
use crate::cli::arguments::WhyArguments;
use crate::cli::outcome::{complain, print, report};

/// Says what differs: 0 nothing, 1 something, 2 that it cannot be compared.
pub(in crate::cli) fn run(arguments: &WhyArguments, mask: &Mask) -> Exit {
    let sides = Side::of(&arguments.old, arguments, mask)
        .and_then(|old| Ok((old, Side::of(&arguments.new, arguments, mask)?)));
    let compared = sides.and_then(|(old, new)| compare(old, new).map_err(Failure::Said));
    let comparisons = match compared {
        Ok(comparisons) => comparisons,
        Err(failure) => {
            match failure {
                Failure::Found(found) => report(&found, mask),
                Failure::Said(text) => complain(&mask.apply(&format!("error: {text}"))),
            }
            return Exit::Usage;
        }
    };
    let text = if arguments.json { json(&comparisons) } else { text(&comparisons) };
    print(&mask.apply(&text));
    match comparisons.iter().all(|one| one.verdict() == Verdict::Same) {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

/// For people: each build that differs.
pub(super) fn text(comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    for one in comparisons {
        let name = &one.build;
        text += &match one.verdict() {
            Verdict::Same => format!("{name}: nothing differs\n"),
            Verdict::OnlyOld => format!("{name}: only in the first\n"),
            Verdict::OnlyNew => format!("{name}: only in the second; its image would be built\n"),
            Verdict::SameImage => {
                format!("{name}: the image is the same, the template is another\n")
            }
            Verdict::Different => match one.differences.len() {
                1 => format!("{name}: 1 input differs; the image would be built again\n"),
                count => format!("{name}: {count} inputs differ; the image would be built again\n"),
            },
        };
        text += &render_differences(&one.differences);
    }
    if comparisons.iter().any(|one| !one.knows_source_images()) {
        text += "(Nothing was looked up: source images and look-ups are compared as the templates ask for them.)\n";
    }
    text
}

fn json(comparisons: &[Comparison]) -> String {
    let hashes = |record: &Option<Record>| {
        record.as_ref().map(
            |one| json!({ "template_hash": one.template_hash(), "image_hash": one.image_hash() }),
        )
    };
    let builds: Vec<_> = comparisons
        .iter()
        .map(|one| {
            let verdict = one.verdict();
            json!({
                "build": one.build,
                "same": verdict == Verdict::Same,
                "rebuilds": matches!(verdict, Verdict::Different | Verdict::OnlyNew),
                "source_images_compared": one.knows_source_images(),
                "old": hashes(&one.old),
                "new": hashes(&one.new),
                "differences": one.differences,
            })
        })
        .collect();
    let same = comparisons.iter().all(|one| one.verdict() == Verdict::Same);
    format!("{:#}\n", json!({ "same": same, "builds": builds }))
}
