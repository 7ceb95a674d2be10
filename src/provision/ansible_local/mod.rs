//! `ansible-local`: playbooks that run on the instance.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::AnsibleLocalOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind {
        name: "ansible-local",
        schema: AnsibleLocalOptions::schema,
        plan: plan::plan,
    },
    run: None,
};
