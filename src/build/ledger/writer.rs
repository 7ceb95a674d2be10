//! Writing a ledger: each line is on the disk before the next thing happens.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Process;
use super::reader::Reading;
use super::record::{Ending, Intent, Record, VERSION};
use crate::build::Clock;
use crate::build::clock::timestamp;

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

/// Keeps nothing.
struct Nowhere;

impl Storage for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
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
    open: BTreeSet<u64>,
    /// A line was written in part: the next one must not continue it.
    torn: bool,
}

/// What a run is about, for its ledger.
#[derive(Clone, Debug)]
pub struct Start {
    /// The template, as it was given.
    pub template: String,
    /// Names of the builds.
    pub builds: Vec<String>,
    /// After how long the run is certainly over.
    pub lifetime: Duration,
    /// Whether the cloud is bake's own and ends with the process.
    pub sandbox: bool,
}

impl Ledger {
    /// Opens the ledger of the run `run` in `directory`, which is made (for the user alone) when
    /// it does not exist.
    pub fn open(directory: &Path, run: &str, clock: Clock) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join(format!("{run}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        let opened = Self::begin_at(file, &path, run, clock);
        if opened.is_err() {
            // Nothing is in it; where the disk is full, it may even help.
            drop(std::fs::remove_file(&path));
        }
        opened
    }

    fn begin_at(file: File, path: &Path, run: &str, clock: Clock) -> io::Result<Self> {
        lock(&file)?;
        sync_parent(path)?;
        let storage = Box::new(OnDisk { file, path: path.to_owned() });
        let mut ledger = Self::begin(storage, run, clock, Process::current())?;
        ledger.path = Some(path.to_owned());
        Ok(ledger)
    }

    #[cfg(test)]
    pub(crate) fn over(storage: Box<dyn Storage>, run: &str, clock: Clock) -> io::Result<Self> {
        Self::begin(storage, run, clock, None)
    }

    fn begin(
        storage: Box<dyn Storage>,
        run: &str,
        clock: Clock,
        process: Option<Process>,
    ) -> io::Result<Self> {
        let at = timestamp(clock.now());
        let ledger = Self::on(storage, clock);
        let run = run.to_owned();
        let pid = std::process::id();
        ledger.append_now(&[Record::Opened { version: VERSION, run, at, pid, process }])?;
        Ok(ledger)
    }

    fn on(storage: Box<dyn Storage>, clock: Clock) -> Self {
        let inner = Inner { storage, entries: 0, open: BTreeSet::new(), torn: false };
        Self { inner: Arc::new(Mutex::new(inner)), clock, path: None }
    }

    /// A ledger that is kept nowhere, for what is known by its tags alone.
    pub(crate) fn nowhere(clock: Clock) -> Self {
        Self::on(Box::new(Nowhere), clock)
    }

    /// Goes on with a ledger whose run is dead; `file` is open for appending, and locked.
    pub(super) fn go_on(file: File, path: &Path, reading: &Reading, clock: Clock) -> Self {
        let mut ledger = Self::on(Box::new(OnDisk { file, path: path.to_owned() }), clock);
        {
            let mut inner = ledger.lock();
            inner.entries = reading.entries;
            inner.open = reading.leftovers.iter().map(|one| one.entry).collect();
            inner.torn = reading.torn;
        }
        ledger.path = Some(path.to_owned());
        ledger
    }

    /// Where it is on disk while it is open.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Records what the run is about.
    pub async fn started(&self, start: Start) -> io::Result<()> {
        self.append(Record::Started {
            at: timestamp(self.clock.now()),
            deadline: self.clock.timestamp_after(start.lifetime),
            template: start.template,
            builds: start.builds,
            sandbox: start.sandbox,
        })
        .await
    }

    /// Records the image hash of a build, and the name that its image is to have.
    pub async fn hashed(&self, build: &str, image_hash: &str, name: &str) -> io::Result<()> {
        let [build, image_hash, name] = [build, image_hash, name].map(str::to_owned);
        self.append(Record::Hashed { build, image_hash, name }).await
    }

    /// Records what is to be done with an image that is about to be made.
    pub async fn publication(&self, build: &str, publication: serde_json::Value) -> io::Result<()> {
        self.append(Record::Publication { build: build.to_owned(), publication }).await
    }

    /// Records how a build ended, with region and id of each image.
    pub async fn ended(
        &self,
        build: &str,
        how: Ending,
        images: Vec<(String, String)>,
    ) -> io::Result<()> {
        let at = timestamp(self.clock.now());
        self.append(Record::Ended { build: build.to_owned(), at, how, images }).await
    }

    /// Opens an entry and returns its number. Not a future, so that nobody can be dropped between
    /// this and remembering the number; [`Self::intend`] follows.
    pub fn open_entry(&self) -> u64 {
        let mut inner = self.lock();
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

    /// Records something that is there already under an open entry: intent and id at once, so that
    /// a process that is killed leaves both or neither.
    pub async fn adopted(&self, entry: u64, intent: Intent, id: &str) -> io::Result<()> {
        let at = timestamp(self.clock.now());
        let intent = Record::Intent { entry, at, intent };
        self.append_all(vec![intent, Record::Created { entry, id: id.to_owned() }]).await
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

    /// Records that nobody is to look for it any more.
    pub async fn forgotten(&self, entry: u64) -> io::Result<()> {
        self.settle(entry);
        self.append(Record::Forgotten { entry }).await
    }

    /// Closes the ledger when nothing is left over; otherwise it stays for `bake gc`. Says
    /// whether it was closed.
    pub async fn close(&self) -> io::Result<bool> {
        let settled = self.lock().open.is_empty();
        if settled {
            self.append(Record::Closed { at: timestamp(self.clock.now()) }).await?;
            self.lock().storage.finish()?;
        }
        Ok(settled)
    }

    /// An entry of which nothing was recorded is none.
    pub(crate) fn forget(&self, entry: u64) {
        self.settle(entry);
    }

    fn settle(&self, entry: u64) {
        self.lock().open.remove(&entry);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line and waits until it is on the disk.
    async fn append(&self, record: Record) -> io::Result<()> {
        self.append_all(vec![record]).await
    }

    /// Writes lines at once and waits until they are on the disk.
    async fn append_all(&self, records: Vec<Record>) -> io::Result<()> {
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || ledger.append_now(&records))
            .await
            .map_err(io::Error::other)?
    }

    fn append_now(&self, records: &[Record]) -> io::Result<()> {
        let mut inner = self.lock();
        let mut line = Vec::new();
        if inner.torn {
            line.push(b'\n');
        }
        for record in records {
            serde_json::to_writer(&mut line, record)?;
            line.push(b'\n');
        }
        inner.torn = true;
        inner.storage.write(&line)?;
        inner.torn = false;
        inner.storage.sync()
    }
}

/// Shows others that somebody writes to a ledger. Where files cannot be locked, the process and the
/// deadline have to tell.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "the ledger cannot be locked");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::super::read;
    use super::*;
    use crate::event::ResourceKind;

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
            ec2_only: false,
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
        let reading = read(storage.after_power_cut()).expect("is readable");
        assert_eq!(reading.leftovers.len(), 1);
        assert_eq!(reading.leftovers[0].id, None);
        ledger.created(entry, "key-1").await.expect("is written");
        let reading = read(storage.after_power_cut()).expect("is readable");
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
        {"event":"opened","version":2,"run":"r1","at":"1970-01-01T00:00:00Z","pid":PID}
        {"event":"intent","entry":1,"at":"1970-01-01T00:00:00Z","kind":"key-pair","name":"bake_1","build":"amazon-ebs.app","region":"eu-west-1","account":"123456789012"}
        {"event":"created","entry":1,"id":"key-1"}
        {"event":"deleted","entry":1}
        {"event":"closed","at":"1970-01-01T00:00:00Z"}
        "#);
    }

    #[tokio::test]
    async fn what_is_there_already_is_recorded_with_its_id_or_not_at_all() {
        let storage = InMemory::default();
        let ledger = Ledger::over(Box::new(storage.clone()), "r1", clock()).expect("opens");
        let entry = ledger.open_entry();
        let adopting = ledger.adopted(entry, intent(ResourceKind::Volume, "vol-1"), "vol-1");
        adopting.await.expect("is written");
        let reading = read(storage.after_power_cut()).expect("is readable");
        assert_eq!(reading.leftovers[0].id.as_deref(), Some("vol-1"));
        let log = storage.log.lock().expect("not poisoned").clone();
        assert_eq!(log, ["write", "sync", "write", "sync"], "one write each");
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
