//! The commands that receive an upload on the far side.
//!
//! They run in the login user's own shell, which may be any: so they are one line of plain words
//! that starts `sh`, and nothing in them is special to csh or fish.

use crate::communicator::{Upload, quote};
use crate::plan::Entry;

/// What the script says on standard error when there is no `tar`, after a mark that nothing else
/// can say.
pub(super) const NO_TAR: &str = "no-tar";

/// `~` stands for the home directory as it does for scp.
const HOME: &str = r#"
case $d in
"~") d=$HOME ;;
"~/"*) d=$HOME/${d#??} ;;
esac;
"#;

/// Receives one file from standard input. Takes destination, name, mode and size.
const FILE: &str = r#"
case $d in */) d=$d$2 ;; esac;
if [ -d "$d" ]; then echo "$d: Is a directory" >&2; exit 1; fi;
case $d in */*) p=${d%/*}; [ -z "$p" ] || [ -d "$p" ] || mkdir -p -- "$p" || exit 1 ;; esac;
umask 077;
cat > "$d" || exit 1;
if [ -f "$d" ]; then
  c=$(wc -c < "$d") && [ "$c" -eq "$4" ] || { echo "only $c of $4 bytes arrived" >&2; exit 1; };
fi;
chmod -- "$3" "$d"
"#;

/// Receives an archive from standard input. Takes destination, name to append to a directory that
/// exists (or nothing), mode of a directory that is made, and the mark.
///
/// GNU tar would replace a link to a directory (such as `/lib`) by a directory, and change the
/// modes of directories that exist; it has options against both, the first since 1.27 (before, it
/// did not). bsdtar has `-P` against the first. Neither it nor busybox has anything against the
/// second; it helps that most directories are not in the archive, see
/// [`archive`](super::archive). `-o` and `-m`: owner and time are those of the extraction. `-p`:
/// modes are those of the archive.
const TREE: &str = r#"
if command -v tar >/dev/null 2>&1; then :; else echo "$4no-tar" >&2; exit 127; fi;
if [ -d "$d" ]; then [ -z "$2" ] || d=${d%/}/$2; fi;
umask 022;
[ -d "$d" ] || { mkdir -p -- "$d" && chmod -- "$3" "$d"; } || exit 1;
cd -- "$d" || exit 1;
o="--no-overwrite-dir --keep-directory-symlink";
if tar $o --version >/dev/null 2>&1; then :;
elif tar --no-overwrite-dir --version >/dev/null 2>&1; then o=--no-overwrite-dir;
else case $(tar --version 2>&1) in *bsdtar*) o=-P ;; *) o= ;; esac;
fi;
exec tar -x -m -o -p $o -f -
"#;

/// The command that receives a single file.
pub(super) fn file(upload: &Upload) -> String {
    let (mode, size) = match upload.tree.single_file() {
        Some(Entry::File { mode, size, .. }) => (*mode, *size),
        _ => (0o644, 0),
    };
    let arguments = [&upload.destination, &upload.name, &octal(mode), &size.to_string()];
    command(FILE, arguments.map(String::as_str))
}

/// The command that receives the archive of a tree.
pub(super) fn tree(upload: &Upload, mark: &str) -> String {
    let arguments = [&upload.destination, appended(upload), &octal(root_mode(upload)), mark];
    command(TREE, arguments)
}

/// The name that is appended when the destination exists.
pub(super) fn appended(upload: &Upload) -> &str {
    if upload.contents_only { "" } else { &upload.name }
}

/// The mode of a directory that is made for the tree.
pub(super) fn root_mode(upload: &Upload) -> u32 {
    match upload.tree.entries.get("") {
        Some(Entry::Directory { mode }) => *mode,
        _ => 0o755,
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn command(script: &str, arguments: [&str; 4]) -> String {
    let script = format!("d=$1; {HOME} {script}");
    let line = script.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let words = arguments.map(quote).join(" ");
    format!("exec sh -c {} sh {words}", quote(line.trim()))
}
