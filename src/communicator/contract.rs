//! The trait and what goes in and out of it.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc};

use super::CommunicatorError;
use crate::event::Stream;
use crate::plan::Tree;

/// A command to run on the instance.
#[derive(Clone, Debug)]
pub struct Command {
    /// The text that the far side's login shell gets.
    pub text: String,
    /// What the command reads.
    pub stdin: Stdin,
    /// Whether it gets a terminal.
    pub pty: bool,
}

impl Command {
    /// A command that reads nothing and has no terminal.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), stdin: Stdin::Empty, pty: false }
    }
}

/// What a command reads.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// Nothing: end of file at once.
    Empty,
    /// These bytes, then end of file.
    Bytes(Arc<[u8]>),
    /// What comes out of this queue until all of its senders are gone, then end of file. Only one
    /// run of the command can read it.
    Stream(Arc<Mutex<mpsc::Receiver<Vec<u8>>>>),
}

/// A piece of output as it arrived; not yet lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it came from.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(u32),
    /// Killed by a signal: its name without `SIG`.
    Signal(String),
    /// The connection was lost, or the channel closed, before the status arrived. Whether the
    /// command goes on there is not known.
    Disconnected {
        /// As far as it is known.
        reason: String,
    },
}

impl Exit {
    /// A lost connection as the error that it is to whoever needs to know what the command did.
    ///
    /// # Errors
    /// [`CommunicatorError::Lost`] in place of [`Exit::Disconnected`].
    pub fn or_lost(self) -> Result<Self, CommunicatorError> {
        match self {
            Self::Disconnected { reason } => {
                Err(CommunicatorError::Lost { address: "the instance".to_owned(), reason })
            }
            exit => Ok(exit),
        }
    }
}

/// Files to put on the instance.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What to send.
    pub tree: Tree,
    /// The name of a single file or directory on this machine, for rules that append it.
    pub name: String,
    /// Where to, as the template says it.
    pub destination: String,
    /// For a directory: whether its contents go into the destination (source written with a
    /// trailing slash), rather than the directory itself when the destination exists.
    pub contents_only: bool,
}

/// What an upload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadReport {
    /// Bytes of files.
    pub bytes: u64,
    /// Number of files.
    pub files: usize,
}

/// Files to fetch from the instance.
#[derive(Clone, Debug)]
pub struct Download {
    /// What to fetch, as the template says it: a file, a directory, or a pattern of the far side's
    /// shell (`*`, `?`, `[…]`).
    pub source: String,
    /// Where to on this machine. A trailing slash, or a source that is more than one file, makes it
    /// a directory.
    pub destination: PathBuf,
    /// Whether `destination` was written with a trailing slash, which a `PathBuf` forgets.
    pub into_directory: bool,
}

/// What a download did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadReport {
    /// Bytes of files.
    pub bytes: u64,
    /// Number of files.
    pub files: usize,
}

/// A connected way to an instance.
pub trait Communicator: Send + Sync {
    /// Runs a command, sends its output to `output` as it arrives, and returns how it ended. When
    /// `output` is full, the far side is slowed down. Dropping the future ends the command.
    ///
    /// An error means that the command was not started, or had not got all of its input. Once it
    /// had, a lost connection is [`Exit::Disconnected`]. A connection that is gone when the
    /// command is to start is made again first.
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>>;

    /// Sends a file or a tree in one stream; `progress` gets the bytes of files sent so far. The
    /// digest of each file is checked as it is sent: a file that changed since it was planned is
    /// an error.
    ///
    /// Where it goes, by Packer's rules and without Packer's accidents:
    ///
    /// | source | destination | becomes |
    /// |---|---|---|
    /// | file | ends with `/` | `destination/name` |
    /// | file | an existing directory | an error |
    /// | file | anything else | `destination` |
    /// | directory `d` | an existing directory | `destination/d` |
    /// | directory `d` | missing | `destination` holds what `d` holds |
    /// | directory `d/` | a directory, or missing | `destination` holds what `d` holds |
    ///
    /// Missing directories are made. Permission bits of files arrive as they are in the tree,
    /// whatever the far side's umask; directories that exist keep theirs.
    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>>;

    /// Fetches a file or a tree in one stream; `progress` gets the bytes of files received so far.
    ///
    /// | source | destination | becomes |
    /// |---|---|---|
    /// | file | a name | `destination` |
    /// | file | ends with `/`, or an existing directory | `destination/name` |
    /// | directory `d` or `d/` | anything | `destination/d` |
    /// | pattern | anything | each match in `destination` by its name |
    ///
    /// Missing directories are made. Permission bits arrive; owners do not. Nothing is written
    /// outside of `destination`, whatever the far side sends. Digests are compared where the far
    /// side can compute them, and nothing is in its place before all has arrived.
    fn download<'a>(
        &'a self,
        _download: &'a Download,
        _progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        async { Err(CommunicatorError::NoWay { wanted: "download files" }) }.boxed()
    }

    /// Whether the user wants commands to have a terminal (`ssh_pty`). Whoever runs a command
    /// decides by this; uploads never have one.
    fn uses_pty(&self) -> bool {
        false
    }

    /// Ends the connection in good order.
    fn disconnect(&self) -> BoxFuture<'_, ()>;
}
