//! A bake that is killed, at any call and at any moment, leaves nothing that `bake gc` does not
//! remove, and is in nobody's way.
//!
//! A build against an endpoint makes N calls. It is run again for each of them, and killed as soon as
//! the endpoint has done what the call asks: before the answer arrives, which is the worst moment there
//! is, since the ledger does not know the id. Where a call makes something, it is run once more, and
//! killed as soon as the answer is sent. Then again at moments that are drawn from the time that a
//! build takes. After each kill
//!
//! - the next build of the same template ends with its image, and with no second one of its hash; in
//!   a third of the runs after a `bake gc`, else before it, while everything is still there;
//! - `bake gc` leaves nothing at the endpoint but complete images;
//! - no process is left.
//!
//! The same goes for a `bake gc` that is killed ([`collecting`]), and builds that are interrupted leave
//! nothing to it ([`signals`]).

mod collecting;
mod lane;
mod signals;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Seed, Strike, all_suites, root};

use lane::{Lane, Moment};

/// How many endpoints are used at the same time.
const LANES: usize = 2;
/// How many moments are drawn.
const DRAWN: usize = 50;
/// Calls that a shorter test looks at.
const TELLING: [&str; 4] = ["ImportKeyPair", "RunInstances", "CreateImage", "CreateTags"];

#[test]
fn wherever_it_is_killed_the_next_build_succeeds_and_gc_leaves_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let mut lanes: Vec<_> = (0..LANES).map(Lane::new).collect();
    // The first one is slower than those that follow.
    lanes[0].whole();
    let (actions, elapsed) = lanes[0].whole();
    let mut seed = Seed::of_test("moments of a kill", 5);
    let mut drawn =
        |count: usize| (0..count).map(|_| Moment::After(seed.moment(elapsed))).collect::<Vec<_>>();
    let lost: Vec<Strike> = strikes(&actions);
    let moments: Vec<Moment> = if all_suites("a kill at every call of a build") {
        let making = lost.iter().filter(|strike| makes(&strike.action)).cloned();
        let answered: Vec<_> = making.map(|strike| Strike { answered: true, ..strike }).collect();
        lost.into_iter().chain(answered).map(Moment::Call).chain(drawn(DRAWN)).collect()
    } else {
        let last = |action: &&str| lost.iter().rfind(|strike| strike.action == **action).cloned();
        let calls = TELLING.iter().map(|action| last(action).expect("it is called"));
        calls.map(Moment::Call).chain(drawn(2)).collect()
    };
    let rows =
        with_all(&mut lanes, moments.len(), |lane, number| lane.killed(number, &moments[number]));
    table::print(&rows, actions.len(), elapsed);
    let failed: Vec<_> = rows.iter().filter_map(|row| row.failure.as_deref()).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
    for lane in lanes {
        lane.end();
    }
}

/// One for each call, with its answer lost.
fn strikes(actions: &[String]) -> Vec<Strike> {
    let number = |index: usize| {
        let same = actions[..=index].iter().filter(|one| **one == actions[index]);
        same.count()
    };
    let strike = |index: usize| Strike {
        action: actions[index].clone(),
        number: number(index),
        answered: false,
    };
    (0..actions.len()).map(strike).collect()
}

/// Whether a call of this action changes anything.
fn changes(action: &str) -> bool {
    !["Describe", "Get", "List", "DryRun"].iter().any(|reads| action.starts_with(reads))
}

/// Whether a call of this action makes something, or changes what is kept.
fn makes(action: &str) -> bool {
    let removes = ["Delete", "Deregister", "Remove", "Terminate"];
    changes(action) && !removes.iter().any(|one| action.starts_with(one))
}

/// Does `count` pieces of work on lanes, each on the next one that is free; results are in order.
fn with_all<T: Send>(
    lanes: &mut [Lane],
    count: usize,
    work: impl Fn(&Lane, usize) -> T + Sync,
) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for lane in lanes {
            let (next, done, work) = (&next, &done, &work);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = work(lane, number);
                    done.lock().expect("no panic").push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
