//! Files from a real server.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::uploading::{expected, listing, only, path_of, rich_tree, send, upload_of};
use super::*;

fn fetch(source: impl Into<String>, destination: PathBuf, into_directory: bool) -> Download {
    Download { source: source.into(), destination, into_directory }
}

async fn get(ssh: &Ssh, download: &Download) -> Result<DownloadReport, CommunicatorError> {
    ssh.download(download, &|_| {}).await
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The rules of the contract, the same for the stream and for SFTP but for patterns.
async fn follows_the_rules(ssh: &Ssh, patterns: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (folder.path().join("there"), folder.path().join("here"));
    let remote = |path: &str| format!("{}/{path}", there.display());
    write(&there.join("a file"), "text", 0o750);
    write(&there.join("empty"), "", 0o644);

    // A file: to a name, into a directory by its slash, into one that exists.
    for (destination, into, lands) in
        [("x/named", false, "x/named"), ("y/z", true, "y/z/a file"), ("x", false, "x/a file")]
    {
        let download = fetch(remote("a file"), here.join(destination), into);
        let report = get(ssh, &download).await.unwrap();
        assert_eq!(report, DownloadReport { bytes: 4, files: 1 });
        let path = here.join(lands);
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o750);
    }
    get(ssh, &fetch(remote("empty"), here.join("empty"), false)).await.unwrap();
    assert_eq!(std::fs::read(here.join("empty")).unwrap(), b"");
    assert_eq!(std::fs::read_dir(here.join("x")).unwrap().count(), 2, "nothing temporary is left");

    // A tree: always under its own name, merged into what is there.
    let tree = rich_tree();
    send(ssh, &upload_of(tree.clone(), "rich", remote("rich"), true)).await.unwrap();
    write(&here.join("t/rich/bin/run me"), "old", 0o644);
    write(&here.join("t/rich/kept"), "kept", 0o644);
    for source in ["rich", "rich/"] {
        let download = fetch(remote(source), here.join("t"), source.ends_with('/'));
        let report = get(ssh, &download).await.unwrap();
        assert_eq!(report, DownloadReport { bytes: tree.size(), files: 5 });
        let mut found = listing(&here.join("t/rich"));
        assert!(found.remove("kept").is_some());
        assert_eq!(found, expected(&tree, ""));
    }

    // What is not there, what may not be read, what is no file.
    let error = get(ssh, &fetch(remote("gone"), here.join("g"), false)).await.unwrap_err();
    let text = error.to_string().to_lowercase();
    assert!(text.contains("no such file") && text.contains("/gone"), "{error}");
    assert!(!here.join("g").exists());
    let error = get(ssh, &fetch("/dev/null", here.join("g"), false)).await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("not a regular file"), "{error}");

    // A link that leads out is replaced by what it points to, if that is there.
    write(&there.join("out/x"), "x", 0o644);
    symlink("../a file", there.join("out/l")).unwrap();
    symlink("/no/such", there.join("out/m")).unwrap();
    let report = get(ssh, &fetch(remote("out"), here.clone(), false)).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: 5, files: 2 });
    let names: Vec<_> = listing(&here.join("out")).into_iter().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(std::fs::read(here.join("out/l")).unwrap(), b"text");
    assert!(!here.join("out/l").is_symlink());
    symlink(there.join("logs"), there.join("out/n")).unwrap();

    write(&there.join("logs/a.log"), "a", 0o644);
    write(&there.join("logs/b b.log"), "b", 0o644);
    write(&there.join("logs/c.txt"), "c", 0o644);
    write(&there.join("logs/d.log/e"), "e", 0o644);
    write(&there.join("more/f.log"), "f", 0o644);
    if !patterns {
        let error = get(ssh, &fetch(remote("logs/*.log"), here.clone(), true)).await.unwrap_err();
        assert!(error.to_string().contains("patterns need a shell"), "{error}");
        let error = get(ssh, &fetch(remote("out"), here, true)).await.unwrap_err();
        assert!(error.to_string().contains("`n` leads out of what is downloaded"), "{error}");
        return;
    }
    get(ssh, &fetch(remote("out"), here.clone(), true)).await.unwrap();
    assert_eq!(std::fs::read(here.join("out/n/b b.log")).unwrap(), b"b");
    // What a pattern matches is followed, what lies in it is not.
    get(ssh, &fetch(remote("out/[ln]"), here.join("links"), true)).await.unwrap();
    assert_eq!(std::fs::read(here.join("links/n/a.log")).unwrap(), b"a");
    let error = get(ssh, &fetch(remote("ou*"), here.join("p"), true)).await.unwrap_err();
    assert!(error.to_string().contains("leads out of what is downloaded"), "{error}");
    get(ssh, &fetch(remote("logs/*.log"), here.join("logs"), true)).await.unwrap();
    let names: Vec<_> = listing(&here.join("logs")).into_keys().collect();
    assert_eq!(names, ["a.log", "b b.log", "d.log", "d.log/e"]);
    get(ssh, &fetch(remote("[lm]o*/?.log"), here.join("all"), false)).await.unwrap();
    let names: Vec<_> = listing(&here.join("all")).into_keys().collect();
    assert_eq!(names, ["a.log", "d.log", "d.log/e", "f.log"]);
    let error = get(ssh, &fetch(remote("*.gone"), here.clone(), true)).await.unwrap_err();
    assert!(error.to_string().contains("nothing matches"), "{error}");
    // What looks like one and is a name.
    write(&there.join("w[1]*"), "1", 0o644);
    get(ssh, &fetch(remote("w[1]*"), here.join("w"), false)).await.unwrap();
    assert_eq!(std::fs::read(here.join("w")).unwrap(), b"1");
}

#[tokio::test]
async fn a_stream_follows_the_rules() {
    let Some(server) = openssh::start("") else { return };
    follows_the_rules(&server.connect().await, true).await;
}

#[tokio::test]
async fn a_shell_that_chats_disturbs_no_download() {
    let settings = "ForceCommand echo welcome; printf no-line-end; sh -c \"$SSH_ORIGINAL_COMMAND\"";
    let Some(server) = openssh::start(settings) else { return };
    follows_the_rules(&server.connect().await, true).await;
}

#[tokio::test]
async fn sftp_follows_the_same_rules() {
    let Some(server) = openssh::start("") else { return };
    let options = SshOptions { file_transfer: FileTransfer::Sftp, ..server.options() };
    follows_the_rules(&server.connect_with(options).await, false).await;
}

#[tokio::test]
async fn a_server_that_only_does_sftp_follows_the_same_rules() {
    let Some(server) = openssh::start("ForceCommand internal-sftp") else { return };
    follows_the_rules(&server.connect().await, false).await;
}

#[tokio::test]
async fn a_server_without_tar_sends_files_and_by_sftp_trees() {
    let tools = only(&["sh", "cat", "ls", "mkdir", "chmod", "wc"]);
    let Some(server) = openssh::start(&path_of(&tools)) else { return };
    follows_the_rules(&server.connect().await, false).await;
}

#[tokio::test]
async fn home_is_that_of_the_user() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path().display();
    let settings = format!("ForceCommand cd {at}; HOME={at} sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let Some(server) = openssh::start(&settings) else { return };
    let ssh = server.connect().await;
    write(&home.path().join("s/-f"), "f", 0o644);
    for (source, lands) in [("~/s/-f", "-f"), ("s/-f", "-f"), ("s/.", "s/-f"), ("~/s/*", "-f")] {
        let here = tempfile::tempdir().unwrap();
        get(&ssh, &fetch(source, here.path().into(), true)).await.unwrap();
        assert_eq!(std::fs::read(here.path().join(lands)).unwrap(), b"f", "{source}");
    }
}

#[tokio::test]
async fn large_files_arrive_and_are_checked() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..30_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(folder.path().join("large"), &bytes).unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let download = fetch(at_path(&folder, "large"), folder.path().join("copy"), false);
    ssh.download(&download, &|bytes| seen.lock().unwrap().push(bytes)).await.unwrap();
    assert!(std::fs::read(folder.path().join("copy")).unwrap() == bytes);
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.last(), Some(&30_000_000));
    assert!(seen.is_sorted() && seen.len() > 10);
}

fn at_path(folder: &tempfile::TempDir, path: &str) -> String {
    folder.path().join(path).display().to_string()
}

#[tokio::test]
async fn a_file_that_changes_all_the_time_is_told() {
    let tools = only(&["sh", "cat", "ls"]);
    let path = tools.path().join("sha256sum");
    std::fs::write(&path, "#!/bin/sh\ncat > /dev/null; echo 00 -\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    for tool in ["tee", "xargs"] {
        symlink("/bin/cat", tools.path().join(tool)).unwrap();
    }
    let Some(server) = openssh::start(&path_of(&tools)) else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("f"), "f", 0o644);
    let download = fetch(at_path(&folder, "f"), folder.path().join("x"), false);
    let error = get(&ssh, &download).await.unwrap_err();
    assert!(error.to_string().contains("changes while it is read"), "{error}");
    assert!(!folder.path().join("x").exists());
}

#[tokio::test]
async fn what_may_not_be_read_is_told() {
    let Some(server) = openssh::as_nobody() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    write(&folder.path().join("d/secret"), "s", 0o600);
    for source in ["d/secret", "d", "d/*"] {
        let download = fetch(at_path(&folder, source), folder.path().join("x"), false);
        let error = get(&ssh, &download).await.unwrap_err();
        assert!(error.to_string().contains("ermission denied"), "{source}: {error}");
        assert!(error.hints().iter().any(|hint| hint.contains("sudo")), "{error}");
    }
}
