//! Options of a step that do nothing beside others, or without them. Packer takes them and says
//! nothing, so they are warnings.

use crate::plan::Planner;

/// When some options do nothing: whether that is so, in words, and which options.
pub(super) type Row<'a> = (bool, &'a str, &'a [&'a str]);

/// Warns of what a template asks for and does not get.
pub(super) fn check_effects(planner: &mut Planner<'_>, rows: &[Row<'_>]) {
    for (_, when, options) in rows.iter().filter(|(holds, ..)| *holds) {
        for option in options.iter().filter(|option| planner.asks_for(option)).collect::<Vec<_>>() {
            let text = format!("`{option}` does nothing {when}");
            planner.warn("no-effect", option, text, "leave it out");
        }
    }
}

/// Whether a template gives an option, or may give it once the build runs.
pub(super) fn has(planner: &Planner<'_>, option: &str) -> bool {
    planner.asks_for(option) || planner.is_late(option)
}
