//! Files and directories arrive as they are.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Outcome, Workspace, quoted, root, shell, template};

/// Lists a directory: kind, mode, path and target of everything in it, and the digests of files.
const LISTING: &str = r"cd -- %s && find . -mindepth 1 -printf 'entry %%y %%m %%p %%l\n' && find . -type f -exec sha256sum {} +";

/// The listing command for a directory.
fn listing(directory: &str) -> String {
    LISTING.replace("%s", &format!("'{directory}'")).replace("%%", "%")
}

/// The lines of a listing. What links are allowed to do differs, so their mode is left out.
fn entries<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let is_digest =
        |line: &str| line.len() > 66 && line.as_bytes()[..64].iter().all(u8::is_ascii_hexdigit);
    lines
        .into_iter()
        .filter(|line| line.starts_with("entry ") || is_digest(line))
        .map(|line| line.trim_end().replace("entry l 777", "entry l"))
        .collect()
}

fn here(directory: &Path) -> BTreeSet<String> {
    let command = listing(directory.to_str().expect("UTF-8"));
    let output = Command::new("sh").args(["-c", &command]).output().expect("list");
    assert!(output.status.success());
    entries(String::from_utf8(output.stdout).expect("UTF-8").lines())
}

fn there(outcome: &Outcome) -> BTreeSet<String> {
    entries(outcome.lines_of("amazon-ebs.t"))
}

fn upload(source: &Path, slash: &str, destination: &str) -> String {
    let source = quoted(&format!("{}{slash}", source.display()));
    format!(
        "provisioner \"file\" {{\n    source = {source}\n    destination = {}\n  }}\n",
        quoted(destination)
    )
}

/// A directory with everything that is easily lost on the way.
fn difficult(workspace: &Workspace) -> std::path::PathBuf {
    let directory = workspace.path().join("payload");
    let megabytes: Vec<u8> =
        (0..20_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for (name, mode, bytes) in [
        ("plain", 0o644, &b"text\n"[..]),
        ("program", 0o755, b"#!/bin/sh\n"),
        ("secret", 0o600, b"s"),
        ("read-only", 0o444, b"r"),
        ("empty", 0o640, b""),
        ("with blanks  in it", 0o644, b"1"),
        ("größe-日本語", 0o644, b"2"),
        ("-leading-dash", 0o644, b"3"),
        ("--", 0o644, b"4"),
        ("it's \"quoted\" `so` $HOME", 0o644, b"5"),
        (".hidden", 0o644, b"6"),
        ("back\\slash", 0o644, b"7"),
        ("bytes", 0o644, b"\0\r\n\x1a\xff\xfe\r"),
        ("twenty megabytes", 0o644, &megabytes),
        ("sub/sub/deep", 0o644, b"8"),
    ] {
        let path = workspace.write(&format!("payload/{name}"), bytes);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("set mode");
    }
    for (name, mode) in [("empty directory", 0o755), ("private", 0o700)] {
        fs::create_dir(directory.join(name)).expect("make directory");
        fs::set_permissions(directory.join(name), Permissions::from_mode(mode)).expect("set mode");
    }
    symlink("sub/sub/deep", directory.join("link")).expect("link");
    symlink("sub", directory.join("link to directory")).expect("link");
    symlink("nowhere/at all", directory.join("dangling")).expect("link");
    directory
}

#[test]
fn a_directory_arrives_byte_by_byte() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let directory = difficult(&workspace);
    let steps = upload(&directory, "/", "/tmp/app") + &shell(&listing("/tmp/app"));
    let outcome = workspace.build(workspace.write("t.pkr.hcl", template(&steps))).expect(0);
    let here = here(&directory);
    assert!(here.len() > 30);
    pretty_eq(&there(&outcome), &here);
}

/// Fails with what is missing and what is too much.
#[track_caller]
fn pretty_eq(there: &BTreeSet<String>, here: &BTreeSet<String>) {
    let missing: Vec<_> = here.difference(there).collect();
    let more: Vec<_> = there.difference(here).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing: {missing:#?}\nmore: {more:#?}");
}

#[test]
fn without_a_slash_at_its_end_the_directory_itself_arrives() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    workspace.write("payload/one", "1");
    workspace.write("payload/sub/two", "2");
    let source = workspace.path().join("payload");
    let steps = shell("mkdir /tmp/into")
        + &upload(&source, "", "/tmp")
        + &upload(&source, "", "/tmp/into/")
        + &upload(&source, "/", "/tmp/spread")
        + &upload(&source, "", "/tmp/new")
        + &shell("cd /tmp && find payload into spread new -type f | sort | sed 's/^/found /'");
    let outcome = workspace.build(workspace.write("t.pkr.hcl", template(&steps))).expect(0);
    let found: Vec<_> = outcome
        .lines_of("amazon-ebs.t")
        .iter()
        .filter_map(|line| line.strip_prefix("found "))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        found,
        [
            "into/payload/one",
            "into/payload/sub/two",
            // As with scp: what is not there yet takes the directory's place.
            "new/one",
            "new/sub/two",
            "payload/one",
            "payload/sub/two",
            "spread/one",
            "spread/sub/two"
        ]
    );
}

#[test]
fn files_and_content_go_where_the_destination_says() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let program = workspace.write("program", "#!/bin/sh\necho ran as $(id -un)\n");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("set mode");
    let steps = upload(&program, "", "/tmp/renamed")
        + &upload(&program, "", "/tmp/")
        + "provisioner \"file\" {\n    content = \"line ${1 + 1}\\n\"\n    destination = \"/tmp/content\"\n  }\n"
        + &shell(
            "/tmp/renamed && sudo /tmp/program && stat -c '%a %U %s' /tmp/content && cat /tmp/content",
        );
    let outcome = workspace.build(workspace.write("t.pkr.hcl", template(&steps))).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    for line in ["ran as admin", "ran as root", "644 admin 7", "line 2"] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
    }
}

#[test]
fn a_place_that_the_login_user_may_not_write_is_said() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let file = workspace.write("file", "x");
    let path = workspace.write("t.pkr.hcl", template(&upload(&file, "", "/etc/file")));
    let outcome = workspace.build(path).expect(1);
    assert!(outcome.stdout.contains("/etc/file"), "{}", outcome.stdout);
    assert!(outcome.stdout.to_lowercase().contains("permission denied"), "{}", outcome.stdout);
    workspace.assert_nothing_runs();
}

#[test]
fn a_source_that_changes_after_planning_is_not_sent() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let file = workspace.write("file", "as planned");
    let path = workspace.write(
        "t.pkr.hcl",
        template(&(shell("echo ready; sleep 2") + &upload(&file, "", "/tmp/file"))),
    );
    let mut running = crate::support::Running::start(workspace.building(&[], path));
    running.wait_for("ready");
    workspace.write("file", "as changed");
    let outcome = running.finish().expect(1);
    assert!(outcome.stdout.contains("changed"), "{}", outcome.stdout);
}
