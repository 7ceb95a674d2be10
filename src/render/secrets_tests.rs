//! Secrets, pushed through all renderers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::canary::{Watch, canaries, forms};
use super::{Console, MachineReadable, Mask, Settings};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, Style, render};
use crate::event::{Artifact, Event, Fact, ResourceKind, Stream};

/// Something to write to and to look at afterwards.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no panic"))).expect("UTF-8")
    }
}

fn masking(secrets: &[String]) -> Mask {
    let mask = Mask::default();
    mask.add(secrets);
    mask
}

/// Facts that have a secret, in all its forms, wherever there is text.
fn facts(secret: &str) -> Vec<Fact> {
    let source = Source::new("t.pkr.hcl", format!("a = {secret:?} + b\n"));
    let mut facts = vec![
        Fact::Warning { text: secret.to_owned() },
        Fact::ProvisionerStarted { index: 0, kind: "shell".to_owned(), title: secret.to_owned() },
        Fact::ConnectStarted { communicator: "SSH", address: secret.to_owned() },
        Fact::ImageTagged { id: "ami-1".to_owned(), tags: [("k".into(), secret.into())].into() },
        Fact::CreateStarted {
            kind: ResourceKind::Image,
            name: secret.to_owned(),
            detail: String::new(),
        },
        Fact::BuildFailed {
            error: format!("no: {secret}"),
            place: Some(Span::new(&source, 4..5)),
            hints: vec![format!("try {secret:?}")],
            elapsed: Duration::ZERO,
            cancelled: false,
        },
        Fact::BuildFinished {
            artifact: Artifact::Images {
                builder_id: "mitchellh.amazonebs",
                images: vec![(secret.to_owned(), "ami-1".to_owned())],
                image_hash: secret.to_owned(),
                reused: false,
            },
            elapsed: Duration::ZERO,
        },
    ];
    for (index, (_, form)) in forms(secret).into_iter().enumerate() {
        // As lines come from a machine.
        let stream = if index % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
        let lines = form.split('\n').map(|line| format!("key={}", line.trim_end()));
        facts.extend(lines.map(|line| Fact::Output { stream, line }));
    }
    facts.push(Fact::ProvisionerSaid { text: format!("key=\"{secret}\"") });
    facts.push(Fact::RunEnded { elapsed: Duration::ZERO });
    facts
}

fn event(fact: Fact) -> Event {
    Event { at: SystemTime::UNIX_EPOCH, build: Some("b".into()), fact }
}

#[tokio::test]
async fn no_secret_is_in_a_build_log() {
    let secrets = canaries(200);
    let mask = masking(&secrets);
    let watch = Watch::over(&secrets);
    let plain = Settings { colour: false, progress: false, timestamps: false };
    let interactive = Settings { colour: true, progress: true, timestamps: true };
    for secret in &secrets {
        for renderer in 0..3 {
            let paper = Paper::default();
            let facts = facts(secret);
            let (events, received) = tokio::sync::mpsc::channel(facts.len());
            for fact in facts {
                events.send(event(fact)).await.expect("room for all");
            }
            drop(events);
            match renderer {
                0 => Console::new(paper.clone(), plain, mask.clone()).run(received).await,
                1 => Console::new(paper.clone(), interactive, mask.clone()).run(received).await,
                _ => MachineReadable::new(paper.clone(), mask.clone()).run(received).await,
            };
            let text = paper.take();
            assert!(text.matches("<sensitive>").count() > 20, "{text}");
            watch.assert_hidden(&text);
        }
    }
}

#[test]
fn no_secret_is_in_a_diagnostic() {
    let secrets = canaries(200);
    let mask = masking(&secrets);
    let watch = Watch::over(&secrets);
    for secret in &secrets {
        let value = crate::value::quote(secret);
        let source = Source::new(
            "x.pkrvars.hcl",
            format!("pw = {value}\nlong = {}\nkey = <<E\n{secret}\nE\nb = 1\n", value.repeat(9)),
        );
        let text = source.text();
        let whole = Span::new(&source, 5..5 + value.len());
        let heredoc = text.find("<<E").expect("is there");
        let middle = text.find("long").expect("is there") + 40;
        let found: Diagnostics = [
            Diagnostic::error("wrong", format!("{value} does not fit")).at(&whole, secret.as_str()),
            Diagnostic::error("wrong", "cut").at(&Span::new(&source, middle..middle + 9), ""),
            Diagnostic::error("wrong", "in a heredoc")
                .at(&Span::new(&source, heredoc..text.len() - 8), "here")
                .also(&Span::new(&source, text.len() - 6..text.len() - 1), "and there"),
            Diagnostic::warning("odd", "odd").note(format!("`var.pw` is {value}")).help(&**secret),
        ]
        .into_iter()
        .collect();
        for colour in [false, true] {
            let text = render(&mask.findings(&found), Style { colour, ..Style::default() });
            assert!(text.contains("<sensitive>"), "{text}");
            watch.assert_hidden(&mask.apply(&text));
        }
    }
}
