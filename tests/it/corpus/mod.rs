//! The templates under `fixtures/corpus`: what each comes to, and what is said about those that are
//! wrong. How they are kept is in `fixtures/corpus/README.md`.

mod case;
mod coverage;
mod evaluated;
mod form;
mod outcome;
mod stored;

use case::{Case, Expected};
use outcome::Outcome;

use crate::support::Workspace;

#[test]
fn templates_come_to_what_is_stored() {
    let mut wrong = Vec::new();
    for case in case::all() {
        let Outcome { text, accepted, secrets } = outcome::of(&case);
        if accepted != (case.expected == Expected::Valid) {
            let verb = if accepted { "is accepted" } else { "is refused" };
            wrong.push(format!("{} {verb}:\n{text}", case.name()));
        }
        if let Some(secret) = secrets.iter().find(|secret| text.contains(secret.as_str())) {
            wrong.push(format!("{} shows the secret `{secret}`:\n{text}", case.name()));
        }
        if text.contains(case::SECRET) {
            wrong.push(format!("{} shows a secret:\n{text}", case.name()));
        }
        wrong.extend(stored::compare(&case, &text));
    }
    wrong.extend(stored::strays());
    assert!(wrong.is_empty(), "{} findings:\n\n{}", wrong.len(), wrong.join("\n"));
}

/// The template hashes of all valid templates, a line each: hash, template, build. Those that hold a
/// path of this machine are left out.
pub(crate) fn template_hashes() -> Vec<String> {
    let valid = case::all().into_iter().filter(|case| case.expected == Expected::Valid);
    valid.flat_map(|case| outcome::template_hashes(&case)).collect()
}

/// The same words come out of the program; a sample, as each run is a process.
#[test]
fn the_program_says_the_same() {
    let workspace = Workspace::new();
    let cases = case::all();
    let (valid, invalid): (Vec<_>, Vec<_>) =
        cases.iter().partition(|case| case.expected == Expected::Valid);
    for case in valid.iter().step_by(25).chain(invalid.iter().step_by(12)) {
        let mut command = workspace.command(["validate"]);
        command.args(case.command_line()).arg(&case.template).envs(&case.environment);
        let said = crate::support::Running::start(command).finish();
        let outcome = outcome::of(case);
        let expected = if outcome.accepted {
            assert_eq!(said.stdout, "The configuration is valid.\n", "{}", case.name());
            evaluated::warnings(&outcome.text)
        } else {
            outcome.text.as_str()
        };
        let name = case.name();
        assert_eq!(said.code, i32::from(!outcome.accepted), "{name}\n{}", said.stderr);
        assert_eq!(outcome::without_place(&said.stderr), expected, "{name}");
    }
}

/// Cases are found at all.
#[test]
fn there_are_enough_templates() {
    let cases = case::all();
    let count = |expected| cases.iter().filter(|case: &&Case| case.expected == expected).count();
    assert!(cases.len() >= 150, "{} templates", cases.len());
    assert!(count(Expected::Valid) >= 70 && count(Expected::Invalid) >= 60);
}
