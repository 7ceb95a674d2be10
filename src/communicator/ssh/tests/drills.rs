//! What goes wrong between a user and an OpenSSH server, in the words that are told.

use std::time::Instant;

use super::openssh::{start, user};
use super::*;
use crate::template::schema::Secret;

fn other_key() -> Authentication {
    Authentication::Key(KeyPair::generate(KeyType::Ed25519, "other").unwrap().private)
}

#[tokio::test]
async fn wrong_key_wrong_user_and_closed_port() {
    let Some(mut server) = start("") else { return };
    let port = server.port();
    let names = [(port, "MACHINE")];
    let options = SshOptions::new("root", vec![other_key()]);
    insta::assert_snapshot!(complaint(options, port, &names).await, @"
    MACHINE does not let user `root` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
    let options = SshOptions { username: "nobody-here".into(), ..server.options() };
    insta::assert_snapshot!(complaint(options, port, &names).await, @"
    MACHINE does not let user `nobody-here` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey
    check `ssh_username` (`nobody-here` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
    let options = SshOptions::new("root", Vec::new());
    insta::assert_snapshot!(complaint(options, port, &names).await, @"
    MACHINE does not let user `root` log in: access denied; tried none; the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
    server.stop();
    insta::assert_snapshot!(late_complaint(server.options(), port, &names).await, @"
    no TCP connection to MACHINE: connection refused
    check that the security group and the network let this machine reach MACHINE, and that sshd runs on the instance
    ");
}

#[tokio::test]
async fn a_server_that_has_had_enough_refuses() {
    let Some(server) = start("MaxAuthTries 2") else { return };
    let ways = vec![other_key(), other_key(), other_key(), other_key()];
    let options = SshOptions::new("root", ways);
    let names = [(server.port(), "MACHINE")];
    insta::assert_snapshot!(complaint(options, server.port(), &names).await, @"
    MACHINE does not let user `root` log in: the server said `Too many authentication failures`; tried publickey (ssh-ed25519), publickey (ssh-ed25519); the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
}

#[tokio::test]
async fn two_ways_may_be_needed() {
    let settings = "AuthenticationMethods publickey,publickey";
    let Some(server) = start(settings) else { return };
    let options = SshOptions::new("root", vec![server.login(), other_key()]);
    let names = [(server.port(), "MACHINE")];
    // The first key was right, and is not enough.
    insta::assert_snapshot!(complaint(options, server.port(), &names).await, @"
    MACHINE does not let user `root` log in: access denied; tried publickey (ssh-ed25519), which is right but not enough, publickey (ssh-ed25519); the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
}

#[tokio::test]
async fn without_a_common_algorithm_both_lists_are_told() {
    for (settings, of) in [
        ("Ciphers aes128-cbc", "cipher"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "key exchange"),
        ("Ciphers aes128-ctr\nMACs umac-128@openssh.com,umac-64@openssh.com", "MAC"),
    ] {
        let Some(server) = start(settings) else { return };
        let names = [(server.port(), "MACHINE")];
        let said = complaint(server.options(), server.port(), &names).await;
        match of {
            "cipher" => insta::assert_snapshot!(said, @"
            the SSH handshake with MACHINE failed: there is no cipher that both sides know: bake offers aes256-gcm@openssh.com, aes128-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes192-ctr, aes128-ctr; the server offers aes128-cbc
            check that client and server have algorithms in common: `ssh_ciphers` and `ssh_key_exchange_algorithms` are what bake offers
            "),
            "key exchange" => insta::assert_snapshot!(said, @"
            the SSH handshake with MACHINE failed: there is no key exchange that both sides know: bake offers mlkem768x25519-sha256, curve25519-sha256, curve25519-sha256@libssh.org, ecdh-sha2-nistp256, ecdh-sha2-nistp384, ecdh-sha2-nistp521, diffie-hellman-group-exchange-sha256, diffie-hellman-group18-sha512, diffie-hellman-group17-sha512, diffie-hellman-group16-sha512, diffie-hellman-group15-sha512, diffie-hellman-group14-sha256, diffie-hellman-group14-sha1; the server offers sntrup761x25519-sha512@openssh.com
            check that client and server have algorithms in common: `ssh_ciphers` and `ssh_key_exchange_algorithms` are what bake offers
            "),
            _ => insta::assert_snapshot!(said, @"
            the SSH handshake with MACHINE failed: there is no MAC that both sides know: bake offers hmac-sha2-512-etm@openssh.com, hmac-sha2-256-etm@openssh.com, hmac-sha2-512, hmac-sha2-256, hmac-sha1-etm@openssh.com, hmac-sha1; the server offers umac-128@openssh.com, umac-64@openssh.com
            check that client and server have algorithms in common: `ssh_ciphers` and `ssh_key_exchange_algorithms` are what bake offers
            "),
        }
    }
}

#[tokio::test]
async fn algorithms_that_are_asked_for_are_taken() {
    let Some(server) = start("LogLevel DEBUG1\nCiphers +aes192-cbc") else { return };
    let list = |name: &str| [name.to_owned()];
    let algorithms = Algorithms::named(&list("aes192-cbc"), &list("ecdh-sha2-nistp384")).unwrap();
    let ssh = server.connect_with(SshOptions { algorithms, ..server.options() }).await;
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    let log = server.log();
    assert!(log.contains("kex: algorithm: ecdh-sha2-nistp384"), "{log}");
    assert!(log.contains("cipher: aes192-cbc"), "{log}");
}

#[tokio::test]
async fn each_key_exchange_works() {
    let names = known_to_openssh(Algorithms::key_exchanges());
    let Some(server) = start(&format!("KexAlgorithms +{}", names.join(","))) else { return };
    // Large groups take many seconds without an optimiser.
    let is_slow = |name: &str| name.contains("group") && !name.ends_with("group14-sha1");
    let all = std::env::var_os("BAKE_TEST_ALL").is_some();
    for name in names.into_iter().filter(|name| all || !is_slow(name)) {
        let algorithms = Algorithms::named(&[], &[name.to_owned()]).unwrap();
        let ssh = server.connect_with(SshOptions { algorithms, ..server.options() }).await;
        assert_eq!(succeed(&ssh, "echo in").await, "in\n", "{name}");
    }
}

/// Those that `sshd` knows too: not all versions know all of them.
fn known_to_openssh(names: Vec<&str>) -> Vec<&str> {
    let output = std::process::Command::new("ssh").args(["-Q", "kex"]).output().unwrap();
    let known = String::from_utf8(output.stdout).unwrap();
    names.into_iter().filter(|name| known.lines().any(|line| line == *name)).collect()
}

#[tokio::test]
async fn a_host_that_is_gone_ends_a_command() {
    let Some(server) = start("") else { return };
    let relay = relay::start(server.port()).await;
    let options = SshOptions {
        keep_alive_interval: Some(Duration::from_millis(100)),
        silence_limit: Duration::from_millis(500),
        ..server.options()
    };
    let ssh = try_to_connect(options, relay.port).await.unwrap();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.cut.cancel();
    };
    let start = Instant::now();
    let ((exit, _), ()) = tokio::join!(run(&ssh, Command::new("sleep 30")), cut);
    let reason = "the far side has stopped answering".into();
    assert_eq!(exit.unwrap(), Exit::Disconnected { reason });
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_read_takes_no_longer_than_it_may() {
    let Some(server) = start("") else { return };
    let options = SshOptions {
        keep_alive_interval: None,
        read_write_timeout: Some(Duration::from_millis(700)),
        ..server.options()
    };
    let ssh = server.connect_with(options).await;
    assert_eq!(succeed(&ssh, "sleep 0.2; echo in time").await, "in time\n");
    let (exit, _) = run(&ssh, Command::new("sleep 20")).await;
    let reason = "nothing came for 700ms".into();
    assert_eq!(exit.unwrap(), Exit::Disconnected { reason });
}

#[tokio::test]
async fn after_a_pause_the_connection_is_made_again() {
    let Some(server) = start("LogLevel VERBOSE") else { return };
    let pause = Duration::from_millis(300);
    let start = Instant::now();
    let ssh = server.connect_with(SshOptions { pause, ..server.options() }).await;
    assert!(start.elapsed() >= pause);
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn a_shell_that_lets_nobody_in_and_a_banner_are_told_apart() {
    // What is said before the log-in disturbs nothing.
    let folder = tempfile::tempdir().unwrap();
    let banner = folder.path().join("banner");
    std::fs::write(&banner, "Only for those who may.\n").unwrap();
    let Some(server) = start(&format!("Banner {}", banner.display())) else { return };
    assert_eq!(succeed(&server.connect().await, "echo in").await, "in\n");
    // Nor does a shell that only says good-bye.
    let settings = "ForceCommand echo 'This account is not available.'; exit 1";
    let Some(server) = start(settings) else { return };
    let (exit, said) = run(&server.connect().await, Command::new("true")).await;
    assert_eq!(exit.unwrap(), Exit::Code(1));
    assert_eq!(said.stdout, "This account is not available.\n");
}

#[tokio::test]
async fn a_locked_key_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "passphrase", "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let key = Secret::new(std::fs::read_to_string(file).unwrap());
    let options = SshOptions::new(user(), vec![Authentication::Key(key)]);
    insta::assert_snapshot!(complaint(options, 1, &[]).await, @"
    the private key cannot be used: it is encrypted with a passphrase
    give it to an agent with `ssh-add` and set `ssh_agent_auth`, or take the passphrase off a copy with `ssh-keygen -p -f COPY`
    ");
}
