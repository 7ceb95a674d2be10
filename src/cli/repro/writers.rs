//! Who wrote what: looks at the machines between the steps.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::content::Entry;
use crate::provision::WatchSteps;
use crate::sandbox::store::{Stamps, Store};

/// When a path was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    /// Before the first step: by the boot.
    Boot,
    /// By the step with this number, from zero.
    Step(usize),
    /// After the last step, while the machine stopped.
    End,
}

/// Notes for each instance which step has written a path last. What counts is what the machine's
/// layer shows after each step, so a file that a later step overwrites is that step's.
#[derive(Debug)]
pub(super) struct Writers {
    store: Store,
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    stamps: Stamps,
    writers: BTreeMap<String, Writer>,
}

impl Seen {
    /// Takes note of what was written since the last look.
    fn look(&mut self, now: Stamps, writer: Writer) {
        let changed = now.iter().filter(|(path, stamp)| self.stamps.get(*path) != Some(stamp));
        let gone = self.stamps.keys().filter(|path| !now.contains_key(*path));
        let paths: Vec<_> = changed.map(|(path, _)| path).chain(gone).cloned().collect();
        self.writers.extend(paths.into_iter().map(|path| (path, writer)));
        self.stamps = now;
    }

    fn writer(&self, path: &str, entry: Option<&Entry>) -> Option<Writer> {
        let as_seen = match (self.stamps.get(path), entry) {
            (Some(stamp), Some(entry)) => stamp.fits(entry),
            (stamp, entry) => stamp.is_some() == entry.is_some(),
        };
        if as_seen { self.writers.get(path).copied() } else { Some(Writer::End) }
    }
}

impl Writers {
    pub(super) fn new(store: Store) -> Self {
        Self { store, seen: Mutex::default() }
    }

    /// Who wrote a path of an instance last; `entry` is what the instance's image has there. `None`
    /// when nobody has seen it written.
    pub(super) fn writer(
        &self,
        instance: &str,
        path: &str,
        entry: Option<&Entry>,
    ) -> Option<Writer> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(instance)?.writer(path, entry)
    }
}

impl WatchSteps for Writers {
    fn look<'a>(&'a self, instance: &'a str, after: Option<usize>) -> BoxFuture<'a, ()> {
        async move {
            let (store, id) = (self.store.clone(), instance.to_owned());
            let looking = tokio::task::spawn_blocking(move || store.stamps(&id));
            let stamps = match looking.await {
                Ok(Ok(stamps)) => stamps,
                Ok(Err(error)) => {
                    tracing::warn!(instance, "cannot see who writes what: {error}");
                    return;
                }
                Err(error) => {
                    tracing::warn!(instance, "cannot see who writes what: {error}");
                    return;
                }
            };
            let writer = after.map_or(Writer::Boot, Writer::Step);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(instance.to_owned()).or_default().look(stamps, writer);
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn the_last_writer_counts() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let upper = store.root().join("instances/i-1/upper");
        fs::create_dir_all(upper.join("etc")).unwrap();
        let write = |name: &str, text: &str| fs::write(upper.join("etc").join(name), text).unwrap();
        write("boot", "1");
        write("both", "1");
        let writers = Writers::new(store);
        writers.look("i-1", None).await;
        write("both", "22");
        write("first", "1");
        write("removed", "1");
        writers.look("i-1", Some(0)).await;
        write("both", "333");
        fs::remove_file(upper.join("etc/removed")).unwrap();
        writers.look("i-1", Some(1)).await;
        let of = |path: &str| {
            let entry = entry(&upper.join(path));
            writers.writer("i-1", path, entry.as_ref())
        };
        assert_eq!(of("etc/boot"), Some(Writer::Boot));
        assert_eq!(of("etc/first"), Some(Writer::Step(0)));
        assert_eq!(of("etc/both"), Some(Writer::Step(1)));
        assert_eq!(of("etc/removed"), Some(Writer::Step(1)));
        assert_eq!(of("etc/never"), None);
        assert_eq!(writers.writer("i-2", "etc/boot", None), None);
        write("first", "later");
        write("late", "");
        assert_eq!(of("etc/first"), Some(Writer::End));
        assert_eq!(of("etc/late"), Some(Writer::End));
    }

    fn entry(path: &Path) -> Option<Entry> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path).ok()?;
        let digest = crate::plan::Digest::of(b"");
        let node = crate::content::Node::File { size: metadata.size(), digest, link: None };
        let modified = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        let attributes = BTreeMap::new();
        Some(Entry { node, mode: 0, uid: 0, gid: 0, attributes, modified })
    }
}
