//! `powershell`: PowerShell scripts on the instance.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::PowershellOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "powershell", schema: PowershellOptions::schema, plan: plan::plan },
    run: None,
};
