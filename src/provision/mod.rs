//! Provisioners: the steps that change an instance, over any communicator.
//!
//! A provisioner is one folder: its options, how a use of it is planned, and how
//! it runs. [`PROVISIONERS`] lists them; nothing else knows their names. What all
//! steps have in common (pauses, time limits, retries) is in [`run_step`].

mod error;
mod file;
mod lines;
mod provisioner;
mod run;
mod shell;

#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;

pub use error::{ProvisionError, StepFailed};
pub use provisioner::{Provisioner, StepContext, StepRun};
pub use run::{run_step, run_steps};

use crate::plan::ComponentKind;

/// All provisioners.
pub const PROVISIONERS: [Provisioner; 2] = [file::PROVISIONER, shell::PROVISIONER];

/// Their names, options and plans.
pub const KINDS: &[ComponentKind] = &provisioner::kinds(&PROVISIONERS);
