//! What is refused before it is made, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;

use super::super::run::run;
use super::super::{AmazonEbs, SecuritySettings};
use super::fake_ec2::{DRY_RUN, FakeEc2, SOURCE};
use super::support::{World, image_id, plain, texts};
use crate::aws::time::seconds;
use crate::build::BuildError;

fn build(fake: &FakeEc2) -> AmazonEbs {
    let mut build = plain("http://fake.invalid", SOURCE);
    build.access.http = Some(fake.client());
    build
}

/// The calls that changed something, without the lease's.
fn changes(fake: &FakeEc2) -> Vec<String> {
    let reads = ["Describe", "Get", DRY_RUN];
    fake.with(|state| {
        let changing = state.calls.iter().filter(|call| !reads.iter().any(|r| call.starts_with(r)));
        changing.cloned().collect()
    })
}

fn dry_runs(fake: &FakeEc2) -> Vec<String> {
    let mut asked: Vec<_> = fake.with(|state| {
        let asked = state.calls.iter().filter_map(|call| call.strip_prefix(DRY_RUN));
        asked.map(str::to_owned).collect()
    });
    asked.sort();
    asked
}

/// The refusal of a build that may not do one thing; what it changed; whether it was provisioned.
async fn denied(action: &'static str) -> (BuildError, Vec<String>, bool) {
    let fake = FakeEc2::default();
    fake.with(|state| state.denied = Some(action));
    let mut world = World::new();
    world.context.teardown_deadline = seconds(5);
    let provisioned = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&provisioned);
    world.context.provision = Arc::new(move |_| {
        flag.store(true, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    });
    let outcome = run(&build(&fake), &texts(), &world.context).await;
    let error = outcome.result.expect_err("it is not allowed");
    if action != "TerminateInstances" {
        assert_eq!((fake.temporary(), outcome.left), (Vec::new(), Vec::new()), "{action}");
    }
    (error, changes(&fake), provisioned.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_a_launch_needs_is_asked_before_anything_but_the_lease_is_made() {
    for action in ["RunInstances", "CreateSecurityGroup"] {
        let (error, changes, _) = denied(action).await;
        assert!(matches!(error, BuildError::Denied { .. }), "{action}: {error:?}");
        assert_eq!(changes, ["ImportKeyPair", "DeleteKeyPair"], "{action}");
    }
    // There is no lease without key pairs.
    let (error, changes, _) = denied("ImportKeyPair").await;
    insta::assert_snapshot!(error, @"arn:aws:iam::123456789012:user/u may not call `ec2:ImportKeyPair`, which makes the temporary key pair: UnauthorizedOperation: You are not authorized to perform this operation.");
    assert_eq!(changes, ["ImportKeyPair"]);
}

#[tokio::test]
async fn what_the_end_needs_is_asked_before_provisioning() {
    for action in ["CreateImage", "StopInstances", "TerminateInstances"] {
        let (error, changes, provisioned) = denied(action).await;
        assert!(matches!(error, BuildError::Denied { .. }), "{action}: {error:?}");
        assert!(!provisioned, "{action}");
        assert!(changes.contains(&"RunInstances".to_owned()), "{action}");
        assert!(!changes.contains(&"CreateImage".to_owned()), "{action}");
    }
}

#[tokio::test]
async fn only_what_will_be_done_is_asked_about() {
    let fake = FakeEc2::default();
    image_id(&run(&build(&fake), &texts(), &World::new().context).await);
    let all = [
        "CreateImage",
        "CreateSecurityGroup",
        // Whether dry runs are known here.
        "DeleteKeyPair",
        "ImportKeyPair",
        "RunInstances",
        "StopInstances",
        "TerminateInstances",
    ];
    assert_eq!(dry_runs(&fake), all);

    let fake = FakeEc2::default();
    let mut lean = build(&fake);
    lean.security = SecuritySettings { group_ids: vec!["sg-1".to_owned()], ..lean.security };
    lean.image.skip_create = true;
    let outcome = run(&lean, &texts(), &World::new().context).await;
    outcome.result.expect("it is built");
    let some = ["DeleteKeyPair", "ImportKeyPair", "RunInstances", "StopInstances"];
    assert_eq!(dry_runs(&fake), [&some[..], &["TerminateInstances"]].concat());
}

#[tokio::test]
async fn without_a_look_at_the_credentials_nothing_is_asked() {
    let fake = FakeEc2::default();
    let mut build = build(&fake);
    build.skip_credential_validation = true;
    image_id(&run(&build, &texts(), &World::new().context).await);
    assert_eq!(dry_runs(&fake), [""; 0]);
}

#[tokio::test]
async fn a_quota_without_room_is_told_before_anything_is_made() {
    let fake = FakeEc2::default();
    fake.with(|state| {
        state.vcpu_quota = Some(5);
        state.running = vec!["t3.small", "m5.large", "p5.48xlarge"];
    });
    let outcome = run(&build(&fake), &texts(), &World::new().context).await;
    let error = outcome.result.expect_err("four of five are in use");
    insta::assert_snapshot!(error, @"`t3.micro` needs 2 vCPUs, but 4 of the 5 that the quota `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` (L-1216C47A) allows are in use in eu-west-1");
    assert_eq!(changes(&fake), [""; 0]);
}

#[tokio::test]
async fn a_quota_with_room_costs_three_calls() {
    let count = |fake: &FakeEc2| {
        let reads = ["GetServiceQuota", "DescribeInstanceTypes"];
        fake.with(|state| state.calls.iter().filter(|call| reads.contains(&call.as_str())).count())
    };
    let fake = FakeEc2::default();
    fake.with(|state| {
        state.vcpu_quota = Some(6);
        state.running = vec!["t3.small", "m5.large"];
    });
    image_id(&run(&build(&fake), &texts(), &World::new().context).await);
    assert_eq!(count(&fake), 2, "and DescribeInstances, which is called for other reasons too");
    let fake = FakeEc2::default();
    image_id(&run(&build(&fake), &texts(), &World::new().context).await);
    assert_eq!(count(&fake), 1, "nobody may ask, and the build goes on");
}
