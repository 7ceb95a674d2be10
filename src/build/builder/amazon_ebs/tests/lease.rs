//! Builds of one hash at the same time, in one cloud.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::time::timeout;

use super::super::run::run;
use super::super::{AmazonEbs, Late, LateTexts};
use super::fake_ec2::{FakeEc2, Fault, SOURCE};
use super::support::{HASH, World, image_id, plain, texts};
use crate::build::{BuildError, BuildOutcome, Clock};
use crate::event::{Artifact, Fact};

/// When the worlds of these tests are.
const NOW: Duration = Duration::from_secs(1_700_000_000);

fn build(fake: &FakeEc2) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    build
}

/// A world whose clock goes so much ahead.
fn world(ahead: u64) -> World {
    let mut world = World::new();
    let at = SystemTime::UNIX_EPOCH + NOW + Duration::from_secs(ahead);
    world.context.clock = Clock::fixed(at);
    world
}

fn count(fake: &FakeEc2, action: &str) -> usize {
    fake.with(|state| state.calls.iter().filter(|call| *call == action).count())
}

fn reused(outcome: &BuildOutcome) -> bool {
    matches!(outcome.result, Ok(Artifact::Images { reused: true, .. }))
}

/// What was told of leases, in words.
fn told(facts: &[Fact]) -> Vec<&'static str> {
    let word = |fact: &Fact| match fact {
        Fact::LeaseAwaited { .. } => Some("awaited"),
        Fact::LeaseTakenOver { .. } => Some("taken over"),
        Fact::LeaseHolderGone { left: 4, .. } => Some("holder gone"),
        Fact::UnfinishedImageFound { .. } => Some("unfinished image"),
        Fact::LeaseTaken { waited: false, .. } => Some("taken"),
        Fact::LeaseTaken { waited: true, .. } => Some("taken after waiting"),
        Fact::LeaseLost { .. } => Some("lost"),
        _ => None,
    };
    facts.iter().filter_map(word).collect()
}

fn assert_nothing_left(fake: &FakeEc2) {
    assert_eq!(fake.temporary(), [""; 0]);
}

#[tokio::test]
async fn ten_builds_at_once_make_one_image() {
    let fake = FakeEc2::default();
    let (build, worlds) = (build(&fake), (0..10).map(|_| world(0)).collect::<Vec<_>>());
    let (build, late) = (&build, &texts());
    let outcomes = join_all(worlds.iter().map(|world| run(build, late, &world.context))).await;
    let ids: Vec<_> = outcomes.iter().map(image_id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(outcomes.iter().filter(|outcome| reused(outcome)).count(), 9);
    assert_eq!((count(&fake, "RunInstances"), count(&fake, "CreateImage")), (1, 1));
    assert_nothing_left(&fake);
    for world in worlds {
        assert!(world.context.ledger.close().await.expect("in memory"));
    }
}

/// A world whose provisioners wait until they are told how to end.
fn held(world: &mut World) -> tokio::sync::mpsc::Sender<Result<(), &'static str>> {
    let (tell, told) = tokio::sync::mpsc::channel(1);
    let told = Arc::new(tokio::sync::Mutex::new(told));
    world.context.provision = Arc::new(move |_| {
        let told = Arc::clone(&told);
        async move {
            let end = told.lock().await.recv().await.unwrap_or(Ok(()));
            end.map_err(Into::into)
        }
        .boxed()
    });
    tell
}

/// Ends when an action was called.
async fn called(fake: &FakeEc2, action: &str) {
    while count(fake, action) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn when_the_holder_fails_one_that_waits_builds() {
    let fake = FakeEc2::default();
    let (mut first, second) = (world(0), world(0));
    let tell = held(&mut first);
    let (build, late) = (&build(&fake), &texts());
    let later = async {
        called(&fake, "RunInstances").await;
        let waiting = run(build, late, &second.context);
        let failing = async {
            // It was seen that the lease is held.
            called(&fake, "DescribeKeyPairs").await;
            tell.send(Err("no")).await.expect("it waits");
        };
        tokio::join!(waiting, failing).0
    };
    let (failed, built) = tokio::join!(run(build, late, &first.context), later);
    assert!(matches!(failed.result, Err(BuildError::Provision(_))), "{:?}", failed.result);
    image_id(&built);
    assert!(!reused(&built));
    assert_eq!(count(&fake, "RunInstances"), 2);
    assert_nothing_left(&fake);
    assert_eq!(told(&first.facts().await), ["taken"]);
    let facts = second.facts().await;
    assert_eq!(told(&facts), ["awaited", "taken after waiting"]);
    let holder = facts.iter().find_map(|fact| match fact {
        Fact::LeaseAwaited { holder, deadline, .. } => Some((holder.clone(), deadline.clone())),
        _ => None,
    });
    let (holder, deadline) = holder.expect("it was told");
    assert!(holder.starts_with("amazon-ebs.app of run "), "{holder}");
    assert!(holder.ends_with(" by arn:aws:iam::123456789012:user/u"), "{holder}");
    assert_eq!(deadline.as_deref(), Some("2023-11-14T22:18:20Z"));
}

/// A build that is killed while it has the lease and an instance.
async fn killed(fake: &FakeEc2) {
    let mut world = world(0);
    let _tell = held(&mut world);
    let (build, late) = (build(fake), texts());
    let running = run(&build, &late, &world.context);
    tokio::select! {
        outcome = running => panic!("{:?}", outcome.result),
        () = called(fake, "RunInstances") => {}
    }
}

#[tokio::test]
async fn the_lease_of_a_killed_build_is_taken_over_after_its_deadline() {
    let fake = FakeEc2::default();
    killed(&fake).await;
    let worlds = [world(301), world(301), world(301)];
    let (build, late) = (&build(&fake), &texts());
    let outcomes = join_all(worlds.iter().map(|world| run(build, late, &world.context))).await;
    let ids: Vec<_> = outcomes.iter().map(image_id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(outcomes.iter().filter(|outcome| !reused(outcome)).count(), 1);
    assert_eq!(count(&fake, "CreateImage"), 1);
    let lease = format!("bake-lease-{}", &HASH[..32]);
    assert!(!fake.temporary().contains(&lease), "{:?}", fake.temporary());
    let mut took_over = 0;
    for world in worlds {
        took_over += usize::from(told(&world.facts().await).contains(&"taken over"));
    }
    assert!(took_over >= 1);
}

/// A build that is killed once that call was made; gives its run.
async fn killed_at(fake: &FakeEc2, action: &str) -> String {
    let world = world(0);
    let (build, late) = (build(fake), texts());
    tokio::select! {
        outcome = run(&build, &late, &world.context) => panic!("{:?}", outcome.result),
        () = called(fake, action) => {}
    }
    world.context.run_id.clone()
}

#[tokio::test]
async fn the_lease_of_a_process_that_is_gone_is_taken_over_at_once_and_its_image_makes_way() {
    for (action, expected) in [
        ("RunInstances", &["holder gone", "taken after waiting"][..]),
        ("CreateImage", &["holder gone", "taken after waiting", "unfinished image"]),
    ] {
        let fake = FakeEc2::default();
        let dead = killed_at(&fake, action).await;
        let mut world = world(1);
        world.context.killed = Arc::new(move |run| (run == dead).then_some(4));
        let (build, late) = (build(&fake), texts());
        let building = run(&build, &late, &world.context);
        let outcome = timeout(Duration::from_secs(5), building).await.expect("it does not wait");
        let id = image_id(&outcome);
        assert!(!reused(&outcome) && outcome.left.is_empty(), "{action}");
        fake.with(|state| {
            assert_eq!(state.images.keys().collect::<Vec<_>>(), [&id], "{action}");
            assert_eq!(state.snapshots.len(), 1, "{action}");
            assert_eq!(state.keys.keys().filter(|name| name.starts_with("bake-")).count(), 0);
        });
        assert_eq!(told(&world.facts().await), expected);
    }
}

#[tokio::test]
async fn the_image_of_a_build_that_let_its_lease_run_out_makes_way() {
    let fake = FakeEc2::default();
    killed_at(&fake, "CreateImage").await;
    let world = world(301);
    let (build, late) = (build(&fake), texts());
    let id = image_id(&run(&build, &late, &world.context).await);
    fake.with(|state| assert_eq!(state.images.keys().collect::<Vec<_>>(), [&id]));
    assert_eq!(
        told(&world.facts().await),
        ["awaited", "taken over", "taken after waiting", "unfinished image"]
    );
}

#[tokio::test]
async fn the_image_of_a_run_that_may_live_keeps_its_name() {
    let fake = FakeEc2::default();
    let run_id = killed_at(&fake, "CreateImage").await;
    fake.with(|state| state.keys.clear());
    let world = world(1);
    let (build, late) = (build(&fake), texts());
    let outcome = run(&build, &late, &world.context).await;
    let error = outcome.result.expect_err("the name is taken");
    assert!(error.report().contains(&format!("which run {run_id} has not finished")), "{error:?}");
    fake.with(|state| assert_eq!(state.images.len(), 1));
}

#[tokio::test]
async fn before_its_deadline_nobody_takes_it_and_waiting_can_be_interrupted() {
    let fake = FakeEc2::default();
    killed(&fake).await;
    let world = world(299);
    let (build, late) = (build(&fake), texts());
    let mut waiting = Box::pin(run(&build, &late, &world.context));
    // More than the grace, in the time of these tests.
    let waited = timeout(Duration::from_millis(1500), &mut waiting).await;
    assert!(waited.is_err(), "it took the lease");
    world.context.cancel.signal();
    let outcome = timeout(Duration::from_secs(5), waiting).await.expect("it ends at once");
    assert!(matches!(outcome.result, Err(BuildError::Cancelled)));
    assert_eq!(outcome.left, []);
    assert_eq!(count(&fake, "RunInstances"), 1, "only that of the killed one");
    assert_eq!(told(&world.facts().await), ["awaited"]);
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_build_lives() {
    let fake = FakeEc2::default();
    let mut world = world(0);
    let tell = held(&mut world);
    let (build, late) = (build(&fake), texts());
    let ending = async {
        called(&fake, "CreateTags").await;
        let tags = fake.with(|state| {
            let lease = state.keys.iter().find(|(name, _)| name.starts_with("bake-lease-"));
            lease.map(|(_, tags)| tags.clone()).expect("it is held")
        });
        assert_eq!(tags["bake:deadline"], "2023-11-14T22:18:20Z");
        assert!(tags.contains_key("bake:run-id") && tags.contains_key("bake:owner"), "{tags:?}");
        tell.send(Ok(())).await.expect("it waits");
    };
    let (outcome, ()) = tokio::join!(run(&build, &late, &world.context), ending);
    image_id(&outcome);
    assert_nothing_left(&fake);
}

/// A build that loses its lease while its provisioners run, to one that then builds to its end.
async fn overtaken(late: &Late, overtaking: &Late) -> (FakeEc2, BuildOutcome, String, Vec<Fact>) {
    let fake = FakeEc2::default();
    let mut world = world(0);
    let other = Arc::new(Mutex::new(None));
    let (noted, cloud, overtaking) = (Arc::clone(&other), fake.clone(), overtaking.clone());
    world.context.provision = Arc::new(move |_| {
        let (noted, cloud, overtaking) = (Arc::clone(&noted), cloud.clone(), overtaking.clone());
        async move {
            cloud.with(|state| state.keys.retain(|name, _| !name.starts_with("bake-lease-")));
            let world = self::world(400);
            let outcome = run(&build(&cloud), &overtaking, &world.context).await;
            *noted.lock().expect("not poisoned") = Some(image_id(&outcome));
            Ok(())
        }
        .boxed()
    });
    let outcome = run(&build(&fake), late, &world.context).await;
    let other = other.lock().expect("not poisoned").clone().expect("it was built");
    (fake, outcome, other, world.facts().await)
}

#[tokio::test]
async fn whoever_has_lost_the_lease_takes_the_image_of_the_other() {
    let named = |name: &str| -> Late {
        let name = name.to_owned();
        Arc::new(move |_| Ok(LateTexts { image_name: Some(name.clone()), ..LateTexts::default() }))
    };
    for (late, overtaking) in [(texts(), texts()), (named("a"), named("b"))] {
        let (fake, outcome, other, facts) = overtaken(&late, &overtaking).await;
        assert_eq!(image_id(&outcome), other);
        assert!(reused(&outcome));
        assert_eq!(outcome.left, []);
        assert!(told(&facts).contains(&"lost"), "{:?}", told(&facts));
        fake.with(|state| assert_eq!(state.images.keys().collect::<Vec<_>>(), [&other]));
        assert_nothing_left(&fake);
    }
}

#[tokio::test]
async fn where_key_pairs_cannot_be_imported_it_goes_on_without() {
    let fake = FakeEc2::default();
    let world = world(0);
    let (build, late) = (build(&fake), texts());
    run(&build, &late, &world.context).await;
    let import = fake.with(|state| state.calls.iter().position(|call| call == "ImportKeyPair"));
    let fake = FakeEc2::default();
    fake.strike(import.expect("it takes a lease"), Fault::Refused);
    let world = self::world(0);
    let build = self::build(&fake);
    image_id(&run(&build, &late, &world.context).await);
    assert_nothing_left(&fake);
    let warnings: Vec<_> = world
        .facts()
        .await
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::Warning { text } => Some(text),
            _ => None,
        })
        .collect();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.starts_with("other builds of this image are not waited for"), "{warning}");
    assert!(warning.contains("the fault that was ordered"), "{warning}");
}

#[tokio::test]
async fn taking_an_image_changes_nothing() {
    let fake = FakeEc2::default();
    let (build, late) = (build(&fake), texts());
    let first = image_id(&run(&build, &late, &world(0).context).await);
    fake.with(|state| state.calls.clear());
    let second = run(&build, &late, &world(0).context).await;
    assert_eq!(image_id(&second), first);
    let changing: Vec<_> = fake.with(|state| {
        let reads = |call: &String| call.starts_with("Describe") || call.starts_with("Get");
        state.calls.iter().filter(|call| !reads(call)).cloned().collect()
    });
    assert_eq!(changing, [""; 0]);
}

#[tokio::test]
async fn forced_builds_take_no_lease() {
    let fake = FakeEc2::default();
    let mut world = world(0);
    world.context.force = true;
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    assert_eq!(told(&world.facts().await), [""; 0]);
}

#[tokio::test]
async fn an_image_that_is_too_old_is_not_taken_and_stays() {
    let fake = FakeEc2::default();
    let (build, late) = (build(&fake), texts());
    let first = image_id(&run(&build, &late, &world(0).context).await);
    // It is 13 minutes and 20 seconds old.
    let aged = |minutes: u64| {
        let mut world = world(0);
        world.context.max_age = Some(Duration::from_secs(minutes * 60));
        world
    };
    let young = run(&build, &late, &aged(14).context).await;
    assert_eq!(image_id(&young), first);
    let world = aged(13);
    let outcome = run(&build, &late, &world.context).await;
    assert_ne!(image_id(&outcome), first);
    assert!(!reused(&outcome));
    fake.with(|state| {
        let names: Vec<_> = state.images.values().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["app-0123456789ab", "app-0123456789ab-20231114221320"]);
    });
    let told = world.facts().await.into_iter().find_map(|fact| match fact {
        Fact::ImageTooOld { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(told, Some(first));
    assert_nothing_left(&fake);
}
