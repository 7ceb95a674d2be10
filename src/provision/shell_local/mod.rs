//! `shell-local`: scripts on the machine that bake runs on. Also a post-processor.
//!
//! `execute_command` has Packer's default of Unix; that of Windows, `cmd /V /C …`, is not there,
//! as bake does not run on Windows.

mod options;
mod plan;
mod run;

#[cfg(test)]
mod tests;

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
    run: Some(run::run),
};
