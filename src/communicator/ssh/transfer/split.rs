//! Large uploads over a long link.
//!
//! The window of an SSH channel lets OpenSSH take 2 MiB in a round trip, and a TCP connection has
//! a window of its own. Four connections together have four of each. The first leg begins at once
//! on the connection that is there, while the others log in; it also shows whether the link is so
//! slow that packing pays. Then each lane takes a share: a range of the file that `dd` puts in its
//! place, or an archive of some of the files; large files of a tree go one by one. What the server refuses, the other lanes do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use super::super::connection::{Connection, OpenSession};
use super::archive::{self, Load, holds_something};
use super::destination::{self, BLOCK};
use super::leg::{self, Ended, Leg};
use super::packing::Packing;
use super::said::{Mark, Said};
use super::shell::Call;
use super::upload::{Gauge, Received, failed, is_packable, note, verify};
use super::way::Way;
use crate::communicator::{CommunicatorError, Upload};
use crate::plan::{Entry, Tree};

/// A round trip that is worth splitting.
pub(super) const LONG: Duration = Duration::from_millis(5);

/// Bytes that are worth splitting.
const LARGE: u64 = 32 << 20;

/// How much of an upload the first leg takes.
const FIRST: u64 = 12 << 20;

/// How many streams there are.
const LANES: usize = 4;

/// How long to wait for another connection.
const EXTRA_CONNECTION: Duration = Duration::from_secs(5);

/// Whether there is enough to be split, and it can be: a directory that nobody may write must get
/// its mode after its files.
pub(super) fn is_large(upload: &Upload) -> bool {
    let tree = &upload.tree;
    let closed = |(path, entry): (&String, &Entry)| match entry {
        Entry::Directory { mode } => mode & 0o300 != 0o300 && holds_something(tree, path),
        _ => false,
    };
    tree.size() > LARGE && !tree.entries.iter().any(closed)
}

/// Sends a large upload.
pub(super) async fn upload(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Received, CommunicatorError> {
    let job = Job { way, upload, sent: AtomicU64::new(0), progress };
    match upload.tree.single_file() {
        Some(file) => job.file(session, file).await,
        None => job.tree(session).await,
    }
}

/// A session and the connection that it belongs to.
type Lane = (Arc<Connection>, OpenSession);

struct Job<'a, 'w> {
    way: &'a Way<'w>,
    upload: &'a Upload,
    sent: AtomicU64,
    progress: &'a (dyn Fn(u64) + Send + Sync),
}

/// What the first leg came to.
enum First {
    /// The lanes for the rest, what the far side said, and how to pack the rest.
    Went(Vec<Lane>, Said, Packing),
    No(String),
}

impl Job<'_, '_> {
    async fn file(
        &self,
        session: OpenSession,
        file: &Entry,
    ) -> Result<Received, CommunicatorError> {
        let Entry::File { size, digest, .. } = file else { return Ok(Received::Done) };
        let first = |mark: &Mark| {
            let call = Call { mark, packing: Packing::None, bytes: FIRST };
            let load = Load::Part { file: file.clone(), start: 0, length: FIRST };
            (destination::file(self.upload, call, false), load)
        };
        let (lanes, packing) = match self.first(session, FIRST, first).await? {
            First::Went(lanes, _, packing) => (lanes, packing),
            First::No(instead) => return Ok(Received::No(instead)),
        };
        let share = (size - FIRST).div_ceil(lanes.len() as u64).next_multiple_of(BLOCK);
        let legs = lanes.into_iter().zip(0..).map(|(lane, index)| {
            let start = FIRST + index * share;
            let length = share.min(size.saturating_sub(start));
            let mark = Mark::new();
            let call = Call { mark: &mark, packing, bytes: length };
            let text = destination::range(self.upload, call, start);
            let load = Load::Part { file: file.clone(), start, length };
            self.more(lane, Leg { text, mark, load, packing })
        });
        try_join_all(legs).await?;

        let mark = Mark::new();
        let call = Call { mark: &mark, packing: Packing::None, bytes: *size };
        let text = destination::complete(self.upload, call);
        let leg = Leg { text, mark, load: Load::Nothing, packing: Packing::None };
        let lane = (self.way.connection.clone(), self.way.connection.open_session().await?);
        let said = self.more(lane, leg).await?;
        if said.ready.as_ref().is_none_or(|ready| ready.tool.is_none()) {
            // Nobody has looked at the digest: parts have none.
            self.recheck().await?;
        }
        verify(self.upload, &self.upload.tree, &said, Some(&|_| *digest)).await?;
        Ok(Received::Done)
    }

    async fn tree(&self, session: OpenSession) -> Result<Received, CommunicatorError> {
        let (small, large) = without_large(&self.upload.tree);
        let (first_tree, rest) = first_and_rest(&small);
        let has_list = archive::has_list(&first_tree);
        let bytes = first_tree.size();
        let first = |mark: &Mark| {
            let call = Call { mark, packing: Packing::None, bytes };
            let list = has_list.then(|| destination::list_name(mark));
            let text = destination::tree(self.upload, call, list.as_deref());
            (text, Load::Archive { tree: first_tree.clone(), list })
        };
        let (mut lanes, said, packing) = match self.first(session, bytes, first).await? {
            First::Went(lanes, said, packing) => (lanes, said, packing),
            First::No(instead) => return Ok(Received::No(instead)),
        };
        let expected = |tool| archive::list_digest(&first_tree, tool);
        verify(self.upload, &first_tree, &said, has_list.then_some(&expected)).await?;
        let appended = said.appended;
        let shares = shares(rest, lanes.len());
        close(lanes.split_off(shares.len().min(lanes.len()))).await;
        let legs = lanes.into_iter().zip(shares).map(|(lane, tree)| async move {
            let mark = Mark::new();
            let call = Call { mark: &mark, packing, bytes: tree.size() };
            let list = archive::has_list(&tree).then(|| destination::list_name(&mark));
            let text = destination::more_of_tree(self.upload, call, list.as_deref(), appended);
            let listed = list.is_some();
            let load = Load::Archive { tree: tree.clone(), list };
            let said = self.more(lane, Leg { text, mark, load, packing }).await?;
            let expected = |tool| archive::list_digest(&tree, tool);
            verify(self.upload, &tree, &said, listed.then_some(&expected)).await
        });
        try_join_all(legs).await?;
        self.large_files(&large, appended, small.size()).await?;
        Ok(Received::Done)
    }

    /// Sends the large files of a tree, one after the other; empty ones are in their places.
    async fn large_files(
        &self,
        large: &Tree,
        appended: bool,
        mut before: u64,
    ) -> Result<(), CommunicatorError> {
        let mut root = self.upload.destination.trim_end_matches('/').to_owned();
        if appended {
            root = format!("{root}/{}", self.upload.name);
        }
        for (path, file) in &large.entries {
            let one = Upload {
                tree: Tree { entries: [(String::new(), file.clone())].into() },
                name: String::new(),
                destination: format!("{root}/{path}"),
                contents_only: false,
            };
            let progress = |bytes| (self.progress)(before + bytes);
            let (way, sent) = (self.way, AtomicU64::new(0));
            let job = Job { way, upload: &one, sent, progress: &progress };
            let session = self.way.connection.open_session().await?;
            if let Received::No(instead) = job.file(session, file).await? {
                return Err(failed(&one, &instead));
            }
            before += one.tree.size();
        }
        Ok(())
    }

    /// Runs the first leg while other connections are made.
    async fn first(
        &self,
        session: OpenSession,
        bytes: u64,
        leg: impl FnOnce(&Mark) -> (String, Load),
    ) -> Result<First, CommunicatorError> {
        let mark = Mark::new();
        let (text, load) = leg(&mark);
        let leg = Leg { text, mark, load, packing: Packing::None };
        let gauge = Gauge::new(bytes);
        let leg = async {
            let told = |bytes| {
                gauge.note(bytes);
                (self.progress)(bytes);
            };
            let ended = leg::run(self.way.connection, session, leg, self.upload, &told).await?;
            self.sent.store(bytes, Ordering::Relaxed);
            Ok::<_, CommunicatorError>(ended)
        };
        let (ended, mut lanes) = tokio::join!(leg, self.lanes());
        let said = match ended? {
            Ended::Done(said) => said,
            Ended::NoTar => return Ok(First::No("there is no `tar`".into())),
            Ended::NoShell(instead) => return Ok(First::No(instead)),
        };
        note(self.way, &said, &gauge, Packing::None);
        let packing = Packing::for_rate(self.way.link.rate(), &self.way.link.packings());
        let packable = packing != Packing::None && is_packable(&self.upload.tree).await;
        let packing = if packable { packing } else { Packing::None };
        if lanes.is_empty() {
            let connection = self.way.connection.clone();
            let session = connection.open_session().await?;
            lanes.push((connection, session));
        }
        tracing::debug!(lanes = lanes.len(), ?packing, rate = self.way.link.rate(), "split");
        Ok(First::Went(lanes, said, packing))
    }

    /// Lanes on connections of their own as far as the server allows, then on the one that is
    /// there. There may be none while the first leg runs.
    async fn lanes(&self) -> Vec<Lane> {
        let known = self.way.link.take_extra();
        let missing = (LANES - 1).saturating_sub(known.len());
        let made = (0..missing).map(|_| async {
            match timeout(EXTRA_CONNECTION, (self.way.connect)()).await {
                Ok(Ok(connection)) => Some(connection),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no extra connection");
                    None
                }
                Err(_) => None,
            }
        });
        let extra: Vec<_> =
            known.into_iter().chain(join_all(made).await.into_iter().flatten()).collect();
        self.way.link.keep_extra(extra.iter().cloned());
        let opened = extra.into_iter().map(|connection| async move {
            match timeout(EXTRA_CONNECTION, connection.open_session()).await {
                Ok(Ok(session)) => Some((connection, session)),
                Ok(Err(_)) | Err(_) => None,
            }
        });
        let mut lanes: Vec<Lane> = join_all(opened).await.into_iter().flatten().collect();
        while lanes.len() < LANES {
            match self.way.second_session().await {
                Some(session) => lanes.push((self.way.connection.clone(), session)),
                None => break,
            }
        }
        lanes
    }

    /// Runs another leg; that the far side can run it is known.
    async fn more(&self, lane: Lane, leg: Leg) -> Result<Said, CommunicatorError> {
        let before = AtomicU64::new(0);
        let told = |bytes: u64| {
            let new = bytes.saturating_sub(before.swap(bytes, Ordering::Relaxed));
            (self.progress)(self.sent.fetch_add(new, Ordering::Relaxed) + new);
        };
        let (connection, session) = lane;
        match leg::run(&connection, session, leg, self.upload, &told).await? {
            Ended::Done(said) => Ok(said),
            Ended::NoTar => Err(failed(self.upload, "`tar` is gone")),
            Ended::NoShell(instead) => Err(failed(self.upload, &instead)),
        }
    }

    async fn recheck(&self) -> Result<(), CommunicatorError> {
        let tree = self.upload.tree.clone();
        match tokio::task::spawn_blocking(move || archive::recheck(&tree)).await {
            Ok(result) => result,
            Err(panicked) => Err(failed(self.upload, &format!("reading failed: {panicked}"))),
        }
    }
}

/// Ends sessions that are not needed after all.
async fn close(lanes: Vec<Lane>) {
    for (_, session) in lanes {
        drop(session.channel.close().await);
    }
}

/// A tree with empty files in place of the large ones, and these.
fn without_large(tree: &Tree) -> (Tree, Tree) {
    let (mut small, mut large) = (tree.clone(), Tree::default());
    for (path, entry) in &mut small.entries {
        if let Entry::File { size, .. } = entry
            && *size > LARGE
        {
            let empty = Tree::of_bytes([], 0o600).entries.remove("");
            if let Some(empty) = empty {
                large.entries.insert(path.clone(), std::mem::replace(entry, empty));
            }
        }
    }
    (small, large)
}

/// What goes first (directories, links, and some files), and the other files.
fn first_and_rest(tree: &Tree) -> (Tree, Tree) {
    let (mut first, mut rest, mut bytes) = (Tree::default(), Tree::default(), 0);
    for (path, entry) in &tree.entries {
        let part = match entry {
            Entry::File { size, .. } if bytes + size > FIRST => &mut rest,
            Entry::File { size, .. } => {
                bytes += size;
                &mut first
            }
            Entry::Directory { .. } | Entry::Symlink { .. } => &mut first,
        };
        part.entries.insert(path.clone(), entry.clone());
    }
    (first, rest)
}

/// The files in so many shares of about the same size.
fn shares(tree: Tree, count: usize) -> Vec<Tree> {
    let size = |entry: &Entry| if let Entry::File { size, .. } = entry { *size } else { 0 };
    let mut files: Vec<_> = tree.entries.into_iter().collect();
    files.sort_by_key(|(_, entry)| std::cmp::Reverse(size(entry)));
    let mut shares = vec![(0, Tree::default()); count.max(1)];
    for (path, entry) in files {
        if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += size(&entry);
            share.entries.insert(path, entry);
        }
    }
    shares.into_iter().map(|(_, share)| share).filter(|share| !share.entries.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(sizes: &[usize]) -> Tree {
        let named = sizes.iter().enumerate().map(|(index, size)| {
            let entry = Tree::of_bytes(vec![0; *size], 0o644).entries.remove("").unwrap();
            (format!("f{index}"), entry)
        });
        let mut tree = Tree { entries: named.collect() };
        tree.entries.insert(String::new(), Entry::Directory { mode: 0o755 });
        tree.entries.insert("link".into(), Entry::Symlink { target: "f0".into() });
        tree
    }

    #[test]
    fn shares_are_of_about_the_same_size_and_nothing_is_lost() {
        let tree = tree(&[5 << 20, 4 << 20, 9 << 20, 8 << 20, 7 << 20, 2 << 20, 2 << 20]);
        let (small, large) = without_large(&tree);
        assert_eq!((&small, large.files()), (&tree, 0));
        let (first, rest) = first_and_rest(&tree);
        assert_eq!((first.files(), first.size()), (3, 11 << 20));
        assert_eq!(first.entries.len(), 5, "with the directory and the link");
        let shares = shares(rest, 2);
        assert_eq!(shares.iter().map(Tree::size).collect::<Vec<_>>(), [11 << 20, 15 << 20]);
        assert_eq!(first.files() + shares.iter().map(Tree::files).sum::<usize>(), tree.files());
    }

    #[test]
    fn large_files_leave_empty_ones() {
        let tree = tree(&[33 << 20, 5]);
        let (small, large) = without_large(&tree);
        assert_eq!((small.size(), small.files()), (5, 2));
        assert_eq!((large.size(), large.files()), (33 << 20, 1));
    }

    #[test]
    fn closed_directories_are_not_split() {
        let upload = |mode| {
            let mut tree = tree(&[33 << 20]);
            tree.entries.insert("d".into(), Entry::Directory { mode });
            let file = Tree::of_bytes(*b"x", 0o644).entries.remove("").unwrap();
            tree.entries.insert("d/x".into(), file);
            let (name, destination) = ("t".to_owned(), "/x".to_owned());
            Upload { tree, name, destination, contents_only: true }
        };
        assert!(is_large(&upload(0o755)));
        assert!(!is_large(&upload(0o555)));
        let mut small = upload(0o755);
        small.tree.entries.remove("f0");
        assert!(!is_large(&small));
    }
}
