//! A `bake gc` that is killed itself is finished by the next one.

use super::lane::Lane;
use super::{LANES, changes, strikes, with_all};
use crate::support::{Strike, all_suites, root};

/// Calls that a shorter test looks at.
const TELLING: [&str; 2] = ["TerminateInstances", "DeregisterImage"];

#[test]
fn a_gc_that_is_killed_is_finished_by_the_next() {
    if !root("building in the sandbox") {
        return;
    }
    let mut lanes: Vec<_> = (0..LANES).map(Lane::new).collect();
    let mut calls = strikes(&lanes[0].collected());
    calls.retain(|strike| changes(&strike.action));
    for action in ["DeleteSnapshot", "DeleteRole"].iter().chain(&TELLING) {
        assert!(calls.iter().any(|strike| strike.action == *action), "no {action} in {calls:?}");
    }
    if !all_suites("a kill at every call of a collection that changes something") {
        calls.retain(|strike| TELLING.contains(&strike.action.as_str()));
    }
    let failed: Vec<String> = with_all(&mut lanes, calls.len(), |lane, number| {
        let strike: &Strike = &calls[number];
        let failure = lane.collected_twice(strike).err()?;
        Some(format!("{} {}: {failure}", strike.action, strike.number))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), calls.len(), failed.join("\n"));
    for lane in lanes {
        lane.end();
    }
}
