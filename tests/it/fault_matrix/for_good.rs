//! Calls that never succeed: the build ends by itself.

use std::thread;

use super::cell::end_of;
use super::subject::Subject;
use crate::support::{Workspace, root};

#[test]
fn a_build_that_is_throttled_for_good_ends_by_itself_and_says_so() {
    if !root("building in the sandbox") {
        return;
    }
    thread::scope(|scope| {
        for action in ["RunInstances", "DescribeImages"] {
            scope.spawn(move || {
                let subject = Subject::named("ssh").expect("it is one of them");
                let workspace = Workspace::new();
                let endpoint = subject.endpoint(&workspace, &[format!("{action}:*:throttle")]);
                let template = subject.template(&workspace, false);
                let outcome = endpoint.build(&workspace, &[], &template).expect(1);
                for words in [action, "RequestLimitExceeded", "the account's API rate is used up"] {
                    assert!(outcome.stdout.contains(words), "no {words} in\n{}", outcome.stdout);
                }
                if action == "RunInstances" {
                    let ended = end_of(&workspace, &endpoint, &outcome, 1);
                    assert_eq!(ended.map(|ended| ended.left), Ok(0));
                }
            });
        }
    });
}
