//! What is found wrong with steps before a build, by component.

use std::fs;
use std::path::Path;

use super::KINDS;
use super::test_support::{findings, plan_text};
use crate::plan::Plan;
use crate::plan::identity::template_hash;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("text.sh", "echo text\n");
    write("site.yml", "- hosts: all\n");
    write("roles/web/tasks/main.yml", "- debug: msg=web\n");
    write("vars/own.yml", "level: debug\n");
    folder
}

/// All findings about a provisioner of this type and body.
fn of(kind: &str, body: &str) -> String {
    findings(folder().path(), &format!("  provisioner \"{kind}\" {{\n{body}\n  }}"), &[])
}

#[test]
fn shell_local_needs_exactly_one_thing_to_run() {
    insta::assert_snapshot!(of("shell-local", "command = \"a\"\nscripts = [\"text.sh\"]"), @r#"
    error[what-to-run]: `command` and `scripts` exclude each other
     --> template.pkr.hcl:5:11
      |
    5 | command = "a"
      |           ^^^

    warning[not-executable]: `text.sh` is not executable
     --> template.pkr.hcl:6:11
      |
    6 | scripts = ["text.sh"]
      |           ^^^^^^^^^^^
      |
      = help: `chmod +x text.sh`, or name an interpreter in `execute_command`
    "#);
    insta::assert_snapshot!(of("shell-local", "command = \"\"\ninline = []\nscript = \"\""), @r#"
    error[what-to-run]: `script` is empty
     --> template.pkr.hcl:7:10
      |
    7 | script = ""
      |          ^^
      |
      = help: a `shell-local` provisioner needs one of `inline`, `script`, `scripts` and `command`
    "#);
}

#[test]
fn shell_local_options_are_checked() {
    insta::assert_snapshot!(of("shell-local", r#"
    script             = "text.sh"
    only_on            = ["linux", "macos"]
    environment_vars   = ["A"]
    env_var_format     = "%s"
    valid_exit_codes   = [-1]
"#), @r#"
    error[wrong-value]: wrong value for `valid_exit_codes`
      --> template.pkr.hcl:10:26
       |
    10 |     valid_exit_codes   = [-1]
       |                          ^^^^ a whole number from 0 to 4294967295 is expected, not -1

    error[wrong-environment]: `A` is not of the form `NAME=VALUE`
     --> template.pkr.hcl:8:27
      |
    8 |     environment_vars   = ["A"]
      |                           ^^^

    error[wrong-format]: wrong format: it must have one `%s` for the name and one for the value
     --> template.pkr.hcl:9:26
      |
    9 |     env_var_format     = "%s"
      |                          ^^^^

    error[wrong-option]: `only_on` cannot be `macos`
     --> template.pkr.hcl:7:26
      |
    7 |     only_on            = ["linux", "macos"]
      |                          ^^^^^^^^^^^^^^^^^^
      |
      = help: one of darwin, freebsd, linux, openbsd, solaris, windows

    warning[not-executable]: `text.sh` is not executable
     --> template.pkr.hcl:6:26
      |
    6 |     script             = "text.sh"
      |                          ^^^^^^^^^
      |
      = help: `chmod +x text.sh`, or name an interpreter in `execute_command`
    "#);
    insta::assert_snapshot!(of("shell-local", r#"
    inline            = ["a"]
    use_linux_pathing = true
    execute_command   = []
    env_var_format    = "%s"
    environment_vars  = ["=b"]
"#), @r#"
    error[wrong-environment]: `=b` has no name before the `=`
      --> template.pkr.hcl:10:26
       |
    10 |     environment_vars  = ["=b"]
       |                          ^^^^

    error[wrong-format]: wrong format: it must have one `%s` for the name and one for the value
     --> template.pkr.hcl:9:25
      |
    9 |     env_var_format    = "%s"
      |                         ^^^^

    error[wrong-value]: `execute_command` names no program
     --> template.pkr.hcl:8:25
      |
    8 |     execute_command   = []
      |                         ^^

    error[what-to-run]: with `use_linux_pathing` only `script` and `scripts` can be run
     --> template.pkr.hcl:7:25
      |
    7 |     use_linux_pathing = true
      |                         ^^^^
    "#);
    insta::assert_snapshot!(of("shell-local", "script = \"text.sh\"\nonly_on = [\"lniux\"]"), @r#"
    error[wrong-option]: `only_on` cannot be `lniux`
     --> template.pkr.hcl:6:11
      |
    6 | only_on = ["lniux"]
      |           ^^^^^^^^^
      |
      = help: did you mean `linux`?

    warning[not-executable]: `text.sh` is not executable
     --> template.pkr.hcl:5:10
      |
    5 | script = "text.sh"
      |          ^^^^^^^^^
      |
      = help: `chmod +x text.sh`, or name an interpreter in `execute_command`
    "#);
    let linux = "command = \"\"\nscript = \"text.sh\"\nuse_linux_pathing = true\nexecute_command = [\"sh\", \"{{.Script}}\"]";
    insta::assert_snapshot!(of("shell-local", linux), @"
    warning[no-effect]: `use_linux_pathing` has no effect: it is for Windows, and bake runs elsewhere
     --> template.pkr.hcl:7:21
      |
    7 | use_linux_pathing = true
      |                     ^^^^
      |
      = help: leave it out
    ");
    let interpreted = "script = \"text.sh\"\nexecute_command = [\"sh\", \"{{.Script}}\"]";
    assert_eq!(of("shell-local", interpreted), "");
    insta::assert_snapshot!(of("shell-local", "script = \"gone.sh\""), @r#"
    error[missing-script]: cannot read `gone.sh`: No such file or directory (os error 2)
     --> template.pkr.hcl:5:10
      |
    5 | script = "gone.sh"
      |          ^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn powershell_options_are_checked() {
    insta::assert_snapshot!(of("powershell", r#"
    inline            = ["a"]
    script            = "text.sh"
    execution_policy  = "Bypass"
    debug_mode        = 3
    elevated_password = "secret"
    env_var_format    = "$env:%s"
"#), @r#"
    error[what-to-run]: `inline` and `script` exclude each other
     --> template.pkr.hcl:6:25
      |
    6 |     inline            = ["a"]
      |                         ^^^^^

    error[wrong-format]: wrong format: it must have one `%s` for the name and one for the value
      --> template.pkr.hcl:11:25
       |
    11 |     env_var_format    = "$env:%s"
       |                         ^^^^^^^^^

    error[missing-option]: `elevated_password` is given without `elevated_user`
      --> template.pkr.hcl:10:25
       |
    10 |     elevated_password = "secret"
       |                         ^^^^^^^^

    error[wrong-option]: `execution_policy` cannot be `Bypass`
     --> template.pkr.hcl:8:25
      |
    8 |     execution_policy  = "Bypass"
      |                         ^^^^^^^^
      |
      = help: did you mean `bypass`?

    error[wrong-value]: there is no trace level 3
     --> template.pkr.hcl:9:25
      |
    9 |     debug_mode        = 3
      |                         ^
      |
      = help: 0 is off, 1 traces lines, 2 traces variables and calls, too
    "#);
}

#[test]
fn windows_shell_options_are_checked() {
    insta::assert_snapshot!(of("windows-shell", r#"
    scripts          = ["roles"]
    environment_vars = ["A"]
    remote_folder    = "c:/"
"#), @r#"
    error[unknown-option]: unknown option `remote_folder`
     --> template.pkr.hcl:8:5
      |
    8 |     remote_folder    = "c:/"
      |     ^^^^^^^^^^^^^ not known here

    error[wrong-environment]: `A` is not of the form `NAME=VALUE`
     --> template.pkr.hcl:7:25
      |
    7 |     environment_vars = ["A"]
      |                         ^^^

    error[wrong-script]: `roles` is a directory
     --> template.pkr.hcl:6:25
      |
    6 |     scripts          = ["roles"]
      |                         ^^^^^^^
    "#);
    insta::assert_snapshot!(of("windows-shell", r#"
    scripts          = ["roles"]
    environment_vars = ["A"]
"#), @r#"
    error[wrong-environment]: `A` is not of the form `NAME=VALUE`
     --> template.pkr.hcl:7:25
      |
    7 |     environment_vars = ["A"]
      |                         ^^^

    error[wrong-script]: `roles` is a directory
     --> template.pkr.hcl:6:25
      |
    6 |     scripts          = ["roles"]
      |                         ^^^^^^^
    "#);
}

#[test]
fn keys_of_the_registry_are_of_no_use_alone() {
    insta::assert_snapshot!(of("windows-restart", "registry_keys = [\"HKLM:x\"]"), @r#"
    warning[no-effect]: `registry_keys` does nothing without `check_registry`
     --> template.pkr.hcl:5:17
      |
    5 | registry_keys = ["HKLM:x"]
      |                 ^^^^^^^^^^
      |
      = help: set `check_registry = true`
    "#);
    assert_eq!(of("windows-restart", ""), "");
}

#[test]
fn a_breakpoint_makes_an_image_that_is_never_reused() {
    insta::assert_snapshot!(of("breakpoint", "note = \"look\""), @r#"
    warning[unrepeatable]: `breakpoint` may differ from run to run, so this image is never reused
     --> template.pkr.hcl:4:3
      |
    4 |   provisioner "breakpoint" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a time or a random value is welcome in names and tags, which are not part of the hash
    "#);
    assert_eq!(of("breakpoint", "disable = true"), "");
}

#[test]
fn hcp_sbom_options_are_checked() {
    insta::assert_snapshot!(of("hcp-sbom", "sbom_name = \"a b\"\nscan_path = \"/\"\nscanner_url = \"x\""), @r#"
    error[what-to-fetch]: an `hcp-sbom` provisioner needs one of `source` and `auto_generate`
     --> template.pkr.hcl:4:3
      |
    4 |   provisioner "hcp-sbom" {
      |   ^^^^^^^^^^^^^^^^^^^^^^

    warning[no-effect]: `scan_path` does nothing without `auto_generate`
     --> template.pkr.hcl:6:13
      |
    6 | scan_path = "/"
      |             ^^^

    error[wrong-value]: `sbom_name` cannot be `a b`
     --> template.pkr.hcl:5:13
      |
    5 | sbom_name = "a b"
      |             ^^^^^
      |
      = note: it has 3 to 36 letters, digits and hyphens

    warning[no-effect]: `scanner_url` does nothing
     --> template.pkr.hcl:7:15
      |
    7 | scanner_url = "x"
      |               ^^^
    "#);
    insta::assert_snapshot!(of("hcp-sbom", "source = \"/x\"\nauto_generate = true\nelevated_password = \"x\""), @r#"
    error[what-to-fetch]: `source` and `auto_generate` exclude each other
     --> template.pkr.hcl:6:17
      |
    6 | auto_generate = true
      |                 ^^^^

    error[missing-option]: `elevated_password` is given without `elevated_user`
     --> template.pkr.hcl:7:21
      |
    7 | elevated_password = "x"
      |                     ^^^
    "#);
}

#[test]
fn ansible_options_are_checked() {
    insta::assert_snapshot!(of("ansible", r#"
    playbook_file           = "roles"
    galaxy_file             = "gone.yml"
    inventory_directory     = "site.yml"
    ssh_host_key_file       = "gone"
    local_port              = 70000
    ansible_proxy_key_type  = "rsa"
    ansible_env_vars        = ["X"]
"#), @r#"
    error[wrong-file]: `roles` is a directory, not a file
     --> template.pkr.hcl:6:31
      |
    6 |     playbook_file           = "roles"
      |                               ^^^^^^^

    error[missing-file]: cannot read `gone.yml`: No such file or directory (os error 2)
     --> template.pkr.hcl:7:31
      |
    7 |     galaxy_file             = "gone.yml"
      |                               ^^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's

    error[missing-file]: `site.yml` is no directory
     --> template.pkr.hcl:8:31
      |
    8 |     inventory_directory     = "site.yml"
      |                               ^^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's

    error[missing-file]: `gone` is no file
     --> template.pkr.hcl:9:31
      |
    9 |     ssh_host_key_file       = "gone"
      |                               ^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's

    error[wrong-environment]: `X` is not of the form `NAME=VALUE`
      --> template.pkr.hcl:12:31
       |
    12 |     ansible_env_vars        = ["X"]
       |                               ^^^^^

    error[wrong-option]: `ansible_proxy_key_type` cannot be `rsa`
      --> template.pkr.hcl:11:31
       |
    11 |     ansible_proxy_key_type  = "rsa"
       |                               ^^^^^
       |
       = help: did you mean `RSA`?

    error[wrong-value]: there is no port 70000
      --> template.pkr.hcl:10:31
       |
    10 |     local_port              = 70000
       |                               ^^^^^
    "#);
    insta::assert_snapshot!(of("ansible", "use_sftp = true"), @r#"
    error[missing-option]: `playbook_file` is required
     --> template.pkr.hcl:4:3
      |
    4 |   provisioner "ansible" {
      |   ^^^^^^^^^^^^^^^^^^^^^ `playbook_file` is not given
    "#);
}

#[test]
fn ansible_local_options_are_checked() {
    insta::assert_snapshot!(of("ansible-local", "role_paths = [\"site.yml\"]"), @r#"
    error[what-to-run]: an `ansible-local` provisioner needs one of `playbook_file` and `playbook_files`
     --> template.pkr.hcl:4:3
      |
    4 |   provisioner "ansible-local" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error[wrong-file]: `site.yml` is a file, not a directory
     --> template.pkr.hcl:5:14
      |
    5 | role_paths = ["site.yml"]
      |              ^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(of("ansible-local", r#"
    playbook_file  = "site.yml"
    playbook_files = ["gone.yml"]
    group_vars     = "gone"
"#), @r#"
    error[what-to-run]: `playbook_file` and `playbook_files` exclude each other
     --> template.pkr.hcl:7:22
      |
    7 |     playbook_files = ["gone.yml"]
      |                      ^^^^^^^^^^^^

    error[missing-file]: cannot read `gone`: No such file or directory (os error 2)
     --> template.pkr.hcl:8:22
      |
    8 |     group_vars     = "gone"
      |                      ^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's

    error[missing-file]: cannot read `gone.yml`: No such file or directory (os error 2)
     --> template.pkr.hcl:7:22
      |
    7 |     playbook_files = ["gone.yml"]
      |                      ^^^^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

fn planned(folder: &Path, kind: &str, body: &str) -> Plan {
    let text = format!(
        "source \"vm\" \"app\" {{}}\nbuild {{\n sources = [\"vm.app\"]\n provisioner \"{kind}\" {{\n{body}\n }}\n}}\n"
    );
    let (plan, found) = plan_text(folder, "template.pkr.hcl", &text, &[]);
    plan.unwrap_or_else(|| panic!("{found}"))
}

/// What a playbook reads is an input, as far as Ansible's layout says what that is.
#[test]
fn the_hash_knows_what_a_playbook_uses() {
    let folder = folder();
    let body =
        "playbook_file = \"site.yml\"\nextra_arguments = [\"--extra-vars\", \"@vars/own.yml\"]";
    let hash = || template_hash(&planned(folder.path(), "ansible", body));
    let names: Vec<_> =
        planned(folder.path(), "ansible", body).steps[0].planned.trees.keys().cloned().collect();
    assert_eq!(
        names,
        ["argument.1/own.yml", "beside/roles", "beside/site.yml", "beside/vars", "playbook"]
    );
    let mut hashes = vec![hash()];
    for (file, text) in [
        ("site.yml", "- hosts: web\n"),
        ("roles/web/tasks/main.yml", "- debug: msg=other\n"),
        ("vars/own.yml", "level: info\n"),
        ("other.yml", "- hosts: all\n"),
        ("group_vars/all.yml", "a: 1\n"),
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let now = hash();
        assert!(!hashes.contains(&now), "{file}");
        hashes.push(now);
    }
    fs::write(folder.path().join("manifest.json"), "{}").unwrap();
    assert_eq!(hash(), *hashes.last().unwrap(), "what a build writes is no input");
}

/// What depends on other options is left out of the hash where it says the same.
#[test]
fn a_default_that_depends_on_others_may_be_written_out() {
    let folder = folder();
    let hash = |body: &str| template_hash(&planned(folder.path(), "shell", body));
    let plain = "inline = [\"x\"]\n";
    let file = "inline = [\"x\"]\nuse_env_var_file = true\n";
    let command = "execute_command = \"chmod +x {{.Path}}; {{.Vars}} {{.Path}}\"\n";
    let format = "env_var_format = \"export %s='%s'\\n\"\n";
    assert_eq!(hash(&format!("{plain}{command}")), hash(plain));
    assert_ne!(hash(&format!("{file}{command}")), hash(file));
    assert_eq!(hash(&format!("{file}{format}")), hash(file));
    assert_ne!(hash(&format!("{plain}{format}")), hash(plain));
}

#[test]
fn an_error_cleanup_provisioner_is_any_provisioner() {
    let folder = folder();
    let block = "  error-cleanup-provisioner \"shell-local\" {\n    only_on = [\"linus\"]\n  }";
    insta::assert_snapshot!(findings(folder.path(), block, &[]), @r#"
    error[what-to-run]: a `shell-local` provisioner needs one of `inline`, `script`, `scripts` and `command`
     --> template.pkr.hcl:4:3
      |
    4 |   error-cleanup-provisioner "shell-local" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error[wrong-option]: `only_on` cannot be `linus`
     --> template.pkr.hcl:5:15
      |
    5 |     only_on = ["linus"]
      |               ^^^^^^^^^
      |
      = help: did you mean `linux`?
    "#);
    let json = r#"{
  "builders": [{ "type": "vm", "name": "app" }],
  "provisioners": [{ "type": "shell", "inline": "x", "continue_on_error": true }],
  "error-cleanup-provisioner": { "type": "sleep", "duration": "1s", "max_retries": "2" }
}"#;
    insta::assert_snapshot!(plan_text(folder.path(), "a.json", json, &[]).1, @r#"
    error[unknown-option]: unknown option `continue_on_error`
     --> a.json:3:54
      |
    3 |   "provisioners": [{ "type": "shell", "inline": "x", "continue_on_error": true }],
      |                                                      ^^^^^^^^^^^^^^^^^^^ not known here
      |
      = help: only HCL templates have it; `bake upgrade` writes this as HCL
    "#);
    let json = json.replace(", \"continue_on_error\": true", "");
    let plan = plan_text(folder.path(), "a.json", &json, &[]).0.unwrap();
    assert_eq!(plan.error_cleanup.unwrap().meta.max_retries, 2);
}

#[test]
fn override_works_for_each_provisioner() {
    let folder = folder();
    for kind in KINDS {
        let schema = (kind.schema)();
        let body = match kind.name {
            "ansible" | "ansible-local" => "playbook_file = \"site.yml\"",
            "file" => "content = \"x\"\ndestination = \"/x\"",
            "hcp-sbom" => "source = \"/x\"",
            "breakpoint" | "sleep" | "windows-restart" => "",
            _ => "inline = [\"x\"]",
        };
        let (option, value) = match kind.name {
            "breakpoint" => ("note", "\"other\""),
            "file" => ("destination", "\"/y\""),
            "hcp-sbom" => ("source", "\"/y\""),
            "sleep" => ("duration", "\"7s\""),
            "windows-restart" => ("restart_timeout", "\"7m0s\""),
            "ansible" | "ansible-local" => ("command", "\"other\""),
            _ => ("inline", "[\"y\"]"),
        };
        assert!(schema.options.iter().any(|one| one.name == option), "{}", kind.name);
        let body = format!("{body}\noverride = {{ app = {{ {option} = {value} }} }}");
        let plan = planned(folder.path(), kind.name, &body);
        let evaluated = &plan.steps[0].planned.evaluated;
        assert_eq!(evaluated[option].to_string().replace(' ', ""), value, "{}", kind.name);
    }
    let json = r#"{
  "builders": [{ "type": "vm", "name": "app" }],
  "provisioners": [{ "type": "shell", "inline": "x", "override": { "ap": { "inline": "y" } } }]
}"#;
    insta::assert_snapshot!(plan_text(folder.path(), "a.json", json, &[]).1, @r#"
    error[unknown-source]: `ap` is no source of this build
     --> a.json:3:68
      |
    3 |   "provisioners": [{ "type": "shell", "inline": "x", "override": { "ap": { "inline": "y" } } }]
      |                                                                    ^^^^ overrides nothing
      |
      = help: did you mean `app`?
    "#);
}

/// The engine runs what a plan holds, so what cannot be run must say so in its plan.
#[test]
fn what_does_not_run_is_refused_by_a_build() {
    let folder = folder();
    for provisioner in super::PROVISIONERS {
        let name = provisioner.kind.name;
        let body = match name {
            "ansible" | "ansible-local" => "playbook_file = \"site.yml\"",
            "file" => "content = \"x\"\ndestination = \"/x\"",
            "hcp-sbom" => "source = \"/x\"",
            "breakpoint" | "sleep" | "windows-restart" => "",
            _ => "inline = [\"x\"]",
        };
        let plan = planned(folder.path(), name, body);
        assert_eq!(plan.unsupported().has_errors(), provisioner.run.is_none(), "{name}");
    }
}

#[test]
fn options_that_do_nothing_are_told() {
    let headings = |kind: &str, body: &str| {
        let found = of(kind, body);
        let lines = found.lines().filter(|line| line.contains('['));
        lines
            .filter_map(|line| line.split_once("]: "))
            .map(|(_, text)| text.to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let all = [
        headings(
            "shell",
            "script = \"text.sh\"\ninline_shebang = \"/bin/bash\"\nremote_path = \"/x\"\nremote_file = \"y\"\nremote_folder = \"/z\"",
        ),
        headings(
            "shell",
            "inline = [\"x\"]\nremote_path = \"/x\"\nremote_folder = \"/z\"\nuse_env_var_file = true",
        ),
        headings(
            "shell-local",
            "script = \"text.sh\"\nexecute_command = [\"sh\", \"{{.Script}}\"]\ninline_shebang = \"/bin/bash\"\ntempfile_extension = \".x\"",
        ),
        headings(
            "powershell",
            "inline = [\"x\"]\nelevated_execute_command = \"x {{.Path}}\"\nelevated_env_var_format = \"%s%s\"",
        ),
        headings(
            "powershell",
            "inline = [\"x\"]\nelevated_user = \"x\"\nexecute_command = \"x {{.Path}}\"\nenv_var_format = \"%s%s\"",
        ),
        headings(
            "file",
            "content = \"x\"\ndestination = \"/x\"\nexclude = [\"x\"]\nsymlinks = \"follow\"\ndirectory_mode = \"0700\"",
        ),
        headings(
            "file",
            "source = \"/x\"\ndestination = \"x\"\ndirection = \"download\"\ngenerated = true",
        ),
        headings(
            "ansible",
            "playbook_file = \"site.yml\"\nuse_proxy = false\nlocal_port = 1\nuse_sftp = true\ngalaxy_force_install = true",
        ),
        headings(
            "ansible",
            "playbook_file = \"site.yml\"\ninventory_file = \"site.yml\"\ngroups = [\"x\"]\nuser = \"x\"\nuse_sftp = true",
        ),
        headings(
            "ansible-local",
            "playbook_file = \"site.yml\"\ninventory_file = \"site.yml\"\ninventory_groups = [\"x\"]\ngalaxy_command = \"x\"",
        ),
    ];
    insta::assert_snapshot!(all.join("\n\n"), @"
    `inline_shebang` does nothing without `inline`
    `remote_file` does nothing beside `remote_path`
    `remote_folder` does nothing beside `remote_path`



    `inline_shebang` does nothing without `inline` or `command`
    `tempfile_extension` does nothing without `inline` or `command`

    `elevated_env_var_format` does nothing without `elevated_user`
    `elevated_execute_command` does nothing without `elevated_user`

    `env_var_format` does nothing beside `elevated_user`
    `execute_command` does nothing beside `elevated_user`

    `directory_mode` does nothing beside `content`
    `exclude` does nothing beside `content`
    `symlinks` does nothing beside `content`

    `generated` does nothing in a download

    `local_port` does nothing with `use_proxy = false`
    `use_sftp` does nothing with `use_proxy = false`
    `galaxy_force_install` does nothing without `galaxy_file`

    `groups` does nothing beside `inventory_file`
    `user` does nothing beside `inventory_file`

    `inventory_groups` does nothing beside `inventory_file`
    `galaxy_command` does nothing without `galaxy_file`
    ");
}
