//! `windows-shell`: batch files on the instance.

mod options;
mod plan;
mod run;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::WindowsShellOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind {
        name: "windows-shell",
        schema: WindowsShellOptions::schema,
        plan: plan::plan,
    },
    run: Some(run::run),
};
