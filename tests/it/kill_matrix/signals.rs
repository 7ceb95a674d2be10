//! A bake that is interrupted at any moment leaves nothing, and no work for `bake gc`.

use std::collections::BTreeMap;

use rustix::process::Signal;

use super::lane::Lane;
use super::{LANES, with_all};
use crate::support::{Endpoint, Running, Seed, Workspace, all_suites, root, shell, template};

/// How many moments are drawn, for both signals together.
const DRAWN: usize = 50;

#[test]
#[expect(clippy::print_stderr, reason = "whoever reads a test's output wants to know what came")]
fn a_signal_at_any_moment_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let mut lanes: Vec<_> = (0..LANES).map(Lane::new).collect();
    lanes[0].whole();
    let (_, elapsed) = lanes[0].whole();
    let mut seed = Seed::of_test("moments of a signal", 6);
    let count = if all_suites("signals at fifty moments of a build") { DRAWN } else { 4 };
    let moments: Vec<_> = (0..count).map(|_| seed.moment(elapsed)).collect();
    let ended = with_all(&mut lanes, moments.len(), |lane, number| {
        let signal = if number.is_multiple_of(2) { Signal::INT } else { Signal::TERM };
        lane.signalled(moments[number], signal)
            .map_err(|failure| format!("{signal:?} after {:?}: {failure}", moments[number]))
    });
    let failed: Vec<_> = ended.iter().filter_map(|one| one.as_ref().err().cloned()).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), ended.len(), failed.join("\n"));
    let mut codes = BTreeMap::new();
    for code in ended.into_iter().flatten() {
        *codes.entry(code).or_insert(0) += 1;
    }
    eprintln!("A build takes {elapsed:.2?}; how often it ended with which exit code: {codes:?}");
    for lane in lanes {
        lane.end();
    }
}

#[test]
fn a_second_signal_during_the_teardown_does_not_end_it() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--latency", "terminated=1s"]);
    let path = workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 300")));
    let mut command = workspace.command(["build"]);
    command.arg(path);
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for(": begun");
    running.signal(Signal::TERM);
    running.wait_for("Terminating the source");
    running.signal(Signal::INT);
    let outcome = running.finish().expect(143);
    assert!(outcome.stdout.contains("leaving out everything but the teardown"));
    assert!(endpoint.left().is_empty(), "{:?}\n{}", endpoint.left(), outcome.stdout);
    endpoint.stop();
    workspace.assert_nothing_runs();
}
