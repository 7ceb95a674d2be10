//! The inside end of the lifeline.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::sandbox::machine::protocol::SAY_ERROR;

/// The socket that a stage or init got as its standard input.
pub(super) struct Lifeline {
    stream: UnixStream,
}

impl Lifeline {
    /// Takes a copy of standard input that children do not inherit.
    pub(super) fn from_stdin() -> io::Result<Self> {
        Ok(Self { stream: UnixStream::from(inherited(rustix::stdio::stdin())?) })
    }

    /// Sends one line.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes())
    }

    /// Tells bake what went wrong; bake may be gone, which is no other matter.
    pub(super) fn say_error(&mut self, error: &dyn std::fmt::Display) {
        let line = error.to_string().replace('\n', " ");
        drop(self.say(&format!("{SAY_ERROR}{line}")));
    }

    /// Waits for one line.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when bake is gone.
    pub(super) fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        BufReader::with_capacity(1, &self.stream).read_line(&mut line)?;
        if line.ends_with('\n') {
            line.pop();
            Ok(line)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// The socket itself.
    pub(super) fn into_stream(self) -> UnixStream {
        self.stream
    }
}

/// A close-on-exec copy of an inherited descriptor.
pub(crate) fn inherited(descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(descriptor, 3)?)
}
