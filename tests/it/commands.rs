//! The small commands: what they print, what they write, how they end.

use std::ffi::OsStr;
use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::support::{Outcome, Running, Workspace};

const UNTIDY: &str = "a=1 # one\nbbb = 2\n";
const TIDY: &str = "a   = 1 # one\nbbb = 2\n";

/// Runs bake in the workspace's directory.
fn bake(workspace: &Workspace, arguments: &[&str], input: &str) -> Outcome {
    let mut stdin = tempfile::tempfile().expect("temporary file");
    stdin.write_all(input.as_bytes()).expect("write input");
    stdin.rewind().expect("rewind input");
    let mut command = workspace.command(arguments);
    command.current_dir(workspace.path()).stdin(stdin);
    Running::start(command).finish()
}

fn read(workspace: &Workspace, name: &str) -> String {
    fs::read_to_string(workspace.path().join(name)).expect("a text")
}

#[test]
fn fmt_writes_what_changes_and_names_it() {
    let workspace = Workspace::new();
    let path = workspace.write("a.pkr.hcl", UNTIDY);
    workspace.write("tidy.pkrvars.hcl", TIDY);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    std::os::unix::fs::symlink("a.pkr.hcl", workspace.path().join("link.hcl")).expect("link");
    let outcome = bake(&workspace, &["fmt", "link.hcl", "tidy.pkrvars.hcl"], "").expect(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("link.hcl\n", ""));
    assert_eq!(read(&workspace, "a.pkr.hcl"), TIDY);
    assert!(workspace.path().join("link.hcl").is_symlink());
    assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o640);
    assert_eq!(bake(&workspace, &["fmt", "a.pkr.hcl"], "").expect(0).stdout, "");
}

#[test]
fn fmt_only_tells_when_it_checks() {
    let workspace = Workspace::new();
    workspace.write("a.pkr.hcl", UNTIDY);
    let outcome = bake(&workspace, &["fmt", "-check", "-diff", "a.pkr.hcl"], "").expect(3);
    assert_snapshot!(outcome.stdout, @"
    a.pkr.hcl
    --- old/a.pkr.hcl
    +++ new/a.pkr.hcl
    @@ -1,2 +1,2 @@
    -a=1 # one
    +a   = 1 # one
     bbb = 2
    ");
    let outcome = bake(&workspace, &["fmt", "-write=false", "a.pkr.hcl"], "").expect(0);
    assert_eq!(outcome.stdout, "a.pkr.hcl\n");
    assert_eq!(read(&workspace, "a.pkr.hcl"), UNTIDY);
    workspace.write("a.pkr.hcl", TIDY);
    bake(&workspace, &["fmt", "-check", "a.pkr.hcl"], "").expect(0);
}

#[test]
fn fmt_goes_through_directories() {
    let workspace = Workspace::new();
    let inside = ["a.pkr.hcl", "b.pkrvars.hcl", "deep/c.pkr.hcl"];
    let outside = ["x.hcl", "x.json", ".h.pkr.hcl", "#x.pkr.hcl#", "y.pkr.hcl~", ".git/z.pkr.hcl"];
    for name in inside.iter().chain(&outside) {
        workspace.write(name, UNTIDY);
    }
    let outcome = bake(&workspace, &["fmt", "-write=false", "."], "").expect(0);
    assert_eq!(outcome.stdout, "./a.pkr.hcl\n./b.pkrvars.hcl\n");
    let outcome = bake(&workspace, &["fmt", "-recursive", "."], "").expect(0);
    assert_eq!(outcome.stdout, "./a.pkr.hcl\n./b.pkrvars.hcl\n./deep/c.pkr.hcl\n");
    for name in inside {
        assert_eq!(read(&workspace, name), TIDY);
    }
    for name in outside {
        assert_eq!(read(&workspace, name), UNTIDY);
    }
    let left: Vec<_> = fs::read_dir(workspace.path()).expect("directory").flatten().collect();
    assert!(!left.iter().any(|one| one.file_name().to_string_lossy().contains("bake-fmt")));
}

#[test]
fn fmt_is_a_filter() {
    let workspace = Workspace::new();
    assert_eq!(bake(&workspace, &["fmt", "-"], UNTIDY).expect(0).stdout, TIDY);
    assert_eq!(bake(&workspace, &["fmt", "-"], TIDY).expect(0).stdout, TIDY);
    assert_eq!(bake(&workspace, &["fmt", "-check", "-"], UNTIDY).expect(3).stdout, "");
    assert_eq!(bake(&workspace, &["fmt", "-check", "-"], TIDY).expect(0).stdout, "");
    let outcome = bake(&workspace, &["fmt", "-"], "a = [\n").expect(1);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("`[` is never closed"), "{}", outcome.stderr);
}

#[test]
fn fmt_leaves_what_it_cannot_read_and_does_the_rest() {
    let workspace = Workspace::new();
    let broken = "a = [1\n";
    workspace.write("a.pkr.hcl", broken);
    workspace.write("b.pkr.hcl", UNTIDY);
    workspace.write("c.json", "{}");
    let arguments = ["fmt", "a.pkr.hcl", "c.json", "gone", "b.pkr.hcl"];
    let outcome = bake(&workspace, &arguments, "").expect(1);
    assert_eq!(outcome.stdout, "b.pkr.hcl\n");
    assert_snapshot!(outcome.stderr, @"
    error[unclosed-bracket]: `[` is never closed
     --> a.pkr.hcl:1:5
      |
    1 | a = [1
      |     ^ opened here
      |
      = help: close it with `]`

    error[unknown-format]: `c.json` is no HCL file by its name
     |
     = help: only `*.pkr.hcl`, `*.pkrvars.hcl` and other `*.hcl` files have a layout

    error[unreadable]: cannot read `gone`: No such file or directory (os error 2)
     |
     = help: check the path
    ");
    assert_eq!(read(&workspace, "a.pkr.hcl"), broken);
    assert_eq!(read(&workspace, "b.pkr.hcl"), TIDY);
    let none: [&OsStr; 1] = [OsStr::new("fmt")];
    workspace.bake(none).expect(2);
}
