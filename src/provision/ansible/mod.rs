//! `ansible`: a playbook that runs on this machine against the instance.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;
mod playbook;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::AnsibleOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "ansible", schema: AnsibleOptions::schema, plan: plan::plan },
    run: None,
};
