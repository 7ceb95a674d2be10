//! All ledgers of a directory, and which of them somebody still writes to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::reader::{Reading, Unreadable, read};
use super::{Ledger, Life};
use crate::build::Clock;
use crate::build::run::LIFETIME;
use crate::directories;

/// Bytes of a ledger that are read at most.
const LARGEST: u64 = 64 << 20;

/// The directory of ledgers, in bake's [state](directories::state).
pub fn default_directory() -> Option<PathBuf> {
    Some(directories::state()?.join("runs"))
}

/// A ledger in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Id of the run, as the file is called.
    pub run: String,
    /// The file.
    pub path: PathBuf,
    /// What is known of the run.
    pub state: RunState,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is over, and nothing of it is left.
    Done(Box<Reading>),
    /// It is under way.
    Alive(Box<Reading>),
    /// It may be under way on another machine, or in another container.
    Elsewhere {
        /// Its ledger so far.
        reading: Box<Reading>,
        /// When it is certainly over.
        until: Timestamp,
    },
    /// Its process is gone, and its ledger was not closed.
    Dead(Box<Reading>),
    /// Its ledger is left alone.
    Unreadable(String),
}

impl Listed {
    /// What its ledger says, if it can be read.
    pub fn reading(&self) -> Option<&Reading> {
        match &self.state {
            RunState::Done(reading)
            | RunState::Alive(reading)
            | RunState::Elsewhere { reading, .. }
            | RunState::Dead(reading) => Some(reading),
            RunState::Unreadable(_) => None,
        }
    }
}

/// A dead run's ledger to go on with.
pub struct Claimed {
    /// To write to; nobody else does meanwhile.
    pub ledger: Ledger,
    /// What it says so far.
    pub reading: Reading,
}

/// All ledgers of a directory, oldest first. One that does not exist has none.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(directory: &Path, clock: &Clock) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let (Some(run), Some(extension)) = (
            path.file_stem().and_then(|name| name.to_str()),
            path.extension().and_then(|name| name.to_str()),
        ) else {
            continue;
        };
        let done = match extension {
            "done" => true,
            "jsonl" => false,
            _ => continue,
        };
        let run = run.to_owned();
        let state = match open(&path) {
            Ok((file, reading)) => state_of(&file, reading, done, clock),
            // It was closed, or collected, meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => RunState::Unreadable(error.to_string()),
        };
        all.push(Listed { run, path, state });
    }
    let when = |one: &Listed| one.reading().and_then(|reading| reading.opened);
    all.sort_by(|a, b| (when(a), &a.run).cmp(&(when(b), &b.run)));
    Ok(all)
}

/// The one run whose id is, or begins with, `id`.
///
/// # Errors
/// When there is none, or more than one: the ids that there are.
pub fn find<'a>(all: &'a [Listed], id: &str) -> Result<&'a Listed, Vec<&'a str>> {
    if let Some(exact) = all.iter().find(|one| one.run == id) {
        return Ok(exact);
    }
    let found: Vec<_> = all.iter().filter(|one| one.run.starts_with(id)).collect();
    match found.as_slice() {
        [one] if !id.is_empty() => Ok(one),
        _ => Err(found.iter().map(|one| one.run.as_str()).collect()),
    }
}

/// Takes a dead run's ledger over; `None` when somebody writes to it, or it is closed by now.
///
/// # Errors
/// When it cannot be read, or not written to.
pub fn claim(listed: &Listed, clock: &Clock) -> io::Result<Option<Claimed>> {
    let file = match OpenOptions::new().append(true).read(true).open(&listed.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if is_locked(&file) {
        return Ok(None);
    }
    let reading = read_file(&file)?;
    // Another may have closed it between the opening and the lock.
    if !listed.path.exists() || !is_dead(&file, &reading, clock) {
        return Ok(None);
    }
    let ledger = Ledger::go_on(file, &listed.path, &reading, clock.clone());
    Ok(Some(Claimed { ledger, reading }))
}

/// What the ledger of a run says whose process is certainly gone, and which nobody works on; `None`
/// for any other run: one that lives, that may live elsewhere, that is settled, or that is not known
/// here. `run` may be any text.
pub fn abandoned(directory: &Path, run: &str) -> Option<Reading> {
    let is_id = !run.is_empty() && run.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if !is_id {
        return None;
    }
    let (file, reading) = open(&directory.join(format!("{run}.jsonl"))).ok()?;
    // Without its first line nothing is certain.
    let is_gone = reading.pid.is_some() && !reading.closed && reading.life() == Life::Dead;
    (is_gone && !is_locked(&file)).then_some(reading)
}

fn open(path: &Path) -> io::Result<(File, Reading)> {
    let file = File::open(path)?;
    let reading = read_file(&file)?;
    Ok((file, reading))
}

fn read_file(file: &File) -> io::Result<Reading> {
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    read(&text).map_err(|error: Unreadable| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn state_of(file: &File, reading: Reading, done: bool, clock: &Clock) -> RunState {
    let reading = Box::new(reading);
    if done || reading.closed {
        return RunState::Done(reading);
    }
    match reading.life() {
        Life::Alive => RunState::Alive(reading),
        Life::Dead if is_young(file, &reading, clock) => RunState::Alive(reading),
        // Its first line is garbled: whoever writes to it has it locked.
        Life::Dead if reading.pid.is_none() && is_locked(file) => RunState::Alive(reading),
        Life::Dead => RunState::Dead(reading),
        Life::Elsewhere if is_locked(file) => RunState::Alive(reading),
        Life::Elsewhere => {
            let until = deadline(&reading);
            match until <= now(clock) {
                true => RunState::Dead(reading),
                false => RunState::Elsewhere { reading, until },
            }
        }
    }
}

fn is_dead(file: &File, reading: &Reading, clock: &Clock) -> bool {
    match reading.life() {
        Life::Alive => false,
        Life::Dead => !is_young(file, reading, clock),
        Life::Elsewhere => deadline(reading) <= now(clock),
    }
}

/// Whether its first line is perhaps only not written yet.
fn is_young(file: &File, reading: &Reading, clock: &Clock) -> bool {
    let age = || {
        let written = file.metadata().ok()?.modified().ok()?;
        clock.now().duration_since(written).ok()
    };
    reading.pid.is_none()
        && reading.broken.is_empty()
        && age().is_some_and(|age| age < Duration::from_secs(60))
}

/// When a run that nobody can see is certainly over.
fn deadline(reading: &Reading) -> Timestamp {
    let counted = || reading.opened?.checked_add(LIFETIME).ok();
    reading.deadline.or_else(counted).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time as ledgers have it.
fn now(clock: &Clock) -> Timestamp {
    Timestamp::try_from(clock.now()).unwrap_or(Timestamp::MAX)
}

/// Whether another has the file locked. When not, this one has, until it is closed.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::super::record::Intent;
    use super::*;
    use crate::event::ResourceKind;

    fn dead(directory: &Path, run: &str, rest: &str) {
        let opened = format!(
            "{{\"event\":\"opened\",\"version\":2,\"run\":\"{run}\",\"at\":\"2026-01-01T00:00:00Z\",\"pid\":4000000000}}\n"
        );
        fs::write(directory.join(format!("{run}.jsonl")), opened + rest).expect("is written");
    }

    const INTENT: &str = "{\"event\":\"intent\",\"entry\":4,\"at\":\"2026-01-01T00:00:01Z\",\"kind\":\"key-pair\",\"name\":\"k\",\"build\":\"b\",\"region\":\"eu-west-1\"}\n";

    #[tokio::test]
    async fn runs_under_way_are_told_from_dead_ones() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let clock = Clock::system();
        let _alive = Ledger::open(directory.path(), "alive", clock.clone()).expect("opens");
        let done = Ledger::open(directory.path(), "done", clock.clone()).expect("opens");
        assert!(done.close().await.expect("is written"));
        dead(directory.path(), "dead", INTENT);
        fs::write(directory.path().join("newer.jsonl"), "{\"event\":\"opened\",\"version\":7}\n")
            .expect("is written");
        fs::write(directory.path().join("notes.txt"), "").expect("is written");
        let all = list(directory.path(), &clock).expect("is read");
        let states: Vec<_> = all
            .iter()
            .map(|one| {
                let word = match &one.state {
                    RunState::Done(_) => "done",
                    RunState::Alive(_) => "alive",
                    RunState::Elsewhere { .. } => "elsewhere",
                    RunState::Dead(_) => "dead",
                    RunState::Unreadable(why) => {
                        assert!(why.contains("version 7"), "{why}");
                        "unreadable"
                    }
                };
                (one.run.as_str(), word)
            })
            .collect();
        let mut states = states;
        states.sort_unstable();
        assert_eq!(
            states,
            [("alive", "alive"), ("dead", "dead"), ("done", "done"), ("newer", "unreadable")]
        );
        assert_eq!(find(&all, "de").map(|one| one.run.as_str()), Ok("dead"));
        assert_eq!(find(&all, "d").map(|one| one.run.as_str()).map_err(|ids| ids.len()), Err(2));
        assert_eq!(find(&all, "x").map(|one| one.run.as_str()), Err(Vec::new()));
    }

    #[tokio::test]
    async fn a_dead_ledger_is_gone_on_with_by_one_alone() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let clock = Clock::system();
        // Its last line is torn, as by a full disk.
        dead(directory.path(), "r1", &format!("{INTENT}{{\"event\":\"cre"));
        let all = list(directory.path(), &clock).expect("is read");
        let listed = find(&all, "r1").expect("is there");
        let Claimed { ledger, reading } =
            claim(listed, &clock).expect("is read").expect("nobody has it");
        assert!(claim(listed, &clock).expect("is read").is_none(), "one alone");
        assert_eq!(reading.leftovers[0].entry, 4);
        let entry = ledger.open_entry();
        assert_eq!(entry, 5);
        let intent = Intent {
            kind: ResourceKind::Volume,
            name: "vol-1".to_owned(),
            build: "b".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            ec2_only: false,
            account: None,
        };
        ledger.intend(entry, intent).await.expect("is written");
        let text = fs::read(&listed.path).expect("is there");
        let again = read(&text).expect("is read");
        assert_eq!(again.leftovers.len(), 2, "the torn line swallows nothing");
        assert_eq!(again.broken.len(), 1);
        ledger.deleted(4).await.expect("is written");
        assert!(!ledger.close().await.expect("no error"));
        ledger.deleted(5).await.expect("is written");
        assert!(ledger.close().await.expect("no error"));
        drop(ledger);
        assert!(claim(listed, &clock).expect("no error").is_none(), "it is closed");
    }

    #[tokio::test]
    async fn only_a_run_whose_process_is_gone_is_abandoned() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path();
        let _alive = Ledger::open(path, "alive", Clock::system()).expect("opens");
        dead(path, "dead", INTENT);
        dead(path, "closed", "{\"event\":\"closed\",\"at\":\"2026-01-01T00:00:02Z\"}\n");
        fs::write(path.join("garbled.jsonl"), "\0\0\n").expect("is written");
        fs::write(path.join("newer.jsonl"), "{\"event\":\"opened\",\"version\":7}\n")
            .expect("is written");
        let left = |run: &str| abandoned(path, run).map(|reading| reading.leftovers.len());
        assert_eq!(left("dead"), Some(1));
        let inside = path.join("inside");
        fs::create_dir(&inside).expect("is made");
        assert!(abandoned(&inside, "../dead").is_none(), "a tag names no file elsewhere");
        for run in ["alive", "closed", "garbled", "newer", "nobody", "", ".."] {
            assert_eq!(left(run), None, "{run}");
        }
        let worked_on = File::open(path.join("dead.jsonl")).expect("is there");
        worked_on.lock().expect("is locked");
        assert_eq!(left("dead"), None, "`bake gc` or `bake runs resume` has it");
    }

    #[test]
    fn a_directory_that_is_not_there_has_no_runs() {
        assert_eq!(abandoned(Path::new("/nonexistent/runs"), "r1"), None);
        assert_eq!(list(Path::new("/nonexistent/runs"), &Clock::system()).expect("none"), []);
    }
}
