//! `shell`: scripts on the instance.
//!
//! One script costs one command: it travels on the standard input of the command that writes it
//! to its place, runs it as `execute_command` says, and removes it.

mod options;
mod plan;
mod remote;
mod run;
mod script;

#[cfg(test)]
mod tests;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::ShellOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "shell", schema: ShellOptions::schema, plan: plan::plan },
    run: Some(run::run),
};
