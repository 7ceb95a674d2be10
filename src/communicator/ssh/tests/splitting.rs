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
    ssh.link.pretend(Duration::from_millis(20), None);
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
    ssh.link.pretend(Duration::from_millis(20), Some(1e6));
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
