//! `windows-restart`: restarts a Windows instance and waits until it is back.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

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
    run: None,
};
