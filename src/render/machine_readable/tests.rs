//! Rows, as programs read them.

use std::time::Duration;

use super::*;
use crate::event::{Artifact, Fact, Stream};

fn rows(mask: &Mask, facts: Vec<(&str, Fact)>) -> String {
    let mut renderer = MachineReadable::new(Vec::new(), mask.clone());
    for (second, (build, fact)) in facts.into_iter().enumerate() {
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + second as u64);
        let build = (!build.is_empty()).then(|| build.into());
        renderer.observe(&Event { at, build, fact }).expect("a vector takes all");
    }
    String::from_utf8(renderer.out).expect("UTF-8")
}

fn finished(images: &[(&str, &str)]) -> Fact {
    let own = |(region, id): &(&str, &str)| ((*region).to_owned(), (*id).to_owned());
    let artifact = match images {
        [] => Artifact::Nothing,
        images => Artifact::Images {
            builder_id: "mitchellh.amazonebs",
            images: images.iter().map(own).collect(),
            image_hash: "5f5f".to_owned(),
            reused: false,
        },
    };
    Fact::BuildFinished { artifact, elapsed: Duration::from_secs(8) }
}

#[test]
fn a_run_ends_with_its_errors_and_artifacts() {
    let mask = Mask::default();
    mask.add(["hunter2"]);
    let facts = vec![
        ("", Fact::RunStarted { run_id: String::new(), builds: vec!["a".into(), "b".into()] }),
        ("a", Fact::Output { stream: Stream::Stdout, line: "one, two \\ 3".to_owned() }),
        ("a", Fact::Output { stream: Stream::Stderr, line: "pw=hunter2".to_owned() }),
        ("a", finished(&[("us-east-1", "ami-1"), ("us-west-2", "ami-2")])),
        (
            "b",
            Fact::BuildFailed {
                error: "no, not\r\nhunter2".to_owned(),
                place: None,
                hints: vec!["try again".to_owned()],
                elapsed: Duration::from_secs(9),
                cancelled: false,
            },
        ),
        ("c", finished(&[])),
        ("", Fact::RunEnded { elapsed: Duration::from_secs(10) }),
    ];
    insta::assert_snapshot!(rows(&mask, facts), @r"
    1700000001,,ui,say,==> a: one%!(PACKER_COMMA) two \ 3
    1700000002,,ui,error,==> a: pw=<sensitive>
    1700000003,,ui,say,Build 'a' finished after 8 seconds.
    1700000004,,ui,error,Build 'b' errored after 9 seconds: no%!(PACKER_COMMA) not\r\n<sensitive>
    1700000005,,ui,say,Build 'c' finished after 8 seconds.
    1700000006,,ui,say,\n==> Wait completed after 10 seconds
    1700000006,,error-count,1
    1700000006,b,error,no%!(PACKER_COMMA) not\r\n<sensitive>
    1700000006,,ui,error,\n==> Some builds didn't complete successfully and had errors:\n--> b: no%!(PACKER_COMMA) not\r\n<sensitive>\n    hint: try again
    1700000006,a,artifact-count,1
    1700000006,a,artifact,0,builder-id,mitchellh.amazonebs
    1700000006,a,artifact,0,id,us-east-1:ami-1%!(PACKER_COMMA)us-west-2:ami-2
    1700000006,a,artifact,0,string,AMIs were created:\nus-east-1: ami-1\nus-west-2: ami-2\nimage hash: 5f5f\n
    1700000006,a,artifact,0,files-count,0
    1700000006,a,artifact,0,end
    1700000006,c,artifact-count,1
    1700000006,c,artifact,0,nil
    1700000006,c,artifact,0,end
    1700000006,,ui,say,\n==> Builds finished. The artifacts of successful builds are:\n--> a: AMIs were created:\nus-east-1: ami-1\nus-west-2: ami-2\nimage hash: 5f5f\n\n--> c: <nothing>
    ");
}

#[test]
fn a_run_without_artifacts_says_so() {
    let facts = vec![("", Fact::RunEnded { elapsed: Duration::from_secs(1) })];
    insta::assert_snapshot!(rows(&Mask::default(), facts), @r"
    1700000000,,ui,say,\n==> Wait completed after 1 second
    1700000000,,ui,say,\n==> Builds finished but no artifacts were created.
    ");
}
