//! `shell-local` steps from the template to what they do on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::Fact;
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, lines, plan_steps, run_all, said};

/// Runs a step with this body; `HERE` is its directory.
async fn run_in(here: &Path, body: &str) -> (Result<(), ProvisionError>, Vec<Fact>) {
    let body = body.replace("HERE", &here.display().to_string());
    let text = format!("provisioner \"shell-local\" {{\n{body}\n}}");
    let plan = plan_steps(here, &text).unwrap_or_else(|found| panic!("{found}"));
    let local = Local::default();
    let result = run_all(&plan, &local, &CancellationToken::new()).await;
    assert_eq!(local.count(), 0, "the instance has nothing to do with it");
    result
}

async fn run(body: &str) -> (Result<(), ProvisionError>, Vec<Fact>) {
    run_in(tempfile::tempdir().unwrap().path(), body).await
}

/// What a step that must succeed prints.
async fn printed(body: &str) -> Vec<String> {
    let (result, told) = run(body).await;
    result.unwrap();
    lines(&told)
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn commands_run_here_with_their_variables() {
    let body = r#"
        environment_vars = ["WORD=it's ok", "X=1"]
        env              = { X = "2" }
        inline           = [
          "echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE",
          "echo \"$WORD $X\" ${build.Host} {{ .Host }}",
          "test -n \"$PATH\" && cat",
        ]"#;
    let (result, told) = run(body).await;
    result.unwrap();
    assert_eq!(lines(&told), ["app vm", "it's ok 2 198.51.100.7 198.51.100.7"]);
    assert_eq!(said(&told), ["Running local shell script: inline"]);
}

#[tokio::test]
async fn the_file_of_commands_is_private_and_goes_away() {
    let body = r#"
        tempfile_extension = "sh"
        inline = ["echo \"$0\"", "stat -c %a \"$0\"", "head -n 1 \"$0\""]"#;
    let found = printed(body).await;
    assert_eq!(found[1..], ["700", "#!/bin/sh -e"]);
    assert!(found[0].ends_with(".sh"), "{found:?}");
    assert!(!Path::new(&found[0]).exists());
    let body = "inline_shebang = \"/bin/cat\"\ninline = [\"# nothing\"]";
    assert_eq!(printed(body).await, ["#!/bin/cat", "# nothing"]);
}

#[tokio::test]
async fn a_failing_command_fails_the_step() {
    let (result, told) = run(r#"inline = ["echo before", "false", "echo after"]"#).await;
    insta::assert_snapshot!(result.unwrap_err(), @"Script exited with non-zero exit status: 1. Allowed exit codes are: [0]");
    assert_eq!(lines(&told), ["before"]);
    assert!(printed("valid_exit_codes = [4]\ninline = [\"exit 4\"]").await.is_empty());
    let body = "execute_command = [\"sh\", \"{{ .Script }}\"]\ncommand = \"kill -KILL $$\"";
    let (result, _) = run(body).await;
    insta::assert_snapshot!(result.unwrap_err(), @"the script was killed by SIGKILL");
}

#[tokio::test]
async fn a_single_command_may_be_given_as_such() {
    assert_eq!(printed("command = \"echo one\"").await, ["one"]);
}

#[tokio::test]
async fn scripts_run_in_order_from_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_script(&here.join("one.sh"), "#!/bin/sh\necho one $0\n");
    fs::write(here.join("two.sh"), "echo two $WORD\n").unwrap();
    let (result, told) = run_in(here, "script = \"HERE/one.sh\"").await;
    result.unwrap();
    assert_eq!(lines(&told), [format!("one {}/one.sh", here.display())]);
    let body = r#"
        scripts          = ["HERE/one.sh", "HERE/two.sh"]
        environment_vars = ["WORD=x"]
        env_var_format   = "%s=%s "
        execute_command  = ["env", "LANG=C", "sh", "-c", "{{ .Vars }} sh {{ .Script }}"]"#;
    let (result, told) = run_in(here, body).await;
    result.unwrap();
    assert_eq!(lines(&told)[1..], ["two x"]);
    assert_eq!(said(&told).len(), 3);
}

#[tokio::test]
async fn variables_are_written_as_the_template_says() {
    let body =
        "inline = [\"echo $WORD\"]\nenv = { WORD = \"x y\" }\nenv_var_format = \"%s='[%s]' \"";
    assert_eq!(printed(body).await, ["[x y]"]);
}

#[tokio::test]
async fn a_word_of_old_is_a_line_for_a_shell() {
    let body = "execute_command = [\"echo {{ .Vars }}; sh {{ .Command }}\"]\ninline = [\"echo x\"]";
    assert_eq!(printed(body).await, ["PACKER_BUILDER_TYPE=vm PACKER_BUILD_NAME=app", "x"]);
}

#[tokio::test]
async fn a_script_that_has_changed_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.sh");
    write_script(&path, "#!/bin/sh\necho one\n");
    let text = format!("provisioner \"shell-local\" {{\nscript = \"{}\"\n}}", path.display());
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    fs::write(&path, "#!/bin/sh\necho other\n").unwrap();
    let (result, told) = run_all(&plan, &Local::default(), &CancellationToken::new()).await;
    assert!(result.unwrap_err().to_string().contains("has changed since"));
    assert!(lines(&told).is_empty());
}

#[tokio::test]
async fn it_may_be_for_other_systems() {
    let (result, told) = run("only_on = [\"windows\"]\ninline = [\"echo x\"]").await;
    result.unwrap();
    assert!(lines(&told).is_empty());
    assert_eq!(
        said(&told),
        ["Running local shell script: inline", "Skipping shell-local due to runtime OS"]
    );
    let body = "only_on = [\"linux\", \"darwin\", \"freebsd\"]\ninline = [\"echo x\"]";
    assert_eq!(printed(body).await, ["x"]);
}

#[tokio::test]
async fn a_time_limit_ends_it_with_its_children() {
    let start = std::time::Instant::now();
    let (result, told) = run("timeout = \"300ms\"\ninline = [\"echo x; sleep 60\"]").await;
    assert!(matches!(result, Err(ProvisionError::Timeout { .. })));
    assert_eq!(lines(&told), ["x"]);
    assert!(start.elapsed() < Duration::from_secs(20));
}
