//! The small commands: what they print, what they write, how they end.

mod plugins;
mod validate;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::support::{Outcome, Running, Workspace, repository};

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

const TEMPLATE: &str = r#"
variable "zeta" {
  type    = string
  default = "z\n\"q\""
}
variable "numbers" {
  default = { b = 1, a = [2] }
}
variable "secret" {
  default   = "hunter2"
  sensitive = true
}
variable "unset" {
  type = string
}
locals {
  upper = upper("x${var.secret}")
  later = "${var.unset}!"
  none  = null
}
source "null" "one" {
  communicator = "none"
}
build {
  name        = "web"
  description = "A build\nof things"
  sources     = ["source.null.one"]
  provisioner "shell-local" {
    inline = ["true"]
  }
  provisioner "shell-local" {
    name   = "named"
    inline = ["true"]
  }
}
build {
  source "null.one" {
    name = "renamed"
  }
}
"#;

const LEGACY: &str = r#"{
  "description": "Hello",
  "variables": {"req": null, "opt": "1", "longer_name": "{{env `HOME`}}", "sec": "hunter2"},
  "sensitive-variables": ["sec"],
  "builders": [
    {"type": "null", "communicator": "none"},
    {"type": "file", "name": "f", "content": "x", "target": "y"}
  ],
  "provisioners": [{"type": "shell-local", "inline": ["true"]}]
}"#;

#[test]
fn fmt_does_not_change_the_hash() {
    let workspace = Workspace::new();
    let templates = repository().join("templates");
    let tidy = fs::read_to_string(templates.join("quickstart.pkr.hcl")).expect("a template");
    for file in fs::read_dir(templates.join("quickstart")).expect("directory").flatten() {
        let name = format!("quickstart/{}", file.file_name().to_string_lossy());
        workspace.write(&name, fs::read(file.path()).expect("a file"));
    }
    let untidy = tidy.replace(" = ", "   =").replace("  ", "     ").replace("# ", "   # ");
    workspace.write("t.pkr.hcl", &untidy);
    let hash = || bake(&workspace, &["hash", "t.pkr.hcl"], "").expect(0).stdout;
    let before = hash();
    let outcome = bake(&workspace, &["fmt", "t.pkr.hcl"], "").expect(0);
    assert_eq!(outcome.stdout, "t.pkr.hcl\n");
    assert_ne!(read(&workspace, "t.pkr.hcl"), untidy);
    assert_eq!(hash(), before);
}

#[test]
fn inspect_shows_variables_locals_and_builds() {
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", TEMPLATE);
    let outcome = bake(&workspace, &["inspect", "t.pkr.hcl"], "").expect(0);
    assert_eq!(outcome.stderr, "");
    assert_snapshot!(outcome.stdout, @r#"
    Packer Inspect: HCL2 mode

    > input-variables:

    var.numbers: "{\n  \"a\" = [\n    2,\n  ]\n  \"b\" = 1\n}"
    var.secret: "<sensitive>"
    var.unset: "<unknown>"
    var.zeta: "z\n\"q\""

    > local-variables:

    local.later: "<unknown>"
    local.none: "null"
    local.upper: "<sensitive>"

    > builds:

      > web:

      > Description: A build
    of things

        sources:

          null.one

        provisioners:

          shell-local
          shell-local.named

        post-processors:

          <no post-processor>

      > <unnamed build 1>:

        sources:

          null.one

        provisioners:

          <no provisioner>

        post-processors:

          <no post-processor>
    "#);
    let outcome = bake(&workspace, &["inspect", "-var", "unset=given", "t.pkr.hcl"], "").expect(0);
    assert!(outcome.stdout.contains("\nvar.unset: \"given\"\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\nlocal.later: \"given!\"\n"), "{}", outcome.stdout);
}

#[test]
fn inspect_shows_legacy_templates_as_they_are_written() {
    let workspace = Workspace::new();
    workspace.write("t.json", LEGACY);
    let outcome = bake(&workspace, &["inspect", "t.json"], "").expect(0);
    assert_eq!(outcome.stderr, "");
    assert_snapshot!(outcome.stdout, @"
    Packer Inspect: JSON mode
    Description:

    Hello

    Required variables:

      req

    Optional variables and their defaults:

      longer_name = {{env `HOME`}}
      opt         = 1
      sec         = <sensitive>

    Builders:

      f    (file)
      null

    Provisioners:

      shell-local

    Note: If your build names contain user variables or template
    functions such as 'timestamp', these are processed at build time,
    and therefore only show in their raw form here.
    ");
}

#[test]
fn inspect_shows_what_can_be_known_of_a_template_with_errors() {
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", "locals {\n  a = 1\n  b = nope(1)\n  c = local.b\n}\n");
    let outcome = bake(&workspace, &["inspect", "t.pkr.hcl"], "").expect(0);
    let locals = "local.a: \"1\"\nlocal.b: \"<unknown>\"\nlocal.c: \"<unknown>\"\n";
    assert!(outcome.stdout.contains(locals), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("`nope`"), "{}", outcome.stderr);
    workspace.write("t.pkr.hcl", "locals {\n");
    let outcome = bake(&workspace, &["inspect", "t.pkr.hcl"], "").expect(1);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("`{` is never closed"), "{}", outcome.stderr);
}

#[test]
fn inspect_needs_no_template() {
    let workspace = Workspace::new();
    let outcome = bake(&workspace, &["inspect"], "").expect(0);
    assert_eq!(
        outcome.stdout,
        "Packer Inspect: HCL2 mode\n\n> input-variables:\n\n\n> local-variables:\n\n\n> builds:\n\n"
    );
    let outcome = bake(&workspace, &["inspect", "-config-type=json"], "").expect(0);
    assert!(outcome.stdout.contains("\nBuilders:\n\n  null\n"), "{}", outcome.stdout);
}

#[test]
fn console_prints_the_value_of_the_last_line_of_a_pipe() {
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", TEMPLATE);
    let console = |input: &str| bake(&workspace, &["console", "t.pkr.hcl"], input);
    assert_eq!(console("1\n\nvar.zeta\n").expect(0).stdout, "z\n\"q\"\n");
    assert_eq!(console("upper(\"é\") # comment").expect(0).stdout, "É\n");
    assert_eq!(console("1\nexit\n2\n").expect(0).stdout, "1\n");
    assert_eq!(console("").expect(0).stdout, "");
    assert_eq!(console("var.unset\n").expect(0).stdout, "<unknown>\n");
    assert_eq!(console("local.none\n").expect(0).stdout, "null\n");
    for secret in ["var.secret", "local.upper", "\"${var.secret}\"", "upper(var.secret)"] {
        assert_eq!(console(secret).expect(0).stdout, "<sensitive>\n");
    }
    assert_snapshot!(console("[var.numbers, var.secret, var.unset, [], \"a${1}\\n\"]").expect(0).stdout, @r#"
    [
      {
        "a" = [
          2,
        ]
        "b" = 1
      },
      <sensitive>,
      <unknown>,
      [],
      "a1\n",
    ]
    "#);
    assert_snapshot!(console("variables").expect(0).stdout, @r#"
    > input-variables:

    var.numbers: "{\n  \"a\" = [\n    2,\n  ]\n  \"b\" = 1\n}"
    var.secret: "<sensitive>"
    var.unset: "<unknown>"
    var.zeta: "z\n\"q\""

    > local-variables:

    local.later: "<unknown>"
    local.none: "null"
    local.upper: "<sensitive>"
    "#);
    assert!(console("help").expect(0).stdout.contains("Ctrl-C on an empty line"));
}

#[test]
fn console_says_what_is_wrong_with_a_line() {
    let workspace = Workspace::new();
    let outcome = bake(&workspace, &["console"], "1\nvar.nope\n").expect(1);
    assert_eq!(outcome.stdout, "");
    assert_snapshot!(outcome.stderr, @r#"
    error[unknown-variable]: unknown variable `nope`
     --> <console>:1:5
      |
    1 | var.nope
      |     ^^^^ not declared
      |
      = help: declare it with `variable "nope" {}`
    "#);
    let outcome = bake(&workspace, &["console"], "1 +\n2\n").expect(1);
    assert_eq!(outcome.stdout, "2\n");
    bake(&workspace, &["console", "gone.pkr.hcl"], "1\n").expect(1);
}

#[test]
fn console_renders_texts_for_legacy_templates() {
    let workspace = Workspace::new();
    workspace.write("t.json", LEGACY);
    let console = |input: &str| bake(&workspace, &["console", "t.json"], input);
    assert_eq!(console("{{user `opt`}}-{{upper `a`}}\n").expect(0).stdout, "1-A\n");
    assert_eq!(console("{{user `sec`}}\n").expect(0).stdout, "<sensitive>\n");
    assert!(console("variables\n").expect(0).stdout.contains("sec         = <sensitive>"));
    assert!(console("{{\n").expect(1).stderr.contains("this action is not closed"));
    let outcome = bake(&workspace, &["console", "-config-type=json"], "{{isotime `x`}}").expect(0);
    assert_eq!(outcome.stdout, "x\n");
}

/// A terminal with bake in it.
struct Terminal {
    screen: fs::File,
    /// What was written since the last text that was waited for.
    seen: Vec<u8>,
    child: std::process::Child,
}

impl Terminal {
    fn start(mut command: std::process::Command) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&screen).expect("a terminal");
        unlockpt(&screen).expect("a terminal");
        let name = ptsname(&screen, Vec::new()).expect("a terminal").into_string().expect("UTF-8");
        let open = || fs::File::options().read(true).write(true).open(&name).expect("a terminal");
        let child = command
            .env("TERM", "xterm")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .expect("start bake");
        Self { screen: screen.into(), seen: Vec::new(), child }
    }

    /// Types keys.
    fn type_keys(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("type");
    }

    /// Reads until `text` is written.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        loop {
            let found = self.seen.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                self.seen.drain(..at + text.len());
                return;
            }
            // The terminal of a process that has ended cannot be read.
            let length = self.screen.read(&mut buffer).unwrap_or(0);
            let seen = String::from_utf8_lossy(&self.seen);
            assert!(length > 0, "bake ended before {text:?}: {seen:?}");
            self.seen.extend_from_slice(&buffer[..length]);
        }
    }

    fn end(mut self) -> Option<i32> {
        self.child.wait().expect("wait for bake").code()
    }
}

#[test]
fn console_edits_lines_on_a_terminal() {
    // Drawn when the line can be edited.
    const PROMPT: &str = "\r\x1b[K> ";
    const UP: &str = "\x1b[A";
    const CONTROL_C: &str = "\x03";
    const CONTROL_D: &str = "\x04";
    let workspace = Workspace::new();
    let mut terminal = Terminal::start(workspace.command(["console"]));
    terminal.wait_for(PROMPT);
    terminal.type_keys("20 + 3\r");
    terminal.wait_for("\r\n23\r\n");
    terminal.wait_for(PROMPT);
    terminal.type_keys(&format!("{UP}4\r"));
    terminal.wait_for("\r\n54\r\n");
    terminal.wait_for(PROMPT);
    terminal.type_keys("nope\r");
    terminal.wait_for("text is `\"nope\"`");
    terminal.wait_for(PROMPT);
    terminal.type_keys(&format!("half a line{CONTROL_C}\"o\" == \"o\"\r"));
    terminal.wait_for("\r\ntrue\r\n");
    terminal.wait_for(PROMPT);
    terminal.type_keys(CONTROL_C);
    assert_eq!(terminal.end(), Some(0));
    for leave in ["exit\r", CONTROL_D] {
        let mut terminal = Terminal::start(workspace.command(["console"]));
        terminal.wait_for(PROMPT);
        terminal.type_keys(leave);
        assert_eq!(terminal.end(), Some(0));
    }
}
