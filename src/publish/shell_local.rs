//! `shell-local`: scripts on this machine once the image is done.

use crate::plan::{ComponentKind, Planner};
use crate::provision::{ShellLocalOptions, check_shell_local};

use super::ROLE;

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "shell-local", schema: ShellLocalOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    check_shell_local(planner, "a `shell-local` post-processor");
}
