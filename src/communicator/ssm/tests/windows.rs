//! Commands and files of an instance with Windows, which is played by a fake: what is sent is
//! looked at, and no PowerShell runs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt as _;

use super::commands::{exec, run};
use crate::communicator::ssm::fake_windows::FakeWindows;
use crate::communicator::{Command, Communicator as _, Download, Exit, Stdin, Upload};
use crate::plan::{Content, Digest, Entry, Tree};

#[tokio::test]
async fn commands_run_with_what_they_read_and_print() {
    let windows = FakeWindows::new();
    let ssm = windows.communicator();
    windows.answer(0, "hello\r\n");
    windows.answer(3, "");
    let long: String = (0..9000).map(|n| format!("line {n}\r\n")).collect();
    windows.answer(0, &long);
    windows.answer(0xC000_013A, "");
    assert_eq!(run(&ssm, "echo hello of the Queen of Hearts").await.1, "hello\r\n");
    assert_eq!(windows.warnings(), Vec::<String>::new());
    let stdin = Stdin::Bytes(super::bytes(0, 60_000).into());
    let command = Command { stdin, ..Command::new("exit 3") };
    assert_eq!(exec(&ssm, command).await.0, Exit::Code(3));
    assert_eq!(run(&ssm, "type long").await.1, long);
    assert_eq!(run(&ssm, "crash").await.0, Exit::Code(0xC000_013A));
    ssm.disconnect().await;
    insta::assert_snapshot!(windows.story(), @"
    run echo hello of the Queen of Hearts
    run exit 3
    run type long
    run crash
    ");
    let history = windows.history();
    assert!(!history.contains("Queen of Hearts"));
    assert!(history.contains(r"C:\Windows\Temp\bake-ssm-"));
}

#[tokio::test]
async fn files_and_trees_go_there_and_come_back() {
    let windows = FakeWindows::new();
    let ssm = windows.communicator();
    let bytes = |bytes: &[u8]| Entry::File {
        mode: 0o644,
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
        content: Content::Bytes(bytes.into()),
    };
    let noise = super::bytes(3, 100_000);
    let tree = Tree {
        entries: BTreeMap::from([
            (String::new(), Entry::Directory { mode: 0o755 }),
            ("bin".to_owned(), Entry::Directory { mode: 0o755 }),
            ("bin/it's.txt".to_owned(), bytes(b"text")),
            ("noise".to_owned(), bytes(&noise)),
        ]),
    };
    let upload = |tree, destination: &str| Upload {
        tree,
        name: "tree".to_owned(),
        destination: destination.to_owned(),
        contents_only: false,
    };
    let report = ssm.upload(&upload(tree, "c:/app"), &|_| {}).await.unwrap();
    assert_eq!((report.files, report.bytes), (2, 100_004));
    let file = upload(Tree::of_bytes(&b"exit 0"[..], 0o644), "c:/Windows/Temp/x.ps1");
    ssm.upload(&file, &|_| {}).await.unwrap();
    let story = windows.story();
    assert!(story.contains("D in c:/app\nput c:/app/bin/it's.txt: \"text\""), "{story}");
    assert!(story.ends_with("put c:/Windows/Temp/x.ps1: \"exit 0\""), "{story}");

    let root = tempfile::tempdir().unwrap();
    let back = |source: &str, name: &str| Download {
        source: source.to_owned(),
        destination: root.path().join(name),
        into_directory: name.ends_with('/'),
    };
    ssm.download(&back("c:/app/noise", "one"), &|_| {}).await.unwrap();
    assert!(std::fs::read(root.path().join("one")).unwrap() == noise);
    ssm.download(&back("c:/app/noise", "some/"), &|_| {}).await.unwrap();
    assert!(std::fs::read(root.path().join("some/noise")).unwrap() == noise);
    let error = ssm.download(&back("c:/none", "none"), &|_| {}).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot download `c:/none`: the command ended with status 1");
    ssm.disconnect().await;
}

#[tokio::test]
async fn large_files_go_through_a_bucket() {
    let windows = FakeWindows::new();
    let ssm = windows.communicator().through(windows.depot.clone());
    // Nothing that can be compressed.
    let mut noise = vec![0; 3_000_000];
    rand::rng().fill(&mut noise[..]);
    let file = Upload {
        tree: Tree::of_bytes(noise.clone(), 0o644),
        name: "noise".to_owned(),
        destination: "c:/noise".to_owned(),
        contents_only: false,
    };
    ssm.upload(&file, &|_| {}).await.unwrap();
    assert_eq!((windows.depot.count(), *windows.depot.made.lock().unwrap()), (0, 1));
    let root = tempfile::tempdir().unwrap();
    let download = Download {
        source: "c:/noise".to_owned(),
        destination: root.path().join("back"),
        into_directory: false,
    };
    ssm.download(&download, &|_| {}).await.unwrap();
    assert!(std::fs::read(root.path().join("back")).unwrap() == noise);
    assert_eq!((windows.depot.count(), *windows.depot.made.lock().unwrap()), (0, 2));
    assert!(!windows.history().contains("memory:"));
    ssm.disconnect().await;
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_does_not_leave_all_unsealed() {
    let windows = FakeWindows::new();
    windows.be_confused(2);
    let ssm = windows.communicator();
    windows.answer(0, "hello\r\n");
    assert_eq!(run(&ssm, "echo hello of the Queen of Hearts").await.1, "hello\r\n");
    ssm.disconnect().await;
    assert!(!windows.history().contains(&STANDARD.encode("echo hello of the Queen of Hearts\n")));
    assert_eq!(windows.warnings(), Vec::<String>::new());
}
