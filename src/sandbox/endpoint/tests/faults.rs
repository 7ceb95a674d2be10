//! Latency and faults.

use std::time::Instant;

use super::*;
use crate::sandbox::endpoint::FaultRule;

async fn faulty(rules: &[&str]) -> World {
    let parse = |rule: &&str| rule.parse::<FaultRule>().unwrap_or_else(|error| panic!("{error}"));
    World::with(Options { faults: rules.iter().map(parse).collect(), ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_errors_as_ec2_gives_them() {
    let world = faulty(&[
        "DescribeVpcs:1:throttle",
        "DescribeVpcs:#2:internal",
        "DescribeVpcs:#3:error=Some.Code/some words",
    ])
    .await;
    let call = || world.ec2.describe_vpcs().send();
    let status = |result: &Result<_, SdkError<_, aws_sdk_ec2::config::http::HttpResponse>>| {
        let response = result.as_ref().err().and_then(
            |error: &SdkError<aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsError, _>| {
                error.raw_response()
            },
        );
        let _: &Result<aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput, _> = result;
        response.map(|response| response.status().as_u16())
    };
    let throttled = call().await;
    assert_eq!(status(&throttled), Some(503));
    assert_eq!(code(throttled), "RequestLimitExceeded");
    let internal = call().await;
    assert_eq!(status(&internal), Some(500));
    assert_eq!(code(internal), "InternalError");
    let own = call().await;
    assert_eq!(own.as_ref().err().and_then(|error| error.message()), Some("some words"));
    assert_eq!(code(own), "Some.Code");
    good(call().await);
    assert_eq!(world.sandbox.calls().get("DescribeVpcs"), Some(&4));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_answer_hides_what_was_done_and_a_dropped_call_does_nothing() {
    let world = faulty(&["CreateSecurityGroup:#1:drop", "CreateSecurityGroup:#2:cut"]).await;
    let create =
        |name: &str| world.ec2.create_security_group().group_name(name).description("d").send();
    assert!(matches!(create("dropped").await, Err(SdkError::DispatchFailure(_))));
    assert!(create("cut").await.is_err());
    let found = good(world.ec2.describe_security_groups().send().await);
    let mut names: Vec<_> =
        found.security_groups().iter().filter_map(|group| group.group_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cut", "default"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delay_takes_time() {
    let world = faulty(&["DescribeVpcs:1:delay=60ms"]).await;
    let start = Instant::now();
    good(world.ec2.describe_vpcs().send().await);
    assert!(start.elapsed() >= Duration::from_millis(60));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_gets_over_throttling() {
    let world = faulty(&["RunInstances:2:throttle", "RunInstances:#3:drop"]).await;
    let config = world.ec2.config().to_builder();
    let patient =
        RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(1));
    let client = Client::from_conf(config.retry_config(patient).build());
    let image = world.debian().await;
    let run = client.run_instances().image_id(image).instance_type(instance_type());
    good(run.min_count(1).max_count(1).send().await);
    let found = good(client.describe_instances().send().await);
    assert_eq!(found.reservations().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transitions_take_their_time_and_fresh_ids_are_not_found() {
    let latency = "running=80ms,stopped=80ms,terminated=80ms,visible=60ms";
    let latency = latency.parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    let image = world.debian().await;
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let answer = good(run.min_count(1).max_count(1).send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id()).expect("an id");
    let early = world.ec2.describe_instances().instance_ids(id).send().await;
    assert_eq!(code(early), "InvalidInstanceID.NotFound");
    let early = good(world.ec2.describe_instances().send().await);
    assert!(early.reservations().is_empty());
    eventually(|| async { world.ec2.describe_instances().instance_ids(id).send().await.is_ok() })
        .await;
    world.reach(id, InstanceStateName::Running).await;
    good(world.ec2.stop_instances().instance_ids(id).send().await);
    assert_eq!(world.state(id).await, InstanceStateName::Stopping);
    world.reach(id, InstanceStateName::Stopped).await;
    good(world.ec2.terminate_instances().instance_ids(id).send().await);
    assert_eq!(world.state(id).await, InstanceStateName::ShuttingDown);
    world.reach(id, InstanceStateName::Terminated).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_the_sandbox_terminates_what_is_on_its_way() {
    let latency = "running=60s,terminated=60s".parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    let image = world.debian().await;
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    good(run.min_count(3).max_count(3).send().await);
    let start = Instant::now();
    world.end().await;
    assert!(start.elapsed() < Duration::from_secs(10));
}
