//! What the engine needs around it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::{AmazonEbs, Communication, InstanceSettings, KeySettings, Late, LateTexts};
use crate::aws::time::seconds;
use crate::aws::{Access, Endpoint, StaticCredentials, Tags};
use crate::build::ledger::tests::InMemory;
use crate::build::{BuildContext, Cancel, Clock, ImageIdentity, Ledger, OnError};
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Exit, Upload, UploadReport,
};
use crate::event::{Artifact, Event, Fact, channel};
use crate::plan::lock::Pins;

/// A hash as good as any.
pub(super) const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A communicator that does nothing, successfully.
pub(super) struct Idle;

impl Communicator for Idle {
    fn exec<'a>(
        &'a self,
        _: Command,
        _: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async { Ok(Exit::Code(0)) }.boxed()
    }

    fn upload<'a>(
        &'a self,
        _: &'a Upload,
        _: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async { Ok(UploadReport { bytes: 0, files: 0 }) }.boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// A context with everything faked, its ledger and its events.
pub(super) struct World {
    pub(super) context: BuildContext,
    pub(super) ledger: InMemory,
    events: JoinHandle<Vec<Event>>,
}

impl World {
    /// A world for one run; to be made inside of a runtime.
    pub(super) fn new() -> Self {
        let (events, mut receiver) = channel();
        let ledger = InMemory::default();
        let clock = Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let collected = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(event) = receiver.recv().await {
                all.push(event);
            }
            all
        });
        let context = BuildContext {
            run_id: uuid::Uuid::new_v4().to_string(),
            build: "amazon-ebs.app".to_owned(),
            source_name: "app".to_owned(),
            events: events.of_build("amazon-ebs.app"),
            cancel: Cancel::new(),
            ledger: Ledger::over(Box::new(ledger.clone()), "run", clock.clone())
                .expect("in memory"),
            clock,
            lifetime: Duration::from_secs(3600),
            teardown_deadline: seconds(3000),
            force: false,
            max_age: None,
            on_error: OnError::Cleanup,
            pins: Pins::default(),
            apart: None,
            identify: Arc::new(|_| {
                Ok(ImageIdentity { hash: HASH.to_owned(), unrepeatable: None, shared: None })
            }),
            killed: Arc::new(|_| None),
            connect: Arc::new(|_| async { Ok(Arc::new(Idle) as Arc<dyn Communicator>) }.boxed()),
            provision: Arc::new(|_| async { Ok(()) }.boxed()),
        };
        Self { context, ledger, events: collected }
    }

    /// What was told, after the run. Ends the world.
    pub(super) async fn facts(self) -> Vec<Fact> {
        let Self { context, events, .. } = self;
        drop(context);
        let events = events.await.expect("the collector does not panic");
        events.into_iter().map(|event| event.fact).collect()
    }
}

/// A plain build over SSH.
pub(super) fn plain(url: &str, source: &str) -> AmazonEbs {
    AmazonEbs {
        access: access(url),
        source: super::super::SourceSettings { id: Some(source.to_owned()), filter: None },
        instance: InstanceSettings {
            instance_type: "t3.micro".to_owned(),
            shutdown_behavior: "terminate".to_owned(),
            ..InstanceSettings::default()
        },
        communication: Communication::Ssh {
            key: KeySettings::Temporary {
                kind: crate::communicator::ssh::KeyType::Ed25519,
                name: None,
            },
            port: 22,
            host: None,
            address: super::super::AddressKind::Any,
            login: Box::default(),
            clear_key: false,
        },
        ..AmazonEbs::default()
    }
}

pub(super) fn access(url: &str) -> Access {
    Access {
        region: Some("eu-west-1".to_owned()),
        credentials: Some(StaticCredentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "secret".to_owned(),
            token: None,
        }),
        endpoint: Some(Endpoint { url: url.to_owned() }),
        ..Access::default()
    }
}

/// Texts that do not depend on anything.
pub(super) fn texts() -> Late {
    Arc::new(|_| {
        Ok(LateTexts {
            run_tags: Tags::from([("Team".to_owned(), "images".to_owned())]),
            tags: Tags::from([("Stage".to_owned(), "test".to_owned())]),
            ..LateTexts::default()
        })
    })
}

/// The artifact's image ids.
pub(super) fn image_id(outcome: &crate::build::BuildOutcome) -> String {
    match &outcome.result {
        Ok(Artifact::Images { images, .. }) => images.first().expect("one image").1.clone(),
        Ok(other) => panic!("no image: {other:?}"),
        Err(error) => panic!("the build failed: {}", error.report()),
    }
}
