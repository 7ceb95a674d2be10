//! Sending what is large. `dd` puts each range of a file in its place.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::try_join_all;

use super::super::super::connection::OpenSession;
use super::super::gauge::{Gauge, note};
use super::super::upload::is_packable;
use super::super::way::Way;
use super::lanes::{self, Lane};
use super::{FIRST, LARGE};
use crate::communicator::stream::archive::{self, holds_something};
use crate::communicator::stream::destination;
use crate::communicator::stream::{
    Call, Ended, Far, Leg, Load, Mark, Packing, Progress, Said, Sent, check, failed, leg, undone,
};
use crate::communicator::{CommunicatorError, Upload};
use crate::plan::{Entry, Tree};

/// Whether there is enough to be split, and it can be: a directory that nobody may write must get
/// its mode after its files.
pub(in super::super) fn is_large(upload: &Upload) -> bool {
    let tree = &upload.tree;
    let closed = |(path, entry): (&String, &Entry)| match entry {
        Entry::Directory { mode } => mode & 0o300 != 0o300 && holds_something(tree, path),
        _ => false,
    };
    tree.size() > LARGE && !tree.entries.iter().any(closed)
}

/// Sends a large upload.
pub(in super::super) async fn upload(
    way: &Way<'_>,
    session: OpenSession,
    upload: &Upload,
    progress: Progress<'_>,
) -> Result<Sent, CommunicatorError> {
    let job = Job { way, upload, sent: AtomicU64::new(0), progress };
    match upload.tree.single_file() {
        Some(file) => job.file(session, file).await,
        None => job.tree(session).await,
    }
}

struct Job<'a, 'w> {
    way: &'a Way<'w>,
    upload: &'a Upload,
    sent: AtomicU64,
    progress: Progress<'a>,
}

/// What the first leg came to.
enum First {
    /// The lanes for the rest, what the far side said, and how to pack the rest.
    Went(Vec<Lane>, Said, Packing),
    No(String),
}

impl Job<'_, '_> {
    async fn file(&self, session: OpenSession, file: &Entry) -> Result<Sent, CommunicatorError> {
        let Entry::File { size, .. } = file else { return Ok(Sent::No("no file".into())) };
        let first = |mark: &Mark| {
            let call = Call { mark, packings: &[Packing::None], bytes: FIRST };
            let load = Load::Part { file: file.clone(), start: 0, length: FIRST };
            (destination::file(self.upload, call, false), load)
        };
        let (lanes, said, packing) = match self.first(session, FIRST, first).await? {
            First::Went(lanes, said, packing) => (lanes, said, packing),
            First::No(instead) => return Ok(Sent::No(instead)),
        };
        let root = destination::root(self.upload, false);
        let rest = self.rest_of_file(lanes, file, *size, packing).await;
        let main = Lane::on(self.way.connection);
        undone(&main, self.upload, said.made.then_some(&*root), rest).await.map(Sent::Done)
    }

    async fn rest_of_file(
        &self,
        lanes: Vec<Lane>,
        file: &Entry,
        size: u64,
        packing: Packing,
    ) -> Result<Said, CommunicatorError> {
        let mut next = FIRST;
        let parts = lanes::parts(size - FIRST, &lanes);
        let legs =
            lanes.iter().zip(parts).filter(|(_, length)| *length > 0).map(|(lane, length)| {
                let start = next;
                next += length;
                let mark = Mark::new();
                let call = Call { mark: &mark, packings: &[packing], bytes: length };
                let text = destination::range(self.upload, call, start);
                let load = Load::Part { file: file.clone(), start, length };
                self.more(lane, Leg { text, mark, load, packing })
            });
        try_join_all(legs).await?;

        let mark = Mark::new();
        let call = Call { mark: &mark, packings: &[Packing::None], bytes: size };
        let text = destination::complete(self.upload, call);
        let leg = Leg { text, mark, load: Load::Nothing, packing: Packing::None };
        let main = Lane::on(self.way.connection);
        let said = self.more(&main, leg).await?;
        if said.ready.as_ref().is_none_or(|ready| ready.tool.is_none()) {
            // Nobody has looked at the digest: parts have none.
            check::recheck(self.upload, &self.upload.tree).await?;
        }
        check::arrived(&main, self.upload, &self.upload.tree, "", &said).await?;
        Ok(said)
    }

    async fn tree(&self, session: OpenSession) -> Result<Sent, CommunicatorError> {
        let (small, large) = without_large(&self.upload.tree);
        let (first_tree, rest) = first_and_rest(&small);
        let bytes = first_tree.size();
        let first = |mark: &Mark| {
            let call = Call { mark, packings: &[Packing::None], bytes };
            let list = archive::has_list(&first_tree).then(|| destination::list_name(mark));
            let text = destination::tree(self.upload, call, list.as_deref());
            (text, Load::Archive { tree: first_tree.clone(), list })
        };
        let (lanes, said, packing) = match self.first(session, bytes, first).await? {
            First::Went(lanes, said, packing) => (lanes, said, packing),
            First::No(instead) => return Ok(Sent::No(instead)),
        };
        let main = Lane::on(self.way.connection);
        let root = destination::root(self.upload, said.appended);
        let all = async {
            check::arrived(&main, self.upload, &first_tree, &root, &said).await?;
            self.rest_of_tree(lanes, rest, &root, packing).await?;
            self.large_files(&large, &root, small.size()).await
        };
        let all = all.await;
        undone(&main, self.upload, said.made.then_some(&*root), all).await?;
        Ok(Sent::Done(said))
    }

    async fn rest_of_tree(
        &self,
        lanes: Vec<Lane>,
        rest: Tree,
        root: &str,
        packing: Packing,
    ) -> Result<(), CommunicatorError> {
        let behind: Vec<_> = lanes.iter().map(Lane::behind).collect();
        let shares = shares(rest, &behind);
        let full = lanes.iter().zip(shares).filter(|(_, tree)| !tree.entries.is_empty());
        let legs = full.map(|(lane, tree)| async move {
            let mark = Mark::new();
            let call = Call { mark: &mark, packings: &[packing], bytes: tree.size() };
            let list = archive::has_list(&tree).then(|| destination::list_name(&mark));
            let text = destination::more_of_tree(self.upload, call, list.as_deref(), root);
            let load = Load::Archive { tree: tree.clone(), list };
            let said = self.more(lane, Leg { text, mark, load, packing }).await?;
            check::arrived(lane, self.upload, &tree, root, &said).await
        });
        try_join_all(legs).await.map(drop)
    }

    /// Sends the large files of a tree, one after the other; empty ones are in their places.
    async fn large_files(
        &self,
        large: &Tree,
        root: &str,
        mut before: u64,
    ) -> Result<(), CommunicatorError> {
        let root = root.trim_end_matches('/');
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
            if let Sent::No(instead) = job.file(session, file).await? {
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
        let gauge = Gauge::new(bytes / 3);
        let leg = async {
            let told = |bytes| {
                gauge.note(bytes);
                (self.progress)(bytes);
            };
            let main = Lane::new(self.way.connection.clone(), session);
            let ended = leg::run(&main, leg, self.upload, &told).await?;
            self.sent.store(bytes, Ordering::Relaxed);
            Ok::<_, CommunicatorError>(ended)
        };
        let (ended, mut lanes) = tokio::join!(leg, lanes::extra(self.way));
        let said = match ended? {
            Ended::Done(said) => said,
            Ended::NoTar => return Ok(First::No("there is no `tar`".into())),
            Ended::NoShell(instead) => return Ok(First::No(instead)),
        };
        note(self.way, &said, &gauge, Packing::None);
        let packing = Packing::for_rate(self.way.link.rate(), &self.way.link.packings());
        let packable = packing != Packing::None && is_packable(&self.upload.tree).await;
        let packing = if packable { packing } else { Packing::None };
        lanes::that_pay(self.way, &mut lanes).await;
        tracing::debug!(lanes = lanes.len(), ?packing, rate = self.way.link.rate(), "split");
        Ok(First::Went(lanes, said, packing))
    }

    /// Runs another leg; that the far side can run it is known.
    async fn more(&self, far: &dyn Far, leg: Leg) -> Result<Said, CommunicatorError> {
        let before = AtomicU64::new(0);
        let told = |bytes: u64| {
            let new = bytes.saturating_sub(before.swap(bytes, Ordering::Relaxed));
            (self.progress)(self.sent.fetch_add(new, Ordering::Relaxed) + new);
        };
        match leg::run(far, leg, self.upload, &told).await? {
            Ended::Done(said) => Ok(said),
            Ended::NoTar => Err(failed(self.upload, "`tar` is gone")),
            Ended::NoShell(instead) => Err(failed(self.upload, &instead)),
        }
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

/// The files in shares, one for each lane, that take about the same time: `behind` has the bytes that
/// each lane falls behind.
fn shares(tree: Tree, behind: &[u64]) -> Vec<Tree> {
    let size = |entry: &Entry| if let Entry::File { size, .. } = entry { *size } else { 0 };
    let mut files: Vec<_> = tree.entries.into_iter().collect();
    files.sort_by_key(|(_, entry)| std::cmp::Reverse(size(entry)));
    let mut shares: Vec<_> = behind.iter().map(|bytes| (*bytes, Tree::default())).collect();
    for (path, entry) in files {
        if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += size(&entry);
            share.entries.insert(path, entry);
        }
    }
    shares.into_iter().map(|(_, share)| share).collect()
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
        assert_eq!((first.files(), first.size()), (2, 7 << 20));
        assert_eq!(first.entries.len(), 4, "with the directory and the link");
        let sizes = |shares: &[Tree]| shares.iter().map(Tree::size).collect::<Vec<_>>();
        assert_eq!(sizes(&super::shares(rest.clone(), &[9 << 20, 0])), [10 << 20, 20 << 20]);
        assert_eq!(sizes(&super::shares(Tree::default(), &[0, 0])), [0, 0]);
        let shares = super::shares(rest, &[0, 0]);
        assert_eq!(sizes(&shares), [15 << 20, 15 << 20]);
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
