//! Provisioners: the steps that change an instance, over any communicator.
//!
//! A provisioner is one folder: its options, how a use of it is planned, and how
//! it runs. [`PROVISIONERS`] lists them; nothing else knows their names. What all
//! steps have in common (pauses, time limits, retries) is in [`run_step`].

mod ansible;
mod ansible_local;
mod breakpoint;
mod effect;
mod elevation;
mod error;
mod file;
mod galaxy;
mod hcp_sbom;
mod inputs;
mod lines;
pub mod normalize;
mod output;
mod powershell;
mod program;
mod provisioner;
mod readiness;
mod restart;
mod run;
mod script;
mod shell;
mod shell_local;
mod sleep;
mod windows;
mod windows_restart;
mod windows_shell;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod over_systems_manager;
#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

pub use error::{ProvisionError, StepFailed};
pub use provisioner::{Provisioner, Run, StepContext, StepRun};
pub use readiness::wait_until_ready;
pub use run::{WatchSteps, run_step, run_steps, run_steps_watched};
pub(crate) use shell_local::{ShellLocalOptions, check as check_shell_local};

use crate::plan::ComponentKind;

/// All provisioners.
pub const PROVISIONERS: [Provisioner; 11] = [
    ansible::PROVISIONER,
    ansible_local::PROVISIONER,
    breakpoint::PROVISIONER,
    file::PROVISIONER,
    hcp_sbom::PROVISIONER,
    powershell::PROVISIONER,
    shell::PROVISIONER,
    shell_local::PROVISIONER,
    sleep::PROVISIONER,
    windows_restart::PROVISIONER,
    windows_shell::PROVISIONER,
];

/// Their names, options and plans.
pub const KINDS: &[ComponentKind] = &provisioner::kinds(&PROVISIONERS);
