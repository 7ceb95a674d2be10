//! Scripts that run on the far side.
//!
//! A script is one line of plain words that starts `sh`: nothing in it is special to csh or fish,
//! so there are no backslashes, no exclamation marks and no line ends in it.

use super::packing::Packing;
use super::said::Mark;
use crate::communicator::sh;

/// `~` stands for the home directory as it does for scp. A name that starts with a dash is made
/// harmless.
const HOME: &str = r#"
case $d in
"~") d=$HOME ;;
"~/"*) d=$HOME/${d#??} ;;
esac;
case $d in /*) ;; *) d=./$d ;; esac;
"#;

/// Finds what computes SHA-256 (the first of `$w`) and what packs, and tells.
const TOOLS: &str = r#"
has() { command -v "$1" >/dev/null 2>&1; };
h=; for t in $w; do if has "$t"; then h=$t; break; fi; done;
z=; for t in zstd gzip; do if has "$t"; then z="$z $t"; fi; done;
y="import hashlib, sys; sys.stdout.reconfigure(errors='surrogateescape'); f = lambda o: (lambda s: [[s.update(b) for b in iter(lambda: o.read(65536), b'')], s.hexdigest()][1])(hashlib.sha256());";
sum() { case $h in
  openssl) openssl dgst -sha256 -r ;; shasum) shasum -a 256 ;;
  python3) python3 -c "$y print(f(sys.stdin.buffer), '-')" ;;
  *) sha256sum ;; esac; };
sums() { case $h in
  openssl) xargs -0 openssl dgst -sha256 -r ;; shasum) xargs -0 shasum -a 256 -- ;;
  python3) xargs -0 python3 -c "$y [print(f(open(n, 'rb')), '', n) for n in sys.argv[1:]]" ;;
  *) xargs -0 sha256sum -- ;; esac; };
has tee && has xargs || h=;
echo "$m:ready $h $z" >&2;
"#;

/// A program that computes SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `openssl dgst`: the fastest for much, and the slowest to start.
    OpenSsl,
    /// `sha256sum`, of GNU or busybox.
    Sha256sum,
    /// `shasum`, which comes with Perl.
    Shasum,
    /// `python3`, which cloud-init needs.
    Python,
}

impl Tool {
    /// From its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "openssl" => Some(Self::OpenSsl),
            "sha256sum" => Some(Self::Sha256sum),
            "shasum" => Some(Self::Shasum),
            "python3" => Some(Self::Python),
            _ => None,
        }
    }

    /// What it writes for one of several files.
    pub(crate) fn line(self, digest: &str, name: &str) -> String {
        match self {
            Self::OpenSsl => format!("{digest} *{name}\n"),
            Self::Sha256sum | Self::Shasum | Self::Python => format!("{digest}  {name}\n"),
        }
    }
}

/// From how many bytes on `openssl` is worth its start.
const MUCH: u64 = 8 << 20;

/// What a script is called with besides its own arguments.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// What it starts its own words with.
    pub(crate) mark: &'a Mark,
    /// How its input is packed; or how its output may be, the best first.
    pub(crate) packings: &'a [Packing],
    /// About how many bytes it works on.
    pub(crate) bytes: u64,
}

impl Call<'_> {
    /// The line that runs a script. The script finds its path in `$d`, the mark in `$m`, the names
    /// of the packings in `$u`, and its other arguments in `$2` and on.
    pub(super) fn line(&self, script: &str, path: &str, arguments: &[&str]) -> String {
        let order = if self.bytes < MUCH {
            "sha256sum openssl shasum python3"
        } else {
            "openssl sha256sum shasum python3"
        };
        let packings: Vec<_> = self.packings.iter().map(|packing| packing.name()).collect();
        let (mark, packings) = (self.mark.text(), packings.join(" "));
        let set = format!("m={mark}; u='{packings}'; w='{order}'; d=$1;");
        let script = format!("{set} {HOME} {TOOLS} {script}");
        let words: Vec<_> = std::iter::once(path).chain(arguments.iter().copied()).collect();
        sh(&script, &words)
    }
}
