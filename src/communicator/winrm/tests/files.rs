//! Files there and back.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::communicator::{Download, DownloadReport, Upload, UploadReport};
use crate::plan::{Tree, read_tree};

async fn put(
    winrm: &WinRm,
    tree: Tree,
    destination: &str,
    contents_only: bool,
) -> Result<UploadReport, CommunicatorError> {
    let destination = destination.to_owned();
    let upload = Upload { tree, name: "name".to_owned(), destination, contents_only };
    winrm.upload(&upload, &|_| ()).await
}

async fn get(
    winrm: &WinRm,
    source: &str,
    destination: PathBuf,
    into_directory: bool,
) -> Result<DownloadReport, CommunicatorError> {
    let download = Download { source: source.to_owned(), destination, into_directory };
    winrm.download(&download, &|_| ()).await
}

/// Bytes that do not repeat soon.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).flat_map(|one| one.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

fn text(text: &str) -> Tree {
    Tree::of_bytes(text.as_bytes().to_vec(), 0o644)
}

/// Everything in a directory, with what files hold as far as it is short.
fn listing(directory: &Path) -> String {
    let mut all = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(one) = open.pop() {
        for entry in fs::read_dir(one).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                all.push(format!("{name}/"));
                open.push(path);
            } else if kind.is_symlink() {
                all.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else {
                all.push(format!("{name}: {}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    all.join("\n")
}

#[tokio::test]
async fn a_file_goes_where_the_rules_say() {
    let (windows, drive) = machine();
    let winrm = login(&windows).await;
    let report = put(&winrm, text("1"), "c:/a/b.txt", false).await.unwrap();
    assert_eq!(report, UploadReport { bytes: 1, files: 1 });
    put(&winrm, text("2"), "C:\\a\\d\\", false).await.unwrap();
    put(&winrm, text("3"), "relative \u{e9}.txt", false).await.unwrap();
    put(&winrm, text(""), "c:/empty", false).await.unwrap();
    put(&winrm, text("4"), "c:/a/b.txt", false).await.unwrap();
    insta::assert_snapshot!(listing(drive.path()), @"
    Users/
    Users/relative é.txt: 3
    a/
    a/b.txt: 4
    a/d/
    a/d/name: 2
    empty:
    ");
    let error = put(&winrm, text("5"), "c:/a", false).await.unwrap_err();
    assert!(error.to_string().ends_with("/a: Is a directory"), "{error}");
    insta::assert_snapshot!(error.hints().join("\n"), @"write `c:/a/` to put the file into that directory");
    assert!(put(&winrm, text("5"), "", false).await.is_err());
    winrm.disconnect().await;
    assert!(windows.wait_until_idle());
}

#[tokio::test]
async fn a_tree_goes_where_the_rules_say_in_one_command() {
    let (windows, drive) = machine();
    let winrm = login(&windows).await;
    let source = tempfile::tempdir().unwrap();
    fs::create_dir_all(source.path().join("deep/empty")).unwrap();
    fs::write(source.path().join("deep/x"), "x").unwrap();
    fs::write(source.path().join("y y"), "y").unwrap();
    std::os::unix::fs::symlink("deep/x", source.path().join("link")).unwrap();
    let tree = read_tree(source.path()).unwrap();
    let before = windows.log().len();
    put(&winrm, tree.clone(), "c:/one", false).await.unwrap();
    let commands = windows.log().iter().skip(before).filter(|one| one.starts_with("> ")).count();
    assert_eq!(commands, 1);
    put(&winrm, tree.clone(), "c:/one", false).await.unwrap();
    put(&winrm, tree, "c:/two", true).await.unwrap();
    insta::assert_snapshot!(listing(drive.path()), @"
    one/
    one/deep/
    one/deep/empty/
    one/deep/x: x
    one/link -> deep/x
    one/name/
    one/name/deep/
    one/name/deep/empty/
    one/name/deep/x: x
    one/name/link -> deep/x
    one/name/y y: y
    one/y y: y
    two/
    two/deep/
    two/deep/empty/
    two/deep/x: x
    two/link -> deep/x
    two/y y: y
    ");
}

#[tokio::test]
async fn large_files_go_there_and_back() {
    let (windows, drive) = machine();
    windows.state().limit = Some(500);
    let winrm = login(&windows).await;
    let big = bytes(700_000);
    let seen = std::sync::atomic::AtomicU64::new(0);
    let upload = Upload {
        tree: Tree::of_bytes(big.clone(), 0o644),
        name: "big".to_owned(),
        destination: "c:/big".to_owned(),
        contents_only: false,
    };
    let progress = |sent| {
        let before = seen.swap(sent, std::sync::atomic::Ordering::Relaxed);
        assert!(before <= sent);
    };
    winrm.upload(&upload, &progress).await.unwrap();
    assert_eq!(seen.into_inner(), 2_800_000);
    assert!(fs::read(drive.path().join("big")).unwrap() == big);
    let largest = windows.state().largest;
    assert!((490 << 10..=500 << 10).contains(&largest), "{largest}");
    let back = drive.path().join("back");
    let report = get(&winrm, "c:/big", back.clone(), false).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: 2_800_000, files: 1 });
    assert!(fs::read(back).unwrap() == big);
}

#[tokio::test]
async fn files_come_back_to_where_the_rules_say() {
    let (windows, drive) = machine();
    let winrm = login(&windows).await;
    let here = tempfile::tempdir().unwrap();
    let to = |name: &str| here.path().join(name);
    fs::create_dir_all(drive.path().join("d/deep")).unwrap();
    fs::write(drive.path().join("d/deep/x"), "x").unwrap();
    fs::write(drive.path().join("d/y1"), "1").unwrap();
    fs::write(drive.path().join("d/y2"), "2").unwrap();
    get(&winrm, "c:/d/y1", to("new/name"), false).await.unwrap();
    get(&winrm, "c:/d/y1", to("into"), true).await.unwrap();
    get(&winrm, "c:/d/", to("tree"), false).await.unwrap();
    get(&winrm, "c:/d/y*", to("some"), false).await.unwrap();
    insta::assert_snapshot!(listing(here.path()), @"
    into/
    into/y1: 1
    new/
    new/name: 1
    some/
    some/y1: 1
    some/y2: 2
    tree/
    tree/d/
    tree/d/deep/
    tree/d/deep/x: x
    tree/d/y1: 1
    tree/d/y2: 2
    ");
    let error = get(&winrm, "c:/none", to("x"), false).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot download `c:/none`: c:/none: No such file or directory");
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_an_error() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("f");
    for now in ["longer", "s", "equal!"] {
        fs::write(&path, "equal?").unwrap();
        let tree = read_tree(&path).unwrap();
        fs::write(&path, now).unwrap();
        let error = put(&winrm, tree, "c:/f", false).await.unwrap_err();
        assert!(matches!(error, CommunicatorError::Changed { .. }), "{now}: {error}");
    }
    fs::write(&path, "x").unwrap();
    let tree = read_tree(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = put(&winrm, tree, "c:/f", false).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Read { .. }), "{error}");
    winrm.disconnect().await;
    assert!(windows.wait_until_idle());
}

#[tokio::test]
async fn an_upload_that_is_cut_off_is_no_success() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    windows.state().faults.push_back(("Send", 995, "Aborted."));
    let error = put(&winrm, text("x"), "c:/f", false).await.unwrap_err();
    assert!(error.to_string().ends_with(" was lost: Aborted (code 995)"), "{error}");
    winrm.disconnect().await;
    assert!(windows.wait_until_idle());
}
