//! Files and directories of this machine as [`Tree`]s.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use sha2::{Digest as _, Sha256};

use super::{Content, Digest, DigestCache, Entry, Tree};

/// Permission bits that are kept. What a usual umask takes away (writing by group and others) is
/// not: so a checkout under umask 002 and one under 022 give the same tree. A file that only its
/// owner may read stays so.
const KEPT_BITS: u32 = 0o755;

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system says no.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A socket, a device, …
    #[error("`{}` is {kind}, which cannot be uploaded", path.display())]
    Special {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("the name of `{}` is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A link out of the tree that leads nowhere.
    #[error("the symbolic link `{}` points to `{}`, which is outside of the tree and does not exist", path.display(), target.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// A pattern that says nothing.
    #[error("cannot understand a pattern in {place}: {reason}")]
    Pattern {
        /// `.bakeignore` with its path, or the option.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Links that lead back to where they stand.
    #[error("the symbolic link `{}` leads into a directory that holds it", path.display())]
    Loop {
        /// The link.
        path: PathBuf,
    },
}

/// The file at the top of a directory that says what is left out of it, in the syntax of
/// `.gitignore`.
pub const IGNORE_FILE: &str = ".bakeignore";

/// What is read of a tree, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether [`IGNORE_FILE`] is heeded; it is then left out itself.
    pub ignore_file: bool,
    /// Patterns of what is left out, in the syntax of `.gitignore`; they come after the file's.
    pub exclude: Vec<String>,
    /// Whether all symbolic links are replaced by what they point to.
    pub follow: bool,
}

/// Reads a file, or a directory with everything below it, and digests all bytes.
///
/// Symbolic links that stay inside the tree are kept as links. One that points outside (an absolute
/// one always does) is replaced by what it points to, as Packer does for all links: its target
/// need not exist on the instance. `path` itself may be a link.
///
/// # Errors
///
/// The first thing, in order of paths, that cannot be read or uploaded.
pub fn read_tree(path: &Path) -> Result<Tree, ReadError> {
    read_tree_with(path, &ReadOptions::default())
}

/// The same, with parts left out or links followed. What is left out is not even looked at.
///
/// # Errors
///
/// As for [`read_tree`]; also when a pattern cannot be understood.
pub fn read_tree_with(path: &Path, options: &ReadOptions) -> Result<Tree, ReadError> {
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    let left_out = if metadata.is_dir() { left_out(path, options)? } else { Gitignore::empty() };
    let (entries, files) = (BTreeMap::new(), Vec::new());
    let mut walk = Walk { root: path, options, left_out, entries, files };
    walk.add(path, "", &metadata, &mut Vec::new())?;
    let Walk { mut entries, files, .. } = walk;
    for (digested, file) in digest_all(&files).into_iter().zip(files) {
        let (digest, size) = digested?;
        let content = Content::File(file.path);
        entries.insert(file.name, Entry::File { mode: file.mode, size, digest, content });
    }
    Ok(Tree { entries })
}

/// A file that is yet to be digested.
struct Found {
    name: String,
    path: PathBuf,
    mode: u32,
}

/// The patterns that hold for a directory.
fn left_out(root: &Path, options: &ReadOptions) -> Result<Gitignore, ReadError> {
    let wrong = |place: &str, error: ignore::Error| ReadError::Pattern {
        place: place.to_owned(),
        reason: error.to_string(),
    };
    // Names are matched as they are below the root.
    let mut patterns = GitignoreBuilder::new("");
    patterns.allow_unclosed_class(false);
    let file = root.join(IGNORE_FILE);
    let place = format!("`{}`", file.display());
    if options.ignore_file {
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|source| io_error(&file, source))?,
        };
        for line in text.trim_start_matches('\u{feff}').lines() {
            patterns.add_line(None, line).map_err(|error| wrong(&place, error))?;
        }
    }
    for pattern in &options.exclude {
        patterns.add_line(None, pattern).map_err(|error| wrong("`exclude`", error))?;
    }
    patterns.build().map_err(|error| wrong("the patterns", error))
}

struct Walk<'a> {
    root: &'a Path,
    options: &'a ReadOptions,
    left_out: Gitignore,
    entries: BTreeMap<String, Entry>,
    files: Vec<Found>,
}

impl Walk<'_> {
    /// Adds what stands at `path` under `name`; `above` holds the identities of the directories
    /// that we are in.
    fn add(
        &mut self,
        path: &Path,
        name: &str,
        metadata: &Metadata,
        above: &mut Vec<(u64, u64)>,
    ) -> Result<(), ReadError> {
        let mode = metadata.permissions().mode() & KEPT_BITS;
        if metadata.is_file() {
            self.files.push(Found { name: name.into(), path: path.into(), mode });
            return Ok(());
        }
        if !metadata.is_dir() {
            return Err(ReadError::Special { path: path.into(), kind: kind(metadata) });
        }
        let identity = (metadata.dev(), metadata.ino());
        if above.contains(&identity) {
            return Err(ReadError::Loop { path: path.into() });
        }
        self.entries.insert(name.into(), Entry::Directory { mode });
        let failed = |source| io_error(path, source);
        let mut inside = fs::read_dir(path)
            .and_then(|found| found.map(|one| one.map(|one| one.file_name())).collect())
            .map_err(failed)?;
        let inside: &mut Vec<_> = &mut inside;
        inside.sort();
        above.push(identity);
        for file_name in inside {
            let path = path.join(&*file_name);
            let Some(text) = file_name.to_str() else { return Err(ReadError::Name { path }) };
            let name = if name.is_empty() { text.into() } else { format!("{name}/{text}") };
            self.add_inside(&path, &name, above)?;
        }
        above.pop();
        Ok(())
    }

    fn add_inside(
        &mut self,
        path: &Path,
        name: &str,
        above: &mut Vec<(u64, u64)>,
    ) -> Result<(), ReadError> {
        let metadata = fs::symlink_metadata(path).map_err(|source| io_error(path, source))?;
        if (self.options.ignore_file && name == IGNORE_FILE)
            || self.left_out.matched(name, metadata.is_dir()).is_ignore()
        {
            return Ok(());
        }
        if !metadata.is_symlink() {
            return self.add(path, name, &metadata, above);
        }
        let target = fs::read_link(path).map_err(|source| io_error(path, source))?;
        if !self.options.follow && stays_inside(name, &target) && self.is_within(path) {
            let Some(target) = target.to_str() else {
                return Err(ReadError::Name { path: path.into() });
            };
            self.entries.insert(name.into(), Entry::Symlink { target: target.into() });
            return Ok(());
        }
        match fs::metadata(path) {
            Ok(metadata) => self.add(path, name, &metadata, above),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ReadError::DanglingLink { path: path.into(), target })
            }
            Err(source) => Err(io_error(path, source)),
        }
    }

    /// Whether a link stands where its name says, rather than below a link that was followed out
    /// of the tree: then what it points to is not in the tree.
    fn is_within(&self, link: &Path) -> bool {
        let Some(parent) = link.parent() else { return false };
        match (fs::canonicalize(parent), fs::canonicalize(self.root)) {
            (Ok(parent), Ok(root)) => parent.starts_with(root),
            _ => false,
        }
    }
}

/// Whether the target of a link called `name`, read as text, stays below the root.
fn stays_inside(name: &str, target: &Path) -> bool {
    let mut depth = name.matches('/').count();
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "a special file"
    }
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io { path: path.into(), source }
}

/// Digests and sizes, in the order of the files, on as many threads as there are processors.
fn digest_all(files: &[Found]) -> Vec<Result<(Digest, u64), ReadError>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { return done };
            done.push((index, digest(&file.path, REMEMBERED.get())));
        }
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, digested)| digested).collect()
}

/// Where digests of large files are kept from one process to the next. It changes nothing that is
/// read, only how long that takes, so it is one for the process.
static REMEMBERED: OnceLock<DigestCache> = OnceLock::new();

/// Remembers digests of large files from now on, if it is not done already.
pub fn remember_digests_in(cache: DigestCache) {
    drop(REMEMBERED.set(cache));
}

fn digest(path: &Path, cache: Option<&DigestCache>) -> Result<(Digest, u64), ReadError> {
    let failed = |source| io_error(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let remembered = cache.zip(DigestCache::state(&file));
    if let Some((cache, state)) = &remembered
        && let Some(digest) = cache.find(state)
    {
        return Ok((digest, state.size()));
    }
    let (digest, size) = digest_of(&mut file).map_err(failed)?;
    if let Some((cache, state)) = remembered {
        cache.keep(state, &file, &digest);
    }
    Ok((digest, size))
}

/// Reads all bytes of a file.
fn digest_of(file: &mut File) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_hasher(hasher), size)),
            Ok(count) => {
                hasher.update(buffer.get(..count).unwrap_or_default());
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    /// A tree in a few words, for comparison.
    fn told(tree: &Tree) -> Vec<String> {
        tree.entries
            .iter()
            .map(|(path, entry)| match entry {
                Entry::Directory { mode } => format!("{path}: directory {mode:o}"),
                Entry::Symlink { target } => format!("{path}: -> {target}"),
                Entry::File { mode, size, digest, .. } => {
                    format!("{path}: {mode:o} {size} {}", &digest.hex()[..4])
                }
            })
            .collect()
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_is_read_with_all_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        fs::write(root.join("bin/run"), "run").unwrap();
        fs::write(root.join("shared"), "s").unwrap();
        fs::write(root.join("secret"), "").unwrap();
        fs::write(folder.path().join("outside"), "outside").unwrap();
        for (path, bits) in [
            ("", 0o775),
            ("bin", 0o2755),
            ("empty", 0o700),
            ("bin/run", 0o4775),
            ("shared", 0o664),
            ("secret", 0o600),
        ] {
            mode(&root.join(path), bits);
        }
        symlink("../bin/run", root.join("bin/self")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        mode(&folder.path().join("outside"), 0o644);
        insta::assert_snapshot!(told(&read_tree(&root).unwrap()).join("\n"), @"
        : directory 755
        bin: directory 755
        bin/run: 755 3 acba
        bin/self: -> ../bin/run
        dangling: -> nowhere
        empty: directory 700
        out: 644 7 3120
        secret: 600 0 e3b0
        shared: 644 1 043a
        ");

        // The same tree elsewhere, through a link, is equal but for where the bytes are.
        symlink(&root, folder.path().join("link")).unwrap();
        let linked = read_tree(&folder.path().join("link")).unwrap();
        assert_eq!(told(&linked), told(&read_tree(&root).unwrap()));
        assert_eq!(linked.size(), 11);
    }

    #[test]
    fn what_is_ignored_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in
            [".bakeignore", "a.log", "keep.log", "src/b.log", "src/c", "target/d", "e/target"]
        {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "x").unwrap();
        }
        fs::write(root.join(".bakeignore"), "# no logs\n*.log\n\n!keep.log\n/target/\n").unwrap();
        // What is left out may be anything.
        let socket = std::os::unix::net::UnixListener::bind(root.join("target/socket")).unwrap();
        let read = |ignore_file, exclude: &[&str]| {
            let exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
            let tree = read_tree_with(root, &ReadOptions { ignore_file, exclude, follow: false });
            tree.map(|tree| tree.entries.into_keys().skip(1).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read(true, &[]).unwrap(), "e e/target keep.log src src/c");
        assert_eq!(read(true, &["e", "!a.log"]).unwrap(), "a.log keep.log src src/c");
        assert!(read(false, &["*.log"]).is_err(), "the socket");
        drop(socket);
        let without = read(false, &["/target", "e/*"]).unwrap();
        assert_eq!(without, ".bakeignore a.log e keep.log src src/b.log src/c");
        let error = read(true, &["a[", "x"]).unwrap_err().to_string();
        assert!(error.starts_with("cannot understand a pattern in `exclude`: "), "{error}");
    }

    #[test]
    fn links_are_followed_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/f"), "f").unwrap();
        symlink("d", root.join("l")).unwrap();
        let follow = ReadOptions { follow: true, ..ReadOptions::default() };
        let names: Vec<_> = read_tree_with(root, &follow).unwrap().entries.into_keys().collect();
        assert_eq!(names, ["", "d", "d/f", "l", "l/f"]);
        symlink("gone", root.join("dangling")).unwrap();
        assert!(matches!(read_tree_with(root, &follow), Err(ReadError::DanglingLink { .. })));
        fs::remove_file(root.join("dangling")).unwrap();
        symlink("../d", root.join("d/again")).unwrap();
        assert!(matches!(read_tree_with(root, &follow), Err(ReadError::Loop { .. })));
    }

    #[test]
    fn a_file_is_a_tree_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "text").unwrap();
        let tree = read_tree(&path).unwrap();
        match tree.single_file() {
            Some(Entry::File { size: 4, digest, .. }) => assert_eq!(*digest, Digest::of(b"text")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn links_out_of_the_tree_bring_what_they_point_to() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("root"), folder.path().join("other"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("file"), "x").unwrap();
        // Relative to the directory it stands in, which is not in the tree under that name.
        symlink("file", other.join("near")).unwrap();
        symlink(&other, root.join("absolute")).unwrap();
        symlink("a/../../other", root.join("relative")).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        let names: Vec<_> = read_tree(&root).unwrap().entries.into_keys().collect();
        assert_eq!(
            names,
            [
                "",
                "a",
                "absolute",
                "absolute/file",
                "absolute/near",
                "relative",
                "relative/file",
                "relative/near"
            ]
        );
    }

    #[test]
    fn what_cannot_be_uploaded_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let refused =
            || read_tree(root).unwrap_err().to_string().replace(root.to_str().unwrap(), "ROOT");

        assert_eq!(
            read_tree(Path::new("/no/such/file")).unwrap_err().to_string(),
            "cannot read `/no/such/file`: No such file or directory (os error 2)"
        );
        symlink("/no/such", root.join("gone")).unwrap();
        assert_eq!(
            refused(),
            "the symbolic link `ROOT/gone` points to `/no/such`, which is outside of the tree and does not exist"
        );
        fs::remove_file(root.join("gone")).unwrap();

        symlink(root, root.join("again")).unwrap();
        assert_eq!(
            refused(),
            "the symbolic link `ROOT/again` leads into a directory that holds it"
        );
        fs::remove_file(root.join("again")).unwrap();

        let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        assert_eq!(refused(), "`ROOT/socket` is a socket, which cannot be uploaded");
        drop(socket);
        fs::remove_file(root.join("socket")).unwrap();

        let name = std::os::unix::ffi::OsStrExt::as_bytes(root.as_os_str()).to_vec();
        let name = [name, b"/\xff".to_vec()].concat();
        let name: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(name);
        fs::write(name, "").unwrap();
        assert!(refused().ends_with("is not UTF-8"), "{}", refused());
    }

    #[test]
    fn many_files_keep_their_digests() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..200 {
            fs::write(folder.path().join(n.to_string()), n.to_string()).unwrap();
        }
        let tree = read_tree(folder.path()).unwrap();
        for n in 0..200_u32 {
            match tree.entries.get(&n.to_string()) {
                Some(Entry::File { digest, .. }) => {
                    assert_eq!(*digest, Digest::of(n.to_string().as_bytes()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn the_digest_of_a_large_file_is_remembered_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::new(folder.path().join("digests"));
        let path = folder.path().join("large");
        fs::write(&path, vec![7; 1 << 20]).unwrap();
        let right = (Digest::of(&vec![7; 1 << 20]), 1 << 20);
        let kept = || fs::read_dir(folder.path().join("digests")).into_iter().flatten().count();
        // It is kept as soon as the change lies far enough back.
        while kept() == 0 {
            assert_eq!(digest(&path, Some(&cache)).unwrap(), right);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let state = DigestCache::state(&File::open(&path).unwrap()).unwrap();
        assert_eq!(cache.find(&state), Some(right.0));
        // It is used, as a wrong one shows.
        let planted = folder.path().join("digests").read_dir().unwrap().next().unwrap().unwrap();
        fs::write(planted.path(), format!("{}\n", Digest::of(b"planted").hex())).unwrap();
        let planted = (Digest::of(b"planted"), 1 << 20);
        assert_eq!(digest(&path, Some(&cache)).unwrap(), planted);
        assert_eq!(digest(&path, None).unwrap(), right);
        // Other bytes of the same length, with the old time of change.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, vec![8; 1 << 20]).unwrap();
        File::open(&path).unwrap().set_modified(modified).unwrap();
        let right = (Digest::of(&vec![8; 1 << 20]), 1 << 20);
        assert_eq!(digest(&path, Some(&cache)).unwrap(), right);
    }
}
