//! `windows-restart`: restarts a Windows instance and waits until it is back.

mod options;
mod plan;
mod run;

#[cfg(test)]
mod tests;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::WindowsRestartOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind {
        name: "windows-restart",
        schema: WindowsRestartOptions::schema,
        plan: plan::plan,
    },
    run: Some(run::run),
};
