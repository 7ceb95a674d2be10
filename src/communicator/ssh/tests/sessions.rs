//! Sessions that nobody uses, and commands whose end is hard to see.

use super::server::Behaviour;
use super::*;
use crate::communicator::Stdin;

fn key() -> SshOptions {
    let key = KeyPair::generate(KeyType::Ed25519, "test").unwrap();
    SshOptions::new("admin", vec![Authentication::Key(key.private)])
}

#[tokio::test]
async fn output_that_is_held_up_is_waited_for() {
    let server = server::start(Behaviour::default()).await;
    let relay = relay::start(server.port).await;
    let ssh = try_to_connect(key(), relay.port).await.unwrap();
    let mut story = server.ended.subscribe();
    let hold = async {
        story.wait_for(|said| said.contains(&"has ended")).await.unwrap();
        // The status is through, the output is not.
        tokio::time::sleep(Duration::from_millis(150)).await;
        relay.held.send_replace(true);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        relay.held.send_replace(false);
    };
    let ((exit, said), ()) = tokio::join!(run(&ssh, Command::new("status, then more")), hold);
    assert_eq!((exit.unwrap(), &*said.stdout), (Exit::Code(4), "more\n"));
}

#[tokio::test]
async fn a_server_that_closes_the_session_early_has_not_lost_the_connection() {
    let server = server::start(Behaviour::default()).await;
    let ssh = try_to_connect(key(), server.port).await.unwrap();
    let (sender, stream) = mpsc::channel(1);
    let command =
        Command { stdin: Stdin::Stream(Arc::new(Mutex::new(stream))), ..Command::new("no status") };
    let (exit, _) = run(&ssh, command).await;
    let reason = "the server closed the session without an exit status".into();
    assert_eq!(exit.unwrap(), Exit::Disconnected { reason });
    drop(sender);
}

#[tokio::test]
async fn sessions_that_nobody_uses_are_closed() {
    // As many as are allowed, several times.
    let Some(server) = openssh::start("MaxSessions 2") else { return };
    let ssh = server.connect().await;
    let connection = ssh.connection().await.unwrap();
    for _ in 0..6 {
        drop(connection.open_session().await.unwrap());
        // One that comes when nobody waits any more.
        let mut opening = Box::pin(connection.open_session());
        let waker = futures::task::noop_waker();
        let mut context = std::task::Context::from_waker(&waker);
        assert!(opening.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
}

#[tokio::test]
async fn a_round_trip_is_measured_without_a_session() {
    let Some(server) = openssh::start("MaxSessions 1") else { return };
    let ssh = server.connect().await;
    let connection = ssh.connection().await.unwrap();
    let _session = connection.open_session().await.unwrap();
    let time = connection.ping().await.expect("an answer");
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[tokio::test]
async fn a_session_that_was_opened_long_ago_is_not_used() {
    let Some(server) = openssh::start("LogLevel DEBUG1\nMaxSessions 1") else { return };
    let ssh = server.connect().await;
    let opened = || server.log().matches("server_input_channel_open: ctype session").count();
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    let before = opened();
    ssh.connection().await.unwrap().age();
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    assert!(opened() > before, "{}", server.log());
}
