//! The timer, without an instance.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::Mutex;

use super::*;
use crate::event::channel;

const HOUR: Duration = Duration::from_secs(3600);

fn combined(own: &str) -> Option<String> {
    let data = user_data(Some(own.as_bytes()), "al2023", HOUR)?;
    Some(String::from_utf8(data).expect("text"))
}

/// Whether `sh` can read it.
fn is_sound(script: &str) -> bool {
    let mut sh = std::process::Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a sh");
    std::io::Write::write_all(&mut sh.stdin.take().expect("piped"), script.as_bytes())
        .expect("it reads");
    sh.wait().expect("it ends").success()
}

#[test]
fn user_data_is_a_script_that_is_the_same_for_every_run() {
    let data = user_data(None, "al2023-ami", HOUR).expect("there is some");
    let text = String::from_utf8(data.clone()).expect("text");
    assert!(text.starts_with("#!/bin/sh\n# bake-dead-man"), "{text}");
    assert!(text.contains("set -- 3600;"), "{text}");
    assert!(is_sound(&text), "{text}");
    assert_eq!(Some(data), user_data(None, "another", HOUR));
}

#[test]
fn a_plain_script_of_the_template_goes_on_after_the_timer() {
    for first in ["#!/bin/sh", "#!/bin/bash -ex", "#! /usr/bin/env bash"] {
        let text = combined(&format!("{first}\necho hi\n")).expect("is plain");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines[2], lines.len()), (first, "echo hi", 3));
        assert!(lines[1].ends_with("|| :"), "{text}");
        assert!(is_sound(&text), "{text}");
    }
}

#[test]
fn anything_else_stays_as_it_is() {
    for own in [
        "#cloud-config\nruncmd: []\n",
        "#!/usr/bin/python3\nprint()\n",
        "#!/bin/sh\r\necho hi\r\n",
        "#!/bin/sh\ntail -n +3 \"$0\" | sh\nexit\n",
        "#!/bin/sh",
        "<powershell>\n</powershell>\n",
        "",
    ] {
        assert_eq!(combined(own), None, "{own}");
    }
    let long = format!("#!/bin/sh\n# {}\n", "x".repeat(LONGEST_USER_DATA));
    assert_eq!(combined(&long), None);
    assert_eq!(user_data(None, "bottlerocket-aws-k8s-1.30-x86_64", HOUR), None);
    assert_eq!(user_data(None, "Windows_Server-2022-English", HOUR), None);
}

#[test]
fn commands_are_short_enough_and_sound() {
    let unix = command(System::Unix, HOUR);
    assert!(is_sound(&unix), "{unix}");
    assert!(!unix.contains('\n'));
    assert!(command(System::Windows, HOUR).len() < 8000, "cmd.exe takes no more");
    for script in [ARM, FORGET, AS_ROOT] {
        assert!(is_sound(&one_line(script)), "{script}");
    }
}

#[test]
fn the_timer_ends_with_what_it_does_and_a_second_one_takes_its_place() {
    // As a plain user, with a directory in place of `/run` and a file in place of power.
    let directory = tempfile::tempdir().expect("temporary directory");
    let at = |name: &str| directory.path().join(name);
    let script = one_line(ARM)
        .replace("/run/systemd/system", "/nonexistent")
        .replace("d=/run;", &format!("d={};", directory.path().display()))
        .replace(
            "{ poweroff || shutdown -h now; }",
            &format!("echo off >> {}", at("power").display()),
        );
    assert!(!script.contains("shutdown") && !script.contains("{ poweroff"), "{script}");
    let arm = |seconds: &str| {
        let mut sh = std::process::Command::new("sh");
        assert!(sh.args(["-c", &script, "sh", seconds]).status().expect("runs").success());
        std::fs::read_to_string(at("bake-dead-man.pid")).expect("it is written")
    };
    let first = arm("600");
    let second = arm("0.2");
    assert_ne!(first, second);
    let power = at("power");
    let wait = format!("while [ ! -s {} ]; do sleep 0.05; done", power.display());
    let mut waiting = std::process::Command::new("timeout");
    assert!(waiting.args(["20", "sh", "-c", &wait]).status().expect("runs").success());
    assert_eq!(std::fs::read_to_string(power).expect("it ran out"), "off\n");
    // One that has ended and that nobody has asked for yet has no command line any more.
    let first = std::fs::read(format!("/proc/{}/cmdline", first.trim())).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&first), "");
    // One that another has taken the place of without seeing it does nothing.
    let third = arm("0.2");
    std::fs::write(at("bake-dead-man.pid"), "another").expect("it is written");
    let wait = format!("while grep -q . /proc/{}/cmdline; do sleep 0.05; done", third.trim());
    let mut waiting = std::process::Command::new("timeout");
    assert!(waiting.args(["20", "sh", "-c", &wait]).status().expect("runs").success());
    assert_eq!(std::fs::read_to_string(at("power")).expect("is there"), "off\n");
}

/// Answers as it is told to, and remembers what it was asked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Exit>>,
    asked: Mutex<Vec<&'static str>>,
}

impl Communicator for Scripted {
    fn exec<'a>(
        &'a self,
        command: Command,
        _: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        let what = if command.text.contains(NAME) { "arm" } else { "step" };
        self.asked.lock().expect("not poisoned").push(what);
        let answer = self.answers.lock().expect("not poisoned").pop_front();
        async move { Ok(answer.unwrap_or(Exit::Code(0))) }.boxed()
    }

    fn upload<'a>(
        &'a self,
        _: &'a Upload,
        _: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        unreachable!("nothing is uploaded")
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// Runs steps over a way that answers like this; what was asked, and the warnings.
async fn asked(answers: Vec<Exit>, steps: usize) -> (Vec<&'static str>, Vec<String>) {
    let scripted =
        Arc::new(Scripted { answers: Mutex::new(answers.into()), ..Scripted::default() });
    let (events, mut received) = channel();
    let way = Guarded::new(scripted.clone(), System::Unix, HOUR, events.clone());
    for _ in 0..steps {
        ask(&way, Command::new("true")).await.expect("runs");
    }
    drop((way, events));
    let mut warnings = Vec::new();
    while let Some(event) = received.recv().await {
        if let Fact::Warning { text } = event.fact {
            warnings.push(text);
        }
    }
    let asked = scripted.asked.lock().expect("not poisoned").clone();
    (asked, warnings)
}

fn lost() -> Exit {
    Exit::Disconnected { reason: "gone".to_owned() }
}

#[tokio::test]
async fn the_timer_is_started_once_and_again_after_a_lost_connection() {
    let ok = || Exit::Code(0);
    let (order, warnings) = asked(vec![ok(), ok(), ok(), lost(), ok(), ok()], 4).await;
    assert_eq!(order, ["arm", "step", "step", "step", "arm", "step"]);
    assert_eq!(warnings, [""; 0]);
    // The connection may be lost just then.
    let (order, warnings) = asked(vec![lost(), ok(), ok(), ok()], 2).await;
    assert_eq!(order, ["arm", "step", "arm", "step"]);
    assert_eq!(warnings, [""; 0]);
}

#[tokio::test]
async fn rights_that_never_come_are_told_once() {
    let not_root = || Exit::Code(NOT_ROOT);
    let ok = || Exit::Code(0);
    let (order, warnings) = asked(vec![not_root(), ok(), ok()], 2).await;
    assert_eq!(order, ["arm", "step", "arm", "step"]);
    assert_eq!(warnings, [""; 0]);
    let (order, warnings) = asked(vec![not_root(), ok(), not_root(), ok(), ok()], 3).await;
    assert_eq!(order, ["arm", "step", "arm", "step", "step"]);
    assert_eq!(
        warnings,
        [
            "the instance may not end by itself if this process is killed: its timer cannot be started: the login user has no `sudo` without a password"
        ]
    );
}
