//! The command that sends files from the far side.

use super::shell::Call;
use crate::communicator::Download;

/// Sends a file, the archive of a directory, or archives of all that matches a pattern. Its words
/// on standard output tell which: `file`, with permissions as `ls` has them and the name; `tree`,
/// with the name; `many`.
///
/// The pattern is expanded by the shell: without `IFS` nothing is split, and what comes out of a
/// variable is not expanded in any other way. GNU tar ends with 1 when a file changed while it was
/// read, which is what logs do.
const GET: &str = r#"
while :; do case $d in ?*/) d=${d%/} ;; *) break ;; esac; done;
if [ -d "$d" ]; then k=tree;
elif [ -f "$d" ]; then k=file;
elif [ -e "$d" ]; then echo "$d: Not a regular file" >&2; exit 1;
else case $d in
  *[*?[]*) k=many ;;
  *) echo "$d: No such file or directory" >&2; exit 1 ;;
  esac;
fi;
tell() { printf %s "$m:$1"; echo; };
if [ $k = file ]; then
  l=$(ls -ldL -- "$d") || exit 1;
fi;
if [ $k = file ]; then :; elif has tar; then :; else echo "$m:no-tar" >&2; exit 127; fi;
case $k in
file)
  tell "file ${l%% *} ${d##*/}";
  if [ -n "$h" ]; then { s=$(sum < "$d"); echo "$m:digest ${s%% *}" >&2; } & fi;
  cat -- "$d"; r=$?; wait ;;
tree)
  cd -- "$d" || exit 1;
  p=$(pwd); tell "tree ${p##*/}";
  tar -cf - .; r=$? ;;
many)
  q=${d%/*}; q=${q:-/}; IFS=;
  case $q in *[*?[]*) set -- $d ;; *) cd -- "$q" || exit 1; set -- ./${d##*/} ;; esac;
  [ -e "$1" ] || [ -L "$1" ] || { echo "nothing matches $d" >&2; exit 1; };
  o=-cf; for f in "$@"; do if [ -L "$f" ]; then o=-chf; fi; done;
  tell many;
  case $q in
  *[*?[]*) r=0; for f in "$@"; do (cd -- "${f%/*}" && tar $o - "./${f##*/}") || r=$?; done ;;
  *) tar $o - "$@"; r=$? ;;
  esac ;;
esac;
if [ "$r" = 1 ] && [ $k = file ]; then exit 1;
elif [ "$r" = 1 ]; then case $(tar --version 2>/dev/null) in *GNU*) r=0 ;; esac;
fi;
[ "$r" = 0 ] || exit "$r";
echo "$m:done" >&2
"#;

/// Sends what links of a directory point to. They come on standard input; those that lead nowhere
/// are left out. There may be more than one archive.
const FOLLOW: &str = r#"
cd -- "$d" || exit 1;
p=$(pwd); printf %s "$m:tree ${p##*/}"; echo;
xargs -0 sh -c 'for f in "$@"; do shift; if [ -e "$f" ]; then set -- "$@" "$f"; fi; done; [ $# = 0 ] || exec tar -chf - "$@"' sh || exit 1;
echo "$m:done" >&2
"#;

/// The command for what links of a directory point to. It reads their paths, each with a zero byte
/// after it.
pub(super) fn follow(download: &Download, call: Call<'_>) -> String {
    call.line(FOLLOW, &download.source, &[])
}

/// The command for a download.
pub(super) fn get(download: &Download, call: Call<'_>) -> String {
    call.line(GET, &download.source, &[])
}
