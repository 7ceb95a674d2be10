//! Files on a real server.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex as StdMutex;

use super::*;
use crate::plan::{Content, Digest, Entry, Tree};

pub(super) fn file(bytes: &[u8], mode: u32) -> Entry {
    Tree::of_bytes(bytes, mode).entries.remove("").unwrap()
}

/// A tree with everything that a tree can have.
pub(super) fn rich_tree() -> Tree {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(130));
    let directory = |mode| Entry::Directory { mode };
    let entries = [
        ("", directory(0o750)),
        ("bin", directory(0o755)),
        ("bin/run me", file(b"#!/bin/sh\n", 0o755)),
        ("empty", directory(0o700)),
        ("größe", file("ü".as_bytes(), 0o644)),
        ("-dash", file(b"", 0o600)),
        ("link", Entry::Symlink { target: "bin/run me".into() }),
        ("big", file(&[7; 700_000], 0o640)),
        (long.split('/').next().unwrap(), directory(0o755)),
        (&long, file(b"long", 0o644)),
    ];
    Tree { entries: entries.map(|(path, entry)| (path.to_owned(), entry)).into() }
}

/// What a directory on this machine holds, by relative path: mode and bytes or link target.
pub(super) fn listing(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let metadata = path.symlink_metadata().unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let what = if metadata.is_symlink() {
                format!("-> {}", path.read_link().unwrap().display())
            } else if metadata.is_dir() {
                walk(root, &path, found);
                format!("{mode:o} directory")
            } else {
                format!("{mode:o} {}", Digest::of(&std::fs::read(&path).unwrap()))
            };
            found.insert(name, what);
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// What [`listing`] should find for a tree.
pub(super) fn expected(tree: &Tree, below: &str) -> BTreeMap<String, String> {
    let what = |entry: &Entry| match entry {
        Entry::Directory { mode } => format!("{mode:o} directory"),
        Entry::File { mode, digest, .. } => format!("{mode:o} {digest}"),
        Entry::Symlink { target } => format!("-> {target}"),
    };
    let named = |path: &str| match (below, path) {
        ("", path) => path.to_owned(),
        (below, "") => below.to_owned(),
        (below, path) => format!("{below}/{path}"),
    };
    let mut all: BTreeMap<_, _> =
        tree.entries.iter().map(|(path, entry)| (named(path), what(entry))).collect();
    all.remove("");
    all
}

pub(super) fn upload_of(
    tree: Tree,
    name: &str,
    destination: impl Into<String>,
    contents: bool,
) -> Upload {
    Upload { tree, name: name.into(), destination: destination.into(), contents_only: contents }
}

pub(super) async fn send(ssh: &Ssh, upload: &Upload) -> Result<UploadReport, CommunicatorError> {
    ssh.upload(upload, &|_| {}).await
}

pub(super) fn at(folder: &tempfile::TempDir, path: &str) -> String {
    format!("{}/{path}", folder.path().display())
}

/// The rules of destinations must be the same for the stream and for SFTP, and for a server
/// without tar.
async fn follows_the_rules(ssh: &Ssh) {
    let folder = tempfile::tempdir().unwrap();
    let tree = rich_tree();
    let seen = StdMutex::new(Vec::new());
    let progress = |bytes| seen.lock().unwrap().push(bytes);

    // A directory to a missing one, below others that are missing too.
    let upload = upload_of(tree.clone(), "rich", at(&folder, "a b/new"), false);
    let report = ssh.upload(&upload, &progress).await.unwrap();
    assert_eq!(report, UploadReport { bytes: tree.size(), files: 5 });
    assert_eq!(listing(&folder.path().join("a b/new")), expected(&tree, ""));
    let mode = folder.path().join("a b/new").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750, "a directory that is made gets the mode of the source");
    assert_eq!(seen.lock().unwrap().last(), Some(&tree.size()));

    // The same again: it exists now, so it goes into it under its own name.
    send(ssh, &upload).await.unwrap();
    assert_eq!(listing(&folder.path().join("a b/new/rich")), expected(&tree, ""));

    // Only its contents, merged into what is there; twice, so that links are replaced too.
    let merged = folder.path().join("merged");
    std::fs::create_dir_all(merged.join("bin")).unwrap();
    std::fs::set_permissions(&merged, std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::set_permissions(merged.join("bin"), std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::write(merged.join("bin/other"), "kept").unwrap();
    for destination in ["merged", "merged/"] {
        let upload = upload_of(tree.clone(), "rich", at(&folder, destination), true);
        send(ssh, &upload).await.unwrap();
    }
    let mut both = expected(&tree, "");
    both.insert("bin/other".into(), format!("644 {}", Digest::of(b"kept")));
    both.insert("bin".into(), "711 directory".into());
    assert_eq!(listing(&merged), both);
    assert_eq!(merged.metadata().unwrap().permissions().mode() & 0o7777, 0o711);

    // A link to a directory is what it was.
    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let linked = folder.path().join("linked");
    std::fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink("../real", linked.join("bin")).unwrap();
    send(ssh, &upload_of(tree.clone(), "rich", at(&folder, "linked"), true)).await.unwrap();
    assert!(linked.join("bin").is_symlink());
    assert!(real.join("run me").exists());

    // A file: to a name, to a directory with a slash, over one that exists, with its own mode.
    let one = |bytes: &[u8], mode| Tree { entries: [(String::new(), file(bytes, mode))].into() };
    for (destination, lands, mode) in [
        ("f/named", "f/named", 0o640),
        ("f/", "f/own name", 0o755),
        ("g/h/", "g/h/own name", 0o600),
        ("f/named", "f/named", 0o400),
    ] {
        let bytes = format!("{destination}{mode}");
        let upload =
            upload_of(one(bytes.as_bytes(), mode), "own name", at(&folder, destination), false);
        let report = send(ssh, &upload).await.unwrap();
        assert_eq!(report, UploadReport { bytes: bytes.len() as u64, files: 1 });
        let path = folder.path().join(lands);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, mode);
    }

    // A file onto a directory, a directory onto a file.
    let error = send(ssh, &upload_of(one(b"x", 0o644), "x", at(&folder, "f"), false)).await;
    let error = error.unwrap_err();
    assert!(error.to_string().ends_with("Is a directory"), "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("/f/`")), "{:?}", error.hints());
    let onto = upload_of(tree.clone(), "rich", at(&folder, "f/named"), true);
    let error = send(ssh, &onto).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Upload { .. }), "{error}");

    // An empty directory alone.
    let empty = Tree { entries: [(String::new(), Entry::Directory { mode: 0o755 })].into() };
    send(ssh, &upload_of(empty, "e", at(&folder, "nothing"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("nothing")), BTreeMap::new());

    // A file that changed since the plan.
    let source = folder.path().join("source");
    for (planned, now) in [("planned", "changed"), ("plan", "longer"), ("longer", "now")] {
        std::fs::write(&source, now).unwrap();
        let changed = Entry::File {
            mode: 0o644,
            size: planned.len() as u64,
            digest: Digest::of(planned.as_bytes()),
            content: Content::File(source.clone()),
        };
        let directory = Entry::Directory { mode: 0o755 };
        let single = Tree { entries: [(String::new(), changed.clone())].into() };
        let inside = Tree { entries: [(String::new(), directory), ("x".into(), changed)].into() };
        for tree in [single, inside] {
            let upload = upload_of(tree, "x", at(&folder, "changed/"), true);
            let error = send(ssh, &upload).await.unwrap_err();
            let path = source.display();
            let text = format!("`{path}` has changed since the build was planned");
            assert_eq!(error.to_string(), text);
        }
    }
    std::fs::remove_file(&source).unwrap();
}

#[tokio::test]
async fn a_stream_follows_the_rules() {
    let Some(server) = openssh::start("") else { return };
    follows_the_rules(&server.connect().await).await;
}

#[tokio::test]
async fn sftp_follows_the_same_rules() {
    let Some(server) = openssh::start("") else { return };
    let options = SshOptions { file_transfer: FileTransfer::Sftp, ..server.options() };
    follows_the_rules(&server.connect_with(options).await).await;
}

/// A directory with only these programs.
pub(super) fn only(programs: &[&str]) -> tempfile::TempDir {
    let tools = tempfile::tempdir().unwrap();
    for tool in programs {
        let found = std::process::Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output()
            .unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(path.trim(), tools.path().join(tool)).unwrap();
    }
    tools
}

/// The setting of a server whose commands find only what is in a directory.
pub(super) fn path_of(tools: &tempfile::TempDir) -> String {
    format!("SetEnv PATH={0} HOME={0}", tools.path().display())
}

/// What is needed to receive a tree without computing digests, and to list it.
const PLAIN: &[&str] = &["sh", "cat", "chmod", "mkdir", "wc", "tar", "rm"];

#[tokio::test]
async fn a_server_without_digests_follows_the_same_rules() {
    for more in [&[][..], &["sha256sum", "tee", "xargs"], &["openssl", "tee", "xargs"]] {
        let tools = only(&[PLAIN, more].concat());
        let Some(server) = openssh::start(&path_of(&tools)) else { return };
        follows_the_rules(&server.connect().await).await;
    }
}

#[tokio::test]
async fn busybox_follows_the_same_rules() {
    let Ok(busybox) = std::process::Command::new("sh").args(["-c", "command -v busybox"]).output()
    else {
        return;
    };
    let busybox = String::from_utf8(busybox.stdout).unwrap();
    if busybox.is_empty() {
        return;
    }
    let tools = tempfile::tempdir().unwrap();
    for tool in [PLAIN, &["sha256sum", "tee", "xargs", "gzip"]].concat() {
        std::os::unix::fs::symlink(busybox.trim(), tools.path().join(tool)).unwrap();
    }
    let Some(server) = openssh::start(&path_of(&tools)) else { return };
    let ssh = server.connect().await;
    let tree = rich_tree();
    let folder = tempfile::tempdir().unwrap();
    send(&ssh, &upload_of(tree.clone(), "rich", at(&folder, "new"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("new")), expected(&tree, ""));
}

/// A server whose `name` is replaced by a script.
fn with_program(name: &str, script: &str) -> (Option<openssh::Sshd>, tempfile::TempDir) {
    let tools = only(&[PLAIN, &["sha256sum", "openssl", "tee", "xargs", "head", "kill"]].concat());
    let path = tools.path().join(name);
    drop(std::fs::remove_file(&path));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (openssh::start(&path_of(&tools)), tools)
}

#[tokio::test]
async fn what_does_not_arrive_whole_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let one = Tree::of_bytes(vec![7; 300_000], 0o644);
    let cases = [
        // A file system that loses bytes.
        ("tee", "head -c 1000 > \"$1\"; cat > /dev/null", &one, "only 1000 of 300000 bytes"),
        // A disk that is full in the middle.
        ("tee", "echo 'tee: No space left on device' >&2; exit 1", &one, "No space left"),
        ("tar", "case $1 in -x) kill -KILL $$ ;; esac", &rich_tree(), "killed by signal 9"),
        ("tar", "case $1 in -x) cat > /dev/null ;; esac; exit 0", &rich_tree(), "SHA-256 differs"),
    ];
    for (program, script, tree, expected) in cases {
        let (Some(server), _tools) = with_program(program, script) else { return };
        let ssh = server.connect().await;
        let upload = upload_of(tree.clone(), "x", at(&folder, "x"), true);
        let error = send(&ssh, &upload).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{program}: {error}");
        drop(std::fs::remove_file(folder.path().join("x")));
        drop(std::fs::remove_dir_all(folder.path().join("x")));
    }
    // Bytes that become others on their way to the disk.
    let (Some(server), _tools) = with_program("sha256sum", "cat > /dev/null; echo 00ff -") else {
        return;
    };
    let ssh = server.connect().await;
    let upload = upload_of(one, "x", at(&folder, "x"), true);
    let error = send(&ssh, &upload).await.unwrap_err().to_string();
    assert!(error.contains("SHA-256 differs"), "{error}");
}

#[tokio::test]
async fn the_list_of_files_is_gone_after_an_upload() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    // A name that is a directory already makes tar fail.
    std::fs::create_dir_all(folder.path().join("bin/run me/x")).unwrap();
    send(&ssh, &upload_of(rich_tree(), "x", at(&folder, ""), true)).await.unwrap_err();
    let names = listing(folder.path());
    assert!(!names.keys().any(|name| name.starts_with(".bake")), "{names:?}");
}

#[tokio::test]
async fn a_server_that_only_does_sftp_takes_uploads() {
    let Some(server) = openssh::start("ForceCommand internal-sftp") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let tree = rich_tree();
    send(&ssh, &upload_of(tree.clone(), "rich", at(&folder, "new"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("new")), expected(&tree, ""));
    let one = Tree::of_bytes(*b"one", 0o640);
    send(&ssh, &upload_of(one, "one", at(&folder, "one"), false)).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("one")).unwrap(), b"one");
}

#[tokio::test]
async fn streams_are_packed_on_a_slow_link() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    // The first upload teaches what the far side can unpack.
    send(&ssh, &upload_of(rich_tree(), "x", at(&folder, "first"), true)).await.unwrap();
    ssh.link.pretend(std::time::Duration::ZERO, Some(1e6));
    let mut tree = rich_tree();
    tree.entries.insert("text".into(), file(&b"line\n".repeat(500_000), 0o644));
    send(&ssh, &upload_of(tree.clone(), "x", at(&folder, "tree"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("tree")), expected(&tree, ""));
    let one = Tree::of_bytes(b"line\n".repeat(500_000), 0o600);
    send(&ssh, &upload_of(one.clone(), "x", at(&folder, "one"), false)).await.unwrap();
    let arrived = std::fs::read(folder.path().join("one")).unwrap();
    assert_eq!(arrived, b"line\n".repeat(500_000));
}

#[tokio::test]
async fn a_server_without_tar_follows_the_same_rules() {
    let tools = only(&["sh", "cat", "chmod", "mkdir", "wc"]);
    let Some(server) = openssh::start(&path_of(&tools)) else { return };
    let ssh = server.connect().await;
    let (exit, _) = run(&ssh, Command::new("command -v tar")).await;
    assert_ne!(exit.unwrap(), Exit::Code(0), "the test has no point when there is a tar");
    follows_the_rules(&ssh).await;
}

#[tokio::test]
async fn five_hundred_small_files_arrive_by_sftp() {
    // More than the handles that the library can tell apart.
    let Some(server) = openssh::start("") else { return };
    let options = SshOptions { file_transfer: FileTransfer::Sftp, ..server.options() };
    let ssh = server.connect_with(options).await;
    let folder = tempfile::tempdir().unwrap();
    let mut tree = Tree::default();
    tree.entries.insert(String::new(), Entry::Directory { mode: 0o755 });
    for n in 0..500 {
        tree.entries.insert(format!("{n}"), file(n.to_string().as_bytes(), 0o644));
    }
    send(&ssh, &upload_of(tree.clone(), "many", at(&folder, "many"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("many")), expected(&tree, ""));
}

#[tokio::test]
async fn a_user_without_rights_gets_modes_right_and_clear_refusals() {
    let Some(server) = openssh::as_nobody() else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let tree = rich_tree();
    send(&ssh, &upload_of(tree.clone(), "rich", at(&folder, "new"), false)).await.unwrap();
    assert_eq!(listing(&folder.path().join("new")), expected(&tree, ""), "whatever the umask");

    let secret = folder.path().join("closed");
    std::fs::create_dir(&secret).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o555)).unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (tree, destination) in [
        (Tree::of_bytes(*b"x", 0o644), "closed/file"),
        (tree.clone(), "closed"),
        (tree, "closed/deeper/down"),
    ] {
        let upload = upload_of(tree, "rich", at(&folder, destination), false);
        let error = send(&ssh, &upload).await.unwrap_err();
        assert!(error.to_string().contains("ermission denied"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("sudo mv")), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    // Different programs write them.
    for size in [100_000, 9 << 20] {
        let upload = upload_of(Tree::of_bytes(vec![1; size], 0o644), "x", "/dev/full", false);
        let error = send(&ssh, &upload).await.unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("larger volume")), "{error}");
    }
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_an_error() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let pid = succeed(&ssh, "echo $PPID").await.trim().to_owned();
    let upload =
        upload_of(Tree::of_bytes(vec![1; 50_000_000], 0o644), "x", at(&folder, "x"), false);
    let killed = std::sync::Once::new();
    let progress = |bytes: u64| {
        if bytes > 1_000_000 {
            killed.call_once(|| {
                let kill = std::process::Command::new("kill").args(["-KILL", &pid]).status();
                assert!(kill.unwrap().success());
            });
        }
    };
    let error = ssh.upload(&upload, &progress).await.unwrap_err();
    assert!(matches!(error, CommunicatorError::Lost { .. }), "{error}");
}

#[tokio::test]
async fn home_and_relative_destinations_are_those_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display();
    let settings = format!("ForceCommand cd {home}; HOME={home} sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let Some(server) = openssh::start(&settings) else { return };
    let ssh = server.connect().await;
    let one = Tree::of_bytes(*b"x", 0o644);
    send(&ssh, &upload_of(one.clone(), "x", "~/a/", false)).await.unwrap();
    send(&ssh, &upload_of(one.clone(), "x", "b", false)).await.unwrap();
    send(&ssh, &upload_of(one, "x", "-c", false)).await.unwrap();
    send(&ssh, &upload_of(rich_tree(), "x", "~", true)).await.unwrap();
    for path in ["a/x", "b", "-c", "bin/run me"] {
        assert!(folder.path().join(path).exists(), "{path}");
    }
}

#[tokio::test]
async fn what_an_upload_by_sftp_made_is_gone_when_it_fails() {
    let program = Path::new("/usr/lib/openssh/sftp-server");
    let settings = if !rustix::process::geteuid().is_root() {
        String::new()
    } else if program.exists() {
        let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
        format!("ForceCommand exec {nobody} {}", program.display())
    } else {
        return;
    };
    let Some(server) = openssh::start(&settings) else { return };
    let options = SshOptions { file_transfer: FileTransfer::Sftp, ..server.options() };
    let ssh = server.connect_with(options).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Directories that even their owner may not write to.
    let mut tree = rich_tree();
    tree.entries.insert("closed".into(), Entry::Directory { mode: 0o555 });
    tree.entries.insert("closed/in".into(), Entry::Directory { mode: 0o500 });
    tree.entries.insert("closed/in/file".into(), file(b"in", 0o444));
    tree.entries.insert(String::new(), Entry::Directory { mode: 0o555 });
    send(&ssh, &upload_of(tree.clone(), "x", at(&folder, "new"), true)).await.unwrap();
    assert_eq!(listing(&folder.path().join("new")), expected(&tree, ""));
    let mode = folder.path().join("new").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o555);

    let source = folder.path().join("source");
    std::fs::write(&source, "changed").unwrap();
    let changed = Entry::File {
        mode: 0o644,
        size: 7,
        digest: Digest::of(b"planned"),
        content: Content::File(source),
    };
    tree.entries.insert("zz/deep".into(), changed.clone());
    tree.entries.insert("zz".into(), Entry::Directory { mode: 0o755 });
    let one = Tree { entries: [(String::new(), changed)].into() };
    for (tree, name) in [(tree, "tree"), (one, "one")] {
        let error = send(&ssh, &upload_of(tree, "x", at(&folder, name), true)).await.unwrap_err();
        assert!(matches!(error, CommunicatorError::Changed { .. }), "{error}");
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn an_upload_that_was_given_up_is_tried_again_at_the_same_place() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let mut tree = rich_tree();
    tree.entries.insert("large".into(), file(&vec![7; 20_000_000], 0o644));
    let upload = upload_of(tree.clone(), "rich", at(&folder, "new"), false);
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let begun = StdMutex::new(Some(begun));
    let progress = |bytes: u64| {
        if bytes > 10_000_000
            && let Some(begun) = begun.lock().unwrap().take()
        {
            _ = begun.send(());
        }
    };
    tokio::select! {
        result = ssh.upload(&upload, &progress) => panic!("{result:?}"),
        begun = has_begun => begun.unwrap(),
    }
    send(&ssh, &upload).await.unwrap();
    assert_eq!(listing(&folder.path().join("new")), expected(&tree, ""));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
