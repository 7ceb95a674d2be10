//! Gives up on what a dead run left where nobody can look any more.

use std::io;
use std::path::Path;

use super::recorded::{finding, name_of};
use super::report::{Outcome, Report};
use crate::build::Clock;
use crate::build::ledger::{self, Claimed, RunState};

/// Why a run is not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum NotForgotten {
    /// There is no ledger of that name. Others begin so.
    #[error("there is no run `{run}`")]
    Unknown {
        /// What was asked for.
        run: String,
        /// Ids that begin so.
        begun: Vec<String>,
    },
    /// It may go on, and remove what it made.
    #[error("run `{run}` is not dead: {why}")]
    NotDead {
        /// The run.
        run: String,
        /// What is known of it.
        why: String,
    },
    /// Nothing is known of what it left.
    #[error("the ledger of run `{run}` is left alone: {why}")]
    Unreadable {
        /// The run.
        run: String,
        /// Why.
        why: String,
    },
    /// Its ledger, or that of any, cannot be read or written.
    #[error("the ledger of run `{run}` cannot be read or closed: {error}")]
    Io {
        /// The run.
        run: String,
        /// Why.
        error: io::Error,
    },
}

/// Closes the ledger of the dead run with this very id, so that what it names is not looked for any
/// more; that is what the report tells. What has the tags of the run is still found by them. A dry
/// run changes nothing, and tells the same.
///
/// # Errors
/// When there is no such run, it is not certainly dead, or its ledger cannot be read or written.
pub async fn forget(
    ledgers: &Path,
    run: &str,
    dry_run: bool,
    clock: &Clock,
) -> Result<Report, NotForgotten> {
    let failed = |error| NotForgotten::Io { run: run.to_owned(), error };
    let not_dead = |why: String| NotForgotten::NotDead { run: run.to_owned(), why };
    let all = ledger::list(ledgers, clock).map_err(failed)?;
    let Some(listed) = all.iter().find(|one| one.run == run) else {
        let begun = all.iter().filter(|one| !run.is_empty() && one.run.starts_with(run));
        let begun = begun.map(|one| one.run.clone()).collect();
        return Err(NotForgotten::Unknown { run: run.to_owned(), begun });
    };
    let (claimed, reading) = match &listed.state {
        RunState::Done(_) => {
            let note = format!("the ledger of run {run} is closed already");
            return Ok(Report { notes: vec![note], ..Report::default() });
        }
        RunState::Alive(reading) => {
            let process = reading.pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            return Err(not_dead(format!("it is under way{process}")));
        }
        RunState::Elsewhere { until, .. } => {
            let why = format!("it may be under way on another machine until {until}");
            return Err(not_dead(why));
        }
        RunState::Unreadable(why) => {
            return Err(NotForgotten::Unreadable { run: run.to_owned(), why: why.clone() });
        }
        RunState::Dead(reading) if dry_run => (None, (**reading).clone()),
        RunState::Dead(_) => match ledger::claim(listed, clock).map_err(failed)? {
            Some(Claimed { ledger, reading }) => (Some(ledger), reading),
            None => return Err(not_dead("another bake works on its ledger".to_owned())),
        },
    };
    let mut report = Report::default();
    for one in &reading.leftovers {
        let what = (one.intent.kind, name_of(one));
        let forgotten = finding(run, &reading, &one.intent.place(), what, Outcome::Forgotten);
        report.findings.push(forgotten);
    }
    if !reading.broken.is_empty() {
        let count = reading.broken.len();
        let note = format!(
            "lines of its ledger that cannot be read: {count}; what they were about is not known"
        );
        report.notes.push(note);
    }
    if let Some(ledger) = claimed {
        for one in &reading.leftovers {
            ledger.forgotten(one.entry).await.map_err(failed)?;
        }
        ledger.close().await.map_err(failed)?;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::build::ledger::Ledger;

    const LEFT: &str = "{\"event\":\"intent\",\"entry\":1,\"at\":\"2026-01-01T00:00:01Z\",\"kind\":\"instance\",\"name\":\"token\",\"build\":\"b\",\"region\":\"eu-west-1\",\"endpoint\":\"http://127.0.0.1:1\"}\n{\"event\":\"created\",\"entry\":1,\"id\":\"i-1\"}\n{\"event\":\"intent\",\"entry\":2,\"at\":\"2026-01-01T00:00:02Z\",\"kind\":\"key-pair\",\"name\":\"k\",\"build\":\"b\",\"region\":\"eu-west-1\"}\n";

    fn dead(directory: &Path, run: &str, version: u32) {
        let opened = format!(
            "{{\"event\":\"opened\",\"version\":{version},\"run\":\"{run}\",\"at\":\"2026-01-01T00:00:00Z\",\"pid\":4000000000}}\n"
        );
        fs::write(directory.join(format!("{run}.jsonl")), opened + LEFT).expect("is written");
    }

    fn ids(report: &Report) -> Vec<&str> {
        report.forgotten().map(|one| one.id.as_str()).collect()
    }

    #[tokio::test]
    async fn the_ledger_of_a_dead_run_is_closed_and_says_what_was_given_up_on() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (path, clock) = (directory.path(), Clock::system());
        dead(path, "r1", 2);
        dead(path, "r2", 2);
        let before = fs::read(path.join("r1.jsonl")).expect("is there");
        let dry = forget(path, "r1", true, &clock).await.expect("is dead");
        assert_eq!(ids(&dry), ["i-1", "k"]);
        assert_eq!(fs::read(path.join("r1.jsonl")).expect("is there"), before);

        let report = forget(path, "r1", false, &clock).await.expect("is dead");
        assert_eq!(report, dry);
        assert_eq!(report.left().count(), 0);
        assert_eq!(report.findings[0].endpoint.as_deref(), Some("http://127.0.0.1:1"));
        let all = ledger::list(path, &clock).expect("is read");
        let one = ledger::find(&all, "r1").expect("is there");
        let RunState::Done(reading) = &one.state else { panic!("{one:?}") };
        assert_eq!((reading.leftovers.len(), reading.forgotten.len()), (0, 2));
        assert!(path.join("r2.jsonl").exists(), "the other one stays");

        let again = forget(path, "r1", false, &clock).await.expect("is closed");
        assert_eq!((again.findings.len(), again.notes.len()), (0, 1));
    }

    #[tokio::test]
    async fn nothing_but_a_dead_run_is_forgotten() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (path, clock) = (directory.path(), Clock::system());
        let _alive = Ledger::open(path, "alive", clock.clone()).expect("opens");
        dead(path, "newer", 9);
        dead(path, "dead", 2);
        let refusal = async |run: &str| {
            let error = forget(path, run, false, &clock).await.expect_err("is refused");
            error.to_string()
        };
        let under_way = refusal("alive").await;
        assert!(
            under_way.starts_with("run `alive` is not dead: it is under way (pro"),
            "{under_way}"
        );
        assert!(refusal("newer").await.contains("version 9"));
        // Another collection has it.
        let all = ledger::list(path, &clock).expect("is read");
        let listed = ledger::find(&all, "dead").expect("is there");
        let claimed = ledger::claim(listed, &clock).expect("is read");
        assert!(refusal("dead").await.contains("another bake works on its ledger"));
        drop(claimed);
        let unknown = forget(path, "dea", false, &clock).await;
        assert!(
            matches!(&unknown, Err(NotForgotten::Unknown { begun, .. }) if begun == &["dead"]),
            "the beginning of an id is not enough: {unknown:?}"
        );
        assert!(path.join("dead.jsonl").exists() && path.join("newer.jsonl").exists());
    }
}
