//! `bake gc`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::build::gc::{self, Finding, NotForgotten, Outcome, Regions, Report};
use crate::build::{Cancel, Clock, kind_name, ledger};
use crate::render::{Mask, short};

use super::arguments::GcArguments;
use super::clouds::Reachable;
use super::outcome::{complain, failed, plain_log, print, print_row};
use super::signals::Signals;
use super::table::table;
use super::told::told;
use super::{Exit, runtime};

/// Removes what dead runs left, or lists it.
pub(super) fn run(arguments: &GcArguments, mask: &Mask) -> Exit {
    let Some(ledgers) = ledger::default_directory() else {
        complain("error: there is no place for ledgers: set HOME or XDG_STATE_HOME");
        return Exit::Failed;
    };
    if let Some(run) = &arguments.forget {
        return forget(&ledgers, run, arguments, mask);
    }
    let run = match arguments.run.as_deref().map(|id| whole_id(&ledgers, id)).transpose() {
        Ok(run) => run,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let settings = gc::Settings {
        ledgers,
        run,
        older_than: arguments.older_than,
        dry_run: arguments.dry_run,
        regions: match (arguments.all_regions, arguments.regions.as_slice()) {
            (true, _) => Regions::All,
            (false, []) => Regions::Configured,
            (false, regions) => Regions::These(regions.to_vec()),
        },
    };
    let clouds = Reachable::new(arguments.sandbox);
    let collected = runtime::block_on(async {
        let collected = collect(&settings, &clouds, !arguments.json, mask).await;
        clouds.close().await;
        collected
    });
    let collected = match collected {
        Ok(collected) => collected,
        Err(error) => return failed(&error),
    };
    match collected {
        Ok(report) => tell(&report, arguments, mask),
        Err(error) => {
            let directory = settings.ledgers.display();
            complain(&format!("error: the ledgers in `{directory}` cannot be listed: {error}"));
            Exit::Failed
        }
    }
}

/// Gives up on what a dead run left.
fn forget(ledgers: &Path, run: &str, arguments: &GcArguments, mask: &Mask) -> Exit {
    let clock = Clock::system();
    let forgetting = gc::forget(ledgers, run, arguments.dry_run, &clock);
    let forgotten = match runtime::block_on(forgetting) {
        Ok(forgotten) => forgotten,
        Err(error) => return failed(&error),
    };
    match forgotten {
        Ok(report) => {
            tell(&report, arguments, mask);
            Exit::Done
        }
        Err(error) => {
            complain(&format!("error: {error}"));
            for help in forgetting_hints(&error, ledgers) {
                complain(&format!("  = help: {help}"));
            }
            Exit::Failed
        }
    }
}

fn forgetting_hints(error: &NotForgotten, ledgers: &Path) -> Vec<String> {
    match error {
        NotForgotten::Unknown { begun, .. } => match begun.as_slice() {
            [] => {
                vec![format!("the ledgers are in `{}`; `bake runs` lists them", ledgers.display())]
            }
            all => vec![format!("-forget takes the whole id: {}", all.join(", "))],
        },
        NotForgotten::NotDead { .. } => {
            vec!["only what a dead run left can be given up on".to_owned()]
        }
        NotForgotten::Unreadable { .. } | NotForgotten::Io { .. } => Vec::new(),
    }
}

/// The id of the run that begins so; what no ledger here knows may be a run of another machine.
fn whole_id(ledgers: &Path, id: &str) -> Result<String, String> {
    let all = ledger::list(ledgers, &Clock::system()).unwrap_or_default();
    match ledger::find(&all, id) {
        Ok(found) => Ok(found.run.clone()),
        Err(ids) if ids.is_empty() => Ok(id.to_owned()),
        Err(ids) => Err(format!("`{id}` begins the ids of several runs: {}", ids.join(", "))),
    }
}

/// Collects, and tells what is being done as a build does.
pub(super) async fn collect(
    settings: &gc::Settings,
    clouds: &Reachable,
    aloud: bool,
    mask: &Mask,
) -> std::io::Result<Report> {
    let signals = Signals::take()?;
    let clock = Clock::system();
    let work = async |events, cancel: &Cancel| {
        gc::collect(settings, clouds, &events, cancel.stop(), &clock).await
    };
    let log = plain_log().filter(|_| aloud);
    told(work, signals, log, mask).await.0
}

fn tell(report: &Report, arguments: &GcArguments, mask: &Mask) -> Exit {
    for note in &report.notes {
        complain(&mask.apply(&format!("note: {note}")));
    }
    for problem in &report.problems {
        complain(&mask.apply(&format!("error: {problem}")));
    }
    if arguments.json {
        let left: Vec<_> = report.left().collect();
        let document = json!({
            "left": left,
            "removed": report.removed().collect::<Vec<_>>(),
            "forgotten": report.forgotten().collect::<Vec<_>>(),
            "skipped": report.skipped,
            "problems": report.problems,
            "notes": report.notes,
        });
        print(&mask.apply(&format!("{document:#}\n")));
    } else {
        let text = match &arguments.forget {
            Some(run) => forgotten_text(report, run, arguments.dry_run, Timestamp::now()),
            None => text(report, arguments.dry_run, Timestamp::now()),
        };
        print(&mask.apply(&text));
    }
    for one in report.left() {
        left_row(one);
    }
    exit_of(report)
}

/// What the process ends with.
pub(super) fn exit_of(report: &Report) -> Exit {
    if report.left().next().is_some() {
        Exit::LeftBehind
    } else if report.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

fn left_row(one: &Finding) {
    let kind = serde_json::to_value(one.kind).unwrap_or_default();
    let error = match &one.outcome {
        Outcome::Left { error } | Outcome::Unreached { error } => error.as_str(),
        _ => "",
    };
    let kind = kind.as_str().unwrap_or_default();
    print_row("left-behind", &[&one.run, &one.region, kind, &one.id, error]);
}

/// What people read.
pub(super) fn text(report: &Report, dry_run: bool, now: Timestamp) -> String {
    let mut text = String::new();
    for one in &report.skipped {
        text += &format!("Passed over run {}: {}\n", one.run, one.why);
    }
    let left: Vec<_> = report.left().collect();
    if !left.is_empty() {
        let mut rows = vec![["WHAT", "ID", "REGION", "AGE", "RUN", "WHY"].map(str::to_owned)];
        rows.extend(left.iter().map(|one| row(one, now)));
        text += if dry_run { "These would be removed:\n" } else { "These are left:\n" };
        text += &table(&rows);
    }
    let removed = report.removed().count();
    // Of what was passed over, something may be.
    let nothing = if report.skipped.is_empty() { "Nothing" } else { "Nothing else" };
    text += &match (dry_run, left.len(), removed) {
        (false, 0, 0) | (true, 0, _) if report.problems.is_empty() => {
            format!("{nothing} is left of dead runs.\n")
        }
        (false, 0, 0) | (true, 0, _) => {
            "Nothing was found where it was possible to look.\n".to_owned()
        }
        (true, count, _) => format!("{count} in all. `bake gc` without -dry-run removes them.\n"),
        (false, 0, count) => format!("Removed {count}. {nothing} is left of dead runs.\n"),
        (false, left, removed) => {
            format!("Removed {removed}, {left} are left. `bake gc` tries again.\n")
        }
    };
    let unreached = |one: &&&Finding| matches!(one.outcome, Outcome::Unreached { .. });
    let runs: BTreeSet<_> = left.iter().filter(unreached).map(|one| &one.run).collect();
    for run in runs {
        text +=
            &format!("If nobody can get there any more, `bake gc -forget {run}` gives up on it.\n");
    }
    text
}

/// What people read of a run that was forgotten.
fn forgotten_text(report: &Report, run: &str, dry_run: bool, now: Timestamp) -> String {
    let forgotten: Vec<_> = report.forgotten().collect();
    let mut text = String::new();
    if !forgotten.is_empty() {
        let mut rows = vec![["WHAT", "ID", "REGION", "AGE", "RUN", "WHY"].map(str::to_owned)];
        rows.extend(forgotten.iter().map(|one| row(one, now)));
        text += "It is not known whether this is still there, and costs money:\n";
        text += &table(&rows);
    }
    text += &match (dry_run, forgotten.len()) {
        (true, count) => {
            format!("{count} in all. `bake gc -forget {run}` without -dry-run gives up on it.\n")
        }
        // A note has said why.
        (false, 0) if !report.notes.is_empty() => String::new(),
        (false, 0) => format!("The ledger of run {run} named nothing, and is closed.\n"),
        (false, count) => format!(
            "Gave up on {count}. The ledger of run {run} is closed; only the tags of what is still there tell of it now.\n"
        ),
    };
    text
}

fn row(one: &Finding, now: Timestamp) -> [String; 6] {
    let age = one.since.map(|since| Duration::try_from(now.duration_since(since)));
    let age = age.map_or("-".to_owned(), |age| short(age.unwrap_or_default()));
    let why = match &one.outcome {
        Outcome::Left { error } | Outcome::Unreached { error } => error.clone(),
        _ => one.why.clone(),
    };
    let place = one
        .endpoint
        .as_ref()
        .map_or_else(|| one.region.clone(), |endpoint| format!("{} at {endpoint}", one.region));
    [kind_name(one.kind).to_owned(), one.id.clone(), place, age, one.run.clone(), why]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::gc::Skipped;
    use crate::event::ResourceKind;

    fn report(outcome: Outcome) -> Report {
        let one = |kind, id: &str, outcome| Finding {
            kind,
            id: id.to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            run: "0199a".to_owned(),
            since: "2026-01-01T00:00:00Z".parse().ok(),
            why: "its run died (process 7)".to_owned(),
            outcome,
        };
        Report {
            findings: vec![
                one(ResourceKind::Instance, "i-1", outcome),
                one(ResourceKind::KeyPair, "packer_1", Outcome::Removed),
            ],
            skipped: vec![Skipped {
                run: "0199b".to_owned(),
                why: "it is under way (process 9)".to_owned(),
            }],
            ..Report::default()
        }
    }

    fn now() -> Timestamp {
        "2026-01-01T02:03:04Z".parse().expect("a time")
    }

    #[test]
    fn what_is_left_is_a_table_with_reasons() {
        let left = report(Outcome::Left { error: "UnauthorizedOperation".to_owned() });
        insta::assert_snapshot!(text(&left, false, now()), @r"
        Passed over run 0199b: it is under way (process 9)
        These are left:
        WHAT      ID   REGION     AGE    RUN    WHY
        instance  i-1  eu-west-1  2h03m  0199a  UnauthorizedOperation
        Removed 1, 1 are left. `bake gc` tries again.
        ");
        assert_eq!(exit_of(&left), Exit::LeftBehind);
        let mut found = report(Outcome::Found);
        found.findings.pop();
        insta::assert_snapshot!(text(&found, true, now()), @r"
        Passed over run 0199b: it is under way (process 9)
        These would be removed:
        WHAT      ID   REGION     AGE    RUN    WHY
        instance  i-1  eu-west-1  2h03m  0199a  its run died (process 7)
        1 in all. `bake gc` without -dry-run removes them.
        ");
        assert_eq!(exit_of(&found), Exit::LeftBehind);
    }

    #[test]
    fn what_is_where_nobody_gets_is_left_and_can_be_given_up_on() {
        let error = "nothing listens at http://127.0.0.1:4000 any more".to_owned();
        let mut unreached = report(Outcome::Unreached { error });
        unreached.findings.pop();
        unreached.findings[0].endpoint = Some("http://127.0.0.1:4000".to_owned());
        unreached.skipped.clear();
        insta::assert_snapshot!(text(&unreached, false, now()), @r"
        These are left:
        WHAT      ID   REGION                              AGE    RUN    WHY
        instance  i-1  eu-west-1 at http://127.0.0.1:4000  2h03m  0199a  nothing listens at http://127.0.0.1:4000 any more
        Removed 0, 1 are left. `bake gc` tries again.
        If nobody can get there any more, `bake gc -forget 0199a` gives up on it.
        ");
        assert_eq!(exit_of(&unreached), Exit::LeftBehind);
        let mut forgotten = unreached;
        forgotten.findings[0].outcome = Outcome::Forgotten;
        insta::assert_snapshot!(forgotten_text(&forgotten, "0199a", true, now()), @r"
        It is not known whether this is still there, and costs money:
        WHAT      ID   REGION                              AGE    RUN    WHY
        instance  i-1  eu-west-1 at http://127.0.0.1:4000  2h03m  0199a  its run died (process 7)
        1 in all. `bake gc -forget 0199a` without -dry-run gives up on it.
        ");
        insta::assert_snapshot!(forgotten_text(&forgotten, "0199a", false, now()), @r"
        It is not known whether this is still there, and costs money:
        WHAT      ID   REGION                              AGE    RUN    WHY
        instance  i-1  eu-west-1 at http://127.0.0.1:4000  2h03m  0199a  its run died (process 7)
        Gave up on 1. The ledger of run 0199a is closed; only the tags of what is still there tell of it now.
        ");
        assert_eq!(exit_of(&forgotten), Exit::Done);
        let text = forgotten_text(&Report::default(), "0199a", false, now());
        assert_eq!(text, "The ledger of run 0199a named nothing, and is closed.\n");
    }

    #[test]
    fn what_could_not_be_looked_at_is_no_clean_end() {
        let removed = report(Outcome::Removed);
        assert_eq!(exit_of(&removed), Exit::Done);
        assert!(
            text(&removed, false, now())
                .ends_with("Removed 2. Nothing else is left of dead runs.\n")
        );
        let unclear = Report { problems: vec!["denied".to_owned()], ..Report::default() };
        assert_eq!(exit_of(&unclear), Exit::Failed);
        assert_eq!(
            text(&unclear, true, now()),
            "Nothing was found where it was possible to look.\n"
        );
    }
}
