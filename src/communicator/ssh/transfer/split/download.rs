//! Fetching what is large. The far side tells at once that something is: of a file it sends the
//! beginning, of a directory the list of what lies in it. That needs GNU's `find` and `tar`; where
//! there are others, a directory comes as one stream.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::try_join_all;
use tokio::sync::oneshot;

use super::super::gauge::Gauge;
use super::super::way::Way;
use super::lanes::{self, Lane};
use super::{FIRST, LARGE};
use crate::communicator::stream::destination::BLOCK;
use crate::communicator::stream::{
    ATTEMPTS, Arrived, Far, Fetch, Fetched, Landing, Large, Listed, Mark, Order, Packing, Said,
    SharedLanding, Stamp, Target, Unpacked, check, lock, receive, source, stamp,
};
use crate::communicator::{CommunicatorError, DownloadReport};

/// Fetches something over several connections if it is large; the far side tells. `gauge` is told
/// of its bytes. The answer is what was found instead when there is no way to.
pub(in super::super) async fn download(
    way: &Way<'_>,
    fetch: &Fetch<'_>,
    gauge: &Gauge,
) -> Result<Result<DownloadReport, String>, CommunicatorError> {
    let mut large = Some(Large { from: LARGE, first: FIRST / BLOCK });
    for _ in 0..ATTEMPTS {
        let (tell, is_large) = oneshot::channel();
        let lanes = async {
            match is_large.await {
                Ok(()) => lanes::extra(way).await,
                // It is not.
                Err(_) => Vec::new(),
            }
        };
        let (got, mut lanes) = tokio::join!(fetch.get(large.map(|large| (large, tell))), lanes);
        let (unpacked, said) = match got? {
            Ok(unpacked) => unpacked,
            Err(instead) => return Ok(Err(instead)),
        };
        if fetch.packings.is_empty()
            && let Some(rate) = gauge.rate()
        {
            way.link.note_rate_of_downloads(rate);
        }
        lanes::that_pay(way, &mut lanes).await;
        let packings = Packing::all_for_rate(way.link.rate_of_downloads());
        let fetch = Fetch { packings, ..*fetch };
        let job = Job { fetch: &fetch, lanes: &lanes, arrived: AtomicU64::new(0) };
        let report = match unpacked {
            Unpacked::Part(arrived, size) => job.file(arrived, size).await?,
            Unpacked::List(name, Some(list)) => job.tree(&name, list).await?,
            Unpacked::List(_, None) => {
                large = None;
                None
            }
            unpacked => fetch.settle(unpacked, said).await?,
        };
        if let Some(report) = report {
            return Ok(Ok(report));
        }
    }
    Err(fetch.never_the_same())
}

struct Job<'a, 'f> {
    fetch: &'a Fetch<'f>,
    lanes: &'a [Lane],
    /// Bytes of files.
    arrived: AtomicU64,
}

impl Job<'_, '_> {
    /// The rest of a file whose beginning has arrived.
    async fn file(
        &self,
        mut arrived: Arrived,
        size: u64,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        self.arrived.store(FIRST, Ordering::Relaxed);
        let source = self.fetch.download.source.trim_end_matches('/');
        let name = PathBuf::from(source.rsplit('/').next().unwrap_or(source));
        let place = arrived.place().to_path_buf();
        // What is there is compared as far as it comes: a file may grow.
        let whole = [(name, size)];
        let digests = self.fetch.beginnings(&whole);
        let ranges = self.ranges(source, arrived.file(), &place, FIRST, size);
        let (digests, stamp) = tokio::try_join!(digests, ranges)?;
        let said = Said { single: digests, ..Said::default() };
        self.fetch.file(arrived, stamp, size, &said).await
    }

    /// Fetches a file from some byte on into one that has what comes before.
    async fn ranges(
        &self,
        source: &str,
        file: &std::fs::File,
        place: &Path,
        from: u64,
        size: u64,
    ) -> Result<Stamp, CommunicatorError> {
        let failed = |source| CommunicatorError::Write { path: place.into(), source };
        let mut legs = Vec::new();
        let mut start = from;
        let parts = lanes::parts(size.saturating_sub(from), self.lanes);
        for (lane, length) in self.lanes.iter().zip(parts).filter(|(_, length)| *length > 0) {
            let file = file.try_clone().map_err(failed)?;
            let target = Target::Range { file, place: place.into(), start, length };
            let mark = Mark::new();
            let blocks = length.div_ceil(BLOCK);
            let text = source::range(source, self.fetch.call(&mark), start / BLOCK, blocks);
            legs.push(self.leg(lane, Order { text, mark, input: Vec::new(), target }));
            start += length;
        }
        try_join_all(legs).await?;
        let (file, place) = (file.try_clone().map_err(failed)?, place.to_path_buf());
        let stamped = tokio::task::spawn_blocking(move || stamp(&file, &place));
        self.fetch.on_a_thread(stamped.await)
    }

    /// What lies in a directory.
    async fn tree(
        &self,
        name: &std::ffi::OsStr,
        list: Vec<Listed>,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        let download = self.fetch.download;
        let landing = Landing::new(&download.destination, name)
            .map_err(|mishap| receive::told(download, mishap))?;
        let landing = landing.shared();
        for entry in list.iter().filter(|entry| entry.kind == b'd') {
            lock(&landing)
                .directory(&entry.path, entry.mode)
                .map_err(|mishap| receive::told(download, mishap))?;
        }
        let files = || list.iter().filter(|entry| entry.kind == b'f');
        let names = files().flat_map(|entry| named(&entry.path)).collect();
        let size = files().fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
        let digests = async {
            Ok::<_, CommunicatorError>(
                check::sums(self.fetch.far, &download.source, names, size).await,
            )
        };
        let fetched = async {
            let shares = shares(&list, self.lanes.len()).into_iter().zip(self.lanes);
            let legs = shares.map(|(share, lane)| self.share(lane, share, &landing));
            let links = try_join_all(legs).await?.concat();
            for entry in files().filter(|entry| is_split(entry)) {
                self.large(entry, &landing).await?;
            }
            Ok::<_, CommunicatorError>(links)
        };
        let (digests, links) = tokio::try_join!(digests, fetched)?;
        let said = Said { digests: digests.unwrap_or_default(), ..Said::default() };
        let fetched = Fetched { landing, links, is_directory: true };
        self.fetch.settle(Unpacked::Tree(fetched), said).await
    }

    /// Some files and links, as an archive. The answer is the links that lead out.
    async fn share(
        &self,
        lane: &Lane,
        share: Vec<&Path>,
        landing: &SharedLanding,
    ) -> Result<Vec<PathBuf>, CommunicatorError> {
        let mark = Mark::new();
        let text = source::share(self.fetch.download, self.fetch.call(&mark));
        let input = share.into_iter().flat_map(named).collect();
        let order = Order { text, mark, input, target: Target::Tree(landing.clone()) };
        match self.leg(lane, order).await? {
            Unpacked::Tree(fetched) => Ok(fetched.links),
            _ => Err(receive::failed(self.fetch.download, "it sends no archive")),
        }
    }

    /// A large file of a tree.
    async fn large(
        &self,
        entry: &Listed,
        landing: &SharedLanding,
    ) -> Result<(), CommunicatorError> {
        let download = self.fetch.download;
        let told = |mishap| receive::told(download, mishap);
        let inside = Landing::inside(&entry.path).map_err(told)?;
        let root = download.source.trim_end_matches('/');
        let source = format!("{root}/{}", inside.display());
        let (file, place) = lock(landing).file(&entry.path, entry.mode).map_err(told)?;
        let stamp = self.ranges(&source, &file, &place, 0, entry.size).await?;
        lock(landing).arrived(&entry.path, stamp).map_err(told)
    }

    /// Runs an order; that the far side can is known.
    async fn leg(&self, far: &dyn Far, order: Order) -> Result<Unpacked, CommunicatorError> {
        let before = AtomicU64::new(0);
        let told = |bytes: u64| {
            let new = bytes.saturating_sub(before.swap(bytes, Ordering::Relaxed));
            (self.fetch.progress)(self.arrived.fetch_add(new, Ordering::Relaxed) + new);
        };
        match receive::run(far, order, self.fetch.download, &told).await? {
            Ok((unpacked, _)) => Ok(unpacked),
            Err(instead) => Err(receive::failed(self.fetch.download, &instead)),
        }
    }
}

/// A name with a zero byte after it.
fn named(path: impl AsRef<Path>) -> Vec<u8> {
    [path.as_ref().as_os_str().as_bytes(), b"\0"].concat()
}

/// Whether a file comes in ranges; its name must fit into a command.
fn is_split(entry: &Listed) -> bool {
    entry.kind == b'f' && entry.size > LARGE && entry.path.to_str().is_some()
}

/// The other files, and links, in so many shares of about the same size.
fn shares(list: &[Listed], count: usize) -> Vec<Vec<&Path>> {
    let sent = |entry: &&Listed| matches!(entry.kind, b'f' | b'l') && !is_split(entry);
    let mut entries: Vec<_> = list.iter().filter(sent).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.size));
    let mut shares = vec![(0, Vec::new()); count.max(1)];
    for entry in entries {
        if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes = u64::saturating_add(*bytes, entry.size);
            share.push(entry.path.as_path());
        }
    }
    shares.into_iter().map(|(_, share)| share).filter(|share| !share.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_all_but_directories_and_what_is_large() {
        let one = |kind, size, path: &str| Listed { kind, mode: 0o644, size, path: path.into() };
        let list = [
            one(b'd', 4096, "."),
            one(b'f', 40 << 20, "./large"),
            one(b'f', 7, "./a"),
            one(b'f', 4, "./b"),
            one(b'l', 2, "./c"),
            one(b'p', 0, "./pipe"),
        ];
        let shared = shares(&list, 2);
        assert_eq!(shared, [vec![Path::new("./a")], vec![Path::new("./b"), Path::new("./c")]]);
        assert_eq!(shares(&list[..2], 4), Vec::<Vec<&Path>>::new());
    }
}
