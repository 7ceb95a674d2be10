//! The commands that send files from the far side.

use super::shell::Call;
use crate::communicator::Download;

/// Packs what is sent with the first of `$u` that is there, or not at all. `send` runs a command
/// whose output is sent, and ends as that command did. `$u` is what it came to in the end.
const PACK: &str = r#"
x=none; for t in $u; do if has "$t"; then x=$t; break; fi; done; u=$x;
pk() { case $u in zstd) zstd -1 -q -c ;; gzip) gzip -1 -c ;; esac; };
send() {
  if [ "$u" = none ]; then "$@"; return; fi;
  { r=$( { { "$@" 3>&- 4>&-; echo $? >&4; } | { pk 4>&- >&3 || echo x >&4; }; } 4>&1 ); } 3>&1;
  case $r in *x*|"") return 1 ;; esac;
  return "$r"; };
tell() { printf %s "$m:$1"; echo; };
part() { { e=$(dd if="$d" bs=65536 skip="$1" count="$2" 2>&1 >&3); r=$?; } 3>&1; [ "$r" = 0 ] || echo "$e" >&2; return "$r"; };
while :; do case $d in ?*/) d=${d%/} ;; *) break ;; esac; done;
"#;

/// `found` tells the digests of all files in what it is given: not more than is kept here, see
/// [`Digests`](super::digests::Digests), as it lies in the shell's memory. `both` runs a command
/// whose output is sent, and computes digests meanwhile, which `names` tells; they are handed on
/// when the command has ended and nothing else can say anything. `full` sets `$ns` to what keeps
/// bsdtar from leaving out the empty parts of files, which only it and GNU tar read. GNU tar ends with 1 when a file
/// changed while it was read, which is what logs do: `forgive` makes that a success.
const LIST: &str = r#"
e=;
cap() { if has head; then head -c 33554432; else cat; fi; };
found() { find $e "$@" -type f -print0 2>/dev/null | sums 2>/dev/null | cap; };
full() { ns=; if tar --no-read-sparse --version >/dev/null 2>&1; then ns=--no-read-sparse; fi; };
listed() { [ -z "$l" ] || { echo "$m:list"; printf %s "$l"; echo; echo "$m:end"; } >&2; };
forgive() { if [ "$r" = 1 ]; then case $(tar --version 2>/dev/null) in *GNU*) r=0 ;; esac; fi; };
both() { {
  { send "$@" >&5; echo $?; } |
  { l=; [ -z "$h" ] || l=$(names "$@"); read -r r; forgive;
    [ "$r" = 0 ] || exit "${r:-1}"; listed; echo "$m:done" >&2; };
  } 5>&1; };
"#;

/// Goes where the names of a download start: into a directory, or to where a file or the matches
/// of a pattern lie.
const BASE: &str = r#"
if [ -d "$d" ]; then cd -- "$d" || exit 1; else q=${d%/*}; cd -- "${q:-/}" || exit 1; fi;
"#;

/// Sends a file, the archive of a directory, or archives of all that matches a pattern. Takes the
/// size from which on a file or a directory is large, or `-`, and the number of blocks with which
/// a large file begins. Its words on standard output tell what comes, and how it is packed:
/// `file`, with size, permissions as `ls` has them and the name; `part`, with the same, for the
/// beginning of a large one; `tree`, with the name; `list`, with the name, for what lies in a large
/// one; `many`.
///
/// The digests of the files are computed while they are sent.
///
/// The pattern is expanded by the shell: without `IFS` nothing is split, and what comes out of a
/// variable is not expanded in any other way.
const GET: &str = r#"
if [ -d "$d" ]; then k=tree;
elif [ -f "$d" ]; then k=file;
elif [ -e "$d" ]; then echo "$d: Not a regular file" >&2; exit 1;
else case $d in
  *[*?[]*) k=many ;;
  *) echo "$d: No such file or directory" >&2; exit 1 ;;
  esac;
fi;
x=$(echo x; echo x); x=${x#x}; x=${x%x};
case ${d##*/} in *"$x"*) echo "$d: a name with a line end can only be downloaded with the directory around it" >&2; exit 1 ;; esac;
if [ $k = file ]; then
  i=$(ls -ldnL -- "$d") || exit 1;
  i=$(set -f; set -- $i; echo "$5 $1");
  if [ "$2" = - ]; then :; elif [ "${i%% *}" -gt "$2" ]; then k=part; fi;
elif has tar; then :; else echo "$m:no-tar" >&2; exit 127;
fi;
if [ $k = tree ]; then
  cd -- "$d" || exit 1;
  p=$(pwd); p=${p##*/};
  if [ "$2" = - ]; then :; else
    case $(tar --version 2>/dev/null) in *GNU*)
      s=$(set -- $(du -sk . 2>/dev/null); echo "$1");
      if [ "${s:-0}" -gt $(($2 / 1024)) ] && find . -maxdepth 0 -printf "" 2>/dev/null; then k=list; fi ;;
    esac;
  fi;
fi;
case $k in
file)
  tell "file $u $i ${d##*/}";
  if [ -n "$h" ]; then { s=$(sum < "$d"); echo "$m:digest ${s%% *}" >&2; } & fi;
  send cat -- "$d"; r=$?; wait ;;
part)
  tell "part $u $i ${d##*/}";
  send part 0 "$3"; r=$? ;;
list)
  tell "list $u $p";
  send find . -printf "%y %m %s " -print0; r=$? ;;
tree)
  tell "tree $u $p";
  names() { found .; };
  full; both tar $ns -cf - .; exit ;;
many)
  q=${d%/*}; q=${q:-/}; IFS=;
  none() { echo "nothing matches $d" >&2; exit 1; };
  case $q in *[*?[]*) set -- $d ;; *) [ -d "$q" ] || none; cd -- "$q" || exit 1; set -- ./${d##*/} ;; esac;
  [ -e "$1" ] || [ -L "$1" ] || none;
  o=-cf; for f in "$@"; do if [ -L "$f" ]; then o=-chf; e=-L; fi; done;
  all() { case $q in
    *[*?[]*) r=0; for f in "$@"; do (cd -- "${f%/*}" && tar $ns $o - "./${f##*/}") || r=$?; done; return "$r" ;;
    *) tar $ns $o - "$@" ;; esac; };
  names() { shift; case $q in
    *[*?[]*) for f in "$@"; do (cd -- "${f%/*}" && found "./${f##*/}"); done ;;
    *) found "$@" ;; esac; };
  tell "many $u";
  full; both all "$@"; exit ;;
esac;
[ "$r" = 0 ] || exit "$r";
echo "$m:done" >&2
"#;

/// Sends some files again, and what links point to: those that lead nowhere are left out. Their
/// names come on standard input, as words of a shell.
const AGAIN: &str = r#"
eval "set -- $(cat)"; e=-L;
for f in "$@"; do shift; if [ -e "$f" ]; then set -- "$@" "$f"; fi; done;
if [ $# = 0 ]; then u=none; fi;
tell "tree $u .";
names() { until [ "$1" = - ]; do shift; done; shift; found "$@"; };
if [ $# = 0 ]; then echo "$m:done" >&2; else full; both tar $ns -chf - "$@"; fi
"#;

/// Sends some files of a directory, by GNU tar. Their names come on standard input, with a zero
/// byte after each.
const SHARE: &str = r#"
cd -- "$d" || exit 1;
tell "tree $u .";
send tar -cf - --no-recursion --null -T -; r=$?; forgive;
[ "$r" = 0 ] || exit "$r";
echo "$m:done" >&2
"#;

/// Sends a part of a file. Takes the block at which it begins, and the number of blocks.
const RANGE: &str = r#"
tell "range $u";
send part "$2" "$3" || exit 1;
echo "$m:done" >&2
"#;

/// Tells the digests of the beginnings of some files. Lengths and names come on standard input, as
/// words of a shell.
const BEGINNINGS: &str = r#"
eval "set -- $(cat)"; has head || h=;
while [ $# -gt 1 ]; do
  s=; [ -f "$2" ] && [ -n "$h" ] && s=$(head -c "$1" < "$2" | sum);
  echo "$m:digest ${s%% *}" >&2; shift 2;
done;
echo "$m:done" >&2
"#;

/// Tells the digests of files in a directory. Their names come on standard input, with a zero byte
/// after each.
const SUMS: &str = r#"
cd -- "$d" && [ -n "$h" ] || exit 1;
echo "$m:list" >&2;
{ sums 2>/dev/null; } >&2;
echo "$m:end" >&2;
echo "$m:done" >&2
"#;

/// From which size on, in bytes, something is sent in parts, and how many blocks the first part of
/// a file has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Large {
    /// Bytes.
    pub(crate) from: u64,
    /// Blocks of [`BLOCK`](super::destination::BLOCK) bytes.
    pub(crate) first: u64,
}

/// The command for a download.
pub(super) fn get(download: &Download, call: Call<'_>, large: Option<Large>) -> String {
    let (from, first) = match large {
        Some(Large { from, first }) => (from.to_string(), first.to_string()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    call.line(&[PACK, LIST, GET].concat(), &download.source, &[&from, &first])
}

/// The command for some files of a download, by name.
pub(super) fn again(download: &Download, call: Call<'_>) -> String {
    call.line(&[PACK, LIST, BASE, AGAIN].concat(), &download.source, &[])
}

/// The command for some files of a directory, by name.
pub(crate) fn share(download: &Download, call: Call<'_>) -> String {
    call.line(&[PACK, LIST, SHARE].concat(), &download.source, &[])
}

/// The command for a part of a file.
pub(crate) fn range(path: &str, call: Call<'_>, block: u64, blocks: u64) -> String {
    let script = [PACK, RANGE].concat();
    call.line(&script, path, &[&block.to_string(), &blocks.to_string()])
}

/// The command for the digests of the beginnings of some files of a download.
pub(super) fn beginnings(download: &Download, call: Call<'_>) -> String {
    call.line(&[PACK, BASE, BEGINNINGS].concat(), &download.source, &[])
}

/// The command for the digests of files in a directory.
pub(super) fn sums(directory: &str, call: Call<'_>) -> String {
    call.line(SUMS, directory, &[])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::atomic::AtomicBool;

    use super::super::packing::Packing;
    use super::super::said::{Listener, Mark, Said};
    use super::super::shell::Tool;
    use super::*;
    use crate::plan::Digest;

    /// Where a program really is; a version manager's stand-in needs more than itself.
    fn which(program: &str) -> Option<PathBuf> {
        let script = match program {
            "python3" => "python3 -c 'import sys; print(sys.executable)'".to_owned(),
            program => format!("command -v {program}"),
        };
        let found = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
        let path = PathBuf::from(String::from_utf8(found).unwrap().trim());
        path.exists().then_some(path)
    }

    /// What a script says that reads this, on a machine with these programs.
    fn run(script: &str, mark: &Mark, programs: &Path, input: &[u8]) -> Said {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script])
            .env_clear()
            .env("PATH", programs)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(input).unwrap();
        let output = shell.wait_with_output().unwrap();
        let ignored = AtomicBool::new(false);
        let mut listener = Listener::new(mark, &ignored);
        listener.take(&output.stderr);
        listener.end()
    }

    #[test]
    fn every_tool_computes_digests() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a b", "it's", "c\\d"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        for (program, tool) in [
            ("openssl", Tool::OpenSsl),
            ("sha256sum", Tool::Sha256sum),
            ("shasum", Tool::Shasum),
            ("python3", Tool::Python),
        ] {
            let Some(place) = which(program) else { continue };
            let programs = tempfile::tempdir().unwrap();
            symlink(place, programs.path().join(program)).unwrap();
            for program in ["sh", "cat", "head", "tee", "xargs"] {
                symlink(which(program).unwrap(), programs.path().join(program)).unwrap();
            }
            let mark = Mark::new();
            let call = Call { mark: &mark, packings: &[], bytes: 0 };
            let root = folder.path().to_str().unwrap();
            let names = b"./a b\0./it's\0./c\\d\0";
            let said = run(&sums(root, call), &mark, programs.path(), names);
            assert!(said.done, "{said:?}");
            assert_eq!(said.ready.unwrap().tool, Some(tool));
            for name in ["a b", "it's", "c\\d"] {
                let digest = Digest::of(name.as_bytes());
                assert_eq!(said.digests.of(Path::new(name)), Some(&digest), "{program} {name}");
            }
            let download =
                Download { source: root.into(), destination: "x".into(), into_directory: false };
            let script = beginnings(&download, call);
            let said = run(&script, &mark, programs.path(), b"1 './a b' 9 ./none 2 './it'\\''s'");
            let digest = |text: &str| Digest::of(text.as_bytes()).hex();
            assert_eq!(said.single, [digest("a"), String::new(), digest("it")], "{program}");
        }
    }

    #[test]
    fn scripts_are_one_line_of_words_for_any_shell() {
        let mark = Mark::new();
        let call = Call { mark: &mark, packings: &[Packing::Zstd, Packing::Gzip], bytes: 0 };
        let download =
            Download { source: "it's".into(), destination: "x".into(), into_directory: false };
        let scripts = [
            get(&download, call, None),
            get(&download, call, Some(Large { from: 1, first: 1 })),
            again(&download, call),
            share(&download, call),
            range("x", call, 1, 2),
            beginnings(&download, call),
            sums("x", call),
        ];
        for script in scripts {
            let output = Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{said}\n{script}");
            // What `sh` gets, too.
            let inner = script.replace("exec sh -c", "f() { printf %s \"$1\"; }; f");
            let inner = Command::new("sh").args(["-c", &inner]).output().unwrap().stdout;
            let inner = String::from_utf8(inner).unwrap();
            let output = Command::new("sh").args(["-n", "-c", &inner]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.is_empty(), "{said}\n{script}");
            let plain = script.replace(r"'\''", "");
            assert!(!plain.contains(['\n', '!', '\\']), "{script}");
        }
    }
}
