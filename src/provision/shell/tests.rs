//! Shell steps from the template to what they do on a machine.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Exit, Upload, UploadReport,
};
use crate::event::{Fact, Stream};
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, lines, plan_steps, run_all, said};

/// A directory with some scripts.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one.sh"), "#!/bin/sh\r\necho one \"$0\"").unwrap();
    fs::write(folder.path().join("two.sh"), "#!/bin/sh\necho two\n").unwrap();
    fs::create_dir(folder.path().join("remote")).unwrap();
    folder
}

/// Runs a `shell` provisioner with this body; scripts go to the folder `remote`.
async fn run_with(
    local: &Local,
    body: &str,
) -> (Result<(), ProvisionError>, Vec<Fact>, Vec<String>) {
    let folder = folder();
    let remote = folder.path().join("remote");
    let body = body.replace("REMOTE", &remote.display().to_string());
    let body = if body.contains("remote_") {
        body
    } else {
        format!("remote_folder = \"{}\"\n{body}", remote.display())
    };
    let text = format!("provisioner \"shell\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let (result, told) = run_all(&plan, local, &CancellationToken::new()).await;
    let mut left: Vec<_> = fs::read_dir(&remote)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    (result, told, left)
}

async fn run(body: &str) -> (Result<(), ProvisionError>, Vec<Fact>, Vec<String>) {
    run_with(&Local::default(), body).await
}

/// The lines of a step that must succeed and leave nothing behind.
async fn succeed(body: &str) -> Vec<String> {
    let (result, told, left) = run(body).await;
    result.unwrap();
    assert_eq!(left, Vec::<String>::new());
    lines(&told)
}

#[tokio::test]
async fn commands_run_as_one_script_in_one_exec() {
    let local = Local::default();
    let body = r#"inline = ["cd /", "pwd; x=1", "echo $x it\\'s >&2", "cat", "echo {{ .Host }} ${build.Host}"]"#;
    let (result, told, left) = run_with(&local, body).await;
    result.unwrap();
    // The two streams are read side by side.
    let mut found = lines(&told);
    found.sort();
    assert_eq!(found, ["! 1 it's", "/", "198.51.100.7 198.51.100.7"]);
    assert_eq!(said(&told), ["Provisioning with shell script: inline"]);
    assert_eq!((local.count(), left.len()), (1, 0));
}

#[tokio::test]
async fn a_failing_command_fails_the_step_as_packer_words_it() {
    let (result, told, left) = run(r#"inline = ["echo before", "false", "echo after"]"#).await;
    let error = result.unwrap_err();
    insta::assert_snapshot!(error, @"Script exited with non-zero exit status: 1. Allowed exit codes are: [0]");
    assert_eq!(lines(&told), ["before"]);
    assert!(left.is_empty(), "a script that failed is removed too");
}

#[tokio::test]
async fn some_statuses_may_be_allowed() {
    succeed("inline = [\"exit 3\"]\nvalid_exit_codes = [0, 3]").await;
    let (result, ..) = run("inline = [\"exit 4\"]\nvalid_exit_codes = [0, 3]").await;
    insta::assert_snapshot!(result.unwrap_err(), @"Script exited with non-zero exit status: 4. Allowed exit codes are: [0, 3]");
}

#[tokio::test]
async fn script_files_run_in_order_under_one_path() {
    let local = Local::default();
    let body = "scripts = [\"one.sh\", \"two.sh\"]\nremote_path = \"REMOTE/here.sh\"";
    let (result, told, left) = run_with(&local, body).await;
    result.unwrap();
    let found = lines(&told);
    assert!(found[0].starts_with("one ") && found[0].ends_with("/remote/here.sh"), "{found:?}");
    assert_eq!(found[1], "two");
    assert_eq!(
        said(&told),
        [
            "Provisioning with 2 shell scripts: one.sh, two.sh",
            "Provisioning with shell script: one.sh",
            "Provisioning with shell script: two.sh",
        ]
    );
    assert_eq!((local.count(), left.len()), (2, 0));
}

#[tokio::test]
async fn line_ends_are_converted_unless_binary() {
    assert_eq!(succeed("script = \"two.sh\"\nbinary = true").await, ["two"]);
    let (result, ..) = run("script = \"one.sh\"\nbinary = true").await;
    // `#!/bin/sh\r` is no interpreter.
    assert!(result.is_err());
}

#[tokio::test]
async fn the_environment_is_that_of_packer() {
    let body = r#"
        inline           = ["echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE", "echo \"$A|$B\"", "sh -c 'echo $A'"]
        environment_vars = ["A=it's", "B=x=y"]
        env              = { A = "a \"q\" $z" }
    "#;
    let expected = ["app vm", "a \"q\" $z|x=y", "a \"q\" $z"];
    assert_eq!(succeed(body).await, expected);
    assert_eq!(succeed(&format!("{body}\nuse_env_var_file = true")).await, expected);
}

#[tokio::test]
async fn variables_are_written_as_the_template_says() {
    let body = r#"
        inline         = ["echo $A"]
        env            = { A = "x y" }
        env_var_format = "%s='[%s]' "
    "#;
    assert_eq!(succeed(body).await, ["[x y]"]);
    let in_file = body.replace("%s='[%s]' ", "export %s='<%s>'\\n");
    assert_eq!(succeed(&format!("{in_file}\nuse_env_var_file = true")).await, ["<x y>"]);
}

#[tokio::test]
async fn a_pause_comes_after_the_last_script() {
    let start = std::time::Instant::now();
    let body = "scripts = [\"two.sh\", \"two.sh\"]\npause_after = \"30ms\"";
    let (result, told, _) = run(body).await;
    result.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(said(&told).last().unwrap(), "Pausing 30ms after this provisioner...");
    assert_eq!(said(&told).len(), 4, "once: {:?}", said(&told));
}

#[tokio::test]
async fn the_file_with_variables_is_private_and_goes_away() {
    let body = r#"
        inline           = ["true"]
        use_env_var_file = true
        execute_command  = "stat -c '%a %n' {{.EnvVarFile}} {{.Path}}; grep -c export {{.EnvVarFile}}"
    "#;
    let found = succeed(body).await;
    assert!(found[0].starts_with("600 ") && found[0].contains("/varfile_"), "{found:?}");
    assert!(found[1].starts_with("755 ") && found[1].contains("/script_"), "{found:?}");
    assert_eq!(found[2], "2");
}

#[tokio::test]
async fn usual_ways_to_execute_work() {
    // `sudo` is not everywhere, so a function stands for it.
    for command in [
        "sudo() { echo as-root \\\"$1\\\"; shift; \\\"$@\\\"; }; sudo -E sh '{{.Path}}'",
        "sudo() { echo as-root; shift; \\\"$@\\\"; }; chmod +x {{ .Path }}; {{ .Vars }} sudo -E {{ .Path }}",
        "sudo() { read p; echo got $p; shift 2; \\\"$@\\\"; }; echo 'pw' | {{.Vars}} sudo -S -E bash '{{.Path}}'",
        "{{.Vars}} bash -c 'set -o pipefail; . {{.Path}} | cat' # and a comment",
    ] {
        let body = format!("inline = [\"echo ran\"]\nexecute_command = \"{command}\"");
        let found = succeed(&body).await;
        assert_eq!(found.last().map(String::as_str), Some("ran"), "{command}: {found:?}");
    }
    let (result, ..) =
        run("inline = [\"echo ran\"]\nexecute_command = \"exit 9; {{.Path}}\"").await;
    assert!(matches!(result, Err(ProvisionError::ExitStatus { status: 9, .. })));
}

#[tokio::test]
async fn the_login_shell_runs_the_command() {
    let local = Local { shell: Some("/bin/bash"), ..Local::default() };
    let body = "inline = [\"true\"]\nexecute_command = \"x=(a b); echo $${x[1]}; {{.Path}}\"";
    let (result, told, _) = run_with(&local, body).await;
    result.unwrap();
    assert_eq!(lines(&told), ["b"]);
}

#[tokio::test]
async fn other_interpreters_can_be_named() {
    let body = "inline = [\"echo $${BASH_VERSION:+bash}\"]\ninline_shebang = \"/bin/bash -eu\"";
    assert_eq!(succeed(body).await, ["bash"]);
    assert_eq!(succeed("inline = [\"#!/bin/cat\", \"text\"]").await, ["#!/bin/cat", "text"]);
}

#[tokio::test]
async fn a_script_may_stay() {
    let body = "inline = [\"true\"]\nskip_clean = true\nremote_folder = \"REMOTE\"\nremote_file = \"kept name.sh\"\nexecute_command = \"sh '{{.Path}}'\"";
    let (result, _, left) = run(body).await;
    result.unwrap();
    assert_eq!(left, ["kept name.sh"]);
}

#[tokio::test]
async fn with_a_terminal_the_script_does_not_pass_through_it() {
    let local = Local { pty: true, ..Local::default() };
    let (result, told, left) = run_with(&local, "inline = [\"echo done\"]").await;
    result.unwrap();
    assert_eq!((lines(&told), left.len()), (vec!["done".to_owned()], 0));
    let commands = local.commands.lock().unwrap();
    let ptys: Vec<_> = commands.iter().map(|command| command.pty).collect();
    assert_eq!(ptys, [false, true]);
}

#[tokio::test]
async fn a_script_that_cannot_be_put_there_says_why() {
    let local = Local::default();
    let body = "inline = [\"echo never\"]\nremote_folder = \"REMOTE/missing\"";
    let (result, told, _) = run_with(&local, body).await;
    let error = result.unwrap_err();
    assert!(matches!(&error, ProvisionError::Start { .. }), "{error}");
    assert!(
        error.to_string().contains("nonexistent") || error.to_string().contains("No such file"),
        "{error}"
    );
    assert!(!lines(&told).iter().any(|line| line.contains("bake:") || line == "never"));
    assert_eq!(local.count(), 1, "it would fail again");
    assert!(!error.hints().is_empty());
}

#[tokio::test]
async fn a_script_that_was_killed_is_removed() {
    let local = Local::answering([Ok(Exit::Signal("KILL".into()))]);
    let (result, ..) = run_with(&local, "inline = [\"true\"]\nremote_path = \"REMOTE/x\"").await;
    let error = result.unwrap_err();
    insta::assert_snapshot!(error, @"the script was killed by SIGKILL");
    assert!(error.hints()[0].contains("out of memory"), "{:?}", error.hints());
    let removing = local.commands.lock().unwrap().remove(1).text;
    assert!(removing.starts_with("rm -f "), "{removing}");

    let local = Local::answering([Ok(Exit::Signal("TERM".into()))]);
    drop(run_with(&local, "inline = [\"true\"]\nskip_clean = true").await);
    assert_eq!(local.count(), 1);
}

#[tokio::test]
async fn a_status_above_128_is_told_as_the_signal_that_it_stands_for() {
    let hints = async |status: u32| {
        let local = Local::answering([Ok(Exit::Code(status))]);
        run_with(&local, "inline = [\"true\"]").await.0.unwrap_err().hints().join("; ")
    };
    assert_eq!(hints(143).await, "status 143: killed by SIGTERM");
    assert!(hints(137).await.contains("out of memory"));
    assert_eq!(hints(190).await, "status 190: killed by signal 62");
    assert_eq!(hints(193).await, "");
}

#[tokio::test]
async fn half_a_script_is_not_run() {
    let local = Local::default();
    run_with(&local, "inline = [\"echo ran\", \"echo all\"]").await.0.unwrap();
    let mut command = local.commands.lock().unwrap().remove(0);
    let whole = match &command.stdin {
        crate::communicator::Stdin::Bytes(bytes) => bytes.clone(),
        crate::communicator::Stdin::Empty | crate::communicator::Stdin::Stream(_) => {
            panic!("no script")
        }
    };
    command.stdin = crate::communicator::Stdin::Bytes(whole[..whole.len() - 9].into());
    let folder = tempfile::tempdir().unwrap();
    let path = command.text.rsplit_once(" sh ").unwrap().1.split(' ').next().unwrap().to_owned();
    command.text = command.text.replace(&path, folder.path().join("x").to_str().unwrap());
    let (output, mut chunks) = tokio::sync::mpsc::channel(8);
    let exit = crate::communicator::Communicator::exec(&Local::default(), command, output).await;
    assert_eq!(exit.unwrap(), Exit::Code(125));
    while let Some(chunk) = chunks.recv().await {
        assert!(!String::from_utf8_lossy(&chunk.bytes).contains("ran"));
    }
}

fn lost() -> Result<Exit, CommunicatorError> {
    Err(CommunicatorError::Lost { address: "host:22".into(), reason: "closed".into() })
}

fn disconnected() -> Result<Exit, CommunicatorError> {
    Ok(Exit::Disconnected { reason: "closed".into() })
}

#[tokio::test]
async fn starting_is_tried_again_but_a_script_runs_once() {
    let local = Local::answering([lost()]);
    let (result, told, _) = run_with(&local, "inline = [\"echo up\"]").await;
    result.unwrap();
    assert_eq!((local.count(), lines(&told)), (2, vec!["up".to_owned()]));

    let local = Local::answering([lost(), lost()]);
    let body = "inline = [\"true\"]\nstart_retry_timeout = \"1s\"";
    let (result, ..) = run_with(&local, body).await;
    assert!(matches!(result, Err(ProvisionError::Communicator(CommunicatorError::Lost { .. }))));
    assert_eq!(local.count(), 1);
}

#[tokio::test]
async fn losing_the_connection_may_be_expected() {
    let local = Local::answering([disconnected()]);
    let (result, ..) = run_with(&local, "inline = [\"reboot\"]").await;
    let error = result.unwrap_err();
    insta::assert_snapshot!(error, @"the connection was lost while the script ran: closed");
    assert!(error.hints()[0].contains("expect_disconnect"));
    assert_eq!(local.count(), 1);

    for option in ["expect_disconnect = true", "valid_exit_codes = [0, 2300218]"] {
        // What was asked of the instance before comes to nothing.
        let local = Local::answering([Ok(Exit::Code(0)), disconnected()]);
        let body = format!("inline = [\"reboot\"]\n{option}\nremote_path = \"REMOTE/it's.sh\"");
        run_with(&local, &body).await.0.unwrap();
        // The script is removed once the machine is back.
        let commands = local.commands.lock().unwrap();
        assert!(commands[3].text.starts_with("rm -f '"), "{}", commands[3].text);
        assert_eq!(commands.len(), 4);
    }
}

/// A machine that restarts: what it says of its start each time it is asked, and how the script
/// ends.
struct Restarting {
    starts: Mutex<Vec<Result<&'static str, CommunicatorError>>>,
    script: fn() -> Result<Exit, CommunicatorError>,
    done: Mutex<Vec<String>>,
}

impl Restarting {
    fn new(
        script: fn() -> Result<Exit, CommunicatorError>,
        starts: impl IntoIterator<Item = Result<&'static str, CommunicatorError>>,
    ) -> Self {
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.reverse();
        Self { starts: Mutex::new(starts), script, done: Mutex::default() }
    }

    async fn run(&self) -> (Result<(), ProvisionError>, Vec<String>) {
        let folder = folder();
        let body = "inline = [\"reboot\"]\nexpect_disconnect = true\nstart_retry_timeout = \"2s\"";
        let plan = plan_steps(folder.path(), &format!("provisioner \"shell\" {{\n{body}\n}}"));
        let cancel = CancellationToken::new();
        let (result, told) = run_all(&plan.unwrap(), self, &cancel).await;
        (result, said(&told))
    }
}

impl Communicator for Restarting {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: tokio::sync::mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            let (doing, answer) = match command.text.rsplit_once(' ') {
                Some((text, mark)) if text.contains(":boot:") => {
                    let start = self.starts.lock().unwrap().pop().unwrap();
                    let said = start.map(|start| format!("{mark}:boot:{start}\n"));
                    ("look", said.map(|said| (said.replace('+', &format!("\n{mark}:")), 0)))
                }
                Some(("rm -f", _)) => ("remove", Ok((String::new(), 0))),
                _ => {
                    self.done.lock().unwrap().push("run".to_owned());
                    return (self.script)();
                }
            };
            self.done.lock().unwrap().push(doing.to_owned());
            let (said, code) = answer?;
            drop(output.send(Chunk { stream: Stream::Stdout, bytes: said.into_bytes() }).await);
            Ok(Exit::Code(code))
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        _upload: &'a Upload,
        _progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async { panic!("nothing to upload") }.boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

#[tokio::test]
async fn a_restart_is_awaited() {
    let lost = || lost().map(|_| "");
    // Reached while it goes down, then not at all, then in its next start.
    let starts = [Ok("a"), Ok("a+stopping"), lost(), Ok("b")];
    let machine = Restarting::new(disconnected, starts);
    let (result, said) = machine.run().await;
    result.unwrap();
    insta::assert_snapshot!(said.join("\n"), @r"
    Provisioning with shell script: inline
    The connection ended, as it may: closed
    Waiting for the instance to restart...
    The instance has restarted.
    ");
    let done = machine.done.lock().unwrap().join(" ");
    assert_eq!(done, "look run look look look remove");

    // `reboot` may return before the connection is lost.
    let starts = [Ok("a"), Ok("a+stopping"), Ok("b")];
    let machine = Restarting::new(|| Ok(Exit::Code(0)), starts);
    let (result, said) = machine.run().await;
    result.unwrap();
    assert_eq!(said.last().unwrap(), "The instance has restarted.");

    // Only the SSH server went away.
    let machine = Restarting::new(disconnected, [Ok("a"), Ok("a")]);
    let (result, said) = machine.run().await;
    result.unwrap();
    assert!(!said.iter().any(|one| one.contains("restart")), "{said:?}");
}

#[tokio::test]
async fn a_machine_that_does_not_come_back_is_an_error() {
    let starts = std::iter::once("a").chain(std::iter::repeat_n("a+stopping", 100)).map(Ok);
    let (result, _) = Restarting::new(disconnected, starts).run().await;
    let error = result.unwrap_err();
    insta::assert_snapshot!(error, @"the instance did not come back from its restart: it is going down and does not end");
    assert!(error.hints()[0].contains("start_retry_timeout"));
}

#[tokio::test]
async fn a_file_that_changed_since_the_plan_is_refused() {
    let folder = folder();
    let plan = plan_steps(folder.path(), "provisioner \"shell\" { script = \"two.sh\" }").unwrap();
    fs::write(folder.path().join("two.sh"), "echo other").unwrap();
    let local = Local::default();
    let (result, _) = run_all(&plan, &local, &CancellationToken::new()).await;
    assert!(result.unwrap_err().to_string().ends_with("has changed since the build was planned"));
    assert_eq!(local.count(), 0);
}

#[tokio::test]
async fn the_same_for_all_steps_holds_here() {
    let folder = folder();
    let marker = folder.path().join("marker");
    let remote = folder.path().display();
    let once = format!("test -e {0} && exit 0; touch {0}; echo first; exit 5", marker.display());
    let text = format!(
        r#"
        provisioner "shell" {{
          inline      = ["{once}"]
          max_retries = 1
        }}
        provisioner "shell" {{
          inline            = ["exit 6"]
          max_retries       = 1
          continue_on_error = true
        }}
        provisioner "shell" {{
          pause_before = "20ms"
          timeout      = "100ms"
          pause_after  = "10ms"
          inline       = ["sleep 20"]
          // It is killed before it could remove its script.
          remote_folder = "{remote}"
        }}
        provisioner "shell" {{ inline = ["echo never"] }}
        "#
    );
    let plan = plan_steps(folder.path(), &text).unwrap();
    let start = std::time::Instant::now();
    let (result, told) = run_all(&plan, &Local::default(), &CancellationToken::new()).await;
    assert!(start.elapsed() < Duration::from_secs(10));
    insta::assert_snapshot!(result.unwrap_err(), @"the provisioner was not done after 100ms");
    insta::assert_snapshot!(said(&told).join("\n"), @"
    Provisioning with shell script: inline
    Provisioner failed, 1 more to try: Script exited with non-zero exit status: 5. Allowed exit codes are: [0]
    Provisioning with shell script: inline
    Provisioner failed, 1 more to try: Script exited with non-zero exit status: 6. Allowed exit codes are: [0]
    a provisioner failed and the build goes on: Script exited with non-zero exit status: 6. Allowed exit codes are: [0]
    Pausing 20ms before the next provisioner...
    Setting a 100ms timeout for the next provisioner...
    Provisioning with shell script: inline
    Cancelling provisioner after a timeout...
    ");
    assert_eq!(lines(&told), ["first"]);
    let ended: Vec<_> = told
        .iter()
        .filter_map(|fact| match fact {
            Fact::ProvisionerEnded { index, succeeded, .. } => Some((*index, *succeeded)),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [(0, true), (1, false), (2, false)]);
}

#[tokio::test]
async fn cancelling_ends_a_step_and_all_that_follow() {
    let folder = folder();
    let text = format!(
        "provisioner \"shell\" {{\n inline = [\"sleep 20\"]\n max_retries = 3\n \
         continue_on_error = true\n remote_folder = \"{}\"\n}}",
        folder.path().display()
    );
    let plan = plan_steps(folder.path(), &text).unwrap();
    let cancel = CancellationToken::new();
    let local = Local::default();
    let running = run_all(&plan, &local, &cancel);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    };
    let ((result, _), ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ProvisionError::Cancelled)));
    assert_eq!(local.count(), 1);
}

fn refused(body: &str) -> String {
    let folder = folder();
    plan_steps(folder.path(), &format!("provisioner \"shell\" {{\n{body}\n}}")).unwrap_err()
}

#[test]
fn wrong_combinations_are_found_before_anything_runs() {
    let all = [
        "",
        "inline = [\"x\"]\nscript = \"one.sh\"",
        "scripts = [\"one.sh\"]\nscript = \"one.sh\"",
        "scripts = [\"one.sh\", \"gone.sh\"]",
        "script = \"remote\"",
        "inline = [\"x\"]\nenvironment_vars = [\"A\", \"=b\"]",
        "inline = [\"x\"]\nenv_var_format = \"%s\"",
        "inlin = [\"x\"]\ninline = [\"x\"]",
        "scripts = []",
        "script = \"one.sh\"\nscripts = [\"gone.sh\"]",
    ];
    insta::assert_snapshot!(all.map(refused).join("\n\n"), @r#"
    error[what-to-run]: a `shell` provisioner needs one of `inline`, `script` and `scripts`
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "shell" {
      | ^^^^^^^^^^^^^^^^^^^



    error[what-to-run]: `inline` and `script` exclude each other
     --> template.pkr.hcl:5:10
      |
    5 | inline = ["x"]
      |          ^^^^^



    error[what-to-run]: `script` and `scripts` exclude each other
     --> template.pkr.hcl:5:11
      |
    5 | scripts = ["one.sh"]
      |           ^^^^^^^^^^



    error[missing-script]: cannot read `gone.sh`: No such file or directory (os error 2)
     --> template.pkr.hcl:5:22
      |
    5 | scripts = ["one.sh", "gone.sh"]
      |                      ^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's



    error[wrong-script]: `remote` is a directory
     --> template.pkr.hcl:5:10
      |
    5 | script = "remote"
      |          ^^^^^^^^



    error[wrong-environment]: `A` is not of the form `NAME=VALUE`
     --> template.pkr.hcl:6:21
      |
    6 | environment_vars = ["A", "=b"]
      |                     ^^^

    error[wrong-environment]: `=b` has no name before the `=`
     --> template.pkr.hcl:6:26
      |
    6 | environment_vars = ["A", "=b"]
      |                          ^^^^



    error[wrong-format]: wrong format: it must have one `%s` for the name and one for the value
     --> template.pkr.hcl:6:18
      |
    6 | env_var_format = "%s"
      |                  ^^^^



    error[unknown-option]: unknown option `inlin`
     --> template.pkr.hcl:5:1
      |
    5 | inlin = ["x"]
      | ^^^^^ not known here
      |
      = help: did you mean `inline`?



    error[what-to-run]: `scripts` is empty
     --> template.pkr.hcl:5:11
      |
    5 | scripts = []
      |           ^^
      |
      = help: a `shell` provisioner needs one of `inline`, `script` and `scripts`



    error[what-to-run]: `script` and `scripts` exclude each other
     --> template.pkr.hcl:6:11
      |
    6 | scripts = ["gone.sh"]
      |           ^^^^^^^^^^^

    error[missing-script]: cannot read `gone.sh`: No such file or directory (os error 2)
     --> template.pkr.hcl:6:12
      |
    6 | scripts = ["gone.sh"]
      |            ^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn the_hash_knows_scripts_by_content_and_not_by_path() {
    let hash = |name: &str, text: &str| {
        let folder = folder();
        fs::write(folder.path().join(name), text).unwrap();
        let text = format!("provisioner \"shell\" {{ script = \"{name}\" }}");
        crate::plan::identity::template_hash(&plan_steps(folder.path(), &text).unwrap())
    };
    assert_eq!(hash("a.sh", "x"), hash("b.sh", "x"));
    assert_ne!(hash("a.sh", "x"), hash("a.sh", "y"));
}
