//! `shell-local`: scripts on the machine that bake runs on. Also a post-processor.

#[expect(dead_code, reason = "they are checked and hashed; nothing runs them yet")]
mod options;
mod plan;

use super::Provisioner;
use crate::plan::ComponentKind;

pub(crate) use options::ShellLocalOptions;
pub(crate) use plan::check;

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind {
        name: "shell-local",
        schema: ShellLocalOptions::schema,
        plan: plan::plan,
    },
    run: None,
};
