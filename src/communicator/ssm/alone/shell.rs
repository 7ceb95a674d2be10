//! The scripts that Run Command runs for a job, in the shell that the instance has.

use super::super::commands::Document;
use super::report::{field, line};
use super::{posix, powershell};

/// What the instance's commands are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shell {
    /// A POSIX shell, as root.
    Posix,
    /// Windows PowerShell, as SYSTEM.
    PowerShell,
}

/// What an instance said when its directory was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arranged {
    /// What turns base64 into bytes there; `None` when nothing does.
    pub(super) encoder: Option<Encoder>,
    /// Whether there is gzip.
    pub(super) gzip: bool,
    /// The public half of its key pair; `None` when it could make none.
    pub(super) key: Option<String>,
}

/// What turns base64 into bytes on an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    /// The program `base64`, or the shell itself.
    Own,
    /// `openssl base64`.
    OpenSsl,
}

impl Arranged {
    /// Reads the line of [`Scripts::arrange`].
    pub(super) fn parse(stdout: &str) -> Option<Self> {
        let line = line(stdout)?;
        Some(Self {
            encoder: match field(&line, "encoder")? {
                "own" => Some(Encoder::Own),
                "openssl" => Some(Encoder::OpenSsl),
                _ => None,
            },
            gzip: field(&line, "gzip")? == "yes",
            key: field(&line, "key").filter(|key| !key.is_empty()).map(ToOwned::to_owned),
        })
    }
}

/// A part of a job on its way: base64 of what may be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// In the very script that needs it.
    Inline(String),
    /// In pieces that were sent before.
    Joined {
        /// The name of the pieces.
        name: String,
        /// Bytes of them together.
        size: usize,
        /// SHA-256 of them together, in hexadecimal digits.
        digest: String,
    },
}

/// What a job reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Nothing.
    Nothing,
    /// What has arrived whole.
    Held(Part),
    /// Pieces that come while it runs.
    Fed,
}

/// A job to start.
#[derive(Clone, Debug)]
pub(super) struct Start<'a> {
    pub(super) job: &'a str,
    pub(super) command: Part,
    pub(super) input: Input,
    /// Jobs of before whose files can go.
    pub(super) finished: &'a [String],
}

/// Where to go on reading a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) out: u64,
    pub(super) err: u64,
}

/// One of a job's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Out,
    Err,
}

impl Output {
    /// The name of its file.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// Makes the scripts for one instance.
#[derive(Clone, Debug)]
pub(super) struct Scripts {
    pub(super) shell: Shell,
    /// Where everything of ours is there.
    pub(super) directory: String,
    pub(super) encoder: Encoder,
    /// Whether there is a secret, and with it everything is sealed.
    pub(super) sealed: bool,
}

impl Shell {
    /// The document that runs it.
    pub(in super::super) fn document(self) -> Document {
        match self {
            Self::Posix => Document::Shell,
            Self::PowerShell => Document::PowerShell,
        }
    }
}

impl Scripts {
    /// Makes the directory, and says what the instance has.
    pub(super) fn arrange(&self) -> String {
        match self.shell {
            Shell::Posix => posix::arrange(self),
            Shell::PowerShell => powershell::arrange(self),
        }
    }

    /// Takes the secret that was made for the instance's key, in base64.
    pub(super) fn unwrap_secret(&self, wrapped: &str) -> String {
        match self.shell {
            Shell::Posix => posix::unwrap_secret(self, wrapped),
            Shell::PowerShell => powershell::unwrap_secret(self, wrapped),
        }
    }

    /// Keeps a piece of something large; the same piece may come twice.
    pub(super) fn piece(&self, name: &str, number: usize, piece: &str) -> String {
        match self.shell {
            Shell::Posix => posix::piece(self, name, number, piece),
            Shell::PowerShell => powershell::piece(self, name, number, piece),
        }
    }

    /// Starts a job, unless it was started before, and looks at it.
    pub(super) fn start(&self, start: &Start<'_>) -> String {
        match self.shell {
            Shell::Posix => posix::start(self, start),
            Shell::PowerShell => powershell::start(self, start),
        }
    }

    /// Gives a job a piece of its input; the same piece may come twice.
    pub(super) fn feed(&self, job: &str, number: usize, piece: &str) -> String {
        posix::feed(self, job, number, piece)
    }

    /// Says that a job's input has so many pieces.
    pub(super) fn end_of_input(&self, job: &str, pieces: usize) -> String {
        posix::end_of_input(self, job, pieces)
    }

    /// Waits a little for news of a job.
    pub(super) fn look(&self, job: &str, from: Offsets) -> String {
        match self.shell {
            Shell::Posix => posix::look(self, job, from),
            Shell::PowerShell => powershell::look(self, job, from),
        }
    }

    /// A range of a job's output.
    pub(super) fn range(&self, job: &str, output: Output, from: u64, count: u64) -> String {
        match self.shell {
            Shell::Posix => posix::range(self, job, output, from, count),
            Shell::PowerShell => powershell::range(self, job, output, from, count),
        }
    }

    /// Kills a job and what it has started.
    pub(super) fn kill(&self, job: &str) -> String {
        match self.shell {
            Shell::Posix => posix::kill(self, job),
            Shell::PowerShell => powershell::kill(self, job),
        }
    }

    /// Takes everything away again.
    pub(super) fn remove(&self) -> String {
        match self.shell {
            Shell::Posix => posix::remove(self),
            Shell::PowerShell => powershell::remove(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_has_is_read() {
        let said = "noise\nbake-job encoder=openssl gzip=yes key=MIIB==\n";
        assert_eq!(
            Arranged::parse(said),
            Some(Arranged {
                encoder: Some(Encoder::OpenSsl),
                gzip: true,
                key: Some("MIIB==".to_owned())
            })
        );
        let poor = Arranged::parse("bake-job encoder=none gzip=no key=\n").unwrap();
        assert_eq!(poor, Arranged { encoder: None, gzip: false, key: None });
        assert_eq!(Arranged::parse("sh: syntax error"), None);
    }
}
