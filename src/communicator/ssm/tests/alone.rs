//! Commands and files by Run Command alone, on this machine's shell and programs.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::commands::{exec, mode, run, tree, upload};
use super::machine::{Machine, communicator};
use crate::communicator::{
    Chunk, Command, Communicator as _, ConnectStage, DialError, Download, Exit, Stdin,
};
use crate::plan::Digest;

/// A machine to which no session leads.
fn machine() -> Arc<Machine> {
    let machine = Machine::default();
    *machine.refusal.lock().unwrap() = Some(DialError {
        stage: ConnectStage::Authentication,
        reason: "StartSession is denied".to_owned(),
        fatal: true,
    });
    Arc::new(machine)
}

/// The directory on the machine.
fn directory(machine: &Machine) -> std::path::PathBuf {
    let script = machine.sent.lock().unwrap()[0].clone();
    let at = script.find("/var/tmp/.bake-ssm-").unwrap();
    Path::new(&script[at..at + 35]).to_owned()
}

#[tokio::test]
async fn output_and_true_codes_arrive_and_nothing_is_left() {
    let machine = machine();
    let ssm = communicator(&machine);
    let (exit, out, err) = run(&ssm, "echo to out; echo to err >&2; exit 3").await;
    assert_eq!((exit, out.as_str(), err.as_str()), (Exit::Code(3), "to out\n", "to err\n"));
    insta::assert_snapshot!(machine.notices().join("\n"), @"commands and files go through Run Command alone, which is slow: StartSession is denied");
    for code in [0, 137, 194] {
        assert_eq!(run(&ssm, &format!("exit {code}")).await.0, Exit::Code(code));
    }
    assert_eq!(run(&ssm, "kill -9 $$").await.0, Exit::Code(137));
    let (_, out, _) = run(&ssm, "seq 1 40000").await;
    assert_eq!(out.lines().count(), 40_000, "much more than one answer holds");
    assert_eq!(out.lines().last(), Some("40000"));
    let (_, out, err) = run(&ssm, "seq 1 5000 >&2; seq 5").await;
    assert_eq!((out.as_str(), err.lines().count()), ("1\n2\n3\n4\n5\n", 5000));
    let directory = directory(&machine);
    assert!(directory.exists());
    ssm.disconnect().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_session_that_does_not_come_about_is_tried_a_few_times() {
    let machine = Machine::default();
    *machine.refusal.lock().unwrap() = Some(DialError {
        stage: ConnectStage::Tcp,
        reason: "i-0 is not connected".to_owned(),
        fatal: true,
    });
    let machine = Arc::new(machine);
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    assert_eq!(machine.dialled.load(Ordering::SeqCst), 3);
    assert!(machine.notices()[0].ends_with("slow: i-0 is not connected"));
    // Nothing listens any more, and nothing else is left.
    let directory = directory(&machine);
    assert!(!directory.join("token").exists());
    ssm.disconnect().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn nothing_of_a_command_can_be_read_in_the_history() {
    let machine = machine();
    let ssm = communicator(&machine);
    let stdin = Stdin::Bytes(b"hidden words of mine\n"[..].into());
    let command =
        Command { stdin, ..Command::new("read -r x; echo \"got $x\" of the Queen of Hearts") };
    assert_eq!(exec(&ssm, command).await.1, "got hidden words of mine of the Queen of Hearts\n");
    let large: Vec<u8> = super::bytes(0, 200_000);
    let digest = Digest::of(&large).to_string();
    let command = Command { stdin: Stdin::Bytes(large.into()), ..Command::new("sha256sum") };
    assert_eq!(exec(&ssm, command).await.1, format!("{digest}  -\n"));
    let history =
        machine.sent.lock().unwrap().join("\n") + &machine.said.lock().unwrap().join("\n");
    for word in ["hidden words of mine", "of the Queen of Hearts", &digest] {
        assert!(!history.contains(word));
        // At whatever place of three bytes the word begins.
        for shift in 0..3 {
            let padded = format!("{}{word}", &"\0\0"[..shift]);
            let encoded = STANDARD.encode(padded);
            let kept = &encoded[if shift == 0 { 0 } else { 4 }..encoded.len() / 4 * 4 - 4];
            assert!(!history.contains(kept), "{word} as {kept}");
        }
    }
    ssm.disconnect().await;
}

#[tokio::test]
async fn input_is_read_as_it_comes() {
    let ssm = communicator(&machine());
    let (sender, receiver) = mpsc::channel(1);
    let stdin = Stdin::Stream(Arc::new(Mutex::new(receiver)));
    let command = Command { stdin, ..Command::new("while read -r x; do echo \"<$x>\"; done") };
    let (output, mut chunks) = mpsc::channel::<Chunk>(4);
    let talking = async {
        for word in ["one", "two"] {
            sender.send(format!("{word}\n").into_bytes()).await.unwrap();
            let said = chunks.recv().await.unwrap().bytes;
            assert_eq!(String::from_utf8(said).unwrap(), format!("<{word}>\n"));
        }
        drop(sender);
    };
    let both = async { tokio::join!(ssm.exec(command, output), talking) };
    let (exit, ()) = timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(exit.unwrap(), Exit::Code(0));

    // One that reads nothing of it just ends.
    let (sender, receiver) = mpsc::channel(1);
    let stdin = Stdin::Stream(Arc::new(Mutex::new(receiver)));
    let feeding = tokio::spawn(async move { while sender.send(vec![7; 100_000]).await.is_ok() {} });
    let command = Command { stdin, ..Command::new("exit 7") };
    assert_eq!(exec(&ssm, command).await.0, Exit::Code(7));
    feeding.await.unwrap();
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_killed() {
    let ssm = communicator(&machine());
    let directory = tempfile::tempdir().unwrap();
    let alive = directory.path().join("alive");
    let text = format!("while :; do date > {}; sleep 0.05; done & wait", alive.display());
    let (output, _chunks) = mpsc::channel::<Chunk>(1);
    let started = async {
        while !alive.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        exit = ssm.exec(Command::new(text), output) => panic!("it ended: {exit:?}"),
        () = started => {}
    }
    let gone = async {
        loop {
            drop(std::fs::remove_file(&alive));
            tokio::time::sleep(Duration::from_millis(400)).await;
            if !alive.exists() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(15), gone).await.unwrap();
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_is_a_disconnection() {
    let machine = machine();
    let ssm = communicator(&machine);
    let job = "$(tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1)";
    let text = format!("echo before > {job}/boot; echo down; exec sleep 30");
    let Exit::Disconnected { reason } = run(&ssm, &text).await.0 else { panic!("connected") };
    assert_eq!(reason, "the machine was restarted while the command ran");
    assert_eq!(run(&ssm, "echo back").await.1, "back\n");
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_job_whose_session_is_lost_for_good_is_followed_to_its_end() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let command = Command::new("for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; exit 4");
    let (output, mut chunks) = mpsc::channel::<Chunk>(1);
    let reading = async {
        let mut out = chunks.recv().await.unwrap().bytes;
        *machine.refusal.lock().unwrap() = Some(DialError {
            stage: ConnectStage::Authentication,
            reason: "StartSession is denied".to_owned(),
            fatal: true,
        });
        machine.cut();
        while let Some(chunk) = chunks.recv().await {
            out.extend(chunk.bytes);
        }
        String::from_utf8(out).unwrap()
    };
    let both = async { tokio::join!(ssm.exec(command, output), reading) };
    let (exit, out) = timeout(Duration::from_secs(60), both).await.unwrap();
    assert_eq!((exit.unwrap(), out.as_str()), (Exit::Code(4), "1\n2\n3\n4\n5\n6\n"));
    ssm.disconnect().await;
}

#[tokio::test]
async fn files_and_trees_go_there_and_come_back() {
    let ssm = communicator(&machine());
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let there = root.join("there/tree");
    let sent = upload(tree(&root.join("src")), "tree", &there);
    let report = ssm.upload(&sent, &|_| {}).await.unwrap();
    assert_eq!((report.bytes, report.files), (300_010, 2));
    assert_eq!(mode(&there.join("bin/run it")), 0o750);
    assert_eq!(std::fs::read(there.join("big")).unwrap(), super::bytes(9, 300_000));
    let back = root.join("back");
    let download = Download {
        source: there.display().to_string(),
        destination: back.clone(),
        into_directory: false,
    };
    assert_eq!(ssm.download(&download, &|_| {}).await.unwrap().files, 2);
    assert_eq!(std::fs::read(back.join("tree/big")).unwrap(), super::bytes(9, 300_000));
    ssm.disconnect().await;
}

#[tokio::test]
async fn what_is_too_large_names_the_option_that_helps() {
    let machine = machine();
    let ssm = communicator(&machine);
    let stdin = Stdin::Bytes(vec![7; 17 << 20].into());
    let (output, _chunks) = mpsc::channel(1);
    let command = Command { stdin, ..Command::new("cat") };
    let error = ssm.exec(command, output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot move files on `i-0123456789abcdef0` through Systems Manager: they are larger than 16 MiB, the most that goes through Run Command");
    assert!(error.hints()[0].contains("`ssm_bucket`"));
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("large");
    std::fs::File::create(&file).unwrap().set_len(17 << 20).unwrap();
    // A far side that does not compress.
    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    let text = format!("cat {}", file.display());
    let reading = async { while chunks.recv().await.is_some() {} };
    let (exit, ()) = tokio::join!(ssm.run(&text, Stdin::Empty, output), reading);
    assert!(exit.unwrap_err().to_string().contains("larger than 16 MiB"));
    ssm.disconnect().await;
}

/// A directory of links to some programs of this machine.
fn programs(names: &[&str]) -> tempfile::TempDir {
    let programs = tempfile::tempdir().unwrap();
    for name in names {
        let found = ["/bin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
        let found = found.iter().find(|path| path.exists()).expect("every machine has it");
        symlink(found, programs.path().join(name)).unwrap();
    }
    programs
}

const FEW: &[&str] = &["sh", "cat", "mkdir", "mv", "rm", "sleep", "wc", "tail", "head", "mkfifo"];

#[tokio::test]
async fn a_machine_with_few_programs_will_do_and_is_told_about() {
    let programs = programs(&[FEW, &["base64"]].concat());
    let machine = Arc::new(Machine::default());
    *machine.path.lock().unwrap() = Some(programs.path().to_str().unwrap().to_owned());
    let ssm = communicator(&machine);
    let stdin = Stdin::Bytes(super::bytes(0, 50_000).into());
    let command = Command { stdin, ..Command::new("wc -c; echo err >&2; exit 5") };
    let (exit, out, err) = exec(&ssm, command).await;
    assert_eq!((exit, out.trim(), err.as_str()), (Exit::Code(5), "50000", "err\n"));
    insta::assert_snapshot!(machine.notices().join("\n"), @r"
    commands and files go through Run Command alone, which is slow: nothing on the instance can listen at a port; install one of python3, perl, systemd-socket-activate, socat, ncat or busybox in the source image for a faster way
    what is sent to the instance and what it prints can be read in the account's history of commands for 30 days: the instance has no `openssl` to encrypt it with
    ");
    assert!(machine.notices().is_empty(), "once");
    let directory = directory(&machine);
    ssm.disconnect().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_machine_without_programs_is_an_error_that_names_them() {
    let programs = programs(FEW);
    let machine = Arc::new(Machine::default());
    *machine.path.lock().unwrap() = Some(programs.path().to_str().unwrap().to_owned());
    let (output, _chunks) = mpsc::channel(1);
    let error = communicator(&machine).exec(Command::new("true"), output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot run a command on `i-0123456789abcdef0` through Systems Manager: nothing on the instance can listen at a port, and by Run Command alone: it has neither `base64` nor `openssl`, without which nothing can be sent");
    assert!(error.hints()[0].contains("python3"));
    std::fs::remove_dir_all(directory(&machine)).unwrap();
}

#[tokio::test]
async fn a_shell_that_makes_no_sense_is_asked_again() {
    let machine = machine();
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    machine.nonsense.store(2, Ordering::SeqCst);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    machine.nonsense.store(100, Ordering::SeqCst);
    let (output, _chunks) = mpsc::channel(1);
    let error = ssm.exec(Command::new("true"), output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot run a command on `i-0123456789abcdef0` through Systems Manager: the shell did not do what it was told: Killed");
    machine.nonsense.store(0, Ordering::SeqCst);
    ssm.disconnect().await;
}

#[tokio::test]
async fn an_instance_that_is_gone_is_not_waited_for() {
    let machine = machine();
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    let left = directory(&machine);
    machine.nonsense.store(100, Ordering::SeqCst);
    *machine.gone.lock().unwrap() = Some("terminated".to_owned());
    let (output, _chunks) = mpsc::channel(1);
    let error = ssm.exec(Command::new("true"), output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot run a command on `i-0123456789abcdef0` through Systems Manager: the instance is `terminated`");
    assert_eq!(error.hints().len(), 1);
    std::fs::remove_dir_all(left).unwrap();
}

#[tokio::test]
async fn a_command_that_was_started_through_a_lost_session_runs_once() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    // All of the start gets there, and nothing comes back.
    machine.mute.store(true, Ordering::SeqCst);
    let losing = async {
        while !ran.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        *machine.refusal.lock().unwrap() = Some(DialError {
            stage: ConnectStage::Authentication,
            reason: "StartSession is denied".to_owned(),
            fatal: true,
        });
        machine.cut();
    };
    let text = format!("echo ran >> {}; sleep 0.2; echo done; exit 4", ran.display());
    let ((exit, out, _), ()) = tokio::join!(run(&ssm, &text), losing);
    assert_eq!((exit, out.as_str()), (Exit::Code(4), "done\n"));
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "ran\n");
    let told = machine.notices().join("\n");
    assert!(
        told.contains("go through Run Command alone"),
        "a later way is told about, too: {told}"
    );
    ssm.disconnect().await;
    assert!(!directory(&machine).exists());
}

#[tokio::test]
async fn what_cannot_be_removed_through_a_session_goes_by_run_command() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    let directory = directory(&machine);
    assert!(directory.exists());
    *machine.refusal.lock().unwrap() = Some(DialError {
        stage: ConnectStage::Tcp,
        reason: "the session is over".to_owned(),
        fatal: true,
    });
    ssm.disconnect().await;
    assert!(!directory.exists());
    assert_eq!(machine.notices(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_lost_way_has_left_goes_by_run_command_or_is_told() {
    for is_mended in [true, false] {
        let machine = Arc::new(Machine::default());
        let ssm = communicator(&machine);
        assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
        let directory = directory(&machine);
        let (output, mut chunks) = mpsc::channel(4);
        let breaking = async {
            chunks.recv().await.expect("it has begun, and we know it");
            machine.nonsense.store(100, Ordering::SeqCst);
            *machine.gone.lock().unwrap() = Some("stopped".to_owned());
            machine.cut();
            while chunks.recv().await.is_some() {}
        };
        let command = ssm.exec(Command::new("echo begun; exec sleep 60"), output);
        let (exit, ()) = tokio::join!(command, breaking);
        let exit = exit.unwrap();
        assert!(matches!(exit, Exit::Disconnected { .. }), "{exit:?}");
        if is_mended {
            machine.nonsense.store(0, Ordering::SeqCst);
        }
        ssm.disconnect().await;
        assert_eq!(directory.exists(), !is_mended);
        let told = machine.notices().join("\n");
        assert_eq!(
            told.contains("bake's own files stay on the instance in `/var/tmp/"),
            !is_mended
        );
        drop(std::fs::remove_dir_all(directory));
    }
}
