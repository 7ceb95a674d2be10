//! Large uploads over a link that looks long.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::uploading::{at, expected, file, listing, rich_tree, send, upload_of};
use super::*;
use crate::plan::{Digest, Entry, Tree};

/// Bytes that repeat nowhere near.
fn bytes(count: u32) -> Vec<u8> {
    (0..count.div_ceil(4)).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

async fn long_link(ssh: &Ssh) {
    ssh.link.pretend(Duration::from_millis(100), None);
}

async fn a_large_file_and_a_large_tree(ssh: &Ssh) {
    let folder = tempfile::tempdir().unwrap();
    let large = bytes(40 << 20);
    let one = Tree::of_bytes(large.clone(), 0o640);
    // Over a longer one, whose rest must go.
    std::fs::write(folder.path().join("one"), vec![1; 41 << 20]).unwrap();
    let last = std::sync::atomic::AtomicU64::new(0);
    let progress = |bytes| {
        last.fetch_max(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    for destination in ["one", "new/"] {
        let upload = upload_of(one.clone(), "named", at(&folder, destination), false);
        ssh.upload(&upload, &progress).await.unwrap();
        assert_eq!(last.swap(0, std::sync::atomic::Ordering::Relaxed), one.size());
    }
    for path in ["one", "new/named"] {
        let path = folder.path().join(path);
        assert!(Digest::of(&std::fs::read(&path).unwrap()) == Digest::of(&large), "{path:?}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    }

    let mut tree = rich_tree();
    for n in 0..20 {
        let (start, length) = (n * 1000, 2 << 20);
        let piece = large.get(start..start + length).unwrap();
        tree.entries.insert(format!("bin/{n}"), file(piece, 0o600 + (n as u32 % 8)));
    }
    // A large one where a link is in the way.
    tree.entries.insert("new/large".into(), file(&large, 0o440));
    tree.entries.insert("new".into(), Entry::Directory { mode: 0o755 });
    std::fs::create_dir_all(folder.path().join("tree/rich/new")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("tree/rich/new/large")).unwrap();
    let upload = upload_of(tree.clone(), "rich", at(&folder, "tree"), false);
    for below in ["tree/rich", "tree"] {
        ssh.upload(&upload, &progress).await.unwrap();
        assert_eq!(listing(&folder.path().join(below)), expected(&tree, ""), "{below}");
        assert_eq!(last.swap(0, std::sync::atomic::Ordering::Relaxed), tree.size());
        drop(std::fs::remove_dir_all(folder.path().join("tree")));
    }
}

#[tokio::test]
async fn large_uploads_go_over_four_connections() {
    let Some(server) = openssh::start("LogLevel VERBOSE") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    a_large_file_and_a_large_tree(&ssh).await;
    assert_eq!(ssh.link.extra(), 3);
    assert_eq!(server.log().matches("Accepted publickey").count(), 4, "they are kept");
    ssh.disconnect().await;
    assert_eq!(ssh.link.extra(), 0);
}

#[tokio::test]
async fn a_server_that_allows_one_of_everything_is_served() {
    let mut server = match openssh::start("MaxSessions 1") {
        Some(server) => server,
        None => return,
    };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    // No more connections either.
    server.stop();
    a_large_file_and_a_large_tree(&ssh).await;
    assert_eq!(ssh.link.extra(), 0);
}

#[tokio::test]
async fn large_uploads_are_packed_when_it_pays() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    let folder = tempfile::tempdir().unwrap();
    send(&ssh, &upload_of(rich_tree(), "x", at(&folder, "first"), true)).await.unwrap();
    ssh.link.pretend(Duration::from_millis(100), Some(1e6));
    let text = b"many lines like this\n".repeat(2_000_000);
    let one = Tree::of_bytes(text.clone(), 0o644);
    send(&ssh, &upload_of(one, "x", at(&folder, "one"), false)).await.unwrap();
    let arrived = std::fs::read(folder.path().join("one")).unwrap();
    assert!(Digest::of(&arrived) == Digest::of(&text));
}

#[tokio::test]
async fn a_large_file_that_changes_is_an_error() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, bytes(40 << 20)).unwrap();
    let tree = crate::plan::read_tree(&source).unwrap();
    let mut changed = bytes(40 << 20);
    changed[39 << 20] ^= 1;
    std::fs::write(&source, changed).unwrap();
    let error = send(&ssh, &upload_of(tree, "x", at(&folder, "x"), false)).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Changed { .. }), "{error}");
}

/// Fetches a large file and a large tree, and what changes while it is fetched.
async fn large_downloads(ssh: &Ssh) {
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (folder.path().join("there"), folder.path().join("here"));
    let large = bytes((40 << 20) + 5);
    std::fs::create_dir_all(there.join("empty")).unwrap();
    std::fs::create_dir_all(there.join("bin")).unwrap();
    std::fs::write(there.join("large"), &large).unwrap();
    for n in 0..12_usize {
        let piece = large.get(n * 1000..n * 1000 + (1 << 20)).unwrap();
        std::fs::write(there.join(format!("bin/{n}\n\\")), piece).unwrap();
    }
    std::os::unix::fs::symlink("large", there.join("link")).unwrap();
    std::fs::set_permissions(there.join("large"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::set_permissions(there.join("empty"), std::fs::Permissions::from_mode(0o700)).unwrap();

    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |bytes| seen.lock().unwrap().push(bytes);
    let fetch = |path: &str, to: &str| Download {
        source: there.join(path).display().to_string(),
        destination: here.join(to),
        into_directory: false,
    };
    let size = large.len() as u64;
    let report = ssh.download(&fetch("large", "one"), &progress).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: size, files: 1 });
    assert!(Digest::of(&std::fs::read(here.join("one")).unwrap()) == Digest::of(&large));
    assert_eq!(here.join("one").metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(seen.lock().unwrap().iter().max(), Some(&size));

    seen.lock().unwrap().clear();
    let tree = crate::plan::read_tree(&there).unwrap();
    let report = ssh.download(&fetch("", "tree"), &progress).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: tree.size(), files: 13 });
    assert_eq!(listing(&here.join("tree/there")), expected(&tree, ""));
    assert_eq!(seen.lock().unwrap().iter().max(), Some(&tree.size()));
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 2);

    // A link that leads out of what is large.
    std::fs::write(folder.path().join("out"), "out").unwrap();
    std::os::unix::fs::symlink("../out", there.join("led out")).unwrap();
    let report = ssh.download(&fetch("", "tree"), &progress).await.unwrap();
    assert_eq!(report.files, 14);
    assert_eq!(std::fs::read(here.join("tree/there/led out")).unwrap(), b"out");
}

#[tokio::test]
async fn large_downloads_come_over_four_connections() {
    let Some(server) = openssh::start("LogLevel VERBOSE") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    large_downloads(&ssh).await;
    assert_eq!(ssh.link.extra(), 3);
    assert_eq!(server.log().matches("Accepted publickey").count(), 4, "they are kept");
}

#[tokio::test]
async fn a_server_that_allows_one_of_everything_sends_what_is_large() {
    let Some(mut server) = openssh::start("MaxSessions 1") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    server.stop();
    large_downloads(&ssh).await;
    assert_eq!(ssh.link.extra(), 0);
}

#[tokio::test]
async fn small_downloads_over_a_long_link_make_no_connections() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    let folder = tempfile::tempdir().unwrap();
    send(&ssh, &upload_of(rich_tree(), "x", at(&folder, "there"), true)).await.unwrap();
    let source = at(&folder, "there");
    let download =
        Download { source, destination: folder.path().join("here"), into_directory: true };
    ssh.download(&download, &|_| {}).await.unwrap();
    assert_eq!(listing(&folder.path().join("here/there")), expected(&rich_tree(), ""));
    assert_eq!(ssh.link.extra(), 0);
}

#[tokio::test]
async fn large_downloads_are_packed_when_it_pays() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    ssh.link.pretend(Duration::from_millis(100), Some(1e6));
    large_downloads(&ssh).await;
}

#[tokio::test]
async fn what_a_large_upload_made_is_gone_when_it_fails() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, bytes(40 << 20)).unwrap();
    let one = crate::plan::read_tree(&source).unwrap();
    std::fs::write(&source, bytes(30 << 20)).unwrap();
    let mut tree = rich_tree();
    tree.entries.insert("large".into(), one.entries.get("").unwrap().clone());
    for (tree, name) in [(one, "one"), (tree, "tree")] {
        let error = send(&ssh, &upload_of(tree, "x", at(&folder, name), true)).await.unwrap_err();
        assert!(matches!(error, CommunicatorError::Changed { .. }), "{error}");
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn large_files_that_grow_arrive_and_closed_ones_are_told() {
    // What grew after it was looked at is taken as it was then.
    let tools = super::uploading::only(&[
        "sh",
        "cat",
        "dd",
        "head",
        "sha256sum",
        "tee",
        "xargs",
        "sed",
        "ls",
    ]);
    let (ls, size) = (tools.path().join("ls"), 40 << 20);
    std::fs::remove_file(&ls).unwrap();
    std::fs::write(&ls, format!("#!/bin/sh\n/bin/ls \"$@\" | sed s/{}/{size}/\n", size + 9))
        .unwrap();
    std::fs::set_permissions(&ls, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(server) = openssh::start(&super::uploading::path_of(&tools)) else { return };
    let ssh = server.connect().await;
    long_link(&ssh).await;
    let folder = tempfile::tempdir().unwrap();
    let large = bytes(size + 9);
    std::fs::write(folder.path().join("large"), large.get(..size as usize + 9).unwrap()).unwrap();
    let fetch = |path: &str| Download {
        source: at(&folder, path),
        destination: folder.path().join("here"),
        into_directory: false,
    };
    let report = ssh.download(&fetch("large"), &|_| {}).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: u64::from(size), files: 1 });
    let arrived = std::fs::read(folder.path().join("here")).unwrap();
    assert!(arrived == large.get(..size as usize).unwrap());

    let Some(server) = openssh::as_nobody() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    std::fs::rename(folder.path().join("large"), folder.path().join("d/large")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("d/large"), mode).unwrap();
    std::fs::remove_file(folder.path().join("here")).unwrap();
    let ssh = server.connect().await;
    long_link(&ssh).await;
    for source in ["d/large", "d"] {
        let error = ssh.download(&fetch(source), &|_| {}).await.unwrap_err();
        assert!(error.to_string().contains("ermission denied"), "{source}: {error}");
        assert!(!folder.path().join("here").exists());
    }
}
