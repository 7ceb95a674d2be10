//! Exit codes, documented in README.

use std::process::{ExitCode, Termination};

/// How bake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done,
    /// Something failed; nothing is left behind.
    Failed,
    /// The command line cannot be understood.
    Usage,
    /// Something could not be removed; the output lists it.
    LeftBehind,
    /// `fmt -check` found files that are not in canonical layout.
    WouldChange,
    /// Interrupted by SIGINT; nothing is left behind.
    Interrupted,
    /// Interrupted by SIGTERM; nothing is left behind.
    Terminated,
}

impl Exit {
    /// The code that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            // Packer's code for it; `fmt` leaves nothing behind.
            Self::LeftBehind | Self::WouldChange => 3,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
