//! A good run, and the same run with each call failing once: nothing may be left.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};

use super::super::run::run;
use super::super::{AmazonEbs, ProfileSettings};
use super::fake_ec2::{DRY_RUN, FakeEc2, Fault, SOURCE};
use super::support::{HASH, World, image_id, plain, texts};
use crate::build::{BuildError, BuildOutcome, OnError};
use crate::event::{Fact, ResourceKind};

/// A build that talks to the fake.
fn build(fake: &FakeEc2) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    build.instance.profile = ProfileSettings::Temporary { policy: None };
    build
}

/// What a build must have made of the world, however it ended.
async fn assert_clean(what: &str, fake: &FakeEc2, world: &World, outcome: &BuildOutcome) {
    assert_eq!(
        fake.temporary(),
        [""; 0],
        "{what}: {:?}\nleft: {:?}\ncalls: {:?}",
        outcome.result,
        outcome.left,
        fake.with(|state| state.calls.clone())
    );
    assert_eq!(outcome.left, [], "{what}");
    fake.with(|state| {
        assert_eq!(state.unannounced, [""; 0], "{what}");
        let complete: Vec<_> = state
            .images
            .values()
            .map(|image| (image.state, image.tags.get("bake:image-hash").map(String::as_str)))
            .collect();
        match &outcome.result {
            Ok(_) => assert_eq!(complete, [("available", Some(HASH))], "{what}"),
            Err(_) => assert_eq!(complete, [], "{what}: {:?}", outcome.result),
        }
        assert_eq!(state.snapshots.len(), state.images.len(), "{what}");
    });
    assert!(world.context.ledger.close().await.expect("in memory"), "{what}: ledger not settled");
}

#[tokio::test]
async fn a_good_run_makes_calls_in_order_and_tells_what_it_did() {
    let fake = FakeEc2::default();
    let world = World::new();
    fake.watch(&world.ledger);
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    let id = image_id(&outcome);
    assert_clean("a good run", &fake, &world, &outcome).await;
    fake.with(|state| {
        let position = |action: &str| {
            state.calls.iter().position(|call| call == action).unwrap_or_else(|| panic!("{action}"))
        };
        let order = [
            "GetCallerIdentity",
            "RunInstances",
            "StopInstances",
            "CreateImage",
            "TerminateInstances",
            "DeleteSecurityGroup",
            "CreateTags",
        ];
        assert!(order.map(position).is_sorted(), "{:?}", state.calls);
        assert!(position("ImportKeyPair") < position("RunInstances"));
        assert!(position("AuthorizeSecurityGroupIngress") < position("RunInstances"));
        let ends: Vec<_> = state.calls.iter().rev().take(2).map(String::as_str).collect();
        assert_eq!(ends, ["DeleteKeyPair", "CreateTags"], "the hash, then the lease, is last");
        let image = &state.images[&id];
        assert_eq!(image.tags.get("Team").map(String::as_str), Some("images"));
        assert!(!image.tags.contains_key("bake:deadline"), "{:?}", image.tags);
        let instance = state.instances.values().next().expect("one was launched");
        assert_eq!(instance.tags.get("Name").map(String::as_str), Some("Packer Builder"));
        assert_eq!(
            instance.tags.get("bake:deadline").map(String::as_str),
            Some("2023-11-14T23:13:20Z")
        );
        let snapshot = state.snapshots.values().next().expect("one was made");
        assert_eq!(snapshot.tags.get("bake:image-hash").map(String::as_str), Some(HASH));
    });
    let facts = world.facts().await;
    let deleted: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::ResourceDeleted { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect();
    let position = |kind| deleted.iter().position(|one| *one == kind).expect("it is deleted");
    assert_eq!(deleted.len(), 6);
    assert_eq!(deleted.last(), Some(&ResourceKind::Lease));
    assert!(position(ResourceKind::Instance) < position(ResourceKind::SecurityGroup));
    assert!(position(ResourceKind::InstanceProfile) < position(ResourceKind::Role));
    assert!(position(ResourceKind::KeyPair) < position(ResourceKind::SecurityGroup));
}

/// Runs builds, each with a fault at another call, a few at a time.
async fn each_call(
    calls: Vec<usize>,
    retries: u32,
    fault: impl Fn(&World) -> Fault + Copy,
    check: impl Fn(&BuildOutcome) + Copy,
) {
    let runs = stream::iter(calls).map(|at| async move {
        let fake = FakeEc2::default();
        let world = World::new();
        fake.watch(&world.ledger);
        fake.strike(at, fault(&world));
        let mut build = build(&fake);
        build.access.max_retries = Some(retries);
        let outcome = run(&build, &texts(), &world.context).await;
        let action = fake.with(|state| state.calls.get(at).cloned().unwrap_or_default());
        assert_clean(&format!("fault at call {at}, {action}"), &fake, &world, &outcome).await;
        check(&outcome);
    });
    runs.buffer_unordered(16).collect::<()>().await;
}

/// How the names of calls begin that change nothing.
const READS: [&str; 3] = ["Describe", "Get", DRY_RUN];

/// How many calls a good run makes, and which of them change something.
async fn calls_of_a_good_run() -> (Vec<usize>, Vec<usize>) {
    let fake = FakeEc2::default();
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    fake.with(|state| {
        let changing = state
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| !READS.iter().any(|start| call.starts_with(start)));
        ((0..state.calls.len()).collect(), changing.map(|(at, _)| at).collect())
    })
}

#[tokio::test]
async fn whichever_call_is_refused_nothing_is_left() {
    let (all, _) = calls_of_a_good_run().await;
    each_call(all, 3, |_| Fault::Refused, |_| {}).await;
}

#[tokio::test]
async fn a_lost_answer_is_recovered_from_by_asking_again() {
    let (_, changing) = calls_of_a_good_run().await;
    let check = |outcome: &BuildOutcome| {
        if let Err(error) = &outcome.result {
            panic!("{}", error.report());
        }
    };
    each_call(changing, 3, |_| Fault::AnswerLost, check).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_nothing_even_when_nobody_asks_again() {
    let (_, changing) = calls_of_a_good_run().await;
    each_call(changing, 1, |_| Fault::AnswerLost, |_| {}).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_nothing_when_the_next_attempt_is_refused() {
    let (_, changing) = calls_of_a_good_run().await;
    each_call(changing, 3, |_| Fault::AnswerLostThenRefused, |_| {}).await;
}

#[tokio::test]
async fn volumes_that_nobody_may_list_are_deleted() {
    let fake = FakeEc2::default();
    fake.with(|state| {
        state.volumes_stay = true;
        state.denied = Some("DescribeVolumes");
    });
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    assert_clean("volumes", &fake, &world, &outcome).await;
}

#[tokio::test]
async fn snapshots_that_nobody_may_look_at_keep_no_image_from_being_made() {
    let fake = FakeEc2::default();
    fake.with(|state| state.denied = Some("DescribeSnapshots"));
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    assert_clean("snapshots", &fake, &world, &outcome).await;
}

#[tokio::test]
async fn wherever_it_is_interrupted_nothing_is_left() {
    let (all, _) = calls_of_a_good_run().await;
    let fault = |world: &World| Fault::Interrupted(world.context.cancel.clone());
    each_call(all, 3, fault, |_| {}).await;
}

#[tokio::test]
async fn a_panic_is_torn_down_like_a_failure() {
    let fake = FakeEc2::default();
    let mut world = World::new();
    world.context.provision = Arc::new(|_| async { panic!("a bug") }.boxed());
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    assert!(matches!(&outcome.result, Err(BuildError::Panic(text)) if text == "a bug"));
    assert_clean("a panic", &fake, &world, &outcome).await;
}

#[tokio::test]
async fn a_failed_image_goes_with_its_snapshots() {
    let fake = FakeEc2::default();
    fake.with(|state| state.images_fail = true);
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    assert!(
        matches!(&outcome.result, Err(BuildError::Hopeless { state, .. }) if state == "failed")
    );
    assert_clean("a failed image", &fake, &world, &outcome).await;
}

#[tokio::test]
async fn volumes_that_outlive_the_instance_are_deleted() {
    let fake = FakeEc2::default();
    fake.with(|state| state.volumes_stay = true);
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    assert_clean("volumes", &fake, &world, &outcome).await;
}

#[tokio::test]
async fn where_snapshot_tags_are_refused_they_are_written_later() {
    let fake = FakeEc2::default();
    fake.with(|state| state.refuse_snapshot_tags = true);
    let world = World::new();
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    image_id(&outcome);
    assert_clean("snapshot tags", &fake, &world, &outcome).await;
    fake.with(|state| {
        let snapshot = state.snapshots.values().next().expect("one was made");
        assert_eq!(snapshot.tags.get("Stage").map(String::as_str), Some("test"));
    });
}

#[tokio::test]
async fn abort_leaves_everything_and_says_so() {
    let fake = FakeEc2::default();
    let mut world = World::new();
    world.context.on_error = OnError::Abort;
    world.context.provision = Arc::new(|_| async { Err("exit status 1".into()) }.boxed());
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    assert!(matches!(outcome.result, Err(BuildError::Provision(_))));
    let mut kinds: Vec<_> = outcome.left.iter().map(|left| left.kind).collect();
    assert_eq!(kinds.first(), Some(&ResourceKind::Instance), "newest first");
    kinds.sort();
    let all = [
        ResourceKind::KeyPair,
        ResourceKind::SecurityGroup,
        ResourceKind::Instance,
        ResourceKind::Role,
        ResourceKind::InstanceProfile,
    ];
    assert_eq!(kinds, all);
    assert!(!world.context.ledger.close().await.expect("in memory"), "stays for gc");
}

#[tokio::test]
async fn the_third_signal_leaves_and_lists_what_is_there() {
    let fake = FakeEc2::default();
    let mut world = World::new();
    let cancel = world.context.cancel.clone();
    world.context.provision = Arc::new(move |_| {
        for _ in 0..3 {
            cancel.signal();
        }
        async { Ok(()) }.boxed()
    });
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    assert!(matches!(outcome.result, Err(BuildError::Cancelled)));
    assert!(outcome.left.iter().any(|left| left.kind == ResourceKind::Instance));
}
