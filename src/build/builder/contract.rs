//! What a builder is.

use futures::future::BoxFuture;

use crate::build::{BuildContext, BuildOutcome, RunSettings};
use crate::diagnostic::Diagnostics;
use crate::plan::{ComponentKind, Plan};

/// A type of builder.
#[derive(Clone, Copy)]
pub struct Builder {
    /// Its name, options and plan.
    pub kind: ComponentKind,
    /// Makes a use of it ready to run; `None` while bake only knows its options, so that its plan
    /// is always [unsupported](crate::plan::Planner::unsupported_yet).
    pub prepare: Option<Prepare>,
}

/// Reads a checked plan.
///
/// # Errors
/// When the options cannot be read any more, which a plan without errors rules out.
pub type Prepare = fn(&Plan, &RunSettings) -> Result<Box<dyn PreparedBuild>, Diagnostics>;

/// A use of a builder, ready to run.
pub trait PreparedBuild: Send + Sync {
    /// Builds, and tears down whatever that took, however it ends.
    ///
    /// The future must be run to its end: an interruption comes through the context, and a future
    /// that is dropped in the middle of a create call leaves something behind.
    fn run<'a>(&'a self, context: &'a BuildContext) -> BoxFuture<'a, BuildOutcome>;
}

/// The kinds of all builders.
pub(super) const fn kinds<const N: usize>(all: &[Builder; N]) -> [ComponentKind; N] {
    let mut kinds = [all[0].kind; N];
    let mut index = 1;
    while index < N {
        kinds[index] = all[index].kind;
        index += 1;
    }
    kinds
}
