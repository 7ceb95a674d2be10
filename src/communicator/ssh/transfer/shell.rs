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

/// Finds what computes SHA-256 (the first of `$w`) and what unpacks, and tells.
const TOOLS: &str = r#"
has() { command -v "$1" >/dev/null 2>&1; };
h=; for t in $w; do if has "$t"; then h=$t; break; fi; done;
z=; for t in zstd gzip; do if has "$t"; then z="$z $t"; fi; done;
sum() { case $h in openssl) openssl dgst -sha256 -r ;; shasum) shasum -a 256 ;; *) sha256sum ;; esac; };
sums() { case $h in openssl) xargs -0 openssl dgst -sha256 -r ;; shasum) xargs -0 shasum -a 256 -- ;; *) xargs -0 sha256sum -- ;; esac; };
un() { case $u in zstd) zstd -dc ;; gzip) gzip -dc ;; *) cat ;; esac; };
has tee && has xargs || h=;
echo "$m:ready $h $z" >&2;
"#;

/// A program that computes SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// `openssl dgst`: the fastest for much, and the slowest to start.
    OpenSsl,
    /// `sha256sum`, of GNU or busybox.
    Sha256sum,
    /// `shasum`, which comes with Perl.
    Shasum,
}

impl Tool {
    /// From its name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "openssl" => Some(Self::OpenSsl),
            "sha256sum" => Some(Self::Sha256sum),
            "shasum" => Some(Self::Shasum),
            _ => None,
        }
    }

    /// What it writes for one of several files.
    pub(super) fn line(self, digest: &str, name: &str) -> String {
        match self {
            Self::OpenSsl => format!("{digest} *{name}\n"),
            Self::Sha256sum | Self::Shasum => format!("{digest}  {name}\n"),
        }
    }
}

/// From how many bytes on `openssl` is worth its start.
const MUCH: u64 = 8 << 20;

/// What a script is called with besides its own arguments.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    /// What it starts its own words with.
    pub(super) mark: &'a Mark,
    /// How its input is packed.
    pub(super) packing: Packing,
    /// About how many bytes it works on.
    pub(super) bytes: u64,
}

impl Call<'_> {
    /// The line that runs a script. The script finds its path in `$d`, the mark in `$m`, and its
    /// other arguments in `$2` and on.
    pub(super) fn line(&self, script: &str, path: &str, arguments: &[&str]) -> String {
        let order =
            if self.bytes < MUCH { "sha256sum openssl shasum" } else { "openssl sha256sum shasum" };
        let set = format!("m={}; u={}; w='{order}'; d=$1;", self.mark.text(), self.packing.name());
        let script = format!("{set} {HOME} {TOOLS} {script}");
        let words: Vec<_> = std::iter::once(path).chain(arguments.iter().copied()).collect();
        sh(&script, &words)
    }
}
