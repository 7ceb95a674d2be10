//! Certificates for users, signed by an authority that the server trusts.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use super::agents::Agent;
use super::openssh::{start, user, write_private};
use super::*;
use crate::template::schema::Secret;

/// An authority and a key that it has signed, in a folder of their own.
struct Authority {
    folder: tempfile::TempDir,
    key: Secret,
}

impl Authority {
    fn new(kind: KeyType) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate(KeyType::Ed25519, "authority").unwrap();
        write_private(&folder.path().join("ca"), pair.private.reveal());
        std::fs::write(folder.path().join("ca.pub"), pair.public).unwrap();
        let pair = KeyPair::generate(kind, "user").unwrap();
        write_private(&folder.path().join("key"), pair.private.reveal());
        std::fs::write(folder.path().join("key.pub"), pair.public).unwrap();
        Self { folder, key: pair.private }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> String {
        format!("TrustedUserCAKeys {}", self.path("ca.pub").display())
    }

    /// A certificate for a user, as `ssh-keygen` makes it.
    fn sign(&self, user: &str) -> String {
        let signed = Process::new("ssh-keygen")
            .args(["-q", "-I", "bake test", "-n", user, "-V", "+1h", "-s"])
            .arg(self.path("ca"))
            .arg(self.path("key.pub"))
            .status();
        assert!(signed.unwrap().success());
        read(&self.path("key-cert.pub"))
    }

    fn login(&self, certificate: String) -> Authentication {
        Authentication::Certificate { key: self.key.clone(), certificate }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn certificates_of_all_kinds_of_keys_log_in() {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa(256), KeyType::Rsa(2048)] {
        let authority = Authority::new(kind);
        let Some(server) = start(&authority.settings()) else { return };
        let login = authority.login(authority.sign(&user()));
        let ssh = server.connect_with(SshOptions::new(user(), vec![login])).await;
        assert_eq!(succeed(&ssh, "echo in").await, "in\n");
        // The key alone is not known there.
        let bare = SshOptions::new("root", vec![Authentication::Key(authority.key.clone())]);
        assert!(try_to_connect(impatient(bare), server.port()).await.is_err());
        // An agent takes the certificate that lies beside a key.
        let agent = Agent::start(&[]).await;
        agent.add(&authority.path("key"));
        let ssh = server.connect_with(SshOptions::new(user(), vec![agent.login()])).await;
        assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    }
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_refused() {
    let authority = Authority::new(KeyType::Ed25519);
    let Some(server) = start(&authority.settings()) else { return };
    let login = authority.login(authority.sign("somebody"));
    let names = [(server.port(), "MACHINE")];
    let options = SshOptions::new("root", vec![login]);
    insta::assert_snapshot!(complaint(options, server.port(), &names).await, @"
    MACHINE does not let user `root` log in: access denied; tried certificate `bake test`; the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");

    let other = KeyPair::generate(KeyType::Ed25519, "").unwrap().private;
    let login = Authentication::Certificate { key: other, certificate: authority.sign("root") };
    let options = SshOptions::new("root", vec![login]);
    insta::assert_snapshot!(complaint(options, server.port(), &names).await, @"
    the private key cannot be used: its certificate is of no use: it is for another key
    `ssh-keygen -L -f FILE` shows what a certificate is for
    ");
}
