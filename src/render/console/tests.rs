//! Whole build logs, as they are read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::diagnostic::{Source, Span};
use crate::event::{Artifact, ResourceKind, Step, StepOutcome, Stream, channel};

/// A terminal to look at afterwards.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PLAIN: Settings = Settings { colour: false, progress: false, timestamps: false };

/// What a console prints for these facts, and what came of it.
async fn printed(settings: Settings, mask: Mask, facts: Vec<(&str, Fact)>) -> (String, Summary) {
    let paper = Paper::default();
    let (events, received) = channel();
    let printing = tokio::spawn(Console::new(paper.clone(), settings, mask).run(received));
    for (build, fact) in facts {
        if build.is_empty() {
            events.emit(fact).await;
        } else {
            events.of_build(build).emit(fact).await;
        }
    }
    drop(events);
    let summary = printing.await.expect("the console does not panic");
    (paper.text(), summary)
}

fn started(builds: &[&str]) -> Fact {
    let builds = builds.iter().map(|one| (*one).to_owned()).collect();
    Fact::RunStarted { run_id: "run".to_owned(), builds }
}

fn output(line: &str) -> Fact {
    Fact::Output { stream: Stream::Stdout, line: line.to_owned() }
}

fn finished(id: &str, reused: bool) -> Fact {
    Fact::BuildFinished {
        artifact: Artifact::Images {
            builder_id: "mitchellh.amazonebs",
            images: vec![("us-east-1".to_owned(), id.to_owned())],
            image_hash: "5f".repeat(32),
            reused,
        },
        elapsed: Duration::from_millis(8_922),
    }
}

#[tokio::test]
async fn a_log_of_two_builds_ends_with_what_came_of_both() {
    let source = Source::new("web.pkr.hcl", "build {\n  provisioner \"shell\" {}\n}\n");
    let facts = vec![
        ("", started(&["amazon-ebs.a", "amazon-ebs.b"])),
        (
            "amazon-ebs.a",
            Fact::ResourceCreated {
                kind: ResourceKind::Instance,
                id: "i-1".to_owned(),
                detail: "t3.micro".to_owned(),
            },
        ),
        ("amazon-ebs.b", output("two words   ")),
        (
            "amazon-ebs.a",
            Fact::StepEnded {
                step: Step::Launch,
                outcome: StepOutcome::Succeeded,
                elapsed: Duration::from_millis(1_400),
            },
        ),
        ("amazon-ebs.a", finished("ami-1", false)),
        (
            "amazon-ebs.b",
            Fact::BuildFailed {
                error: "Script exited with non-zero exit status: 7".to_owned(),
                place: Some(Span::new(&source, 10..29)),
                hints: vec!["read the output above".to_owned()],
                elapsed: Duration::from_secs(61),
                cancelled: false,
            },
        ),
        ("", Fact::RunEnded { elapsed: Duration::from_secs(62) }),
    ];
    let (text, summary) = printed(PLAIN, Mask::default(), facts).await;
    assert_eq!((summary.artifacts.len(), summary.failures.len()), (1, 1));
    assert!(!summary.left_behind);
    insta::assert_snapshot!(text, @r#"
    ==> amazon-ebs.a: Instance ID: i-1 (t3.micro)
    ==> amazon-ebs.b: two words
    ==> amazon-ebs.a: Steps took: launch 1.4s
    Build 'amazon-ebs.a' finished after 8 seconds 922 milliseconds.
    Build 'amazon-ebs.b' errored after 1 minute 1 second: Script exited with non-zero exit status: 7
     --> web.pkr.hcl:2:3
      |
    2 |   provisioner "shell" {}
      |   ^^^^^^^^^^^^^^^^^^^

    ==> Wait completed after 1 minute 2 seconds

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.b: Script exited with non-zero exit status: 7
     --> web.pkr.hcl:2:3
      |
    2 |   provisioner "shell" {}
      |   ^^^^^^^^^^^^^^^^^^^
        hint: read the output above

    ==> Builds finished. The artifacts of successful builds are:
    --> amazon-ebs.a: AMIs were created:
    us-east-1: ami-1
    image hash: 5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f
    "#);
}

#[tokio::test]
async fn what_is_left_is_told() {
    let facts = vec![
        ("", started(&["amazon-ebs.a"])),
        (
            "amazon-ebs.a",
            Fact::ResourceLeft {
                kind: ResourceKind::SecurityGroup,
                id: "sg-1".to_owned(),
                region: "us-east-1".to_owned(),
                error: "DependencyViolation".to_owned(),
            },
        ),
        ("amazon-ebs.a", finished("ami-1", true)),
        ("", Fact::RunEnded { elapsed: Duration::from_secs(1) }),
    ];
    let (text, summary) = printed(PLAIN, Mask::default(), facts).await;
    assert!(summary.left_behind);
    insta::assert_snapshot!(text, @"
    ==> amazon-ebs.a: Left behind in us-east-1: security group sg-1: DependencyViolation
    Build 'amazon-ebs.a' finished after 8 seconds 922 milliseconds.

    ==> Wait completed after 1 second

    ==> Builds finished. The artifacts of successful builds are:
    --> amazon-ebs.a: AMIs were reused:
    us-east-1: ami-1
    image hash: 5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f

    ==> Some resources are still there:
    --> amazon-ebs.a: us-east-1: security group sg-1: DependencyViolation
        next: bake gc -run run
    ");
}

#[tokio::test]
async fn builds_have_colours_and_errors_are_red() {
    let colourful = Settings { colour: true, ..PLAIN };
    let facts = vec![
        ("", started(&["a", "b"])),
        ("b", output("hello")),
        ("a", Fact::Output { stream: Stream::Stderr, line: "oh".to_owned() }),
    ];
    let (text, _) = printed(colourful, Mask::default(), facts).await;
    insta::assert_snapshot!(text.replace('\u{1b}', "^"), @"
    ^[1m^[32ma: output will be in this color.^[0m
    ^[1m^[36mb: output will be in this color.^[0m

    ^[1m^[36m==> b: hello^[0m
    ^[1m^[31m==> a: oh^[0m
    ");
}

#[tokio::test]
async fn secrets_do_not_get_through() {
    let mask = Mask::default();
    mask.add(&["hunter2".to_owned()]);
    let (text, _) = printed(PLAIN, mask, vec![("a", output("login hunter2 ok"))]).await;
    assert_eq!(text, "==> a: login <sensitive> ok\n");
}

#[tokio::test]
async fn a_line_can_start_with_its_time() {
    let timed = Settings { timestamps: true, ..PLAIN };
    let (text, _) = printed(timed, Mask::default(), vec![("a", output("x"))]).await;
    let (time, rest) = text.split_once(' ').expect("a time in front");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(rest, "==> a: x\n");
}
