//! `file`: files and directories for the instance, and from it.

mod options;
mod ownership;
mod plan;
mod run;

#[cfg(test)]
mod tests;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::FileOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "file", schema: FileOptions::schema, plan: plan::plan },
    run: Some(run::run),
};
