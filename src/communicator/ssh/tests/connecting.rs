//! Getting in, and saying why not.

use crate::template::schema::Secret;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::server::{Behaviour, Server};
use super::*;
use crate::communicator::{ConnectError, ConnectStage};
use crate::event::Fact;

fn options() -> SshOptions {
    let key = KeyPair::generate(KeyType::Ed25519, "test").unwrap();
    SshOptions::new("admin", vec![Authentication::Key(key.private)])
}

pub(super) async fn try_to_connect(
    options: SshOptions,
    port: u16,
) -> Result<Ssh, CommunicatorError> {
    let (emitter, _events) = event::channel();
    let address = Address::known("127.0.0.1", port);
    connect(options, address, emitter, CancellationToken::new()).await
}

async fn refused(options: SshOptions, port: u16) -> Box<ConnectError> {
    match try_to_connect(options, port).await {
        Err(CommunicatorError::Connect(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Replaces what differs from run to run.
fn plain(error: &ConnectError) -> String {
    let text = error.to_string();
    let text = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap().replace_all(&text, "HOST");
    regex::Regex::new(r"\([^()]*attempt[^()]*\)").unwrap().replace(&text, "(ATTEMPTS)").into_owned()
}

#[tokio::test]
async fn waiting_begins_before_the_address_is_known_and_the_port_open() {
    let reserved = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let local = reserved.local_addr().unwrap();
    drop(reserved);
    let (sender, address) = watch::channel(None);
    let (emitter, mut events) = event::channel();
    let connecting = tokio::spawn(connect(options(), address, emitter, CancellationToken::new()));
    tokio::task::yield_now().await;
    assert!(events.try_recv().is_err(), "nothing to tell without an address");

    sender.send(Some(Address { host: "127.0.0.1".into(), port: local.port() })).unwrap();
    let started = events.recv().await.unwrap().fact;
    assert!(matches!(started, Fact::ConnectStarted { communicator: "SSH", .. }), "{started:?}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    let opened = Instant::now();
    let _server = server::serve(TcpListener::bind(local).await.unwrap(), Behaviour::default());
    connecting.await.unwrap().unwrap();
    assert!(opened.elapsed() < Duration::from_secs(1), "{:?}", opened.elapsed());
    match events.recv().await.unwrap().fact {
        Fact::Connected { attempts, address } => {
            assert!(attempts > 1);
            assert_eq!(address, Some(local));
        }
        fact => panic!("{fact:?}"),
    }
}

#[tokio::test]
async fn no_address_at_all_is_an_error() {
    let (sender, address) = watch::channel(None);
    drop(sender);
    let (emitter, _events) = event::channel();
    let error = connect(options(), address, emitter, CancellationToken::new()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no address to connect to: the instance has none that can be used"
    );
}

#[tokio::test]
async fn cancelling_ends_the_wait() {
    let (_sender, address) = watch::channel(None);
    let (emitter, _events) = event::channel();
    let cancel = CancellationToken::new();
    let connecting = tokio::spawn(connect(options(), address, emitter, cancel.clone()));
    cancel.cancel();
    assert!(matches!(connecting.await.unwrap(), Err(CommunicatorError::Cancelled)));
}

#[tokio::test]
async fn a_closed_port_is_told_from_a_silent_one() {
    let closed = closed();
    let short = SshOptions { timeout: Duration::from_millis(500), ..options() };
    let error = refused(short, closed.port).await;
    assert_eq!(error.stage, ConnectStage::Tcp);
    assert!(error.attempts > 1);
    insta::assert_snapshot!(plain(&error), @"no TCP connection to HOST: connection refused (ATTEMPTS)");

    // Something else answers.
    let web = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = web.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = web.accept().await {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let short = SshOptions { timeout: Duration::from_millis(500), ..options() };
    let error = refused(short, port).await;
    serving.abort();
    assert!(error.stage >= ConnectStage::Banner, "{error:?}");

    // Somebody says nothing at all.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let short = SshOptions { timeout: Duration::from_millis(900), ..options() };
    let error = refused(short, port).await;
    insta::assert_snapshot!(plain(&error), @"no SSH server answers at HOST: it accepts the connection but says nothing for 1 s (ATTEMPTS)");
    drop(silent);

    // Somebody hangs up at once.
    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = mute.local_addr().unwrap().port();
    let hanging = tokio::spawn(async move { while mute.accept().await.is_ok() {} });
    let short = SshOptions { timeout: Duration::from_millis(500), ..options() };
    let error = refused(short, port).await;
    hanging.abort();
    assert_eq!(error.stage, ConnectStage::Banner);
}

#[tokio::test]
async fn a_key_that_comes_late_is_waited_for() {
    let server = server::start(Behaviour { refusals: 1, ..Behaviour::default() }).await;
    let ssh = try_to_connect(options(), server.port).await.unwrap();
    assert_eq!(server.logins.load(Ordering::SeqCst), 2);
    assert_eq!(run(&ssh, Command::new("x")).await.0.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn a_refused_login_says_who_and_how() {
    let server = server::start(Behaviour { refusals: 9, ..Behaviour::default() }).await;
    let once = SshOptions { handshake_attempts: 1, ..options() };
    let error = refused(once, server.port).await;
    assert_eq!((error.stage, error.refusals), (ConnectStage::Authentication, 1));
    insta::assert_snapshot!(plain(&error), @"HOST does not let user `admin` log in: access denied; tried publickey (ssh-ed25519); the server takes none, password, publickey, hostbased, keyboard-interactive (ATTEMPTS)");
    let hints = CommunicatorError::Connect(error).hints();
    assert!(hints.iter().any(|hint| hint.contains("ssh_username")), "{hints:?}");
}

#[tokio::test]
async fn a_password_answers_every_question() {
    let server = server::start(Behaviour { password: Some("pw"), ..Behaviour::default() }).await;
    let with = |password: &str| SshOptions {
        handshake_attempts: 1,
        ..SshOptions::new("admin", vec![Authentication::Password(Secret::new(password))])
    };
    try_to_connect(with("pw"), server.port).await.unwrap();
    let error = refused(with("other"), server.port).await;
    assert_eq!(error.tried, ["password", "keyboard-interactive"]);
}

#[tokio::test]
async fn the_expected_host_key_is_checked() {
    let server = server::start(Behaviour::default()).await;
    let with = |key: &str| SshOptions { expected_host_key: Some(key.into()), ..options() };
    try_to_connect(with(&server.host_key), server.port).await.unwrap();

    let other = KeyPair::generate(KeyType::Ed25519, "").unwrap().public;
    let error = refused(with(&other), server.port).await;
    assert_eq!((error.stage, error.attempts), (ConnectStage::HostKey, 1));
    assert!(error.last.starts_with("it shows the host key SHA256:"), "{error}");
}

#[tokio::test]
async fn without_a_common_algorithm_both_sides_are_listed() {
    let server = server::start(Behaviour { old_ciphers: true, ..Behaviour::default() }).await;
    let error = refused(options(), server.port).await;
    assert_eq!((error.stage, error.attempts), (ConnectStage::KeyExchange, 1));
    insta::assert_snapshot!(plain(&error), @"the SSH handshake with HOST failed: there is no cipher that both sides know: bake offers aes256-gcm@openssh.com, aes128-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes192-ctr, aes128-ctr; the server offers aes128-cbc (ATTEMPTS)");
}

async fn connected(behaviour: Behaviour) -> (Server, Ssh) {
    let server = server::start(behaviour).await;
    let ssh = try_to_connect(options(), server.port).await.unwrap();
    (server, ssh)
}

#[tokio::test]
async fn ends_are_told_apart() {
    let (_server, ssh) = connected(Behaviour::default()).await;
    let end = async |text: &str| run(&ssh, Command::new(text)).await;
    assert_eq!(end("signal").await.0.unwrap(), Exit::Signal("SEGV".into()));
    let (exit, said) = end("status first").await;
    assert_eq!((exit.unwrap(), said.stdout.as_str()), (Exit::Code(3), "late\n"));
    assert!(matches!(end("no status").await.0.unwrap(), Exit::Disconnected { .. }));
    match end("vanish").await.0 {
        Ok(Exit::Disconnected { .. }) | Err(CommunicatorError::Lost { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(end("x").await.0.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn a_command_is_ended_when_nobody_waits_for_it() {
    let (server, ssh) = connected(Behaviour::default()).await;
    let mut ended = server.ended.subscribe();
    tokio::select! {
        result = run(&ssh, Command::new("hang")) => panic!("{result:?}"),
        said = ended.wait_for(|said| said == &["hangs"]) => drop(said.unwrap()),
    }
    let said = ended.wait_for(|said| said.len() == 3).await.unwrap();
    assert_eq!(*said, ["hangs", "SIGTERM", "closed"]);
}

#[tokio::test]
async fn a_server_that_runs_no_commands_is_an_error() {
    let (_server, ssh) =
        connected(Behaviour { refuse_commands: true, ..Behaviour::default() }).await;
    let error = run(&ssh, Command::new("x")).await.0.unwrap_err();
    assert!(matches!(error, CommunicatorError::Refused { wanted: "run a command", .. }));
}

#[tokio::test]
async fn a_peer_that_vanishes_is_noticed() {
    let server = server::start(Behaviour::default()).await;
    let relay = relay::start(server.port).await;
    let options = SshOptions {
        keep_alive_interval: Some(Duration::from_millis(100)),
        silence_limit: Duration::from_millis(500),
        ..options()
    };
    let ssh = try_to_connect(options, relay.port).await.unwrap();
    let connection = ssh.connection().await.unwrap();
    // An idle peer that answers is not gone.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(connection.is_open());
    relay.cut.cancel();
    let start = Instant::now();
    while connection.is_open() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(start.elapsed() < Duration::from_secs(10), "nobody noticed");
    }
    assert_eq!(connection.end(), "the far side has stopped answering");
}
