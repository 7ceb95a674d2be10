//! The commands that receive an upload on the far side.
//!
//! What was not there before goes again when a command fails, or is told to end: the file, or the
//! directory of the tree with all that came into it. What was there is written over, file by file.

use super::said::Mark;
use super::shell::Call;
use crate::communicator::Upload;
use crate::plan::Entry;

/// Bytes of the blocks in which `dd` counts.
pub(crate) const BLOCK: u64 = 64 << 10;

/// Appends the name of the file where the destination asks for it. Takes the name as `$2`.
const NAME: &str = "case $d in */) d=$d$2 ;; esac;";

/// Unpacks what comes.
const UNPACK: &str = "un() { case $u in zstd) zstd -dc ;; gzip) gzip -dc ;; *) cat ;; esac; };";

/// Receives one file from standard input. Takes name, mode and size; the size is `-` when the
/// rest of the file comes otherwise.
///
/// Python writes and digests at once, which nothing else does, so a large file is worth its start
/// (in `any`, as what is written is a number and what `update` returns is none). It says `+` before
/// it reads: without that it does not work here, and all of the input is still there. Before that it
/// makes the pipe larger (1031 is `F_SETPIPE_SZ` of Linux, see fcntl(2)): the server is then woken a
/// few thousand times for a gigabyte instead of tens of thousands. `openssl` is
/// so fast that it reads the file again: one more program that hands on all bytes costs more. The
/// others are slower than most links, so they work while the bytes come; when these cannot be
/// written, `$s` holds an `x`.
const FILE: &str = r#"
if [ -d "$d" ]; then echo "$d: Is a directory" >&2; exit 1; fi;
p=${d%/*}; [ -z "$p" ] || [ -d "$p" ] || mkdir -p -- "$p" || exit 1;
n=; [ -e "$d" ] || [ -L "$d" ] || { n=y; echo "$m:made" >&2; };
fail() { [ -z "$n" ] || rm -f -- "$d"; exit 1; };
trap fail TERM HUP;
umask 077;
if [ "$4" = - ] || [ -z "$h" ]; then un > "$d" || fail;
elif [ "$h" = openssl ]; then
  y="import fcntl, hashlib, os, stat, sys;
     sys.excepthook = lambda t, e, b: print(getattr(e, 'strerror', e), file=sys.stderr);
     h = hashlib.sha256(); i = sys.stdin.buffer.raw; b = memoryview(bytearray(262144));
     sys.platform == 'linux' and stat.S_ISFIFO(os.fstat(0).st_mode) and fcntl.fcntl(0, 1031, 1048576);
     print('+', end='', flush=True); o = open(sys.argv[1], 'wb');
     any(o.write(b[:n]) and h.update(b[:n]) for n in iter(lambda: i.readinto(b), 0));
     o.close(); print(h.hexdigest())";
  s=;
  if [ "$u" = none ] && has python3; then s=$(python3 -c "$y" "$d"); fi;
  case $s in
  +?*) echo "$m:digest ${s#+}" >&2 ;;
  +) fail ;;
  *) un > "$d" || fail; if [ -f "$d" ]; then s=$(sum < "$d"); echo "$m:digest ${s%% *}" >&2; fi ;;
  esac;
else
  s=$( { { if [ "$u" = none ]; then tee "$d"; else un | tee "$d"; fi || echo x >&3; } | sum; } 3>&1 );
  case $s in *x*) fail ;; esac;
  echo "$m:digest ${s%% *}" >&2;
fi;
"#;

/// Makes sure that a file is as long as it should be, and sets its mode. Takes as [`FILE`] does.
const END: &str = r#"
if [ "$4" = - ]; then :; else
  if [ -f "$d" ]; then
    c=$(wc -c < "$d") && [ "$c" -eq "$4" ] || { echo "only $c of $4 bytes arrived" >&2; fail; };
  fi;
  chmod -- "$3" "$d" || fail;
fi;
echo "$m:done" >&2
"#;

/// Receives a part of a file that is there. Takes name and the block at which the part begins.
/// `dd` tells its counts in any case.
const RANGE: &str = r#"
put() { dd of="$d" bs=65536 seek="$1" conv=notrunc 2>&1; };
e=$(if [ "$u" = none ]; then put "$3"; else un | put "$3"; fi) || { echo "$e" >&2; exit 1; };
echo "$m:done" >&2
"#;

/// Digests a file that came in parts.
const DIGEST: &str = r#"
fail() { exit 1; };
if [ -n "$h" ]; then s=$(sum < "$d") || exit 1; echo "$m:digest ${s%% *}" >&2; fi;
"#;

/// Receives an archive from standard input. Takes the name to append to a directory that exists
/// (or nothing), the mode of a directory that is made, and the name of the list of files in the
/// archive (or nothing).
///
/// GNU tar would replace a link to a directory (such as `/lib`) by a directory, and change the
/// modes of directories that exist; it has options against both, the first since 1.27 (before, it
/// did not), and reads 64 KiB at a time when told to. bsdtar has `-P` against the first. Neither it
/// nor busybox has anything against the second; it helps that most directories are not in the
/// archive, see [`archive`](super::archive). `-o` and `-m`: owner and time are those of the
/// extraction. `-p`: modes are those of the archive.
///
/// What somebody gave up may still be there when it is tried again: a directory that was made for
/// it and goes in a moment, as its own command fails when its input ends. Its list of files tells,
/// as it lies there until then. So it is waited for; and if it stays, as after a crash, the name is
/// not appended, as it was not the first time. The directory goes in one step, by another name, so
/// that nothing can come in between.
const TREE: &str = r#"
if has tar; then :; else echo "$m:no-tar" >&2; exit 127; fi;
l=$4; a=$2; i=x;
begun() { for f in "${d%/}"/.bake-????????????????; do if [ -e "$f" ]; then return 0; fi; done; return 1; };
if [ -n "$2" ] && begun; then
  a=;
  while begun; do
    case $i in xxxxxx) break ;; esac;
    i=x$i; sleep 1 || break;
  done;
fi;
if [ -d "$d" ]; then [ -z "$a" ] || { d=${d%/}/$a; echo "$m:appended" >&2; }; fi;
umask 022;
b=$PWD; n=;
fail() {
  if [ -n "$n" ]; then
    cd -- "$b" && { g=${d%/}.bake-$m; mv -- "$d" "$g" 2>/dev/null || g=$d; rm -rf -- "$g"; };
  elif [ -n "$l" ]; then rm -f -- "./$l";
  fi;
  exit "$1"; };
trap "fail 143" TERM HUP;
[ -d "$d" ] || { mkdir -p -- "$d" && n=y && echo "$m:made" >&2 && chmod -- "$3" "$d"; } || fail 1;
cd -- "$d" || fail 1;
o="-b 128 --no-overwrite-dir --keep-directory-symlink";
if tar $o --version >/dev/null 2>&1; then :;
elif tar --no-overwrite-dir --version >/dev/null 2>&1; then o="-b 128 --no-overwrite-dir";
else case $(tar --version 2>&1) in *bsdtar*) o=-P ;; *) o= ;; esac;
fi;
if [ "$u" = none ]; then tar -x -m -o -p $o -f -; else un | tar -x -m -o -p $o -f -; fi;
r=$?;
[ "$r" = 0 ] || fail "$r";
if [ -n "$l" ]; then
  if [ -n "$h" ]; then s=$(sums < "./$l" | sum); echo "$m:digest ${s%% *}" >&2; fi;
  rm -f -- "./$l";
fi;
echo "$m:done" >&2
"#;

/// Removes what was made for an upload that failed.
const REMOVE: &str = r#"rm -rf -- "$d"; echo "$m:done" >&2"#;

/// The command that receives a single file, or the first part of one.
pub(crate) fn file(upload: &Upload, call: Call<'_>, whole: bool) -> String {
    let (mode, size) = mode_and_size(upload);
    let size = if whole { size.to_string() } else { "-".into() };
    let arguments = [&upload.name, &octal(mode), &size];
    call.line(
        &[NAME, UNPACK, FILE, END].concat(),
        &upload.destination,
        &arguments.map(String::as_str),
    )
}

/// The command that receives another part of a file. It must begin at a multiple of [`BLOCK`].
pub(crate) fn range(upload: &Upload, call: Call<'_>, start: u64) -> String {
    let block = (start / BLOCK).to_string();
    call.line(&[NAME, UNPACK, RANGE].concat(), &upload.destination, &[&upload.name, &block])
}

/// The command that completes a file which came in parts.
pub(crate) fn complete(upload: &Upload, call: Call<'_>) -> String {
    let (mode, size) = mode_and_size(upload);
    let arguments = [&upload.name, &octal(mode), &size.to_string()];
    call.line(&[NAME, DIGEST, END].concat(), &upload.destination, &arguments.map(String::as_str))
}

/// The command that receives the archive of a tree.
pub(crate) fn tree(upload: &Upload, call: Call<'_>, list: Option<&str>) -> String {
    let arguments = [appended(upload), &octal(root_mode(upload)), list.unwrap_or_default()];
    call.line(&[UNPACK, TREE].concat(), &upload.destination, &arguments)
}

/// The command that receives another archive of a tree, whose directory `root` is known to exist.
pub(crate) fn more_of_tree(
    upload: &Upload,
    call: Call<'_>,
    list: Option<&str>,
    root: &str,
) -> String {
    let arguments = ["", &octal(root_mode(upload)), list.unwrap_or_default()];
    call.line(&[UNPACK, TREE].concat(), root, &arguments)
}

/// The command that removes what was made.
pub(super) fn remove(path: &str, call: Call<'_>) -> String {
    call.line(REMOVE, path, &[])
}

/// Where an upload goes: the path of its file, or that of the directory of its tree, which depends
/// on whether the far side has `appended` the name.
pub(crate) fn root(upload: &Upload, appended: bool) -> String {
    let destination = &upload.destination;
    if upload.tree.single_file().is_some() {
        let name = if destination.ends_with('/') { &*upload.name } else { "" };
        return format!("{destination}{name}");
    }
    match appended {
        true => format!("{}/{}", destination.trim_end_matches('/'), upload.name),
        false => destination.clone(),
    }
}

/// The name of the list of files in an archive: one that cannot be among those of the tree, and
/// is there only while the upload runs.
pub(crate) fn list_name(mark: &Mark) -> String {
    format!(".bake-{}", mark.text())
}

/// The name that is appended when the destination exists.
pub(crate) fn appended(upload: &Upload) -> &str {
    if upload.contents_only { "" } else { &upload.name }
}

/// The mode of a directory that is made for the tree.
pub(crate) fn root_mode(upload: &Upload) -> u32 {
    match upload.tree.entries.get("") {
        Some(Entry::Directory { mode }) => *mode,
        _ => 0o755,
    }
}

fn mode_and_size(upload: &Upload) -> (u32, u64) {
    match upload.tree.single_file() {
        Some(Entry::File { mode, size, .. }) => (*mode, *size),
        _ => (0o644, 0),
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::plan::Tree;

    fn upload_to(destination: &Path) -> Upload {
        let mut tree = Tree::of_bytes(vec![7; 1_000_000], 0o644);
        let file = tree.entries.remove("").unwrap();
        tree.entries.insert("d/f".into(), file);
        tree.entries.insert(String::new(), Entry::Directory { mode: 0o755 });
        let destination = destination.to_str().unwrap().to_owned();
        Upload { tree, name: "name".into(), destination, contents_only: false }
    }

    /// Runs a script like a server: as the first of its group.
    fn begin(script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn wait_until(mut what: impl FnMut() -> bool) {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
    }

    /// The beginning of an archive with a list of files.
    fn beginning(list: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in [(list, &b"./d/f\0"[..]), ("d/f", &[7; 300_000])] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, bytes).unwrap();
        }
        let mut bytes = archive.into_inner().unwrap();
        bytes.truncate(200_000);
        bytes
    }

    #[test]
    fn an_upload_that_is_told_to_end_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, file) = (folder.path().join("tree"), folder.path().join("file"));
        let mark = Mark::new();
        let call = Call { mark: &mark, packings: &[], bytes: 0 };
        let list = list_name(&mark);
        let one = Upload { tree: Tree::of_bytes(vec![7; 9_000], 0o644), ..upload_to(&file) };
        let cases = [
            (super::tree(&upload_to(&tree), call, Some(&list)), beginning(&list), &tree),
            (super::file(&one, call, true), vec![7; 5000], &file),
        ];
        for (script, bytes, made) in cases {
            let mut shell = begin(&script);
            let mut input = shell.stdin.take().unwrap();
            input.write_all(&bytes).unwrap();
            wait_until(|| made.is_file() || made.join(&list).exists());
            let group = format!("-{}", shell.id());
            assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
            wait_until(|| shell.try_wait().unwrap().is_some());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{made:?}");
            drop(input);
        }
        // In a directory that was there only the list goes.
        std::fs::create_dir(&tree).unwrap();
        let script =
            super::more_of_tree(&upload_to(&tree), call, Some(&list), tree.to_str().unwrap());
        let mut shell = begin(&script);
        let mut input = shell.stdin.take().unwrap();
        input.write_all(&beginning(&list)).unwrap();
        wait_until(|| tree.join("d").exists());
        drop(input);
        assert!(!shell.wait().unwrap().success());
        assert!(tree.join("d").exists() && !tree.join(&list).exists());
    }

    #[test]
    fn what_is_given_up_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("place");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join(list_name(&Mark::new())), "").unwrap();
        let mark = Mark::new();
        let call = Call { mark: &mark, packings: &[], bytes: 0 };
        let mut shell = begin(&super::tree(&upload_to(&place), call, None));
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(1);
        archive.append_data(&mut header, "x", &b"x"[..]).unwrap();
        shell.stdin.take().unwrap().write_all(&archive.into_inner().unwrap()).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        assert!(shell.wait().unwrap().success());
        assert!(place.join("x").exists(), "and not below the name");
    }
}
