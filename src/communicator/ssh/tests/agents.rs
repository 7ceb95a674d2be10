//! The SSH agent: its keys, and itself on the far side.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::against_openssh::until;
use super::openssh::{start, start_with, user, write_private};
use super::*;
use crate::template::schema::Secret;

/// An agent that dies with the value.
pub(super) struct Agent {
    child: Child,
    folder: tempfile::TempDir,
}

impl Agent {
    /// Starts `ssh-agent` and gives it keys; with a certificate beside a key, that too.
    pub(super) async fn start(keys: &[&Secret]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = std::process::Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(folder.path().join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { child, folder };
        // The socket is there a moment before anybody listens.
        until(|| std::os::unix::net::UnixStream::connect(agent.socket()).is_ok()).await;
        for (number, key) in keys.iter().enumerate() {
            let file = agent.folder.path().join(format!("key-{number}"));
            write_private(&file, key.reveal());
            agent.add(&file);
        }
        agent
    }

    pub(super) fn add(&self, file: &Path) {
        let added = std::process::Command::new("ssh-add")
            .arg("-q")
            .arg(file)
            .env("SSH_AUTH_SOCK", self.socket())
            .status();
        assert!(added.unwrap().success());
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn login(&self) -> Authentication {
        Authentication::Agent(self.socket())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn other_key() -> Secret {
    KeyPair::generate(KeyType::Ed25519, "other").unwrap().private
}

#[tokio::test]
async fn any_key_of_the_agent_may_be_the_right_one() {
    for kind in [KeyType::Ed25519, KeyType::Rsa(2048)] {
        let Some(server) = start_with("", kind) else { return };
        let agent = Agent::start(&[&other_key(), server.key()]).await;
        let ssh = server.connect_with(SshOptions::new(user(), vec![agent.login()])).await;
        assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    }
}

#[tokio::test]
async fn an_agent_without_the_right_key_is_told() {
    let Some(server) = start("") else { return };
    let agent = Agent::start(&[&other_key()]).await;
    let options = SshOptions::new("root", vec![agent.login()]);
    let names = [(server.port(), "MACHINE")];
    insta::assert_snapshot!(complaint(options, server.port(), &names).await, @"
    MACHINE does not let user `root` log in: access denied; tried the agent's key `other` (ssh-ed25519); the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
    // What comes after it is tried too.
    let ways = vec![agent.login(), server.login()];
    server.connect_with(SshOptions::new(user(), ways)).await;
}

#[tokio::test]
async fn an_agent_without_keys_or_none_at_all_is_told_at_once() {
    let agent = Agent::start(&[]).await;
    let options = SshOptions::new("root", vec![agent.login()]);
    insta::assert_snapshot!(complaint(options, 1, &[]).await, @"
    the SSH agent cannot be used: it has no keys
    start one with `eval $(ssh-agent)`, give it the key with `ssh-add FILE`, and see that `SSH_AUTH_SOCK` reaches bake
    ");
    let options = SshOptions::new("root", vec![Authentication::Agent("/no/such/agent".into())]);
    insta::assert_snapshot!(complaint(options, 1, &[]).await, @"
    the SSH agent cannot be used: `SSH_AUTH_SOCK` is `/no/such/agent`, but: No such file or directory (os error 2)
    start one with `eval $(ssh-agent)`, give it the key with `ssh-add FILE`, and see that `SSH_AUTH_SOCK` reaches bake
    ");
}

#[tokio::test]
async fn commands_may_use_the_agent_unless_that_is_off() {
    let Some(server) = start("") else { return };
    let key = KeyPair::generate(KeyType::Ed25519, "mine").unwrap();
    let agent = Agent::start(&[&key.private]).await;
    let list = "if [ -n \"$SSH_AUTH_SOCK\" ]; then ssh-add -L; else echo none; fi";

    let forwarding = SshOptions { forward_agent: Some(agent.socket()), ..server.options() };
    let ssh = server.connect_with(forwarding).await;
    for _ in 0..2 {
        assert_eq!(succeed(&ssh, list).await.trim(), key.public);
    }
    let ssh = server.connect().await;
    assert_eq!(succeed(&ssh, list).await, "none\n");

    // A server that forbids it does not mind being asked.
    let Some(strict) = start("AllowAgentForwarding no") else { return };
    let forwarding = SshOptions { forward_agent: Some(agent.socket()), ..strict.options() };
    assert_eq!(succeed(&strict.connect_with(forwarding).await, list).await, "none\n");
}
