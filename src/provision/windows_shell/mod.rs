//! `windows-shell`: batch files on the instance.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

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
    run: None,
};
