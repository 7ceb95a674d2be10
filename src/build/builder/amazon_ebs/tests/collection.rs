//! A process that is killed at each of its calls, and what a collection makes of that.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::run::run;
use super::super::{AmazonEbs, ProfileSettings};
use super::fake_ec2::{FakeEc2, Fault, SOURCE};
use super::support::{HASH, World, image_id, plain, texts};
use crate::aws::{Access, Client};
use crate::build::gc::{self, Clouds, Outcome, Regions, Report, Site};
use crate::build::ledger::{self, RunState};
use crate::build::{Clock, ResumeError, resume};
use crate::event::{ResourceKind, channel};

fn build(fake: &FakeEc2) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    build.access.max_retries = Some(1);
    build.instance.profile = ProfileSettings::Temporary { policy: None };
    build
}

/// The way to a fake.
struct Fake(FakeEc2);

impl Clouds for Fake {
    fn connect<'a>(&'a self, _: &'a Site) -> BoxFuture<'a, Result<Client, String>> {
        async {
            let mut access: Access = super::support::access("http://fake.invalid");
            access.http = Some(self.0.client());
            Client::connect(&access).await.map_err(|error| error.to_string())
        }
        .boxed()
    }
}

/// A clock some time after the runs of these tests.
fn later(seconds: u64) -> Clock {
    Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds))
}

/// Runs a build that is killed at a call, and leaves its ledger in a directory; the run's id.
async fn killed_at(fake: &FakeEc2, at: usize, directory: &Path) -> String {
    let mut world = World::new();
    world.context.run_id = uuid::Uuid::now_v7().to_string();
    let (killed, build, late) = (Arc::new(Notify::new()), build(fake), texts());
    fake.strike(at, Fault::Killed(killed.clone()));
    tokio::select! {
        biased;
        () = killed.notified() => {}
        outcome = run(&build, &late, &world.context) => {
            panic!("call {at} was never made: {:?}", outcome.result)
        }
    }
    let own = format!("\"pid\":{}", std::process::id());
    // The id of the run is that of its tags.
    let text = world
        .ledger
        .after_power_cut()
        .replace(&own, "\"pid\":4000000000")
        .replace("\"run\":\"run\"", &format!("\"run\":\"{}\"", world.context.run_id));
    std::fs::write(directory.join(format!("{}.jsonl", world.context.run_id)), text)
        .expect("is written");
    world.context.run_id.clone()
}

async fn collect(fake: &FakeEc2, directory: &Path, dry_run: bool, regions: Regions) -> Report {
    let settings = gc::Settings {
        ledgers: directory.to_owned(),
        run: None,
        older_than: None,
        dry_run,
        regions,
    };
    let leave = CancellationToken::new();
    let clock = later(3);
    gc::collect(&settings, &Fake(fake.clone()), &channel().0, &leave, &clock)
        .await
        .expect("the ledgers are there")
}

async fn calls_of_a_good_run() -> Vec<String> {
    let fake = FakeEc2::default();
    let world = World::new();
    image_id(&run(&build(&fake), &texts(), &world.context).await);
    fake.with(|state| state.calls.clone())
}

#[tokio::test]
async fn a_snapshot_whose_id_is_recorded_once_is_removed_by_it() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    let calls = calls_of_a_good_run().await;
    let at = calls.iter().rposition(|call| call == "CreateTags").expect("it is called");
    // Before the hash: one before the last.
    let run = killed_at(&fake, at - 1, directory.path()).await;
    let path = directory.path().join(format!("{run}.jsonl"));
    let text = std::fs::read_to_string(&path).expect("is there");
    let is_second = |line: &&str| line.contains("\"created\"") && line.contains("\"snap-");
    assert!(text.lines().any(|line| is_second(&line)), "{text}");
    let cut: String =
        text.lines().filter(|line| !is_second(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, cut).expect("is written");
    fake.with(|state| state.calls.clear());
    let report = collect(&fake, directory.path(), false, Regions::These(Vec::new())).await;
    assert_eq!((report.left().count(), report.problems.len()), (0, 0), "{report:?}");
    fake.with(|state| {
        assert!(state.snapshots.is_empty());
        let deleted = state.calls.iter().filter(|call| *call == "DeleteSnapshot").count();
        assert_eq!(deleted, 1, "{:?}", state.calls);
    });
}

#[tokio::test]
async fn wherever_a_process_is_killed_a_collection_leaves_nothing() {
    let calls = calls_of_a_good_run().await;
    let runs = stream::iter(0..calls.len()).map(|at| async move {
        let fake = FakeEc2::default();
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path();
        let run = killed_at(&fake, at, path).await;
        let action = fake.with(|state| state.calls[at].clone());
        let what = format!("killed at call {at}, {action}");
        // A build's future is gone like its process; the calls of its threads are not made.
        let images = fake.with(|state| {
            state.images.values().any(|one| one.tags.contains_key("bake:image-hash"))
        });
        let report = collect(&fake, path, false, Regions::These(Vec::new())).await;
        assert_eq!(report.problems, [""; 0], "{what}");
        assert_eq!(report.left().count(), 0, "{what}: {:?}", report.findings);
        assert_eq!(fake.temporary(), [""; 0], "{what}: {:?}", report.findings);
        fake.with(|state| {
            // What has its hash is complete, and stays with its snapshot.
            let left = usize::from(images);
            assert_eq!((state.images.len(), state.snapshots.len()), (left, left), "{what}");
        });
        assert!(path.join(format!("{run}.done")).exists(), "{what}");
        let again = collect(&fake, path, false, Regions::Configured).await;
        assert_eq!(
            (again.findings.len(), again.problems.len()),
            (0, 0),
            "{what}: twice is no harm"
        );
        // The next build succeeds.
        let world = World::new();
        image_id(&super::super::run::run(&build(&fake), &texts(), &world.context).await);
    });
    runs.buffer_unordered(16).collect::<()>().await;
}

/// A build that is killed at its last call of an action.
async fn killed_at_action(fake: &FakeEc2, action: &str, directory: &Path) -> String {
    let calls = calls_of_a_good_run().await;
    let at = calls.iter().position(|call| call == action).expect("is called");
    killed_at(fake, at, directory).await
}

#[tokio::test]
async fn a_dry_run_lists_and_changes_nothing() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    let run = killed_at_action(&fake, "StopInstances", directory.path()).await;
    let before = fake.temporary();
    let report = collect(&fake, directory.path(), true, Regions::Configured).await;
    let kinds: Vec<_> = report.left().map(|one| one.kind).collect();
    for kind in [ResourceKind::Instance, ResourceKind::KeyPair, ResourceKind::SecurityGroup] {
        assert_eq!(kinds.iter().filter(|one| **one == kind).count(), 1, "{kinds:?}");
    }
    assert_eq!(kinds.len(), 6, "with role, profile and lease: {kinds:?}");
    assert!(report.findings.iter().all(|one| one.run == run && one.why.contains("died")));
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(fake.temporary(), before);
    assert!(directory.path().join(format!("{run}.jsonl")).exists());
}

#[tokio::test]
async fn without_a_ledger_the_deadline_decides() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    let run = killed_at_action(&fake, "StopInstances", directory.path()).await;
    std::fs::remove_file(directory.path().join(format!("{run}.jsonl"))).expect("is removed");
    let settings = gc::Settings {
        ledgers: directory.path().to_owned(),
        run: None,
        older_than: None,
        dry_run: false,
        regions: Regions::Configured,
    };
    let clouds = Fake(fake.clone());
    let (events, leave) = (channel().0, CancellationToken::new());
    let before = fake.temporary();
    let collecting = gc::collect(&settings, &clouds, &events, &leave, &later(3599)).await;
    let report = collecting.expect("is collected");
    assert_eq!(report.findings, []);
    assert!(report.skipped[0].why.contains("2023-11-14T23:13:20Z"), "{:?}", report.skipped);
    assert_eq!(fake.temporary(), before, "a run of another machine may be under way");
    let collecting = gc::collect(&settings, &clouds, &events, &leave, &later(3600)).await;
    let report = collecting.expect("is collected");
    assert_eq!(report.left().count(), 0, "{:?}", report.findings);
    assert_eq!(fake.temporary(), [""; 0]);
}

#[tokio::test]
async fn a_garbled_ledger_loses_nothing() {
    for line in 0..6 {
        let fake = FakeEc2::default();
        let directory = tempfile::tempdir().expect("temporary directory");
        let run = killed_at_action(&fake, "StopInstances", directory.path()).await;
        let path = directory.path().join(format!("{run}.jsonl"));
        let text = std::fs::read_to_string(&path).expect("is there");
        let garbled: String = text
            .lines()
            .enumerate()
            .map(
                |(index, old)| {
                    if index == line { "{\"eve\n".to_owned() } else { format!("{old}\n") }
                },
            )
            .collect();
        std::fs::write(&path, garbled).expect("is written");
        let report = collect(&fake, directory.path(), false, Regions::These(Vec::new())).await;
        assert!(report.notes.iter().any(|note| note.contains("cannot be read")), "line {line}");
        assert_eq!(fake.temporary(), [""; 0], "line {line}: {:?}", report.findings);
    }
}

#[tokio::test]
async fn a_newer_ledger_is_left_alone_and_told() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    let run = killed_at_action(&fake, "StopInstances", directory.path()).await;
    let path = directory.path().join(format!("{run}.jsonl"));
    let text = std::fs::read_to_string(&path).expect("is there");
    let newer = text.replace("\"version\":2", "\"version\":3");
    std::fs::write(&path, &newer).expect("is written");
    let before = fake.temporary();
    let report = collect(&fake, directory.path(), false, Regions::Configured).await;
    assert!(report.problems[0].contains("version 3"), "{:?}", report.problems);
    assert_eq!(fake.temporary(), before);
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), newer);
}

#[tokio::test]
async fn what_cannot_be_removed_is_left_in_the_ledger() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    let run = killed_at_action(&fake, "StopInstances", directory.path()).await;
    fake.with(|state| state.denied = Some("DeleteKeyPair"));
    let report = collect(&fake, directory.path(), false, Regions::These(Vec::new())).await;
    let left: Vec<_> = report.left().collect();
    assert_eq!(left.len(), 2, "the key and the lease: {left:?}");
    assert!(
        matches!(&left[0].outcome, Outcome::Left { error } if error.contains("UnauthorizedOperation"))
    );
    assert!(directory.path().join(format!("{run}.jsonl")).exists());
    fake.with(|state| state.denied = None);
    let report = collect(&fake, directory.path(), false, Regions::These(Vec::new())).await;
    assert_eq!((report.left().count(), report.removed().count()), (0, 2));
    assert!(directory.path().join(format!("{run}.done")).exists());
}

#[tokio::test]
async fn a_pending_image_is_finished_and_stays() {
    let fake = FakeEc2::default();
    let directory = tempfile::tempdir().expect("temporary directory");
    // Its answer never came, so not even the id of the image is known.
    let run = killed_at_action(&fake, "CreateImage", directory.path()).await;
    let clock = later(3);
    let all = ledger::list(directory.path(), &clock).expect("is read");
    let listed = ledger::find(&all, &run).expect("is there");
    assert!(matches!(listed.state, RunState::Dead(_)), "{listed:?}");
    let (events, cancel) = (channel().0, CancellationToken::new());
    let clouds = Fake(fake.clone());
    let images = resume(listed, &clouds, &events, &cancel, &clock).await.expect("is finished");
    assert_eq!(images.len(), 1);
    fake.with(|state| {
        let image = &state.images[&images[0].1];
        assert_eq!(image.tags.get("bake:image-hash").map(String::as_str), Some(HASH));
        assert_eq!(image.tags.get("Stage").map(String::as_str), Some("test"));
    });
    let report = collect(&fake, directory.path(), false, Regions::These(Vec::new())).await;
    assert_eq!((report.left().count(), report.problems.len()), (0, 0), "{:?}", report.findings);
    assert_eq!(fake.temporary(), [""; 0]);
    fake.with(|state| assert_eq!((state.images.len(), state.snapshots.len()), (1, 1)));
    let all = ledger::list(directory.path(), &clock).expect("is read");
    let listed = ledger::find(&all, &run).expect("is there");
    let again = resume(listed, &clouds, &events, &cancel, &clock).await;
    assert!(matches!(again, Err(ResumeError::NotDead { .. })));
}
