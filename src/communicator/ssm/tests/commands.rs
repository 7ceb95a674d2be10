//! Commands and files over `communicator = "ssm"`, on this machine's shell and programs.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::super::communicator::Ssm;
use super::machine::{Machine, communicator};
use crate::communicator::{
    Chunk, Command, Communicator as _, CommunicatorError, Download, Exit, Stdin, Upload,
};
use crate::event::Stream;
use crate::plan::{Content, Digest, Entry, Tree};

/// What a command came to, with its output.
pub(super) async fn exec(ssm: &Ssm, command: Command) -> (Exit, String, String) {
    let (output, mut chunks) = mpsc::channel::<Chunk>(4);
    let collecting = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk.stream {
                Stream::Stdout => out.extend(chunk.bytes),
                Stream::Stderr => err.extend(chunk.bytes),
            }
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    let both = async { tokio::join!(ssm.exec(command, output), collecting) };
    let (exit, (out, err)) = timeout(Duration::from_secs(60), both).await.unwrap();
    (exit.unwrap(), out, err)
}

pub(super) async fn run(ssm: &Ssm, text: &str) -> (Exit, String, String) {
    exec(ssm, Command::new(text)).await
}

#[tokio::test]
async fn output_and_true_codes_arrive_and_nothing_is_left() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let (exit, out, err) = run(&ssm, "echo to out; echo to err >&2; exit 3").await;
    assert_eq!((exit, out.as_str(), err.as_str()), (Exit::Code(3), "to out\n", "to err\n"));
    for code in [0, 137, 194, 255] {
        assert_eq!(run(&ssm, &format!("exit {code}")).await.0, Exit::Code(code));
    }
    assert_eq!(run(&ssm, "kill -9 $$").await.0, Exit::Code(137));
    let (_, out, _) = run(&ssm, "seq 1 40000").await;
    assert_eq!(out.lines().count(), 40_000, "much more than Run Command would give");
    assert_eq!(out.lines().last(), Some("40000"));
    assert_eq!(machine.sent.lock().unwrap().len(), 1, "one command lets us in");
    let place = run(&ssm, "tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1").await.1;
    let directory = Path::new(place.trim()).parent().unwrap().to_owned();
    assert!(directory.exists());
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    ssm.disconnect().await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn input_arrives_whole_and_is_not_in_the_history() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let stdin = Stdin::Bytes(b"secret words\n"[..].into());
    let command = Command { stdin, ..Command::new("read -r line; echo \"got $line\"") };
    assert_eq!(exec(&ssm, command).await.1, "got secret words\n");
    let large: Vec<u8> = super::bytes(0, 3_000_000);
    let digest = Digest::of(&large).to_string();
    let command = Command { stdin: Stdin::Bytes(large.into()), ..Command::new("sha256sum") };
    assert_eq!(exec(&ssm, command).await.1, format!("{digest}  -\n"));

    // As it comes: what is answered depends on what was read.
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
    let (exit, ()) = tokio::join!(ssm.exec(command, output), talking);
    assert_eq!(exit.unwrap(), Exit::Code(0));
    let history = machine.sent.lock().unwrap().join("\n");
    assert!(!history.contains("secret words"));
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_command_that_reads_nothing_of_its_input_just_ends() {
    let ssm = communicator(&Arc::new(Machine::default()));
    let (sender, receiver) = mpsc::channel(1);
    let stdin = Stdin::Stream(Arc::new(Mutex::new(receiver)));
    let feeding = tokio::spawn(async move { while sender.send(vec![7; 100_000]).await.is_ok() {} });
    let command = Command { stdin, ..Command::new("exit 7") };
    assert_eq!(exec(&ssm, command).await.0, Exit::Code(7));
    feeding.await.unwrap();
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_lost_session_does_not_lose_output() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let command = Command::new("for i in 1 2 3 4 5 6; do echo $i; sleep 0.15; done; exit 4");
    let (output, mut chunks) = mpsc::channel::<Chunk>(1);
    let reading = async {
        let mut out = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            out.extend(chunk.bytes);
            if out.len() == 4 || out.len() == 8 {
                machine.cut();
            }
        }
        String::from_utf8(out).unwrap()
    };
    let both = async { tokio::join!(ssm.exec(command, output), reading) };
    let (exit, out) = timeout(Duration::from_secs(60), both).await.unwrap();
    assert_eq!((exit.unwrap(), out.as_str()), (Exit::Code(4), "1\n2\n3\n4\n5\n6\n"));
    assert!(machine.sent.lock().unwrap().len() >= 2, "it let itself in again");
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_restart_in_the_middle_is_a_disconnection() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let directory = tempfile::tempdir().unwrap();
    let go = directory.path().join("go");
    let (output, mut chunks) = mpsc::channel::<Chunk>(1);
    let reading = async {
        chunks.recv().await.unwrap();
        std::fs::write(&go, "").unwrap();
        while go.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        machine.cut();
        while chunks.recv().await.is_some() {}
    };
    // As it was started in another boot.
    let job = "$(tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1)";
    let file = go.display();
    let command = Command::new(format!(
        "echo down; until [ -e {file} ]; do sleep 0.01; done; echo before > {job}/boot; rm {file}; exec sleep 30"
    ));
    let both = async { tokio::join!(ssm.exec(command, output), reading) };
    let (exit, ()) = timeout(Duration::from_secs(60), both).await.unwrap();
    let Exit::Disconnected { reason } = exit.unwrap() else { panic!("not disconnected") };
    assert_eq!(reason, "the machine was restarted while the command ran");
    assert_eq!(run(&ssm, "echo back").await.1, "back\n");
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_killed_with_its_children() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
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

/// Takes away what a communicator that could not connect has left.
pub(super) fn remove(machine: &Machine) {
    let script = machine.sent.lock().unwrap()[0].clone();
    let at = script.find("/var/tmp/.bake-ssm-").unwrap();
    std::fs::remove_dir_all(&script[at..at + 35]).unwrap();
}

#[tokio::test]
async fn a_command_cannot_have_a_terminal() {
    let (output, _chunks) = mpsc::channel(1);
    let command = Command { pty: true, ..Command::new("true") };
    let error = communicator(&Arc::default()).exec(command, output).await.unwrap_err();
    assert!(error.to_string().contains("no terminal"));
}

#[tokio::test]
async fn an_agent_that_goes_away_is_noticed_before_the_silence_is_long() {
    let machine = Arc::new(Machine::default());
    let ssm = communicator(&machine);
    let (output, mut chunks) = mpsc::channel::<Chunk>(1);
    let reading = async {
        chunks.recv().await.unwrap();
        // Nobody says that the session is over; it is only silent.
        machine.freeze();
        machine.away.store(true, Ordering::SeqCst);
        while chunks.recv().await.is_some() {}
    };
    let job = "$(tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1)";
    let command = Command::new(format!("echo before > {job}/boot; echo down; exec sleep 60"));
    let both = async { tokio::join!(ssm.exec(command, output), reading) };
    let (exit, ()) = timeout(Duration::from_secs(20), both).await.unwrap();
    assert!(matches!(exit.unwrap(), Exit::Disconnected { .. }));
    machine.away.store(false, Ordering::SeqCst);
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_shell_that_makes_no_sense_is_asked_again_but_not_for_ever() {
    let machine = Arc::new(Machine::default());
    machine.nonsense.store(2, Ordering::SeqCst);
    let ssm = communicator(&machine);
    assert_eq!(run(&ssm, "echo hello").await.1, "hello\n");
    ssm.disconnect().await;
    machine.nonsense.store(100, Ordering::SeqCst);
    let (output, _chunks) = mpsc::channel(1);
    let error = ssm.exec(Command::new("true"), output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot run a command on `i-0123456789abcdef0` through Systems Manager: the shell did not do what it was told: Killed");
}

/// A directory of links to the programs of this machine, but for all that can listen except one.
fn programs(listener: &str) -> Option<tempfile::TempDir> {
    const LISTENERS: &[&str] =
        &["python", "perl", "systemd-socket-activate", "socat", "ncat", "busybox"];
    let programs = tempfile::tempdir().unwrap();
    for directory in ["/bin", "/usr/bin"] {
        for found in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = found.file_name();
            let text = name.to_string_lossy();
            let listens = LISTENERS.iter().any(|other| text.starts_with(other));
            if !listens || text == listener {
                drop(symlink(found.path(), programs.path().join(name)));
            }
        }
    }
    programs.path().join(listener).exists().then_some(programs)
}

#[tokio::test]
async fn each_program_that_can_listen_does() {
    for listener in
        ["python3", "python", "perl", "systemd-socket-activate", "socat", "ncat", "busybox"]
    {
        let Some(programs) = programs(listener) else { continue };
        let machine = Arc::new(Machine::default());
        *machine.path.lock().unwrap() = Some(programs.path().to_str().unwrap().to_owned());
        let ssm = communicator(&machine);
        let (output, _chunks) = mpsc::channel(1);
        match ssm.exec(Command::new("true"), output).await {
            // A busybox may have been built without.
            Err(_) if listener == "busybox" => {
                remove(&machine);
                continue;
            }
            exit => assert_eq!(exit.unwrap(), Exit::Code(0), "{listener}"),
        }
        let stdin = Stdin::Bytes(b"secret words\n"[..].into());
        let command = Command { stdin, ..Command::new("cat; echo err >&2; exit 5") };
        let (exit, out, err) = exec(&ssm, command).await;
        assert_eq!((exit, out.as_str(), err.as_str()), (Exit::Code(5), "secret words\n", "err\n"));
        ssm.disconnect().await;
    }
}

pub(super) fn tree(directory: &Path) -> Tree {
    std::fs::create_dir_all(directory).unwrap();
    let file = directory.join("local");
    std::fs::write(&file, super::bytes(9, 300_000)).unwrap();
    let bytes = |bytes: &[u8], mode| Entry::File {
        mode,
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
        content: Content::Bytes(bytes.into()),
    };
    Tree {
        entries: BTreeMap::from([
            (String::new(), Entry::Directory { mode: 0o755 }),
            ("bin".to_owned(), Entry::Directory { mode: 0o755 }),
            ("bin/run it".to_owned(), bytes(b"#!/bin/sh\n", 0o750)),
            (
                "big".to_owned(),
                Entry::File {
                    mode: 0o644,
                    size: 300_000,
                    digest: Digest::of(&super::bytes(9, 300_000)),
                    content: Content::File(file),
                },
            ),
            ("empty".to_owned(), Entry::Directory { mode: 0o700 }),
            ("link".to_owned(), Entry::Symlink { target: "bin/run it".to_owned() }),
        ]),
    }
}

pub(super) fn upload(tree: Tree, name: &str, destination: &Path) -> Upload {
    Upload {
        tree,
        name: name.to_owned(),
        destination: destination.to_str().unwrap().to_owned(),
        contents_only: false,
    }
}

pub(super) fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn files_and_trees_go_there_and_come_back() {
    let ssm = communicator(&Arc::new(Machine::default()));
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let there = root.join("there/tree");
    let last = std::sync::Mutex::new(0);
    let progress = |bytes: u64| *last.lock().unwrap() = bytes;
    let sent = upload(tree(&root.join("src")), "tree", &there);
    let report = ssm.upload(&sent, &progress).await.unwrap();
    assert_eq!((report.bytes, report.files, *last.lock().unwrap()), (300_010, 2, 300_010));
    assert_eq!(mode(&there.join("bin/run it")), 0o750);
    assert_eq!(mode(&there.join("empty")), 0o700);
    assert_eq!(std::fs::read(there.join("big")).unwrap(), super::bytes(9, 300_000));
    assert_eq!(std::fs::read_link(there.join("link")).unwrap(), Path::new("bin/run it"));
    // An existing directory gets it inside.
    ssm.upload(&sent, &progress).await.unwrap();
    assert!(there.join("tree/big").exists());

    let file = upload(Tree::of_bytes(&b"hello"[..], 0o600), "hello.txt", &root.join("files/"));
    let file = Upload { destination: format!("{}/", root.join("files").display()), ..file };
    ssm.upload(&file, &progress).await.unwrap();
    assert_eq!(std::fs::read(root.join("files/hello.txt")).unwrap(), b"hello");
    assert_eq!(mode(&root.join("files/hello.txt")), 0o600);

    let back = root.join("back");
    let download = |source: String, destination: &Path, into_directory| Download {
        source,
        destination: destination.to_owned(),
        into_directory,
    };
    let report =
        ssm.download(&download(format!("{}/", there.display()), &back, false), &progress).await;
    assert_eq!((report.as_ref().unwrap().files, report.unwrap().bytes), (4, 600_020));
    assert_eq!(mode(&back.join("tree/bin/run it")), 0o750);
    assert_eq!(std::fs::read(back.join("tree/tree/big")).unwrap(), super::bytes(9, 300_000));
    assert!(back.join("tree/link").is_symlink());

    let one = download(there.join("big").display().to_string(), &root.join("one/name"), false);
    assert_eq!(ssm.download(&one, &progress).await.unwrap().files, 1);
    assert_eq!(std::fs::read(root.join("one/name")).unwrap(), super::bytes(9, 300_000));

    let some = download(format!("{}/b*", there.display()), &root.join("some"), true);
    ssm.download(&some, &progress).await.unwrap();
    assert!(root.join("some/big").is_file() && root.join("some/bin/run it").is_file());
    ssm.disconnect().await;
}

#[tokio::test]
async fn what_cannot_be_sent_or_fetched_is_told() {
    let ssm = communicator(&Arc::new(Machine::default()));
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = |destination: &Path| upload(Tree::of_bytes(&b"x"[..], 0o644), "x", destination);
    let error = ssm.upload(&file(root), &|_| {}).await.unwrap_err();
    assert!(error.to_string().ends_with(": Is a directory"), "{error}");
    let error = ssm.upload(&file(Path::new("/proc/no/such")), &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("/proc/no"), "{error}");

    let changed = tree(&root.join("src"));
    std::fs::write(root.join("src/local"), vec![0; 300_000]).unwrap();
    let sent = upload(changed, "tree", &root.join("there"));
    let error = ssm.upload(&sent, &|_| {}).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Changed { .. }), "{error}");

    let missing = Download {
        source: "/no/such/thing*".to_owned(),
        destination: root.join("back"),
        into_directory: true,
    };
    let error = ssm.download(&missing, &|_| {}).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot download `/no/such/thing*`: nothing matches /no/such/thing*");
    ssm.disconnect().await;
}
