//! Fetching a file, a tree or all that matches a pattern, and making sure that it is what is there.
//!
//! The far side computes digests while it sends. A file whose digest is another one may have
//! changed in the meantime, as logs do: if what arrived is how it begins there, it has only grown,
//! and all is well. Otherwise it is fetched again.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tokio::sync::{mpsc, oneshot};

use super::destination::BLOCK;
use super::far::{Far, Input, Progress};
use super::landing::{Arrived, Landing, Mishap, SharedLanding, Stamp, lock};
use super::packing::Packing;
use super::receive::{self, Order, Received, failed, told};
use super::said::{self, Mark, Said};
use super::shell::Call;
use super::source::{self, Large};
use super::unpack::{Fetched, Target, Unpacked};
use crate::communicator::{CommunicatorError, Download, DownloadReport, Exit};

/// Attempts at a file that does not arrive as it is.
pub(crate) const ATTEMPTS: u32 = 3;

/// One download.
pub(crate) struct Fetch<'a> {
    /// From where.
    pub(crate) far: &'a dyn Far,
    /// What.
    pub(crate) download: &'a Download,
    /// How the stream may be packed, the best first.
    pub(crate) packings: &'a [Packing],
    /// Who is told of bytes of files.
    pub(crate) progress: Progress<'a>,
}

impl Fetch<'_> {
    /// Fetches all in one stream. The answer is what was found instead when there is no way to.
    pub(crate) async fn in_one_stream(
        &self,
    ) -> Result<Result<DownloadReport, String>, CommunicatorError> {
        for _ in 0..ATTEMPTS {
            match self.get(None).await? {
                Ok((unpacked, said)) => {
                    if let Some(report) = self.settle(unpacked, said).await? {
                        return Ok(Ok(report));
                    }
                }
                Err(instead) => return Ok(Err(instead)),
            }
        }
        Err(self.never_the_same())
    }

    /// It was fetched in vain too often.
    pub(crate) fn never_the_same(&self) -> CommunicatorError {
        let text = "it changes while it is read: its SHA-256 was never that of what arrived";
        failed(self.download, text)
    }

    /// Starts: gets all of it, or the beginning of what is large; then `large` is told at once.
    pub(crate) async fn get(
        &self,
        large: Option<(Large, oneshot::Sender<()>)>,
    ) -> Result<Received, CommunicatorError> {
        if self.download.source.is_empty() {
            return Err(failed(self.download, "the source is empty"));
        }
        let (large, tell) = large.unzip();
        let tell = large.zip(tell).map(|(large, tell)| (large.first * BLOCK, tell));
        let mark = Mark::new();
        let text = source::get(self.download, self.call(&mark), large);
        let target = Target::New {
            destination: self.download.destination.clone(),
            into_directory: self.download.into_directory,
            large: tell,
        };
        let order = Order { text, mark, input: Vec::new(), target };
        receive::run(self.far, order, self.download, self.progress).await
    }

    /// How scripts are called.
    pub(crate) fn call<'m>(&self, mark: &'m Mark) -> Call<'m>
    where
        Self: 'm,
    {
        Call { mark, packings: self.packings, bytes: u64::MAX }
    }

    /// Compares what came in one stream, and puts it in its place. `None`: it must be fetched
    /// again.
    pub(crate) async fn settle(
        &self,
        unpacked: Unpacked,
        said: Said,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        match unpacked {
            Unpacked::File(arrived, stamp) => self.file(arrived, stamp, &said).await,
            Unpacked::Tree(fetched) => self.tree(fetched, said).await,
            Unpacked::Part(..) | Unpacked::List(..) | Unpacked::Range => {
                Err(failed(self.download, "a part came where all was to come"))
            }
        }
    }

    /// Compares a file with the digest that was told, and puts it in its place.
    pub(crate) async fn file(
        &self,
        arrived: Arrived,
        stamp: Stamp,
        said: &Said,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        match said.digest() {
            None => self.nothing_was_compared(),
            Some(there) if *there == stamp.digest.hex() => {}
            Some(_) => {
                let source = self.download.source.trim_end_matches('/');
                let name = source.rsplit('/').next().unwrap_or(source);
                let file = [(PathBuf::from(name), stamp)];
                if !self.not_grown(&file).await?.is_empty() {
                    return Ok(None);
                }
            }
        }
        arrived.keep()?;
        (self.progress)(stamp.size);
        Ok(Some(DownloadReport { bytes: stamp.size, files: 1 }))
    }

    fn nothing_was_compared(&self) {
        tracing::debug!(
            source = self.download.source,
            "the far side cannot compute SHA-256: nothing was compared"
        );
    }

    async fn tree(
        &self,
        fetched: Fetched,
        mut said: Said,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        let Fetched { landing, links, is_directory } = fetched;
        if !links.is_empty() {
            if !is_directory {
                return Err(self.leads_out(&links));
            }
            // What they point to, as uploads do with such links.
            let (rest, more) = self.again(&landing, &links).await?;
            if !rest.is_empty() {
                return Err(self.leads_out(&rest));
            }
            said.digests.extend(more.digests);
        }
        self.complete(landing, said, is_directory || self.has_one_directory()).await
    }

    /// Whether all that a pattern matches lies in one directory, so that names lead to it.
    fn has_one_directory(&self) -> bool {
        let source = self.download.source.trim_end_matches('/');
        let above = source.rsplit_once('/').map_or("", |(above, _)| above);
        !above.contains(['*', '?', '['])
    }

    /// Compares the files of a tree with the digests that were told, fetches again those that are
    /// others if they have names that lead to them, and puts all in its place.
    pub(crate) async fn complete(
        &self,
        landing: SharedLanding,
        mut said: Said,
        has_names: bool,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        if said.digests.is_empty() && lock(&landing).report().files > 0 {
            self.nothing_was_compared();
        }
        for attempt in 1.. {
            let (differing, untold) = {
                let landing = lock(&landing);
                (landing.differing(&said.digests), landing.untold(&said.digests))
            };
            if untold > 0 && !said.digests.is_empty() {
                tracing::debug!(untold, "files of a download were not compared");
            }
            let differing = match has_names {
                true => self.not_grown(&differing).await?,
                false => differing.into_iter().map(|(path, _)| path).collect(),
            };
            if differing.is_empty() {
                break;
            }
            if attempt == ATTEMPTS || !has_names {
                let names: Vec<_> =
                    differing.iter().map(|path| path.display().to_string()).collect();
                let names = said::enumerated(&names);
                let reason = format!(
                    "what arrived is not what is there: SHA-256 differs for {names}; either it changes all the time, or it is damaged on its way"
                );
                return Err(failed(self.download, &reason));
            }
            let (links, again) = self.again(&landing, &differing).await?;
            if !links.is_empty() {
                return Err(self.leads_out(&links));
            }
            said.digests.extend(again.digests);
        }
        let finished = tokio::task::spawn_blocking(move || {
            let mut landing = lock(&landing);
            landing.finish().map(|()| landing.report())
        });
        let report = self.on_a_thread(finished.await)?;
        (self.progress)(report.bytes);
        Ok(Some(report))
    }

    /// The result of something that ran on a thread of its own.
    pub(crate) fn on_a_thread<T>(
        &self,
        result: Result<Result<T, Mishap>, tokio::task::JoinError>,
    ) -> Result<T, CommunicatorError> {
        match result {
            Ok(result) => result.map_err(|mishap| told(self.download, mishap)),
            Err(panicked) => Err(failed(self.download, &format!("unpacking failed: {panicked}"))),
        }
    }

    fn leads_out(&self, links: &[PathBuf]) -> CommunicatorError {
        let all: Vec<_> = links.iter().map(|path| format!("`{}`", path.display())).collect();
        failed(self.download, &format!("{} leads out of what is downloaded", all.join(", ")))
    }

    /// Fetches files by their names, or what links point to. Links among what comes that lead out
    /// are the first answer.
    async fn again(
        &self,
        landing: &SharedLanding,
        names: &[PathBuf],
    ) -> Result<(Vec<PathBuf>, Said), CommunicatorError> {
        let mark = Mark::new();
        let text = source::again(self.download, self.call(&mark));
        let input = words(names.iter().map(|name| below(name)));
        let before = lock(landing).report().bytes;
        let progress = |bytes| (self.progress)(before + bytes);
        let order = Order { text, mark, input, target: Target::Tree(landing.clone()) };
        match receive::run(self.far, order, self.download, &progress).await? {
            Ok((Unpacked::Tree(fetched), said)) => Ok((fetched.links, said)),
            Ok(_) => Err(failed(self.download, "a part came where files were to come")),
            Err(instead) => Err(failed(self.download, &instead)),
        }
    }

    /// Of files that arrived with another digest: those that do not begin there as they arrived.
    async fn not_grown(
        &self,
        files: &[(PathBuf, Stamp)],
    ) -> Result<Vec<PathBuf>, CommunicatorError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let sizes: Vec<_> = files.iter().map(|(path, stamp)| (path.clone(), stamp.size)).collect();
        let mut told = self.beginnings(&sizes).await?.into_iter();
        let mut left = Vec::new();
        for (path, stamp) in files {
            if told.next() != Some(stamp.digest.hex()) {
                left.push(path.clone());
            }
        }
        Ok(left)
    }

    /// Digests of the first bytes of files, so many of each; those that nobody can tell are empty
    /// or missing.
    pub(crate) async fn beginnings(
        &self,
        files: &[(PathBuf, u64)],
    ) -> Result<Vec<String>, CommunicatorError> {
        let mark = Mark::new();
        let text = source::beginnings(self.download, Call { packings: &[], ..self.call(&mark) });
        let input =
            words(files.iter().flat_map(|(path, size)| [size.to_string().into(), below(path)]));
        let (output, chunks) = mpsc::channel(16);
        let ignored = AtomicBool::new(false);
        let (exit, said) = tokio::join!(
            self.far.run(&text, Input::Bytes(input), output),
            said::listen(&mark, &ignored, chunks)
        );
        match exit? {
            Exit::Disconnected { reason } => {
                Err(CommunicatorError::Lost { address: self.far.name(), reason })
            }
            Exit::Code(0) => Ok(said.single),
            Exit::Code(_) | Exit::Signal(_) => Ok(Vec::new()),
        }
    }
}

/// A path as the far side's tools take it.
fn below(path: &Path) -> Vec<u8> {
    let path = Landing::inside(path).unwrap_or_default();
    [b"./", path.as_os_str().as_bytes()].concat()
}

/// Words of a shell, whatever bytes they have.
fn words(words: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let quoted = words.map(|word| {
        let parts: Vec<_> = word.split(|byte| *byte == b'\'').collect();
        [b"'", &*parts.join(&br"'\''"[..]), b"'"].concat()
    });
    quoted.collect::<Vec<_>>().join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_back() {
        let all = [&b"a b"[..], b"it's", b"", b"$HOME\n*", b"\xff\\", b"''"];
        let text = [b"set -- ", &*words(all.iter().map(|word| word.to_vec()))].concat();
        let script = "eval \"$(cat)\"; for w; do printf '<%s>' \"$w\"; done";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut shell.stdin.take().unwrap(), &text).unwrap();
        let expected: Vec<u8> = all.iter().flat_map(|word| [b"<", *word, b">"].concat()).collect();
        assert_eq!(shell.wait_with_output().unwrap().stdout, expected);
    }

    #[test]
    fn names_begin_at_the_directory() {
        assert_eq!(below(Path::new("./a/b")), b"./a/b");
        assert_eq!(below(Path::new("-a")), b"./-a");
    }
}
