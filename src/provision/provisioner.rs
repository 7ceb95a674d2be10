//! What a provisioner is, and what a run of it gets.

use std::time::Instant;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::ProvisionError;
use crate::communicator::Communicator;
use crate::event::{Emitter, Fact};
use crate::plan::{ComponentKind, Planned};
use crate::template::schema::BuildData;

/// A type of provisioner.
#[derive(Clone, Copy)]
pub struct Provisioner {
    /// Its name, options and plan.
    pub kind: ComponentKind,
    /// Runs one use of it, once; `None` while bake only knows its options, so that its plan is
    /// always [unsupported](crate::plan::Planner::unsupported_yet).
    pub run: Option<Run>,
}

/// Runs a step, once. Dropping the future ends what it does on the instance.
pub type Run = for<'a> fn(&'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>>;

/// What all steps of a build have in common.
#[derive(Clone, Copy)]
pub struct StepContext<'a> {
    /// The way to the instance.
    pub communicator: &'a dyn Communicator,
    /// Emits in the name of the build.
    pub emitter: &'a Emitter,
    /// What the build knows by now.
    pub data: &'a BuildData,
    /// The source's name: `PACKER_BUILD_NAME`.
    pub build_name: &'a str,
    /// The builder's type: `PACKER_BUILDER_TYPE`.
    pub builder_type: &'a str,
    /// When the first step began, or was about to.
    pub started: Instant,
    /// Ends the step when it is cancelled.
    pub cancel: &'a CancellationToken,
}

/// One run of one step.
#[derive(Clone, Copy)]
pub struct StepRun<'a> {
    /// The step.
    pub planned: &'a Planned,
    /// Everything around it.
    pub context: StepContext<'a>,
}

impl StepRun<'_> {
    /// Tells the user something.
    pub(super) async fn say(&self, text: impl Into<String>) {
        self.context.emitter.emit(Fact::ProvisionerSaid { text: text.into() }).await;
    }
}

/// The kinds of all provisioners.
pub(super) const fn kinds<const N: usize>(all: &[Provisioner; N]) -> [ComponentKind; N] {
    let mut kinds = [all[0].kind; N];
    let mut index = 1;
    while index < N {
        kinds[index] = all[index].kind;
        index += 1;
    }
    kinds
}
