//! Run Command as the SDK sees it, on machines that understand a few words.

use std::collections::HashMap;

use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;
use aws_sdk_ssm::types::{ConnectionStatus, InstanceInformationStringFilter, PingStatus};

use super::*;
use crate::sandbox::cloud::fake::held;

pub(super) fn ssm(world: &World) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
        .region(aws_sdk_ssm::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(world.sandbox.endpoint_url())
        .build();
    aws_sdk_ssm::Client::from_conf(config)
}

/// An instance whose profile may be used by its agent.
pub(super) async fn launch_with_agent(world: &World, profile: &str) -> String {
    let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name(profile);
    let run = world.ec2.run_instances().image_id(world.debian().await);
    let run = run.instance_type(instance_type()).min_count(1).max_count(1);
    let answer = good(run.iam_instance_profile(profile.build()).send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id.clone()).expect("an id");
    world.reach(&id, InstanceStateName::Running).await;
    id
}

pub(super) async fn connected(ssm: &aws_sdk_ssm::Client, id: &str) -> bool {
    let status = good(ssm.get_connection_status().target(id).send().await).status;
    status == Some(ConnectionStatus::Connected)
}

fn send(
    ssm: &aws_sdk_ssm::Client,
    id: &str,
    script: &str,
) -> aws_sdk_ssm::operation::send_command::builders::SendCommandFluentBuilder {
    let commands = HashMap::from([("commands".to_owned(), vec![script.to_owned()])]);
    let send = ssm.send_command().document_name("AWS-RunShellScript").instance_ids(id);
    send.set_parameters(Some(commands))
}

async fn look(ssm: &aws_sdk_ssm::Client, command: &str, id: &str) -> GetCommandInvocationOutput {
    good(ssm.get_command_invocation().command_id(command).instance_id(id).send().await)
}

fn status(found: &GetCommandInvocationOutput) -> &str {
    found.status().map(|status| status.as_str()).unwrap_or_default()
}

/// Sends a script and waits for its end.
async fn run(ssm: &aws_sdk_ssm::Client, id: &str, script: &str) -> GetCommandInvocationOutput {
    let sent = good(send(ssm, id, script).send().await);
    let command = sent.command().and_then(|command| command.command_id()).expect("an id");
    eventually(|| async {
        !["Pending", "InProgress", "Delayed"].contains(&status(&look(ssm, command, id).await))
    })
    .await;
    look(ssm, command, id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_registers_when_its_profile_lets_it() {
    let latency = "agent=1500ms".parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    let ssm = ssm(&world);
    super::iam::make_profile(&world, "with", true).await;
    super::iam::make_profile(&world, "without", false).await;
    let without = launch_with_agent(&world, "without").await;
    let with = launch_with_agent(&world, "with").await;
    assert!(!connected(&ssm, &with).await);
    let early = send(&ssm, &with, "true").send().await.expect_err("no agent yet");
    assert_eq!(early.code(), Some("InvalidInstanceId"));
    let of_it = || {
        let filter = InstanceInformationStringFilter::builder().key("InstanceIds").values(&with);
        ssm.describe_instance_information().filters(filter.build().expect("a filter")).send()
    };
    assert!(good(of_it().await).instance_information_list().is_empty());
    eventually(|| connected(&ssm, &with)).await;
    let found = good(of_it().await);
    let agent = found.instance_information_list().first().expect("an agent");
    assert_eq!(agent.ping_status(), Some(&PingStatus::Online));
    assert_eq!(agent.platform_version(), Some("12"));
    assert!(!connected(&ssm, &without).await);

    // It goes down with the machine, and comes back after the next boot.
    world.host.machine(&with).expect("a machine").boot_again();
    assert!(!connected(&ssm, &with).await);
    eventually(|| connected(&ssm, &with)).await;
    good(world.ec2.stop_instances().instance_ids(&with).send().await);
    world.reach(&with, InstanceStateName::Stopped).await;
    let found = good(of_it().await);
    let agent = found.instance_information_list().first().expect("an agent");
    assert_eq!(agent.ping_status(), Some(&PingStatus::ConnectionLost));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_are_states() {
    let world = World::new().await;
    let ssm = ssm(&world);
    let id = launch_with_agent(&world, "any").await;
    eventually(|| connected(&ssm, &id)).await;
    for (script, expected) in [
        ("exit 0", ("Success", 0)),
        ("exit 3", ("Failed", 3)),
        ("exit 137", ("TimedOut", 137)),
        ("again", ("Success", 0)),
    ] {
        let found = run(&ssm, &id, script).await;
        assert_eq!((status(&found), found.response_code()), expected, "{script}");
    }
    // 194 is a reboot, and the script runs again after it.
    assert!(world.host.log().contains(&"reboot".to_owned()));
    let found = run(&ssm, &id, "echo hello").await;
    assert_eq!(found.standard_output_content(), Some("hello"));
    assert_eq!(found.standard_error_content(), Some("hello"));
    assert!(found.execution_elapsed_time().is_some_and(|time| time.starts_with("PT")));
    let listed = ssm.list_command_invocations().instance_id(&id).details(true).send().await;
    let listed = good(listed).command_invocations.unwrap_or_default();
    assert_eq!(listed.len(), 5);
    let newest = listed.first().and_then(|found| found.command_plugins().first());
    assert_eq!(
        newest.and_then(|plugin| plugin.output()),
        Some("hello\n----------ERROR-------\nhello")
    );

    let machine = world.host.machine(&id).expect("a machine");
    let task = held(&machine.tasks).last().cloned().expect("a task");
    let script = task.files.first().expect("a script").path.display().to_string();
    let start = format!("/var/lib/amazon/ssm/{id}/document/orchestration/");
    assert!(script.starts_with(&start), "{script}");
    assert!(script.ends_with("/awsrunShellScript/0.awsrunShellScript/_script.sh"), "{script}");
    assert_eq!(task.program, ["/bin/sh", "-c", &script]);
    assert_eq!(task.directory.to_str(), Some("/usr/bin"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_cancelled_while_it_runs() {
    let world = World::new().await;
    let ssm = ssm(&world);
    let id = launch_with_agent(&world, "any").await;
    eventually(|| connected(&ssm, &id)).await;
    let sent = good(send(&ssm, &id, "wait").send().await);
    let command = sent.command().and_then(|command| command.command_id()).expect("an id");
    eventually(|| async { status(&look(&ssm, command, &id).await) == "InProgress" }).await;
    good(ssm.cancel_command().command_id(command).send().await);
    eventually(|| async { status(&look(&ssm, command, &id).await) == "Cancelled" }).await;
    let listed = good(ssm.list_commands().command_id(command).send().await);
    let listed = listed.commands().first().and_then(|command| command.status());
    assert_eq!(listed.map(|status| status.as_str()), Some("Cancelled"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_command_is_not_found_and_a_wrong_one_is_refused() {
    let latency = "visible=1s".parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    let ssm = ssm(&world);
    let id = {
        let image = world.debian().await;
        let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name("any");
        let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
        let run = run.min_count(1).max_count(1).iam_instance_profile(profile.build());
        good(run.send().await).instances().first().and_then(|i| i.instance_id.clone())
    };
    let id = id.expect("an id");
    eventually(|| connected(&ssm, &id)).await;
    let sent = good(send(&ssm, &id, "true").send().await);
    let command = sent.command().and_then(|command| command.command_id()).expect("an id");
    let get = || ssm.get_command_invocation().command_id(command).instance_id(&id).send();
    assert_eq!(code(get().await), "InvocationDoesNotExist");
    let list = || ssm.list_command_invocations().command_id(command).send();
    assert!(good(list().await).command_invocations().is_empty());
    eventually(|| async { get().await.is_ok() }).await;
    assert_eq!(good(list().await).command_invocations().len(), 1);

    let large = "x".repeat(70_000);
    assert_eq!(code(send(&ssm, &id, &large).send().await), "MaxDocumentSizeExceeded");
    let other = send(&ssm, &id, "true").document_name("Mine").send().await;
    assert_eq!(code(other), "InvalidDocument");
    let twice = send(&ssm, &id, "true").instance_ids(&id).send().await;
    assert_eq!(code(twice), "DuplicateInstanceId");
    let short = send(&ssm, &id, "true").timeout_seconds(5).send().await;
    assert_eq!(code(short), "ValidationException");
    let unknown = ssm.cancel_command().command_id("0123456789abcdef0123456789abcdef0123").send();
    assert_eq!(code(unknown.await), "InvalidCommandId");
    world.end().await;
}
