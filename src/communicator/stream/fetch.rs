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

/// How many names one command gets, and of how many bytes.
pub(super) const PORTION: usize = 1000;
const PORTION_BYTES: usize = 64 << 10;

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
            Unpacked::File(arrived, stamp, told) => self.file(arrived, stamp, told, &said).await,
            Unpacked::Tree(fetched) => self.tree(fetched, said).await,
            Unpacked::Part(..) | Unpacked::List(..) | Unpacked::Range => {
                Err(failed(self.download, "a part came where all was to come"))
            }
        }
    }

    /// Compares a file with the digest that was told, and puts it in its place. It must not be
    /// shorter than it was `told` to be, unless it is as it should be: files of the kernel are not
    /// as long as they look.
    pub(crate) async fn file(
        &self,
        arrived: Arrived,
        stamp: Stamp,
        told: u64,
        said: &Said,
    ) -> Result<Option<DownloadReport>, CommunicatorError> {
        match said.digest() {
            None => self.nothing_was_compared(),
            Some(there) if *there == stamp.digest.hex() => {}
            Some(_) => {
                let source = self.download.source.trim_end_matches('/');
                let name = source.rsplit('/').next().unwrap_or(source);
                let file = [(PathBuf::from(name), stamp)];
                if stamp.size < told || !self.not_grown(&file).await?.is_empty() {
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
    /// others, or did not come, if they have names that lead to them, and puts all in its place.
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
            let (differing, missing, untold) = {
                let (landing, digests) = (lock(&landing), &said.digests);
                let missing = if has_names { landing.missing(digests) } else { Vec::new() };
                (landing.differing(digests), missing, landing.untold(digests))
            };
            if untold > 0 && !said.digests.is_empty() {
                tracing::debug!(untold, "files of a download were not compared");
            }
            let mut wrong = match has_names {
                true => self.not_grown(&differing).await?,
                false => differing.into_iter().map(|(path, _)| path).collect(),
            };
            if wrong.is_empty() && missing.is_empty() {
                break;
            }
            if attempt == ATTEMPTS || !has_names {
                return Err(self.not_what_is_there(&wrong, &missing));
            }
            wrong.extend_from_slice(&missing);
            let (links, again) = self.again(&landing, &wrong).await?;
            if !links.is_empty() {
                return Err(self.leads_out(&links));
            }
            for path in &missing {
                // One that was there for a moment only: the far side tells nothing of it now.
                if again.digests.of(path).is_none() {
                    said.digests.forget(path);
                }
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

    /// Files are others than those on the far side, or did not come at all.
    fn not_what_is_there(&self, wrong: &[PathBuf], missing: &[PathBuf]) -> CommunicatorError {
        let mut text = Vec::new();
        if !wrong.is_empty() {
            text.push(format!("SHA-256 differs for {}", all_or_some(wrong)));
        }
        if !missing.is_empty() {
            text.push(format!("{} did not come", all_or_some(missing)));
        }
        let text = text.join(", and ");
        let reason = format!(
            "what arrived is not what is there: {text}; either it changes all the time, or it is damaged on its way"
        );
        failed(self.download, &reason)
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
        let names = all_or_some(links);
        failed(self.download, &format!("{names} leads out of what is downloaded"))
    }

    /// Fetches files by their names, or what links point to. Links among what comes that lead out
    /// are the first answer.
    async fn again(
        &self,
        landing: &SharedLanding,
        names: &[PathBuf],
    ) -> Result<(Vec<PathBuf>, Said), CommunicatorError> {
        let (mut links, mut all) = (Vec::new(), Said::default());
        for names in portions(names, |name| name) {
            let (more, said) = self.portion_again(landing, names).await?;
            links.extend(more);
            all.digests.extend(said.digests);
        }
        Ok((links, all))
    }

    async fn portion_again(
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
        let mut all = Vec::new();
        for files in portions(files, |(name, _)| name) {
            let mut some = self.portion_of_beginnings(files).await?;
            some.resize(files.len(), String::new());
            all.extend(some);
        }
        Ok(all)
    }

    async fn portion_of_beginnings(
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

/// Names for an error.
fn all_or_some(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    said::enumerated(&names)
}

/// What can be told to one command: systems limit the arguments that its tools get.
fn portions<T>(all: &[T], name: impl Fn(&T) -> &Path) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |one: &&T| {
            bytes += name(one).as_os_str().len();
            bytes <= PORTION_BYTES
        };
        let count = rest.iter().take(PORTION).take_while(fits).count().max(1);
        let (portion, later) = rest.split_at_checked(count)?;
        rest = later;
        Some(portion)
    })
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
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Stdio;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::communicator::Chunk;
    use crate::event::Stream;

    /// This machine, from which not all comes.
    #[derive(Default)]
    struct Near {
        /// How many bytes of each stream are lost at its end.
        lost: usize,
        /// Where programs are looked for first.
        programs: PathBuf,
        commands: AtomicUsize,
    }

    impl Far for Near {
        fn run<'a>(
            &'a self,
            text: &'a str,
            input: Input<'a>,
            output: mpsc::Sender<Chunk>,
        ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
            async move {
                self.commands.fetch_add(1, Ordering::Relaxed);
                let path = std::env::var("PATH").unwrap();
                let mut shell = tokio::process::Command::new("sh")
                    .args(["-c", text])
                    .env("PATH", format!("{}:{path}", self.programs.display()))
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap();
                if let Input::Bytes(bytes) = input {
                    shell.stdin.take().unwrap().write_all(&bytes).await.unwrap();
                }
                let ended = shell.wait_with_output().await.unwrap();
                let come = ended.stdout.len().saturating_sub(self.lost);
                for (stream, bytes) in
                    [(Stream::Stderr, &*ended.stderr), (Stream::Stdout, &ended.stdout[..come])]
                {
                    output.send(Chunk { stream, bytes: bytes.to_vec() }).await.unwrap();
                }
                Ok(Exit::Code(ended.status.code().unwrap() as u32))
            }
            .boxed()
        }

        fn name(&self) -> String {
            "near".into()
        }
    }

    async fn fetched(
        far: &Near,
        source: &Path,
        destination: &Path,
    ) -> Result<DownloadReport, CommunicatorError> {
        let (source, destination) = (source.to_str().unwrap().into(), destination.into());
        let download = Download { source, destination, into_directory: false };
        let fetch = Fetch { far, download: &download, packings: &[], progress: &|_| {} };
        fetch.in_one_stream().await.map(Result::unwrap)
    }

    #[tokio::test]
    async fn what_is_cut_off_has_not_grown() {
        let folder = tempfile::tempdir().unwrap();
        let (there, here) = (folder.path().join("there"), folder.path().join("here"));
        std::fs::create_dir(&there).unwrap();
        std::fs::write(there.join("f"), "text").unwrap();
        let far = Near { lost: 1, ..Near::default() };
        let error = fetched(&far, &there.join("f"), &here).await.unwrap_err().to_string();
        assert!(error.contains("changes while it is read"), "{error}");
        assert!(!here.exists());
        let error = fetched(&far, &there, &here).await.unwrap_err().to_string();
        assert!(error.contains("is broken") || error.contains("breaks off"), "{error}");
        assert!(!here.exists());
        let whole = fetched(&Near::default(), &there.join("f"), &here).await.unwrap();
        assert_eq!(whole, DownloadReport { bytes: 4, files: 1 });
    }

    #[tokio::test]
    async fn files_that_did_not_come_are_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let (there, here) = (folder.path().join("there"), folder.path().join("here"));
        std::fs::create_dir_all(there.join("d")).unwrap();
        for name in ["a", "d/b"] {
            std::fs::write(there.join(name), name).unwrap();
        }
        let programs = tempfile::tempdir().unwrap();
        let tar = programs.path().join("tar");
        let script = |forgets: &str| {
            let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|path| path.join("tar"))
                .find(|path| path.exists());
            let real = real.unwrap().display().to_string();
            let script = format!(
                "#!/bin/sh\ncase $* in {forgets}) set -- --exclude b \"$@\" ;; esac\nexec {real} \"$@\"\n"
            );
            std::fs::write(&tar, script).unwrap();
            std::fs::set_permissions(&tar, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let far = Near { programs: programs.path().into(), ..Near::default() };
        script("*-cf*");
        let report = fetched(&far, &there, &here).await.unwrap();
        assert_eq!(report, DownloadReport { bytes: 4, files: 2 });
        assert_eq!(std::fs::read(here.join("there/d/b")).unwrap(), b"d/b");
        script("*f*");
        let error = fetched(&far, &there, &folder.path().join("x")).await.unwrap_err().to_string();
        assert!(error.contains("`d/b` did not come"), "{error}");
        assert!(!folder.path().join("x").exists());
    }

    #[tokio::test]
    async fn very_many_links_are_followed_in_portions() {
        let folder = tempfile::tempdir().unwrap();
        let (there, here) = (folder.path().join("there"), folder.path().join("here"));
        std::fs::create_dir(&there).unwrap();
        std::fs::write(folder.path().join("out"), "out").unwrap();
        let links = PORTION + 1;
        for n in 0..links {
            symlink("../out", there.join(n.to_string())).unwrap();
        }
        let far = Near::default();
        fetched(&far, &there, &here).await.unwrap();
        assert_eq!(std::fs::read_dir(here.join("there")).unwrap().count(), links);
        assert_eq!(far.commands.into_inner(), 3);
    }

    #[test]
    fn portions_have_so_many_names_and_bytes() {
        let names = vec![PathBuf::from("x".repeat(PORTION_BYTES / 2)); 5];
        let lengths =
            |names: &[PathBuf]| portions(names, |name| name).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&names), [2, 2, 1]);
        assert_eq!(lengths(&vec![PathBuf::from("x".repeat(2 * PORTION_BYTES)); 2]), [1, 1]);
        assert_eq!(lengths(&vec![PathBuf::from("x"); PORTION + 1]), [PORTION, 1]);
        assert!(lengths(&[]).is_empty());
    }

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
