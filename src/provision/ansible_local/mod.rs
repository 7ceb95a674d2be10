//! `ansible-local`: playbooks that run on the instance.

mod options;
mod plan;
mod run;

#[cfg(test)]
mod tests;

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
    run: Some(run::run),
};
