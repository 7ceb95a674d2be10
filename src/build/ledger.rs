//! The ledger: what a run was about to make, made and removed, on disk before it happens.
//!
//! One file a run, `<run id>.jsonl` in `$XDG_STATE_HOME/bake/runs`, one JSON object a line.
//! The first line opens it and says the version of the format; each later line is about one
//! entry, known by its number:
//!
//! | event | when | fields besides `entry` |
//! |---|---|---|
//! | `intent` | before the create call | `kind`, `name`, `build`, `region`, `endpoint`, `account` |
//! | `created` | right after it | `id` |
//! | `refused` | the call was refused: there is nothing | |
//! | `deleted` | it is gone | |
//! | `kept` | it is part of the result and nobody's leftover | |
//!
//! Each line is on the disk before the next call is made. `name` is the name, or the client
//! token, by which a thing can be found whose id never arrived. A closed ledger is renamed to
//! `<run id>.done`, so what still ends in `.jsonl` is a run under way or a dead one. A reader
//! takes a last line without an end as never written.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Clock;
use super::clock::timestamp;
use crate::directories;
use crate::event::ResourceKind;

/// Version of the format that is written.
pub const VERSION: u32 = 1;

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Opened {
        /// Version of the format.
        version: u32,
        /// Id of the run.
        run: String,
        /// When, RFC 3339.
        at: String,
        /// Process id, to see whether the run is still alive on this machine.
        pid: u32,
    },
    /// Something is about to be made.
    Intent {
        /// Number of the entry.
        entry: u64,
        /// When, RFC 3339.
        at: String,
        /// What.
        #[serde(flatten)]
        intent: Intent,
    },
    /// It was made.
    Created {
        /// Number of the entry.
        entry: u64,
        /// Its id.
        id: String,
    },
    /// The create call was refused: there is nothing.
    Refused {
        /// Number of the entry.
        entry: u64,
    },
    /// It is gone.
    Deleted {
        /// Number of the entry.
        entry: u64,
    },
    /// It is part of the result.
    Kept {
        /// Number of the entry.
        entry: u64,
    },
    /// Nothing of the run is left over.
    Closed {
        /// When, RFC 3339.
        at: String,
    },
}

/// Something about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What.
    pub kind: ResourceKind,
    /// Name or client token by which it can be found without its id.
    pub name: String,
    /// The build it is for.
    pub build: String,
    /// Region.
    pub region: String,
    /// Endpoint, when it is not AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Account, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Where lines go. What `write` got may be lost with the machine until `sync` returns.
pub(crate) trait Storage: Send {
    fn write(&mut self, line: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn finish(&mut self) -> io::Result<()>;
}

struct OnDisk {
    file: File,
    path: PathBuf,
}

impl Storage for OnDisk {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn finish(&mut self) -> io::Result<()> {
        std::fs::rename(&self.path, self.path.with_extension("done"))?;
        sync_parent(&self.path)
    }
}

/// Makes a new name in a directory survive a power cut.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The ledger of a run; clones write to the same one.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
    path: Option<PathBuf>,
}

struct Inner {
    storage: Box<dyn Storage>,
    entries: u64,
    open: std::collections::BTreeSet<u64>,
}

impl Ledger {
    /// Opens the ledger of the run `run` in `directory`, which is made (for the user alone) when
    /// it does not exist.
    pub fn open(directory: &Path, run: &str, clock: Clock) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join(format!("{run}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        sync_parent(&path)?;
        let mut ledger = Self::over(Box::new(OnDisk { file, path: path.clone() }), run, clock)?;
        ledger.path = Some(path);
        Ok(ledger)
    }

    pub(crate) fn over(storage: Box<dyn Storage>, run: &str, clock: Clock) -> io::Result<Self> {
        let inner = Inner { storage, entries: 0, open: std::collections::BTreeSet::new() };
        let at = timestamp(clock.now());
        let ledger = Self { inner: Arc::new(Mutex::new(inner)), clock, path: None };
        ledger.append_now(&Record::Opened {
            version: VERSION,
            run: run.to_owned(),
            at,
            pid: std::process::id(),
        })?;
        Ok(ledger)
    }

    /// Where it is on disk while it is open.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens an entry and returns its number. Not a future, so that nobody can be dropped between
    /// this and remembering the number; [`Self::intend`] follows.
    pub fn open_entry(&self) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entries += 1;
        let entry = inner.entries;
        inner.open.insert(entry);
        entry
    }

    /// Records what is about to be made under an open entry.
    pub async fn intend(&self, entry: u64, intent: Intent) -> io::Result<()> {
        let at = timestamp(self.clock.now());
        self.append(Record::Intent { entry, at, intent }).await
    }

    /// Records the id of what was made.
    pub async fn created(&self, entry: u64, id: &str) -> io::Result<()> {
        self.append(Record::Created { entry, id: id.to_owned() }).await
    }

    /// Records that the call was refused.
    pub async fn refused(&self, entry: u64) -> io::Result<()> {
        self.settle(entry);
        self.append(Record::Refused { entry }).await
    }

    /// Records that it is gone.
    pub async fn deleted(&self, entry: u64) -> io::Result<()> {
        self.settle(entry);
        self.append(Record::Deleted { entry }).await
    }

    /// Records that it is part of the result.
    pub async fn kept(&self, entry: u64) -> io::Result<()> {
        self.settle(entry);
        self.append(Record::Kept { entry }).await
    }

    /// Closes the ledger when nothing is left over; otherwise it stays for `bake gc`. Says
    /// whether it was closed.
    pub async fn close(&self) -> io::Result<bool> {
        let settled = self.inner.lock().unwrap_or_else(PoisonError::into_inner).open.is_empty();
        if settled {
            self.append(Record::Closed { at: timestamp(self.clock.now()) }).await?;
            self.inner.lock().unwrap_or_else(PoisonError::into_inner).storage.finish()?;
        }
        Ok(settled)
    }

    fn settle(&self, entry: u64) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&entry);
    }

    /// Writes a line and waits until it is on the disk.
    async fn append(&self, record: Record) -> io::Result<()> {
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || ledger.append_now(&record))
            .await
            .map_err(io::Error::other)?
    }

    fn append_now(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.storage.write(&line)?;
        inner.storage.sync()
    }
}

/// The directory of ledgers, in bake's [state](directories::state).
pub fn default_directory() -> Option<PathBuf> {
    Some(directories::state()?.join("runs"))
}

/// What a ledger says is, or may be, still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Number of the entry.
    pub entry: u64,
    /// What was about to be made.
    pub intent: Intent,
    /// Its id, when it arrived.
    pub id: Option<String>,
}

/// A ledger that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Id of the run.
    pub run: String,
    /// Process of the run.
    pub pid: u32,
    /// Whether it was closed.
    pub closed: bool,
    /// What is, or may be, still there, in the order in which it was made.
    pub leftovers: Vec<Leftover>,
}

/// Reads a ledger. A torn last line counts as never written; a torn line elsewhere is an error.
pub fn read(text: &str) -> io::Result<Reading> {
    let broken = |line: usize, why: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} of the ledger: {why}"))
    };
    // Without its end a line is torn, even when what there is of it happens to parse.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut reading: Option<Reading> = None;
    for (index, line) in whole.lines().enumerate() {
        let record: Record =
            serde_json::from_str(line).map_err(|error| broken(index + 1, &error))?;
        let Some(reading) = &mut reading else {
            let Record::Opened { version, run, pid, .. } = record else {
                return Err(broken(index + 1, &"it does not begin with `opened`"));
            };
            if version > VERSION {
                return Err(broken(index + 1, &"it was written by a newer bake"));
            }
            reading = Some(Reading { run, pid, closed: false, leftovers: Vec::new() });
            continue;
        };
        match record {
            Record::Opened { .. } => return Err(broken(index + 1, &"a second `opened`")),
            Record::Intent { entry, intent, .. } => {
                reading.leftovers.push(Leftover { entry, intent, id: None });
            }
            Record::Created { entry, id } => {
                if let Some(one) = reading.leftovers.iter_mut().find(|one| one.entry == entry) {
                    one.id = Some(id);
                }
            }
            Record::Refused { entry } | Record::Deleted { entry } | Record::Kept { entry } => {
                reading.leftovers.retain(|one| one.entry != entry);
            }
            Record::Closed { .. } => reading.closed = true,
        }
    }
    reading.ok_or_else(|| broken(1, &"it is empty"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;

    /// Keeps what was written and when it was made durable.
    #[derive(Clone, Default)]
    pub(crate) struct InMemory {
        pub(crate) text: Arc<Mutex<String>>,
        pub(crate) durable: Arc<Mutex<usize>>,
        pub(crate) log: Arc<Mutex<Vec<&'static str>>>,
    }

    impl InMemory {
        /// What a reader sees after a power cut.
        pub(crate) fn after_power_cut(&self) -> String {
            let durable = *self.durable.lock().expect("not poisoned");
            self.text.lock().expect("not poisoned")[..durable].to_owned()
        }
    }

    impl Storage for InMemory {
        fn write(&mut self, line: &[u8]) -> io::Result<()> {
            self.log.lock().expect("not poisoned").push("write");
            let line = std::str::from_utf8(line).expect("is text");
            self.text.lock().expect("not poisoned").push_str(line);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            self.log.lock().expect("not poisoned").push("sync");
            *self.durable.lock().expect("not poisoned") =
                self.text.lock().expect("not poisoned").len();
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.log.lock().expect("not poisoned").push("finish");
            Ok(())
        }
    }

    async fn announced(ledger: &Ledger, kind: ResourceKind, name: &str) -> u64 {
        let entry = ledger.open_entry();
        ledger.intend(entry, intent(kind, name)).await.expect("is written");
        entry
    }

    fn intent(kind: ResourceKind, name: &str) -> Intent {
        Intent {
            kind,
            name: name.to_owned(),
            build: "amazon-ebs.app".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            account: Some("123456789012".to_owned()),
        }
    }

    fn clock() -> Clock {
        Clock::fixed(SystemTime::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn each_line_is_durable_before_the_next_thing_happens() {
        let storage = InMemory::default();
        let ledger = Ledger::over(Box::new(storage.clone()), "r1", clock()).expect("opens");
        let entry = announced(&ledger, ResourceKind::KeyPair, "bake_1").await;
        let reading = read(&storage.after_power_cut()).expect("is readable");
        assert_eq!(reading.leftovers.len(), 1);
        assert_eq!(reading.leftovers[0].id, None);
        ledger.created(entry, "key-1").await.expect("is written");
        let reading = read(&storage.after_power_cut()).expect("is readable");
        assert_eq!(reading.leftovers[0].id.as_deref(), Some("key-1"));
        ledger.deleted(entry).await.expect("is written");
        assert!(ledger.close().await.expect("is written"));
        assert_eq!(
            *storage.log.lock().expect("not poisoned"),
            [
                "write", "sync", "write", "sync", "write", "sync", "write", "sync", "write",
                "sync", "finish"
            ]
        );
        let text = storage.after_power_cut();
        insta::assert_snapshot!(text.replace(&std::process::id().to_string(), "PID"), @r#"
        {"event":"opened","version":1,"run":"r1","at":"1970-01-01T00:00:00Z","pid":PID}
        {"event":"intent","entry":1,"at":"1970-01-01T00:00:00Z","kind":"key-pair","name":"bake_1","build":"amazon-ebs.app","region":"eu-west-1","account":"123456789012"}
        {"event":"created","entry":1,"id":"key-1"}
        {"event":"deleted","entry":1}
        {"event":"closed","at":"1970-01-01T00:00:00Z"}
        "#);
    }

    #[tokio::test]
    async fn a_torn_last_line_counts_as_never_written() {
        let storage = InMemory::default();
        let ledger = Ledger::over(Box::new(storage.clone()), "r1", clock()).expect("opens");
        let entry = announced(&ledger, ResourceKind::Instance, "token").await;
        ledger.created(entry, "i-1").await.expect("is written");
        let whole = storage.after_power_cut();
        let before = whole.trim_end().rfind('\n').expect("has lines") + 1;
        for cut in before..whole.len() {
            let reading = read(&whole[..cut]).expect("a torn end is no error");
            assert_eq!(reading.leftovers.len(), 1, "cut at {cut}");
            assert_eq!(reading.leftovers[0].id, None, "cut at {cut}");
        }
        assert!(read(&format!("{{\"event\":\n{whole}")).is_err(), "torn elsewhere is an error");
    }

    #[tokio::test]
    async fn the_file_is_private_and_renamed_when_nothing_is_left() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("temporary directory");
        let runs = directory.path().join("bake/runs");
        let ledger = Ledger::open(&runs, "r1", clock()).expect("opens");
        let mode = std::fs::metadata(&runs).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let entry = announced(&ledger, ResourceKind::KeyPair, "bake_1").await;
        assert!(!ledger.close().await.expect("no error"), "something is left");
        assert!(runs.join("r1.jsonl").exists());
        ledger.kept(entry).await.expect("is written");
        assert!(ledger.close().await.expect("no error"));
        assert!(!runs.join("r1.jsonl").exists());
        let text = std::fs::read_to_string(runs.join("r1.done")).expect("is there");
        assert!(read(&text).expect("is readable").closed);
    }
}
