//! `hcp-sbom`: a list of the software on the instance.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

use super::Provisioner;
use crate::plan::ComponentKind;
use options::HcpSbomOptions;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "hcp-sbom", schema: HcpSbomOptions::schema, plan: plan::plan },
    run: None,
};
