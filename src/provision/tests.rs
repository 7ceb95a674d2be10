//! Steps over a real SSH server, as a user who is not root.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tokio_util::sync::CancellationToken;

use super::test_support::{lines, plan_steps, run_all};
use crate::communicator::Communicator as _;
use crate::communicator::ssh::tests::openssh;

#[tokio::test]
async fn files_and_scripts_reach_an_instance_over_ssh() {
    let Some(server) = openssh::as_nobody() else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let remote = tempfile::tempdir().unwrap();
    fs::set_permissions(remote.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let to = remote.path().display();
    fs::create_dir_all(folder.path().join("dist/bin")).unwrap();
    fs::write(folder.path().join("dist/bin/greet"), "#!/bin/sh\necho hello $1\n").unwrap();
    let greet = folder.path().join("dist/bin/greet");
    fs::set_permissions(greet, fs::Permissions::from_mode(0o755)).unwrap();
    let text = format!(
        r#"
        provisioner "file" {{
          source      = "dist/"
          destination = "{to}/app"
        }}
        provisioner "shell" {{
          remote_folder    = "{to}"
          environment_vars = ["WHO=it's me"]
          inline           = ["cd {to}/app", "bin/greet \"$WHO\"", "cat", "id -u >&2"]
        }}
        provisioner "shell" {{
          remote_folder    = "{to}"
          use_env_var_file = true
          env              = {{ WHO = "you" }}
          inline           = ["{to}/app/bin/greet \"$WHO\""]
        }}
        "#
    );
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let (result, told) = run_all(&plan, &ssh, &CancellationToken::new()).await;
    result.unwrap_or_else(|error| panic!("{error}\n{:?}", lines(&told)));
    let mut said = lines(&told);
    let user = said.iter().position(|line| line.starts_with("! ")).unwrap();
    let user = said.remove(user);
    assert_eq!(said, ["hello it's me", "hello you"]);
    if rustix::process::geteuid().is_root() {
        assert_eq!(user, "! 65534");
    }
    ssh.disconnect().await;
}

#[tokio::test]
async fn sleeping_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = "provisioner \"sleep\" {\n duration = \"20ms\"\n}";
    let plan = plan_steps(folder.path(), text).unwrap_or_else(|found| panic!("{found}"));
    let start = std::time::Instant::now();
    let local = super::test_support::Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    assert!(start.elapsed().as_millis() >= 20);
    assert_eq!(super::test_support::said(&told), ["Sleeping for 20ms"]);
    assert_eq!(local.count(), 0);
}

#[tokio::test]
async fn a_breakpoint_that_is_off_says_its_note_and_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let text = "provisioner \"breakpoint\" {\n note = \"look at /etc\"\n disable = true\n}";
    let plan = plan_steps(folder.path(), text).unwrap_or_else(|found| panic!("{found}"));
    let local = super::test_support::Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    assert_eq!(
        super::test_support::said(&told),
        ["Pausing at breakpoint: look at /etc", "Breakpoint disabled; continuing..."]
    );
}
