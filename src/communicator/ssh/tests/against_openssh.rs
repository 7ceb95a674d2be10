//! Commands on a real server.

use std::time::{Duration, Instant};

use super::*;
use crate::communicator::Stdin;

#[tokio::test]
async fn output_status_and_input_travel() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;

    let (exit, said) = run(&ssh, Command::new("echo out; echo err >&2; exit 7")).await;
    assert_eq!(exit.unwrap(), Exit::Code(7));
    assert_eq!(said, Said { stdout: "out\n".into(), stderr: "err\n".into() });

    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let digest = crate::plan::Digest::of(&bytes).hex();
    let stdin = Stdin::Bytes(bytes.into());
    let (exit, said) = run(&ssh, Command { stdin, ..Command::new("sha256sum") }).await;
    assert_eq!(exit.unwrap(), Exit::Code(0));
    assert!(said.stdout.starts_with(&digest), "{said:?}");

    let (exit, _) = run(&ssh, Command::new("kill -KILL $$")).await;
    assert_eq!(exit.unwrap(), Exit::Signal("KILL".into()));
}

#[tokio::test]
async fn a_terminal_is_given_when_asked_for() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let test = "test -t 1 && echo terminal || echo pipe";
    assert_eq!(succeed(&ssh, test).await, "pipe\n");
    let (exit, said) = run(&ssh, Command { pty: true, ..Command::new(test) }).await;
    assert_eq!(exit.unwrap(), Exit::Code(0));
    assert_eq!(said.stdout, "terminal\r\n");
}

#[tokio::test]
async fn many_commands_share_one_connection() {
    let Some(server) = openssh::start("MaxSessions 8\nLogLevel VERBOSE") else { return };
    let ssh = server.connect().await;
    let all = (0..20).map(|n| {
        let ssh = &ssh;
        async move { (n, succeed(ssh, &format!("sleep 0.05; echo {n}")).await) }
    });
    for (n, said) in futures::future::join_all(all).await {
        assert_eq!(said, format!("{n}\n"));
    }
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn a_slow_reader_slows_the_far_side_and_loses_nothing() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let text = format!("head -c 80000000 /dev/zero; touch {}", done.display());
    let (output, mut chunks) = mpsc::channel::<Chunk>(1);
    let count = async {
        // Nothing is read for a while: what is under way fits into the windows and stops there.
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!done.exists(), "80 MB were taken in without anybody reading them");
        let mut bytes = 0;
        while let Some(chunk) = chunks.recv().await {
            bytes += chunk.bytes.len();
        }
        bytes
    };
    let (exit, bytes) = tokio::join!(ssh.exec(Command::new(text), output), count);
    assert_eq!((exit.unwrap(), bytes), (Exit::Code(0), 80_000_000));
}

#[tokio::test]
async fn a_command_ends_when_nobody_waits_for_it() {
    // sshd passes no signals on to sessions of root.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let (pid, ended) = (folder.path().join("pid"), folder.path().join("ended"));
    let text = format!(
        "trap 'touch {}; exit' TERM; echo $$ > {}; while :; do sleep 0.05; done",
        ended.display(),
        pid.display()
    );
    tokio::select! {
        result = run(&ssh, Command::new(text)) => panic!("{result:?}"),
        () = until(|| pid.exists()) => {}
    }
    until(|| ended.exists()).await;
    assert_eq!(succeed(&ssh, "echo on").await, "on\n");
}

/// Waits for a change that the test cannot be told of.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_process_left_behind_does_not_hold_up_the_step() {
    let Some(server) = openssh::start("") else { return };
    let ssh = server.connect().await;
    let start = Instant::now();
    assert_eq!(succeed(&ssh, "sleep 30 & echo $!").await.lines().count(), 1);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_lost_connection_is_told_and_made_again() {
    let Some(server) = openssh::start("LogLevel VERBOSE") else { return };
    let ssh = server.connect().await;
    // The parent of the session's shell is the process that serves this connection.
    let (exit, _) = run(&ssh, Command::new("kill -KILL $PPID; sleep 20")).await;
    match exit.unwrap() {
        Exit::Disconnected { reason } => assert!(reason.contains("closed"), "{reason}"),
        exit => panic!("{exit:?}"),
    }
    assert_eq!(succeed(&ssh, "echo again").await, "again\n");
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn ecdsa_and_rsa_keys_log_in() {
    for kind in [KeyType::Ecdsa(256), KeyType::Rsa(2048)] {
        let Some(server) = openssh::start_with("", kind) else { return };
        let ssh = server.connect().await;
        assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    }
    // A server that takes RSA keys with one hash only.
    let settings = "PubkeyAcceptedAlgorithms rsa-sha2-256";
    let Some(server) = openssh::start_with(settings, KeyType::Rsa(2048)) else { return };
    assert_eq!(succeed(&server.connect().await, "echo in").await, "in\n");
}

#[tokio::test]
async fn ciphers_follow_the_order_of_speed() {
    let Some(server) = openssh::start("LogLevel DEBUG1") else { return };
    let ssh = server.connect().await;
    succeed(&ssh, "true").await;
    let log = server.log();
    assert!(log.contains("cipher: aes256-gcm@openssh.com"), "{log}");
    ssh.disconnect().await;
}

#[tokio::test]
async fn a_login_shell_that_chats_disturbs_nothing() {
    // What a banner in a shell's start-up file looks like to us.
    let settings = "ForceCommand echo welcome; echo really >&2; sh -c \"$SSH_ORIGINAL_COMMAND\"";
    let Some(server) = openssh::start(settings) else { return };
    let ssh = server.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let upload = Upload {
        tree: crate::plan::Tree::of_bytes(*b"text", 0o640),
        name: "x".into(),
        destination: folder.path().join("x").display().to_string(),
        contents_only: false,
    };
    ssh.upload(&upload, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), b"text");
}
