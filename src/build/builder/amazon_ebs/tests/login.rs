//! Keys: found before anything is made, and gone from the image in the end.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::super::run::run;
use super::super::{AmazonEbs, Communication, KeySettings};
use super::fake_ec2::{FakeEc2, SOURCE};
use super::support::{World, image_id, plain, texts};
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Exit, SshSettings, Upload, UploadReport,
};
use crate::event::{Fact, ResourceKind};

/// Notes the commands it gets, which all end with one status.
struct Recorder {
    commands: Arc<Mutex<Vec<String>>>,
    status: u32,
}

impl Communicator for Recorder {
    fn exec<'a>(
        &'a self,
        command: Command,
        _: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        // The dead-man switch has tests of its own.
        if command.text.contains("bake-dead-man") {
            return async { Ok(Exit::Code(0)) }.boxed();
        }
        self.commands.lock().expect("not poisoned").push(command.text);
        async { Ok(Exit::Code(self.status)) }.boxed()
    }

    fn upload<'a>(
        &'a self,
        _: &'a Upload,
        _: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async { Err(CommunicatorError::Cancelled) }.boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

fn build(fake: &FakeEc2, clear: bool) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    if let Communication::Ssh { clear_key, .. } = &mut build.communication {
        *clear_key = clear;
    }
    build
}

/// The commands of a run that end with a status, and its warnings.
async fn commands(clear: bool, status: u32) -> (Vec<String>, Vec<String>) {
    let fake = FakeEc2::default();
    let mut world = World::new();
    fake.watch(&world.ledger);
    let commands = Arc::new(Mutex::new(Vec::new()));
    let noted = commands.clone();
    world.context.connect = Arc::new(move |_| {
        let recorder = Recorder { commands: noted.clone(), status };
        async { Ok(Arc::new(recorder) as Arc<dyn Communicator>) }.boxed()
    });
    image_id(&run(&build(&fake, clear), &texts(), &world.context).await);
    let warnings = world.facts().await.into_iter().filter_map(|fact| match fact {
        Fact::Warning { text } => Some(text),
        _ => None,
    });
    let commands = commands.lock().expect("not poisoned").clone();
    (commands, warnings.collect())
}

#[tokio::test]
async fn the_temporary_key_is_removed_when_that_is_asked_for() {
    let (none, _) = commands(false, 0).await;
    assert_eq!(none, [""; 0]);
    let (one, warnings) = commands(true, 0).await;
    assert_eq!((one.len(), warnings), (1, Vec::new()));
    assert!(one[0].contains(".ssh/authorized_keys"), "{one:?}");
    // Root's file could not be looked at.
    let (_, warnings) = commands(true, 3).await;
    insta::assert_snapshot!(warnings.join("\n"), @"the temporary key may still be in root's `authorized_keys`: the login user has no `sudo` without a password");
}

#[tokio::test]
async fn a_key_that_is_not_there_is_told_before_anything_is_made() {
    let fake = FakeEc2::default();
    let world = World::new();
    let mut build = build(&fake, false);
    if let Communication::Ssh { login, .. } = &mut build.communication {
        let mut settings = SshSettings::default();
        settings.login.private_key_file = Some("/no/such/key".into());
        **login = settings;
    }
    let error = run(&build, &texts(), &world.context).await.result.expect_err("no key");
    insta::assert_snapshot!(error.report(), @"cannot read `/no/such/key`: No such file or directory (os error 2)");
    fake.with(|state| assert!(!state.calls.iter().any(|call| call == "RunInstances")));
}

/// How many key pairs a run has made, the lease among them; those that it tells of, and those that are there in the end.
async fn keys_of_a_run(key: KeySettings) -> (usize, Vec<String>, Vec<String>) {
    let fake = FakeEc2::default();
    fake.with(|state| state.keys.insert("ours".to_owned(), std::collections::BTreeMap::new()));
    let world = World::new();
    fake.watch(&world.ledger);
    let mut build = build(&fake, false);
    if let Communication::Ssh { key: settings, .. } = &mut build.communication {
        *settings = key;
    }
    image_id(&run(&build, &texts(), &world.context).await);
    let told = world.facts().await.into_iter().filter_map(|fact| match fact {
        Fact::ResourceCreated { kind: ResourceKind::KeyPair, id, .. } => Some(id),
        _ => None,
    });
    let told = told.collect();
    fake.with(|state| {
        let made = state.calls.iter().filter(|call| *call == "ImportKeyPair").count();
        (made, told, state.keys.keys().cloned().collect())
    })
}

#[tokio::test]
async fn key_pairs_have_the_names_that_are_asked_for() {
    let existing = KeySettings::Existing { name: "ours".to_owned() };
    let (made, _, left) = keys_of_a_run(existing).await;
    assert_eq!((made, left), (1, vec!["ours".to_owned()]), "it is not ours to remove");
    let kind = crate::communicator::ssh::KeyType::Ed25519;
    let temporary = KeySettings::Temporary { kind, name: Some("mine".to_owned()) };
    let (made, told, left) = keys_of_a_run(temporary).await;
    assert_eq!((made, told, left), (2, vec!["mine".to_owned()], vec!["ours".to_owned()]));
}
