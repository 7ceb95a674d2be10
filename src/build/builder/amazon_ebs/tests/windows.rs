//! Windows: the password that EC2 hands out, and the way in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;

use super::super::run::run;
use super::super::{AmazonEbs, Communication, KeySettings, PasswordSettings};
use super::fake_ec2::{FakeEc2, SOURCE};
use super::support::{Idle, World, image_id, plain, texts};
use crate::build::Way;
use crate::communicator::ssh::{KeyPair, KeyType};
use crate::communicator::{Communicator, WinRmSettings};
use crate::event::Fact;

const PASSWORD: &str = "d0gs&C4ts;=;";

fn build(fake: &FakeEc2, limit: Duration) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    let login = WinRmSettings { username: "Administrator".to_owned(), ..WinRmSettings::default() };
    build.communication = Communication::WinRm {
        key: KeySettings::Temporary { kind: KeyType::Rsa(2048), name: None },
        port: 5985,
        host: None,
        address: super::super::AddressKind::Any,
        login: Box::new(login),
        password: PasswordSettings::Asked { key_file: None, limit },
    };
    build
}

/// A build with an existing key pair, whose private half is said to be in a file.
fn with_key_file(fake: &FakeEc2, file: &std::path::Path) -> AmazonEbs {
    let mut build = build(fake, Duration::from_secs(30));
    if let Communication::WinRm { key, password, .. } = &mut build.communication {
        *key = KeySettings::Existing { name: "mine".to_owned() };
        let (key_file, limit) = (Some(file.to_owned()), Duration::from_secs(30));
        *password = PasswordSettings::Asked { key_file, limit };
    }
    build
}

#[tokio::test]
async fn the_password_is_waited_for_and_never_shown() {
    let fake = FakeEc2::default();
    fake.with(|state| state.password = Some((PASSWORD, 2)));
    let mut world = World::new();
    fake.watch(&world.ledger);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (ways, requests) = (seen.clone(), seen.clone());
    world.context.connect = Arc::new(move |request| {
        let Way::WinRm { host, port, login, dial } = request.way else { panic!("another way") };
        assert!(dial.is_none());
        let password = login.password.as_ref().expect("a password").reveal().to_owned();
        let line = format!("{}@{host}:{port} {password}", login.username);
        ways.lock().expect("not poisoned").push(line);
        async { Ok(Arc::new(Idle) as Arc<dyn Communicator>) }.boxed()
    });
    world.context.provision = Arc::new(move |request| {
        assert_eq!(request.readiness, Duration::ZERO);
        for name in ["Password", "WinRMPassword"] {
            let value = &request.data[name];
            assert!(value.sensitive_texts().contains(&PASSWORD.to_owned()), "{name}");
        }
        let kind = request.data["ConnType"].clone();
        requests.lock().expect("not poisoned").push(format!("{kind:?}"));
        async { Ok(()) }.boxed()
    });
    image_id(&run(&build(&fake, Duration::from_secs(30)), &texts(), &world.context).await);
    let seen = seen.lock().expect("not poisoned").clone();
    assert_eq!(seen[0], format!("Administrator@198.51.100.7:5985 {PASSWORD}"));
    assert!(seen[1].contains("winrm"), "{seen:?}");
    assert_eq!(fake.temporary(), [""; 0]);
    let facts = world.facts().await;
    let position = |wanted: fn(&Fact) -> bool| facts.iter().position(wanted).expect("it is told");
    let asked = position(|fact| matches!(fact, Fact::PasswordWaitStarted { .. }));
    let hidden = position(|fact| matches!(fact, Fact::SecretsFound { .. }));
    let received = position(|fact| matches!(fact, Fact::PasswordReceived { .. }));
    assert!(asked < hidden && hidden < received);
    position(|fact| matches!(fact, Fact::IngressAuthorized { port: 5985, .. }));
    assert!(!format!("{facts:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_session_leads_to_windows_without_an_open_port() {
    let fake = FakeEc2::default();
    fake.with(|state| state.password = Some((PASSWORD, 0)));
    let mut world = World::new();
    fake.watch(&world.ledger);
    world.context.connect = Arc::new(move |request| {
        let Way::WinRm { host, port, dial, .. } = request.way else { panic!("another way") };
        let name = dial.expect("a session").name();
        assert!(name.contains(&host) && host.starts_with("i-") && port == 5986, "{name}");
        async { Ok(Arc::new(Idle) as Arc<dyn Communicator>) }.boxed()
    });
    let mut build = build(&fake, Duration::from_secs(30));
    if let Communication::WinRm { address, port, .. } = &mut build.communication {
        *address = super::super::AddressKind::SessionManager { pause: Duration::ZERO };
        *port = 5986;
    }
    image_id(&run(&build, &texts(), &world.context).await);
    fake.with(|state| {
        assert!(!state.calls.iter().any(|call| call == "AuthorizeSecurityGroupIngress"));
    });
    assert_eq!(fake.temporary(), [""; 0]);
}

#[tokio::test]
async fn a_password_that_does_not_come_ends_the_build_and_leaves_nothing() {
    let fake = FakeEc2::default();
    let world = World::new();
    fake.watch(&world.ledger);
    let build = build(&fake, Duration::from_millis(200));
    let error = run(&build, &texts(), &world.context).await.result.expect_err("no password");
    let text = format!("{}\n{}", error.report(), error.hints().join("\n"));
    let id = regex::Regex::new(r"\bi-[0-9a-f]+").expect("is one");
    let warned = world.facts().await.into_iter().find_map(|fact| match fact {
        Fact::Warning { text } => Some(text),
        _ => None,
    });
    let text = format!("{}\n{text}", warned.expect("the image is for Linux"));
    insta::assert_snapshot!(id.replace_all(&text, "i-ID"), @"
    EC2 does not know ami-0000000000000source for a Windows image, so it may never know a password of its instance; with `winrm_password` none is waited for
    EC2 knows no password of instance i-ID after 0 s
    EC2Launch makes one only when the source image was prepared for it (Sysprep); otherwise set it in the user data and give it as `winrm_password`
    ");
    assert_eq!(fake.temporary(), [""; 0]);
}

#[tokio::test]
async fn an_interruption_ends_the_wait_for_a_password() {
    let fake = FakeEc2::default();
    let world = World::new();
    fake.watch(&world.ledger);
    let cancel = world.context.cancel.clone();
    let build = build(&fake, Duration::from_secs(600));
    let late = texts();
    let interrupting = async {
        while !fake.with(|state| state.calls.iter().any(|call| call == "GetPasswordData")) {
            tokio::task::yield_now().await;
        }
        cancel.signal();
    };
    let (outcome, ()) = tokio::join!(run(&build, &late, &world.context), interrupting);
    assert!(outcome.result.expect_err("interrupted").is_cancelled());
    assert_eq!(fake.temporary(), [""; 0]);
}

#[tokio::test]
async fn a_key_that_decrypts_nothing_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    let write = |kind| {
        let pair = KeyPair::generate(kind, "").expect("a key");
        std::fs::write(&file, pair.private.reveal()).expect("write");
    };
    // Before anything is made.
    write(KeyType::Ed25519);
    let (fake, world) = (FakeEc2::default(), World::new());
    let error = run(&with_key_file(&fake, &file), &texts(), &world.context).await.result;
    insta::assert_snapshot!(error.expect_err("no key").report(), @"the private key cannot be used: it is no RSA key, and EC2 encrypts the passwords of Windows instances for no other");
    fake.with(|state| assert!(!state.calls.iter().any(|call| call == "RunInstances")));
    // Once there is something to decrypt.
    write(KeyType::Rsa(2048));
    let (fake, world) = (FakeEc2::default(), World::new());
    fake.with(|state| {
        let theirs = KeyPair::generate(KeyType::Rsa(2048), "").expect("a key");
        state.add_key("mine", &theirs.public);
        state.password = Some((PASSWORD, 0));
    });
    let error = run(&with_key_file(&fake, &file), &texts(), &world.context).await.result;
    let text = error.expect_err("another key").report();
    let id = regex::Regex::new(r"\bi-[0-9a-f]+").expect("is one");
    insta::assert_snapshot!(id.replace_all(&text, "i-ID"), @"the password of instance i-ID cannot be decrypted: the private key cannot be used: it is another key than the one that this was encrypted for");
}
