//! Files over `communicator = "ssm"` on a machine with some programs only.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;

use tokio::sync::mpsc;

use super::super::communicator::Ssm;
use super::super::fake_windows::MemoryDepot;
use super::machine::{Machine, communicator};
use crate::communicator::{Chunk, Communicator as _, Download, DownloadReport, Stdin, Upload};
use crate::plan::{Digest, Tree, read_tree};

/// A machine whose programs are those of this one but for some that are missing, and some that are
/// replaced by a script; `REAL` in it is the program itself.
fn machine(missing: &[&str], scripts: &[(&str, &str)]) -> (Ssm, tempfile::TempDir) {
    let programs = tempfile::tempdir().unwrap();
    for directory in ["/bin", "/usr/bin"] {
        for found in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = found.file_name();
            let text = name.to_string_lossy().into_owned();
            let place = programs.path().join(&name);
            if let Some((_, script)) = scripts.iter().find(|(name, _)| *name == text) {
                let script = script.replace("REAL", found.path().to_str().unwrap());
                std::fs::write(&place, format!("#!/bin/sh\n{script}\n")).unwrap();
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
            } else if !missing.contains(&&*text) {
                drop(symlink(found.path(), place));
            }
        }
    }
    let machine = Arc::new(Machine::default());
    *machine.path.lock().unwrap() = Some(programs.path().to_str().unwrap().to_owned());
    (communicator(&machine), programs)
}

/// A tree with names that are hard for tools, a link, and something that can be packed.
fn source(root: &Path) -> Tree {
    std::fs::create_dir_all(root.join("d".repeat(255))).unwrap();
    for name in ["a\nb", "c\\d", "it's", "-rf"] {
        std::fs::write(root.join(name), name).unwrap();
    }
    std::fs::write(root.join("d".repeat(255)).join("x"), "QQ".repeat(100_000)).unwrap();
    symlink("c\\d", root.join("link")).unwrap();
    read_tree(root).unwrap()
}

fn upload(tree: &Tree, destination: &Path) -> Upload {
    Upload {
        tree: tree.clone(),
        name: "x".to_owned(),
        destination: destination.to_str().unwrap().to_owned(),
        contents_only: true,
    }
}

fn download(source: &Path, destination: &Path) -> Download {
    let source = source.to_str().unwrap().to_owned();
    Download { source, destination: destination.to_owned(), into_directory: true }
}

/// What a directory holds: digests of files, targets of links.
fn listing(root: &Path) -> BTreeMap<String, String> {
    let tree = read_tree(root).unwrap();
    let what = |entry: crate::plan::Entry| match entry {
        crate::plan::Entry::File { digest, .. } => digest.to_string(),
        crate::plan::Entry::Symlink { target } => target,
        crate::plan::Entry::Directory { .. } => String::new(),
    };
    tree.entries.into_iter().map(|(path, entry)| (path, what(entry))).collect()
}

#[tokio::test]
async fn trees_go_there_and_back_with_what_a_machine_has() {
    let digests = ["sha256sum", "openssl", "shasum"];
    let cases = [&[][..], &digests, &["zstd"], &["zstd", "gzip"]];
    for missing in cases {
        let (ssm, _programs) = machine(missing, &[]);
        let root = tempfile::tempdir().unwrap();
        let (from, there, here) =
            (root.path().join("from"), root.path().join("there"), root.path().join("here"));
        let tree = source(&from);
        let seen = StdMutex::new(Vec::new());
        let progress = |bytes| seen.lock().unwrap().push(bytes);
        ssm.upload(&upload(&tree, &there), &progress).await.unwrap();
        assert_eq!(listing(&there), listing(&from), "{missing:?}");
        assert_eq!(seen.lock().unwrap().last(), Some(&tree.size()));
        seen.lock().unwrap().clear();
        // What leads out comes with what it points to.
        std::fs::write(root.path().join("out"), "out").unwrap();
        symlink("../out", there.join("led")).unwrap();
        let report = ssm.download(&download(&there, &here), &progress).await.unwrap();
        assert_eq!(report, DownloadReport { bytes: tree.size() + 3, files: 6 });
        assert_eq!(std::fs::read(here.join("there/led")).unwrap(), b"out");
        std::fs::remove_file(here.join("there/led")).unwrap();
        assert_eq!(listing(&here.join("there")), listing(&from), "{missing:?}");
        assert_eq!(seen.lock().unwrap().last(), Some(&report.bytes));
        ssm.disconnect().await;
    }
}

#[tokio::test]
async fn what_is_damaged_is_named_and_leaves_nothing() {
    let damage = "case $1 in -c*) REAL \"$@\" | tr Q R ;; -x) REAL \"$@\" && echo other > it\\'s ;; *) exec REAL \"$@\" ;; esac";
    let (ssm, _programs) = machine(&[], &[("tar", damage)]);
    let root = tempfile::tempdir().unwrap();
    let (from, there, here) =
        (root.path().join("from"), root.path().join("there"), root.path().join("here"));
    let tree = source(&from);
    let error = ssm.upload(&upload(&tree, &there), &|_| {}).await.unwrap_err().to_string();
    assert!(error.ends_with("SHA-256 differs for `it's`"), "{error}");
    assert!(!there.exists());
    let error = ssm.download(&download(&from, &here), &|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("SHA-256 differs for `ddd"), "{error}");
    assert!(!here.exists());
    ssm.disconnect().await;
}

#[tokio::test]
async fn a_machine_without_tar_moves_single_files() {
    let (ssm, _programs) = machine(&["tar"], &[]);
    let root = tempfile::tempdir().unwrap();
    let (from, there, here) =
        (root.path().join("from"), root.path().join("there"), root.path().join("here"));
    let tree = source(&from);
    let error = ssm.upload(&upload(&tree, &there), &|_| {}).await.unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(there.to_str().unwrap(), "D"), @"cannot upload to `D`: there is no `tar`");
    let error = ssm.download(&download(&from, &here), &|_| {}).await.unwrap_err();
    assert!(error.to_string().ends_with("there is no `tar`"), "{error}");
    let one = Tree::of_bytes(b"one\n".repeat(100_000), 0o640);
    ssm.upload(&upload(&one, &there), &|_| {}).await.unwrap();
    assert_eq!(Digest::of(&std::fs::read(&there).unwrap()), Digest::of(&b"one\n".repeat(100_000)));
    ssm.download(&download(&there, &here), &|_| {}).await.unwrap();
    assert_eq!(listing(&here).len(), 2);
    assert_eq!(here.join("there").metadata().unwrap().permissions().mode() & 0o777, 0o640);
    ssm.disconnect().await;
}

#[tokio::test]
async fn what_the_instance_may_still_put_stays_recorded() {
    let memory = Arc::<MemoryDepot>::default();
    let ssm = communicator(&Arc::new(Machine::default())).through(memory.clone());
    let (output, mut chunks) = mpsc::channel::<Chunk>(16);
    // The instance knows no way to that bucket.
    let moving = ssm.run("head -c 2000000 /dev/zero", Stdin::Empty, output);
    let reading = async { while chunks.recv().await.is_some() {} };
    let (moved, ()) = tokio::join!(moving, reading);
    let error = moved.unwrap_err().to_string();
    assert!(error.contains("it could not be put into the bucket"), "{error}");
    assert_eq!(*memory.deleted.lock().unwrap(), 0);
    ssm.disconnect().await;
}
