//! `-machine-readable`: rows for programs (`packer-core.md` section 6.2).

use std::io::{Seek as _, Write as _};

use insta::assert_snapshot;

use crate::support::{Outcome, Running, Workspace, root, shell, template};

fn bake(workspace: &Workspace, arguments: &[&str], input: &str) -> Outcome {
    let mut stdin = tempfile::tempfile().expect("temporary file");
    stdin.write_all(input.as_bytes()).expect("write input");
    stdin.rewind().expect("rewind input");
    let mut command = workspace.command(arguments);
    command.current_dir(workspace.path()).stdin(stdin);
    Running::start(command).finish()
}

/// Everything that was printed, which has to be rows; without their times.
#[track_caller]
fn rows(outcome: &Outcome) -> String {
    assert_eq!(outcome.stderr, "");
    let row = |line: &str| {
        let (time, rest) = line.split_once(',').unwrap_or_default();
        let seconds: u64 = time.parse().unwrap_or_else(|_| panic!("no row: {line}"));
        assert!(seconds > 1_700_000_000, "{line}");
        format!("{rest}\n")
    };
    outcome.stdout.lines().map(row).collect()
}

const TEMPLATE: &str = r#"
variable "list" {
  default = ["a", "b"]
}
variable "pw" {
  default   = "hunter2"
  sensitive = true
}
locals {
  wrong = var.lst
}
"#;

#[test]
fn texts_and_errors_are_rows() {
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", template(""));
    workspace.write("wrong.pkr.hcl", TEMPLATE);
    workspace.write("untidy.pkr.hcl", "a=1\nbb=2\n");
    let run = |arguments: &[&str], input: &str, code| {
        rows(&bake(&workspace, arguments, input).expect(code))
    };
    assert_eq!(
        run(&["validate", "-machine-readable", "t.pkr.hcl"], "", 0),
        ",ui,say,The configuration is valid.\n"
    );
    let hash = run(&["hash", "t.pkr.hcl", "--machine-readable"], "", 0);
    assert!(hash.starts_with(",ui,say,") && hash.len() == 8 + 64 + 1, "{hash}");
    assert_snapshot!(run(&["-machine-readable", "validate", "wrong.pkr.hcl"], "", 1), @r",ui,error,error[unknown-variable]: unknown variable `lst`\n  --> wrong.pkr.hcl:10:15\n   |\n10 |   wrong = var.lst\n   |               ^^^ not declared\n   |\n   = help: did you mean `list`?");
    let fmt = ["fmt", "-machine-readable", "-check", "-diff", "untidy.pkr.hcl", "gone"];
    assert_snapshot!(run(&fmt, "", 1), @r"
    ,ui,say,untidy.pkr.hcl
    ,ui,say,--- old/untidy.pkr.hcl\n+++ new/untidy.pkr.hcl\n@@ -1%!(PACKER_COMMA)2 +1%!(PACKER_COMMA)2 @@\n-a=1\n-bb=2\n+a  = 1\n+bb = 2
    ,ui,error,error[unreadable]: cannot read `gone`: No such file or directory (os error 2)\n |\n = help: check the path
    ");
    let console = ["console", "-machine-readable", "wrong.pkr.hcl"];
    assert_snapshot!(run(&console, "[var.list, var.pw]\n", 0), @r#"
    ,ui,error,error[unknown-variable]: unknown variable `lst`\n  --> wrong.pkr.hcl:10:15\n   |\n10 |   wrong = var.lst\n   |               ^^^ not declared\n   |\n   = help: did you mean `list`?
    ,ui,say,[\n  [\n    "a"%!(PACKER_COMMA)\n    "b"%!(PACKER_COMMA)\n  ]%!(PACKER_COMMA)\n  <sensitive>%!(PACKER_COMMA)\n]
    "#);
    assert_snapshot!(run(&console, "1 +\n", 1), @r"
    ,ui,error,error[unknown-variable]: unknown variable `lst`\n  --> wrong.pkr.hcl:10:15\n   |\n10 |   wrong = var.lst\n   |               ^^^ not declared\n   |\n   = help: did you mean `list`?
    ,ui,error,error[syntax]: a value is missing after `+`\n --> <console>:1:3\n  |\n1 | 1 +\n  |   ^ not followed by a value
    ");
}

#[test]
fn hcl_templates_are_described_for_people() {
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", template(&shell("true")));
    let outcome = bake(&workspace, &["inspect", "-machine-readable", "t.pkr.hcl"], "").expect(0);
    assert_snapshot!(rows(&outcome), @r",ui,say,Packer Inspect: HCL2 mode\n\n> input-variables:\n\n\n> local-variables:\n\n\n> builds:\n\n  > <unnamed build 0>:\n\n    sources:\n\n      amazon-ebs.t\n\n    provisioners:\n\n      shell\n\n    post-processors:\n\n      <no post-processor>\n");
}

#[test]
fn legacy_templates_are_described_for_programs() {
    let workspace = Workspace::new();
    workspace.write(
        "t.json",
        r#"{
          "variables": {"req": null, "opt": "1,2\n3", "sec": "hunter2"},
          "sensitive-variables": ["sec"],
          "builders": [
            {"type": "null", "communicator": "none"},
            {"type": "file", "name": "f", "content": "x", "target": "y"}
          ],
          "provisioners": [{"type": "shell-local", "inline": ["true"]}]
        }"#,
    );
    let outcome = bake(&workspace, &["inspect", "-machine-readable", "t.json"], "").expect(0);
    assert_snapshot!(rows(&outcome), @r"
    ,template-variable,opt,1%!(PACKER_COMMA)2\n3,0
    ,template-variable,req,,1
    ,template-variable,sec,<sensitive>,0
    ,template-builder,f,file
    ,template-builder,null,null
    ,template-provisioner,shell-local
    ,ui,say,Packer Inspect: JSON mode\nRequired variables:\n\n  req\n\nOptional variables and their defaults:\n\n  opt = 1%!(PACKER_COMMA)2\n3\n  sec = <sensitive>\n\nBuilders:\n\n  f    (file)\n  null\n\nProvisioners:\n\n  shell-local\n\nNote: If your build names contain user variables or template\nfunctions such as 'timestamp'%!(PACKER_COMMA) these are processed at build time%!(PACKER_COMMA)\nand therefore only show in their raw form here.
    ");
}

#[test]
fn a_build_tells_its_artifacts() {
    if !root("builds in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let file = workspace.write("t.pkr.hcl", template(&shell("echo 'one, two'; echo three >&2")));
    let outcome = workspace.build_with(&["-machine-readable"], &file).expect(0);
    let text = rows(&outcome);
    assert!(text.contains(",ui,say,==> amazon-ebs.t: one%!(PACKER_COMMA) two\n"), "{text}");
    assert!(text.contains(",ui,error,==> amazon-ebs.t: three\n"), "{text}");
    let data = |kind: &str| {
        let start = format!("amazon-ebs.t,artifact,0,{kind},");
        let found = text.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {kind} in {text}")).to_owned()
    };
    assert!(text.contains("amazon-ebs.t,artifact-count,1\n"), "{text}");
    assert_eq!(data("builder-id"), "mitchellh.amazonebs");
    let id = data("id");
    assert!(id.starts_with("us-east-1:ami-"), "{id}");
    let string = format!("AMIs were created:\\n{}\\n", id.replace(':', ": "));
    assert!(data("string").starts_with(&string), "{text}");
    assert_eq!(data("files-count"), "0");
    assert!(text.contains("amazon-ebs.t,artifact,0,end\n"), "{text}");
    assert!(!text.contains("error-count") && !text.contains('\u{1b}'), "{text}");

    let failing = workspace.write("f.pkr.hcl", template(&shell("exit 7")));
    let text = rows(&workspace.build_with(&["-machine-readable"], failing).expect(1));
    assert!(text.contains(",error-count,1\n"), "{text}");
    assert!(
        text.contains("amazon-ebs.t,error,Script exited with non-zero exit status: 7"),
        "{text}"
    );
    assert!(!text.contains("artifact-count"), "{text}");
    workspace.assert_nothing_runs();
}
