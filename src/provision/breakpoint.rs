//! `breakpoint`: waits for a key, so that somebody can look at the instance.

use super::Provisioner;
use crate::plan::{ComponentKind, Planner};

crate::options! {
    /// Waits until somebody presses Enter.
    struct BreakpointOptions {
        /// Said while it waits.
        unhashed note: Option<String>,
        /// Whether it does not wait.
        unhashed disable: bool = false,
    }
}

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "breakpoint", schema: BreakpointOptions::schema, plan },
    run: None,
};

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet("provisioner");
    let schema = BreakpointOptions::schema();
    let Some(options) = planner.decode(schema, BreakpointOptions::decode_options) else { return };
    if !options.disable {
        // Nobody knows what was done to the instance meanwhile.
        planner.mark_volatile("breakpoint");
    }
    planner.set_title(match options.note {
        Some(note) => format!("Pausing at breakpoint: {note}"),
        None => "Pausing at breakpoint".to_owned(),
    });
}
