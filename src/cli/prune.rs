//! `bake runs prune`.

use std::time::{Duration, SystemTime};
use std::{fs, io};

use crate::build::Clock;
use crate::build::ledger::{Listed, RunState};
use crate::plan::record;

use super::Exit;
use super::outcome::{complain, print};

/// Removes the ledgers of runs that are over, of which nothing is left, and that began at least so
/// long ago, and the records of this machine that were not written since then.
pub(super) fn run(all: &[Listed], older_than: Duration, dry_run: bool) -> Exit {
    let Some(before) = Clock::system().now().checked_sub(older_than) else {
        print("Nothing is that old.\n");
        return Exit::Done;
    };
    let directory = record::default_directory();
    let kept = directory.as_deref().map_or_else(|| Ok(Vec::new()), record::kept);
    let kept = match kept {
        Ok(kept) => kept,
        Err(error) => {
            complain(&format!("error: the records cannot be listed: {error}"));
            return Exit::Failed;
        }
    };
    let runs = all.iter().filter(|one| is_over(one, before));
    let runs = runs.map(|one| (format!("run {}", one.run), &one.path));
    let old = kept.iter().filter(|one| one.written < before);
    let old = old.map(|one| (format!("record {}", one.hash), &one.path));
    let mut exit = Exit::Done;
    let mut text = String::new();
    for (what, path) in runs.chain(old) {
        let removed = if dry_run { Ok(()) } else { fs::remove_file(path) };
        match removed {
            Ok(()) if dry_run => text += &format!("Would remove {what}\n"),
            Ok(()) => text += &format!("Removed {what}\n"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                complain(&format!("error: `{}` cannot be removed: {error}", path.display()));
                exit = Exit::Failed;
            }
        }
    }
    if text.is_empty() && exit == Exit::Done {
        text += "Nothing is that old.\n";
    }
    print(&text);
    exit
}

/// Whether a run is over, leaves nothing, and began before a moment.
fn is_over(listed: &Listed, before: SystemTime) -> bool {
    let RunState::Done(reading) = &listed.state else { return false };
    let opened = reading.opened.map(SystemTime::from);
    reading.leftovers.is_empty() && opened.is_some_and(|opened| opened < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::ledger;

    #[test]
    fn only_what_is_over_and_old_goes() {
        let opened = r#"{"event":"opened","version":2,"run":"r1","at":"2026-01-01T00:00:00Z","pid":4000000000}
"#;
        let left = r#"{"event":"intent","entry":1,"at":"2026-01-01T00:00:01Z","kind":"image","name":"b-1","build":"amazon-ebs.b","region":"eu-west-1"}
"#;
        let is_over = |text: &str, done: bool, before: &str| {
            let reading = Box::new(ledger::read(text).unwrap());
            let state = if done { RunState::Done(reading) } else { RunState::Dead(reading) };
            let listed = Listed { run: "r1".to_owned(), path: "/state/r1.done".into(), state };
            let before: jiff::Timestamp = before.parse().unwrap();
            super::is_over(&listed, before.into())
        };
        assert!(is_over(opened, true, "2026-01-02T00:00:00Z"));
        assert!(!is_over(opened, true, "2026-01-01T00:00:00Z"));
        assert!(!is_over(opened, false, "2026-01-02T00:00:00Z"));
        assert!(!is_over(&format!("{opened}{left}"), true, "2026-01-02T00:00:00Z"));
        assert!(!is_over("", true, "2026-01-02T00:00:00Z"));
    }
}
