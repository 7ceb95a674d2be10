//! What the options of steps do to a real script.

use crate::support::{Outcome, Workspace, root, shell, shell_with, template, template_with};

/// Builds a template of these steps.
#[track_caller]
fn build(steps: &str) -> (Workspace, Outcome) {
    let workspace = Workspace::new();
    let outcome = workspace.build(workspace.write("t.pkr.hcl", template(steps)));
    workspace.assert_nothing_runs();
    (workspace, outcome)
}

#[track_caller]
fn assert_says(outcome: &Outcome, lines: &[&str]) {
    let said = outcome.lines_of("amazon-ebs.t");
    for line in lines {
        assert!(said.contains(line), "no `{line}` in\n{}", outcome.stdout);
    }
}

#[test]
fn scripts_get_their_environment_however_they_are_executed() {
    if !root("building in the sandbox") {
        return;
    }
    let script = "echo $(id -un): $WORD, $PACKER_BUILD_NAME, $PACKER_BUILDER_TYPE";
    let word = r#"environment_vars = ["WORD=it's ok"]"#;
    let executed =
        |command: &str| shell_with(&format!("{word}\n    execute_command = {command}"), script);
    let steps = [
        shell_with(word, script),
        executed(r#""chmod +x {{ .Path }}; {{ .Vars }} sudo -E {{ .Path }}""#),
        executed(r#""echo 'password' | {{ .Vars }} sudo -S -E sh -eux '{{ .Path }}'""#),
        executed(r#""sudo env {{ .Vars }} sh {{ .Path }}""#),
        shell_with(&format!("{word}\n    use_env_var_file = true"), script),
    ];
    let (_workspace, outcome) = build(&steps.concat());
    let outcome = outcome.expect(0);
    let said: Vec<_> = outcome
        .lines_of("amazon-ebs.t")
        .into_iter()
        .filter(|line| line.ends_with(", t, amazon-ebs") && !line.starts_with('+'))
        .map(|line| line.split(',').next().unwrap_or_default().to_owned())
        .collect();
    let expected =
        ["admin", "root", "root", "root", "admin"].map(|user| format!("{user}: it's ok"));
    assert_eq!(said, expected, "{}", outcome.stdout);
}

#[test]
fn a_script_leaves_no_trace_of_itself() {
    if !root("building in the sandbox") {
        return;
    }
    let steps = shell("echo first")
        + &shell_with("use_env_var_file = true", "echo second")
        + &shell("ls -A /tmp | sed 's/_.*//;s/^/in tmp: /'");
    let (_workspace, outcome) = build(&steps);
    let outcome = outcome.expect(0);
    let seen: Vec<_> = outcome
        .lines_of("amazon-ebs.t")
        .into_iter()
        .filter(|line| line.starts_with("in tmp"))
        .map(str::to_owned)
        .collect();
    // The one that runs.
    assert_eq!(seen, ["in tmp: script"]);
}

#[test]
fn a_failing_script_fails_the_build_and_the_rest_is_not_run() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, outcome) =
        build(&(shell("false; echo not reached") + &shell("echo nor this")));
    let outcome = outcome.expect(1);
    assert!(!outcome.stdout.contains("reached") && !outcome.stdout.contains("nor this"));
    assert!(outcome.stdout.contains("exit status: 1"), "{}", outcome.stdout);
}

#[test]
fn exit_codes_can_be_allowed() {
    if !root("building in the sandbox") {
        return;
    }
    let steps = shell_with("valid_exit_codes = [0, 7]", "exit 7")
        + &shell("echo still here")
        + &shell_with("valid_exit_codes = [7]", "exit 0");
    let (_workspace, outcome) = build(&steps);
    let outcome = outcome.expect(1);
    assert_says(&outcome, &["still here"]);
    assert!(outcome.stdout.contains("exit status: 0"), "{}", outcome.stdout);
}

#[test]
fn a_step_may_fail_when_the_template_says_so() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, outcome) =
        build(&(shell_with("continue_on_error = true", "exit 9") + &shell("echo still here")));
    let outcome = outcome.expect(0);
    assert_says(&outcome, &["still here"]);
    assert!(outcome.stdout.contains("exit status: 9"), "{}", outcome.stdout);
}

#[test]
fn a_step_is_tried_again_as_often_as_the_template_says() {
    if !root("building in the sandbox") {
        return;
    }
    let script =
        "echo x >> /tmp/attempts; test $(wc -l < /tmp/attempts) -ge 3 && echo at the third";
    let (_workspace, outcome) = build(&shell_with("max_retries = 2", script));
    assert_says(&outcome.expect(0), &["at the third"]);
    let (_workspace, outcome) = build(&shell_with("max_retries = 1", script));
    outcome.expect(1);
}

#[test]
fn a_step_that_takes_too_long_is_stopped() {
    if !root("building in the sandbox") {
        return;
    }
    let (_workspace, outcome) = build(&shell_with("timeout = \"1s\"", "echo begun; sleep 300"));
    let outcome = outcome.expect(1);
    assert_says(&outcome, &["begun"]);
    assert!(outcome.stdout.contains("not done after 1s"), "{}", outcome.stdout);
    assert!(outcome.elapsed.as_secs() < 30);
}

#[test]
fn a_pause_before_a_step_is_kept_and_said() {
    if !root("building in the sandbox") {
        return;
    }
    let steps = shell("date +%s%N > /tmp/then")
        + &shell_with(
            "pause_before = \"1500ms\"",
            "test $(($(date +%s%N) - $(cat /tmp/then))) -ge 1500000000",
        );
    let (_workspace, outcome) = build(&steps);
    assert_says(&outcome.expect(0), &["Pausing 1.5s before the next provisioner..."]);
}

#[test]
fn a_lost_connection_is_fine_when_it_is_expected() {
    if !root("building in the sandbox") {
        return;
    }
    // What `reboot` does to the connection: the server's process for it goes away.
    let steps = shell_with("expect_disconnect = true", "echo going down; sudo reboot; sleep 60")
        + &shell("echo back again");
    let (_workspace, outcome) = build(&steps);
    let outcome = outcome.expect(0);
    assert_says(&outcome, &["going down", "back again"]);
}

#[test]
fn the_error_cleanup_step_runs_after_a_failure_only() {
    if !root("building in the sandbox") {
        return;
    }
    let cleanup = |steps: &str| {
        steps.to_owned()
            + "error-cleanup-provisioner \"shell\" {\n    inline = [\"echo cleaned up after $(cat /tmp/mark)\"]\n  }\n"
    };
    let (_workspace, outcome) = build(&cleanup(&shell("echo a failure > /tmp/mark; exit 3")));
    let outcome = outcome.expect(1);
    assert_says(&outcome, &["cleaned up after a failure"]);
    assert!(outcome.stdout.contains("exit status: 3"), "{}", outcome.stdout);
    let (_workspace, outcome) = build(&cleanup(&shell("true")));
    assert!(!outcome.expect(0).stdout.contains("cleaned up"));
}

#[test]
fn user_data_runs_at_boot() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let options = "source_ami = \"ami-12345678\"\n  user_data = \"#!/bin/sh\\nid -un > /var/lib/from-user-data\\n\"";
    let script = "for n in $(seq 100); do test -s /var/lib/from-user-data && break; sleep 0.1; done; echo user data ran as $(cat /var/lib/from-user-data)";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell(script)));
    assert_says(&workspace.build(path).expect(0), &["user data ran as root"]);
}

#[test]
fn scripts_run_in_order_with_windows_line_ends_mended() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    workspace.write("one.sh", "#!/bin/sh\r\necho from one\r\n");
    workspace.write("two.sh", "#!/bin/bash\nset -euo pipefail\necho from two $BASH_VERSION");
    let steps = "provisioner \"shell\" {\n    scripts = [\"${path.root}/one.sh\", \"${path.root}/two.sh\"]\n  }\n";
    let outcome = workspace.build(workspace.write("t.pkr.hcl", template(steps))).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    let one = lines.iter().position(|line| *line == "from one").expect("one ran");
    let two = lines.iter().position(|line| line.starts_with("from two ")).expect("two ran");
    assert!(one < two);
}
