//! `ansible`: a playbook that runs on this machine against the instance.
//!
//! Ansible talks SSH to a server of ours on this machine, which passes its commands on over the
//! build's own connection: it works over whatever reaches the instance, and needs no key of it.

mod inventory;
mod options;
mod plan;
mod playbook;
mod proxy;
mod run;

#[cfg(test)]
mod tests;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::AnsibleOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "ansible", schema: AnsibleOptions::schema, plan: plan::plan },
    run: Some(run::run),
};
