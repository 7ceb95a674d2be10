//! `powershell`: PowerShell scripts on the instance.
//!
//! A script and a file with its variables go to the instance, are run as `execute_command` says,
//! and are removed.

mod options;
mod plan;
mod run;
mod text;

#[cfg(test)]
mod tests;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::PowershellOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "powershell", schema: PowershellOptions::schema, plan: plan::plan },
    run: Some(run::run),
};
