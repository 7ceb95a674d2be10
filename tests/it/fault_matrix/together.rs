//! Faults that are harmless alone: an answer that is lost, and then something that hides what the
//! call has done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::cell::end_of;
use super::subject::Subject;
use super::text_of;
use crate::support::{Workspace, root};

/// The build, and what goes wrong with it. What is made can be found after three seconds only.
const TRIALS: &[(&str, &[&str])] = &[
    ("ssh", &["ImportKeyPair:#1:cut"]),
    ("ssh", &["ImportKeyPair:#2:cut"]),
    ("ssh", &["CreateSecurityGroup:#1:cut"]),
    ("ssh", &["CreateSecurityGroup:#1:cut", "CreateSecurityGroup:2+:unauthorized"]),
    ("ssh", &["ImportKeyPair:#2:cut", "ImportKeyPair:3+:unauthorized"]),
    ("ssh", &["RunInstances:#1:cut"]),
    ("ssh", &["RunInstances:#1:cut", "RunInstances:2+:capacity"]),
    ("ssh", &["CreateImage:#1:cut"]),
    ("ssh", &["CreateImage:#1:cut", "CreateImage:2+:unauthorized"]),
    ("ssh", &["CreateImage:#1:cut", "TerminateInstances:2:error=OperationNotPermitted"]),
    ("profile", &["CreateRole:#1:cut", "CreateRole:2+:throttle"]),
    ("profile", &["CreateRole:#1:cut", "CreateRole:2+:error=Throttling/Rate exceeded"]),
    ("profile", &["CreateInstanceProfile:#1:cut", "CreateInstanceProfile:2+:unauthorized"]),
    ("profile", &["AddRoleToInstanceProfile:#1:cut", "DeleteRole:2:internal"]),
];

#[test]
fn what_a_lost_answer_has_made_is_found_or_removed_whatever_comes_next() {
    if !root("building in the sandbox") {
        return;
    }
    let all = std::env::var_os("BAKE_TEST_ALL").is_some();
    let trials: Vec<_> = TRIALS.iter().step_by(if all { 1 } else { 5 }).collect();
    let failures: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> =
            trials.iter().map(|(name, rules)| scope.spawn(|| run(name, rules))).collect();
        running.into_iter().filter_map(|one| one.join().expect("caught").err()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn run(name: &str, rules: &[&str]) -> Result<(), String> {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let subject = Subject::named(name).expect("one of the subjects");
        let workspace = Workspace::new();
        let rules: Vec<_> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let endpoint = subject.endpoint_with("visible=3s,snapshot=300ms", &workspace, &rules);
        let template = subject.template(&workspace, false);
        let outcome = endpoint.build(&workspace, &[], &template);
        let ended = end_of(&workspace, &endpoint, &outcome, 3);
        ended.map(drop).map_err(|error| {
            format!("{error}\n--- stdout\n{}\n--- stderr\n{}", outcome.stdout, outcome.stderr)
        })
    }));
    let tried = tried.unwrap_or_else(|panic| Err(text_of(&*panic)));
    tried.map_err(|error| format!("{name}, {rules:?}: {error}"))
}
