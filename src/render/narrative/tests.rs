//! What is put together before it is told.

use std::time::SystemTime;

use super::*;
use crate::event::ResourceKind;
use crate::template::schema::Secret;

fn event(fact: Fact) -> Event {
    Event { at: SystemTime::UNIX_EPOCH, build: Some("b".into()), fact }
}

/// All texts, with their secrets masked as a renderer does.
fn told(mask: &Mask, facts: impl IntoIterator<Item = Fact>) -> Vec<String> {
    let mut narrative = Narrative::new(mask.clone());
    facts
        .into_iter()
        .flat_map(|fact| narrative.tell(&event(fact)))
        .filter_map(|said| match said {
            Said::Text { text, .. } => Some(mask.apply(&text)),
            Said::Row { .. } => None,
        })
        .collect()
}

fn output(line: &str) -> Fact {
    Fact::Output { stream: Stream::Stdout, line: line.to_owned() }
}

#[test]
fn secrets_that_a_run_finds_are_masked_from_then_on() {
    let found = Fact::SecretsFound { secrets: vec![Secret::new("hunter2")] };
    assert!(!format!("{found:?}").contains("hunter2"));
    let told = told(&Mask::default(), [output("hunter2"), found, output("hunter2")]);
    assert_eq!(told, ["==> b: hunter2", "==> b: <sensitive>"]);
}

#[test]
fn a_secret_across_a_cut_of_an_overlong_line_is_found() {
    let secret = "correct horse \"battery\" staple";
    let mask = Mask::default();
    mask.add([secret]);
    let json = serde_json::to_string(secret).expect("JSON");
    for at in [1, 9, json.len() - 1] {
        let (left, right) = json.split_at(at);
        let long = format!("{}{left}", "x".repeat(LONGEST_LINE - left.len()));
        let other = Fact::Output { stream: Stream::Stderr, line: "oops".to_owned() };
        let told =
            told(&mask, [output(&long), other, output(&format!("{right} end")), output("z")]);
        let text = told.concat();
        assert!(
            text.contains("<sensitive>") && !text.contains("orse"),
            "{at}: {}",
            &text[65_000..]
        );
        assert!(text.ends_with("\" end==> b: z"), "{at}: {}", &text[65_000..]);
        assert_eq!(text.matches('x').count(), LONGEST_LINE - left.len());
    }
}

#[test]
fn the_end_of_an_overlong_line_is_told_when_no_more_comes() {
    let mask = Mask::default();
    mask.add(["hunter2"]);
    let long = format!("{}END", "x".repeat(LONGEST_LINE - 3));
    let ended = Fact::StepStarted { step: Step::Stop };
    let told = told(&mask, [output(&long), ended]);
    assert_eq!(told.len(), 2);
    assert!(told[1].ends_with("END"));
}

#[test]
fn a_snippet_is_masked_before_it_is_cut() {
    let secret = "0123456789".repeat(30);
    let mask = Mask::default();
    mask.add([&secret]);
    let source =
        crate::diagnostic::Source::new("t.hcl", format!("{}{secret} nope", "y".repeat(50)));
    let failed = Fact::BuildFailed {
        error: "no".to_owned(),
        place: Some(Span::new(&source, 350..355)),
        hints: Vec::new(),
        elapsed: Duration::ZERO,
        cancelled: false,
    };
    let text = told(&mask, [failed]).concat();
    assert!(text.contains("<sensitive> nope") && !text.contains("345"), "{text}");
}

#[test]
fn people_learn_of_a_lease_only_when_they_have_to_wait() {
    let name = || "bake-lease-0123".to_owned();
    let lease = ResourceKind::Lease;
    let quiet = [
        Fact::CreateStarted { kind: lease, name: name(), detail: String::new() },
        Fact::ResourceCreated { kind: lease, id: name(), detail: String::new() },
        Fact::LeaseTaken { name: name(), waited: false },
        Fact::ResourceDeleted { kind: lease, id: name() },
    ];
    assert_eq!(told(&Mask::default(), quiet), [""; 0]);
    let holder = || "amazon-ebs.app of run 0199 by arn:aws:iam::1:user/ci".to_owned();
    let deadline = || Some("2026-11-22T01:10:00Z".to_owned());
    let since = Some("2026-11-22T01:00:00Z".to_owned());
    let told = told(
        &Mask::default(),
        [
            Fact::LeaseAwaited { holder: holder(), since, deadline: deadline() },
            Fact::LeaseTakenOver { holder: holder(), deadline: deadline() },
            Fact::LeaseHolderGone { holder: holder(), run: "0199".to_owned(), left: 4 },
            Fact::LeaseHolderGone { holder: holder(), run: "0199".to_owned(), left: 0 },
            Fact::UnfinishedImageFound {
                id: "ami-1".to_owned(),
                name: "app-0123".to_owned(),
                run: "0199".to_owned(),
            },
            Fact::LeaseTaken { name: name(), waited: true },
            Fact::LeaseLost { name: name() },
            Fact::ImageTooOld {
                id: "ami-1".to_owned(),
                created: "2026-11-01T00:00:00.000Z".to_owned(),
                max_age: Duration::from_secs(7 * 24 * 3600),
            },
        ],
    );
    insta::assert_snapshot!(told.join("\n"), @r"
    ==> b: Another build makes this image: amazon-ebs.app of run 0199 by arn:aws:iam::1:user/ci, since 2026-11-22T01:00:00Z
    ==> b: Waiting for its image...
    ==> b: Not heard of since its deadline, 2026-11-22T01:10:00Z: amazon-ebs.app of run 0199 by arn:aws:iam::1:user/ci
    ==> b: The process that was making this image is gone: amazon-ebs.app of run 0199 by arn:aws:iam::1:user/ci; `bake gc -run 0199` removes what it left
    ==> b: The process that was making this image is gone: amazon-ebs.app of run 0199 by arn:aws:iam::1:user/ci
    ==> b: ami-1 has the name app-0123, and run 0199 was killed before it was complete
    ==> b: Nobody makes this image any more: building it here
    ==> b: Warning: this build did not renew its lease in time, and another one makes the image now
    ==> b: Not taking ami-1 of 2026-11-01T00:00:00.000Z: it is older than 7 days
    ");
}
