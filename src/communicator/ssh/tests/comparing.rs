//! What arrives is compared with what was sent, both ways, whatever the far side has.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::uploading::{at, expected, file, listing, only, path_of, rich_tree, send, upload_of};
use super::*;
use crate::plan::{Digest, Entry, Tree, read_tree};

/// What a far side needs to send and receive trees.
const PLAIN: &[&str] =
    &["sh", "cat", "chmod", "dd", "head", "ls", "mkdir", "pwd", "rm", "tar", "wc", "find", "du"];

/// What it needs to compute digests besides a program that does.
const COUNTING: &[&str] = &["tee", "xargs"];

/// Where a program is.
fn which(program: &str) -> String {
    let found = std::process::Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

/// A server with these programs. Those with a script are replaced by it; `REAL` in it is the
/// program itself.
fn server_with(
    programs: &[&str],
    scripts: &[(&str, &str)],
) -> (Option<openssh::Sshd>, tempfile::TempDir) {
    let tools = only(programs);
    for (name, script) in scripts {
        let path = tools.path().join(name);
        drop(std::fs::remove_file(&path));
        let script = script.replace("REAL", &which(name));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    (openssh::start(&path_of(&tools)), tools)
}

fn all() -> Vec<&'static str> {
    [PLAIN, COUNTING, &["sha256sum"]].concat()
}

fn fetch(source: &Path, destination: PathBuf) -> Download {
    Download { source: source.display().to_string(), destination, into_directory: false }
}

async fn get(ssh: &Ssh, download: &Download) -> Result<DownloadReport, CommunicatorError> {
    ssh.download(download, &|_| {}).await
}

/// A directory with a file `a/f` that holds this, and another.
fn there(folder: &Path, text: &str) -> PathBuf {
    let there = folder.join("there");
    std::fs::create_dir_all(there.join("a")).unwrap();
    std::fs::write(there.join("a/f"), text).unwrap();
    std::fs::write(there.join("other"), "other").unwrap();
    there
}

#[tokio::test]
async fn a_damaged_file_of_a_download_is_named_and_nothing_is_left() {
    let damage = "case $1 in -c*) REAL \"$@\" | tr Q R ;; *) exec REAL \"$@\" ;; esac";
    let tools = [all(), vec!["tr"]].concat();
    let (Some(server), _tools) = server_with(&tools, &[("tar", damage)]) else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (there(folder.path(), "QQ"), folder.path().join("here"));
    let error = get(&ssh, &fetch(&there, here.clone())).await.unwrap_err();
    assert!(error.hints().iter().any(|hint| hint.contains("download the copy")), "{error}");
    let error = error.to_string();
    assert!(error.contains("SHA-256 differs for `a/f`; "), "{error}");
    assert!(!here.exists());
    // What was there before is as it was; the same for what a pattern matches.
    std::fs::create_dir_all(here.join("there/a")).unwrap();
    std::fs::write(here.join("there/a/f"), "before").unwrap();
    get(&ssh, &fetch(&there, here.clone())).await.unwrap_err();
    let error = get(&ssh, &fetch(&there.join("*"), here.clone())).await.unwrap_err().to_string();
    assert!(error.contains("`a/f`"), "{error}");
    let error = get(&ssh, &fetch(&there.join("../t*/a"), here.clone())).await.unwrap_err();
    assert!(error.to_string().contains("`a/f`"), "{error}");
    assert_eq!(listing(&here).len(), 3);
    assert_eq!(std::fs::read(here.join("there/a/f")).unwrap(), b"before");
}

#[tokio::test]
async fn a_file_that_was_damaged_once_is_fetched_again() {
    let damage = "case $1 in -c*) if mkdir \"${0%/*}/once\" 2>/dev/null; then REAL \"$@\" | tr Q R; else exec REAL \"$@\"; fi ;; *) exec REAL \"$@\" ;; esac";
    let tools = [all(), vec!["tr"]].concat();
    let (Some(server), _tools) = server_with(&tools, &[("tar", damage)]) else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let there = there(folder.path(), "QQ");
    let report = get(&ssh, &fetch(&there, folder.path().join("here"))).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: 7, files: 2 });
    assert_eq!(std::fs::read(folder.path().join("here/there/a/f")).unwrap(), b"QQ");
}

#[tokio::test]
async fn files_that_grow_or_change_while_they_are_read_arrive() {
    // The archive is made before, the digests are computed after the file has become another one.
    let tar = "REAL \"$@\"; r=$?; case $1 in -c*) [ ! -p \"${0%/*}/fifo\" ] || echo > \"${0%/*}/fifo\" ;; esac; exit $r";
    for (change, text) in [("echo more >>", &b"text"[..]), ("echo other >", b"other\n")] {
        let digest = format!(
            "if [ $# -gt 0 ] && [ -p \"${{0%/*}}/fifo\" ]; then read x < \"${{0%/*}}/fifo\"; rm \"${{0%/*}}/fifo\"; {change} ./a/f; fi; exec REAL \"$@\""
        );
        let (Some(server), tools) = server_with(&all(), &[("tar", tar), ("sha256sum", &digest)])
        else {
            return;
        };
        let fifo = tools.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let ssh = server.connect().await;
        let folder = tempfile::tempdir().unwrap();
        let there = there(folder.path(), "text");
        get(&ssh, &fetch(&there, folder.path().join("here"))).await.unwrap();
        assert!(!fifo.exists(), "the file was changed in between");
        assert_eq!(std::fs::read(folder.path().join("here/there/a/f")).unwrap(), text);
    }
    // One file: only its beginning was there when it was read.
    let cat = "case $1 in --) exec head -c 4 -- \"$2\" ;; *) exec REAL \"$@\" ;; esac";
    let ls = "case $1 in -ldnL) set -- $(REAL \"$@\"); echo \"$1 $2 $3 $4 4\" ;; *) exec REAL \"$@\" ;; esac";
    let (Some(server), _tools) = server_with(&all(), &[("cat", cat), ("ls", ls)]) else {
        return;
    };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let there = there(folder.path(), "text and more");
    let report = get(&ssh, &fetch(&there.join("a/f"), folder.path().join("x"))).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: 4, files: 1 });
    assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), b"text");
}

/// A tree with names and files that are hard for tools.
fn hard_tree(root: &Path) -> Tree {
    let long = "n".repeat(255);
    std::fs::create_dir_all(root.join(&long).join("m".repeat(200))).unwrap();
    for name in ["a\nb", "c\\d", "it's", "-rf", "ü", "\"$HOME\"", "*"] {
        std::fs::write(root.join(name), name).unwrap();
    }
    std::fs::write(root.join(&long).join("m".repeat(200)).join("x"), "deep").unwrap();
    symlink("c\\d", root.join("link")).unwrap();
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(9 << 20).unwrap();
    read_tree(root).unwrap()
}

/// Moves a tree there and back.
async fn there_and_back(ssh: &Ssh, tree: &Tree) {
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (folder.path().join("there"), folder.path().join("here"));
    send(ssh, &upload_of(tree.clone(), "x", there.display().to_string(), true)).await.unwrap();
    assert_eq!(listing(&there), expected(tree, ""));
    let report = get(ssh, &fetch(&there, here.clone())).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: tree.size(), files: tree.files() });
    assert_eq!(listing(&here.join("there")), expected(tree, ""));
}

/// The setting of a server with these programs and without SFTP, which would help out.
fn only_commands(tools: &tempfile::TempDir) -> String {
    let at = tools.path().display();
    format!("ForceCommand export PATH={at} HOME={at}; exec {at}/sh -c \"$SSH_ORIGINAL_COMMAND\"")
}

#[tokio::test]
async fn any_program_that_computes_digests_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let hard = hard_tree(folder.path());
    for tool in ["openssl", "sha256sum", "shasum", "python3", ""] {
        if !tool.is_empty() && which(tool).is_empty() {
            continue;
        }
        let programs = [PLAIN, COUNTING].concat();
        let tools = only(&programs);
        if tool == "python3" {
            let found = std::process::Command::new(tool)
                .args(["-c", "import sys; print(sys.executable)"])
                .output()
                .unwrap();
            let path = String::from_utf8(found.stdout).unwrap();
            symlink(path.trim(), tools.path().join(tool)).unwrap();
        } else if !tool.is_empty() {
            symlink(which(tool), tools.path().join(tool)).unwrap();
        }
        let Some(server) = openssh::start(&only_commands(&tools)) else { return };
        let ssh = server.connect().await;
        there_and_back(&ssh, &rich_tree()).await;
        there_and_back(&ssh, &hard).await;
        let one = at(&folder, "-rf");
        get(&ssh, &fetch(Path::new(&one), folder.path().join("one"))).await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("one")).unwrap(), b"-rf");
    }
}

#[tokio::test]
async fn any_login_shell_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let hard = hard_tree(folder.path());
    for shell in ["bash", "zsh -f", "tcsh -f", "fish -N", "busybox ash", "ksh", "mksh"] {
        let program = shell.split(' ').next().unwrap_or(shell);
        if which(program).is_empty() {
            continue;
        }
        let settings = format!("ForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        let Some(server) = openssh::start(&settings) else { return };
        let ssh = server.connect().await;
        there_and_back(&ssh, &hard).await;
        let one = at(&folder, "it's");
        get(&ssh, &fetch(Path::new(&one), folder.path().join("one"))).await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("one")).unwrap(), b"it's", "{shell}");
    }
}

#[tokio::test]
async fn busybox_sends_too() {
    let busybox = which("busybox");
    if busybox.is_empty() {
        return;
    }
    let tools = tempfile::tempdir().unwrap();
    for tool in [&all()[..], &["gzip"]].concat() {
        symlink(&busybox, tools.path().join(tool)).unwrap();
    }
    let Some(server) = openssh::start(&only_commands(&tools)) else { return };
    let ssh = server.connect().await;
    there_and_back(&ssh, &rich_tree()).await;
    // Neither its `find` nor its `tar` can do what is needed for parts.
    ssh.link.pretend(Duration::from_millis(100), Some(1e6));
    there_and_back(&ssh, &rich_tree()).await;
}

#[tokio::test]
async fn a_name_with_a_line_end_is_refused_alone() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a\nb"), "x").unwrap();
    let source = folder.path().join("a\nb");
    let error = get(&ssh, &fetch(&source, folder.path().join("x"))).await.unwrap_err();
    assert!(error.to_string().contains("with the directory around it"), "{error}");
}

#[tokio::test]
async fn downloads_are_packed_on_a_slow_link() {
    let log = "echo used >> \"${0%/*}/log\"; exec REAL \"$@\"";
    for (packer, packings) in [("zstd", &["zstd", "gzip"][..]), ("gzip", &["gzip"])] {
        let programs = [&all()[..], packings].concat();
        let (Some(server), tools) = server_with(&programs, &[(packer, log)]) else { return };
        let ssh = server.connect().await;
        ssh.link.pretend(Duration::ZERO, Some(1e6));
        let folder = tempfile::tempdir().unwrap();
        let there = there(folder.path(), &"line\n".repeat(100_000));
        for (source, lands) in [("", "there/a/f"), ("a/f", "f"), ("*", "a/f"), ("../t*/a", "a/f")] {
            let here = tempfile::tempdir().unwrap();
            let download = fetch(&there.join(source), here.path().into());
            get(&ssh, &download).await.unwrap();
            let arrived = std::fs::read(here.path().join(lands)).unwrap();
            assert!(arrived == "line\n".repeat(100_000).into_bytes(), "{source}");
        }
        let log = std::fs::read_to_string(tools.path().join("log")).unwrap();
        assert_eq!(log.lines().count(), 4, "{packer}");
        // What breaks while it is packed does not count as whole.
        let broken = tools.path().join(packer);
        drop(std::fs::remove_file(&broken));
        std::fs::write(&broken, "#!/bin/sh\nhead -c 9000 > /dev/null; exit 1\n").unwrap();
        std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
        for source in ["", "a/f"] {
            let here = tempfile::tempdir().unwrap();
            get(&ssh, &fetch(&there.join(source), here.path().into())).await.unwrap_err();
            assert_eq!(listing(here.path()).len(), 0);
        }
    }
}

#[tokio::test]
async fn a_damaged_file_of_an_upload_is_named_and_what_was_made_is_gone() {
    let damage = "REAL \"$@\" || exit; case $1 in -x) printf X | dd of='bin/run me' conv=notrunc 2>/dev/null ;; esac";
    let (Some(server), _tools) = server_with(&all(), &[("tar", damage)]) else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let upload = upload_of(rich_tree(), "x", at(&folder, "new/x"), true);
    let error = send(&ssh, &upload).await.unwrap_err().to_string();
    assert!(error.ends_with("SHA-256 differs for `bin/run me`"), "{error}");
    assert!(!folder.path().join("new/x").exists());
    // What others made stays.
    std::fs::create_dir(folder.path().join("old")).unwrap();
    std::fs::write(folder.path().join("old/kept"), "").unwrap();
    let upload = upload_of(rich_tree(), "x", at(&folder, "old"), true);
    send(&ssh, &upload).await.unwrap_err();
    assert!(folder.path().join("old/kept").exists());
}

#[tokio::test]
async fn what_an_upload_made_is_gone_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::write(&source, "planned").unwrap();
    let one = read_tree(&source).unwrap();
    std::fs::write(&source, "changed").unwrap();
    let changed = one.entries.get("").unwrap().clone();
    let directory = Entry::Directory { mode: 0o755 };
    let tree = [(String::new(), directory), ("a".into(), file(b"a", 0o644)), ("f".into(), changed)];
    let tree = Tree { entries: tree.into() };
    let full = [("tee", "head -c 9 > \"$1\"; echo 'No space left on device' >&2; exit 1")];
    let (Some(server), _tools) = server_with(&all(), &full) else { return };
    let Some(plain) = openssh::start("") else { return };
    for server in [server, plain] {
        let ssh = server.connect().await;
        for (tree, name) in [(&one, "one"), (&tree, "tree")] {
            let place = folder.path().join("there").join(name);
            let upload = upload_of(tree.clone(), "x", place.display().to_string(), true);
            send(&ssh, &upload).await.unwrap_err();
            assert!(!place.exists(), "{name}");
        }
        // A file that was there is not taken away.
        let place = folder.path().join("kept");
        std::fs::write(&place, "kept").unwrap();
        let upload = upload_of(one.clone(), "x", place.display().to_string(), true);
        send(&ssh, &upload).await.unwrap_err();
        assert!(place.exists());
    }
}

#[tokio::test]
async fn a_destination_that_cannot_be_written_is_told() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let there = there(folder.path(), "text");
    std::fs::write(folder.path().join("file"), "").unwrap();
    for source in ["", "a/f", "*"] {
        let download = fetch(&there.join(source), folder.path().join("file/x"));
        let error = get(&ssh, &download).await.unwrap_err();
        assert!(matches!(error, CommunicatorError::Write { .. }), "{error}");
    }
    // A directory where a file belongs, and the other way round.
    let here = folder.path().join("here");
    std::fs::create_dir_all(here.join("there/other")).unwrap();
    let error = get(&ssh, &fetch(&there, here.clone())).await.unwrap_err();
    assert!(error.to_string().contains("here/there/other"), "{error}");
    std::fs::remove_dir_all(&here).unwrap();
    std::fs::create_dir_all(here.join("there")).unwrap();
    std::fs::write(here.join("there/a"), "").unwrap();
    let error = get(&ssh, &fetch(&there, here.clone())).await.unwrap_err();
    assert!(error.to_string().contains("not a directory is in the way"), "{error}");
}

#[tokio::test]
async fn hard_links_arrive_and_are_compared() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let there = there(folder.path(), "text");
    std::fs::hard_link(there.join("a/f"), there.join("g")).unwrap();
    let here = folder.path().join("here");
    let report = get(&ssh, &fetch(&there, here.clone())).await.unwrap();
    assert_eq!(report, DownloadReport { bytes: 9, files: 2 });
    for name in ["a/f", "g"] {
        assert_eq!(
            Digest::of(&std::fs::read(here.join("there").join(name)).unwrap()),
            Digest::of(b"text")
        );
    }
}
