//! A state directory that cannot be written: nothing is made that would not be known.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Endpoint, Running, Workspace, quoted, root, shell, template, template_with};

/// A file system of its own for the state directory, unmounted at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn new(workspace: &Workspace, options: &str) -> Self {
        let directory = workspace.path().join("state");
        std::fs::create_dir_all(&directory).expect("make directory");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&directory));
        Self(directory)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().expect("start a command").success(), "{command:?}");
}

#[test]
fn without_room_for_a_ledger_nothing_is_made() {
    if !root("mounting") {
        return;
    }
    for (options, reason) in [("size=64k", "KiB are free there"), ("ro", "Read-only file system")] {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        let path = workspace.write("t.pkr.hcl", template(&shell("true")));
        let _mounted = Mounted::new(&workspace, options);
        let refused = endpoint.build(&workspace, &[], &path).expect(1);
        assert!(refused.stderr.contains("the ledger in"), "{options}: {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{options}: {}", refused.stderr);
        assert_eq!(endpoint.instances(), [], "{options}");
        endpoint.assert_only_images();
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_build_loses_nothing() {
    if !root("mounting") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let mounted = Mounted::new(&workspace, "size=2m");
    let fill = mounted.path().join("fill");
    let filling = format!("head -c 8M /dev/zero > {} || true", fill.display());
    let step =
        format!("provisioner \"shell-local\" {{\n    inline = [{}]\n  }}\n", quoted(&filling));
    // What is recorded before the image is made has to need more room than the file has already.
    let tags: String = (0..30).map(|n| format!("    k{n} = \"{}\"\n", "v".repeat(200))).collect();
    let options = format!("source_ami = \"ami-12345678\"\n  tags = {{\n{tags}  }}");
    let path = workspace.write("t.pkr.hcl", template_with(&options, &step));
    let failed = endpoint.build(&workspace, &[], &path).expect(1);
    assert!(failed.stdout.contains("the ledger cannot be written"), "{}", failed.stdout);
    assert!(failed.stdout.contains("Terminated instance"), "{}", failed.stdout);
    assert!(endpoint.images().is_empty());
    endpoint.assert_only_images();
    // That all is gone could not be recorded; with room again, it is found out.
    std::fs::remove_file(&fill).expect("make room");
    let gc = Running::start(endpoint.used_by(workspace.command(["gc"]))).finish().expect(0);
    assert!(gc.stdout.contains("Nothing is left"), "{}", gc.stdout);
    let runs = workspace.path().join("state/bake/runs");
    let open = std::fs::read_dir(runs).expect("is there").flatten();
    let open: Vec<_> =
        open.filter(|entry| entry.path().extension() != Some("done".as_ref())).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// A build that was killed while it had everything.
struct Killed {
    workspace: Workspace,
    endpoint: Endpoint,
    ledger: PathBuf,
    text: Vec<u8>,
}

impl Killed {
    fn new() -> Self {
        Self::in_a(Workspace::new())
    }

    fn in_a(workspace: Workspace) -> Self {
        let endpoint = Endpoint::start(&workspace, &[]);
        let path = workspace.write("t.pkr.hcl", template(&shell("echo begun; sleep 300")));
        let mut command = workspace.command(["build"]);
        command.arg(path);
        let mut running = Running::start(endpoint.used_by(command));
        running.wait_for(": begun");
        running.signal(rustix::process::Signal::KILL);
        running.finish().expect(137);
        let runs = workspace.path().join("state/bake/runs");
        let entry = std::fs::read_dir(runs).expect("is there").next().expect("a ledger");
        let ledger = entry.expect("is read").path();
        let text = std::fs::read(&ledger).expect("is read");
        Self { workspace, endpoint, ledger, text }
    }

    /// Writes the ledger anew, as something that nobody writes to for a while.
    fn becomes(&self, text: &[u8]) {
        std::fs::write(&self.ledger, text).expect("is written");
        let file = std::fs::File::options().write(true).open(&self.ledger).expect("is there");
        let before =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        file.set_modified(before).expect("is set");
    }

    #[track_caller]
    fn gc(&self, options: &[&str]) -> crate::support::Outcome {
        let mut command = self.workspace.command(["gc"]);
        command.args(options);
        Running::start(self.endpoint.used_by(command)).finish()
    }

    /// What gc would remove.
    #[track_caller]
    fn found(&self, what: &str) -> Vec<String> {
        let listed = self.gc(&["-dry-run", "-json"]);
        assert_eq!(listed.code, 3, "{what}:\n{}{}", listed.stdout, listed.stderr);
        let report: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let left = report["left"].as_array().expect("a list");
        let mut kinds: Vec<_> =
            left.iter().map(|one| one["kind"].as_str().expect("a kind").to_owned()).collect();
        kinds.sort();
        // Its tags tell of it where the ledger does not tell of its instance.
        kinds.retain(|kind| kind != "volume");
        kinds
    }
}

#[test]
fn a_collection_that_cannot_be_recorded_removes_nothing() {
    if !root("mounting") {
        return;
    }
    let workspace = Workspace::new();
    let mounted = Mounted::new(&workspace, "size=4m");
    let killed = Killed::in_a(workspace);
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(mounted.path()));
    let gc = killed.gc(&[]).expect(1);
    assert!(gc.stderr.contains("cannot be written: Read-only file system"), "{}", gc.stderr);
    let (_, state) = killed.endpoint.instances().remove(0);
    assert_eq!(state, aws_sdk_ec2::types::InstanceStateName::Running);
    run(Command::new("mount").args(["-o", "remount,rw"]).arg(mounted.path()));
    let gc = killed.gc(&[]).expect(0);
    assert!(gc.stdout.contains("Nothing is left"), "{}", gc.stdout);
    killed.endpoint.assert_only_images();
    // Before the workspace that it is in.
    drop(mounted);
}

#[test]
fn a_ledger_that_was_cut_or_garbled_anywhere_loses_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let killed = Killed::new();
    let all = ["instance", "key-pair", "lease", "security-group"];
    assert_eq!(killed.found("the whole ledger"), all);
    let text = &killed.text;
    let ends: Vec<_> = (0..text.len()).filter(|at| text[*at] == b'\n').map(|at| at + 1).collect();
    let mut damaged = vec![("nothing".to_owned(), Vec::new())];
    let mut start = 0;
    for (number, end) in ends.iter().enumerate() {
        let number = number + 1;
        for (what, cut) in
            [("after", *end), ("within", (start + end) / 2), ("at the end of", end - 1)]
        {
            damaged.push((format!("cut {what} line {number}"), text[..cut].to_vec()));
        }
        for garbage in [&b"\0\0\0\0\n"[..], b"{\"event\":\"intent\",\"ent\n", b"\xff\xfe\xfd\n"] {
            let garbled = [&text[..start], garbage, &text[*end..]].concat();
            damaged.push((format!("line {number} garbled"), garbled));
        }
        start = *end;
    }
    let every = if std::env::var_os("BAKE_TEST_ALL").is_some() { 3 } else { 9 };
    for (what, text) in damaged.iter().step_by(every) {
        killed.becomes(text);
        assert_eq!(killed.found(what), all, "{what}");
    }
    // In earnest, where only the tags tell: all that the ledger says is that there was a run.
    killed.becomes(&text[..ends[0]]);
    let collected = killed.gc(&[]).expect(0);
    assert!(collected.stdout.contains("Nothing is left"), "{}", collected.stdout);
    killed.endpoint.assert_only_images();
    let path = killed.workspace.path().join("t.pkr.hcl");
    std::fs::write(&path, template(&shell("true"))).expect("is written");
    killed.endpoint.build(&killed.workspace, &[], &path).expect(0);
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone_and_nothing_of_its_run_is_removed() {
    if !root("building in the sandbox") {
        return;
    }
    let killed = Killed::new();
    let newer = String::from_utf8(killed.text.clone()).expect("UTF-8");
    killed.becomes(newer.replacen("\"version\":2", "\"version\":99", 1).as_bytes());
    let refused = killed.gc(&[]).expect(1);
    for words in ["is left alone", "version 99", "use the bake that wrote it"] {
        assert!(refused.stderr.contains(words), "no {words} in\n{}", refused.stderr);
    }
    assert!(!refused.stdout.contains("Removed"), "{}", refused.stdout);
    // Others go on meanwhile.
    let path = killed.workspace.write("other.pkr.hcl", template(&shell("echo other")));
    killed.endpoint.build(&killed.workspace, &[], &path).expect(0);
    killed.becomes(newer.as_bytes());
    let collected = killed.gc(&[]).expect(0);
    assert!(collected.stdout.contains("Nothing is left"), "{}", collected.stdout);
    killed.endpoint.assert_only_images();
}
