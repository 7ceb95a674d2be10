//! Systems Manager end to end: the SDK against a sandbox whose commands run on real machines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::IamInstanceProfileSpecification;
use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;
use aws_sdk_ssm::types::ConnectionStatus;
use bake::communicator::ssm::frame::{AgentMessage, MessageType, PayloadType};
use bake::communicator::ssm::message::{
    ACTION_SESSION_TYPE, Acknowledge, ChannelClosed, HandshakeResponse, OpenDataChannel,
    ProcessedAction, SUCCESS, json,
};
use bake::sandbox::machine::userland::UserlandHost;
use bake::sandbox::service::{Options, Sandbox};
use bake::sandbox::store::Store;

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

use crate::support::root;

/// A sandbox in this process with one instance whose agent is connected.
struct World {
    sandbox: Sandbox,
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    instance: String,
    _directory: tempfile::TempDir,
}

impl World {
    /// `None` without root, where there is nothing to test.
    async fn new(what: &str) -> Option<Self> {
        if !root(what) {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let host = UserlandHost::with_program(store.clone(), env!("CARGO_BIN_EXE_bake")).unwrap();
        let sandbox = Sandbox::start(Options::default(), Arc::new(host), store).await.unwrap();
        let credentials = Credentials::new("test", "test", None, None, "test");
        let ec2 = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(sandbox.endpoint_url())
            .credentials_provider(credentials.clone())
            .build();
        let ssm = aws_sdk_ssm::Config::builder()
            .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
            .region(aws_sdk_ssm::config::Region::new("us-east-1"))
            .endpoint_url(sandbox.endpoint_url())
            .credentials_provider(credentials)
            .build();
        let ec2 = aws_sdk_ec2::Client::from_conf(ec2);
        let ssm = aws_sdk_ssm::Client::from_conf(ssm);
        let profile = IamInstanceProfileSpecification::builder().name("any").build();
        // An image that the sandbox does not know: the host's root stands in.
        let run = ec2.run_instances().image_id("ami-0c55b159cbfafe1f0").min_count(1).max_count(1);
        let run = run.instance_type("t3.micro".into()).iam_instance_profile(profile);
        let launched = run.send().await.unwrap();
        let instance = launched.instances()[0].instance_id().unwrap().to_owned();
        let world = Self { sandbox, ec2, ssm, instance, _directory: directory };
        world.until("the agent is connected", || world.is_connected()).await;
        Some(world)
    }

    async fn is_connected(&self) -> bool {
        let status = self.ssm.get_connection_status().target(&self.instance).send().await;
        status.unwrap().status == Some(ConnectionStatus::Connected)
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, mut is: impl FnMut() -> F) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !is().await {
            assert!(Instant::now() < deadline, "waited too long: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, script: &str, seconds: u32) -> String {
        let parameters = HashMap::from([
            ("commands".to_owned(), script.lines().map(str::to_owned).collect()),
            ("executionTimeout".to_owned(), vec![seconds.to_string()]),
        ]);
        let send = self.ssm.send_command().document_name("AWS-RunShellScript");
        let send = send.instance_ids(&self.instance).set_parameters(Some(parameters));
        let sent = send.send().await.unwrap();
        sent.command().unwrap().command_id().unwrap().to_owned()
    }

    async fn look(&self, command: &str) -> GetCommandInvocationOutput {
        let get = self.ssm.get_command_invocation().command_id(command);
        get.instance_id(&self.instance).send().await.unwrap()
    }

    async fn run(&self, script: &str, seconds: u32) -> GetCommandInvocationOutput {
        let command = self.send(script, seconds).await;
        self.until(script, || async {
            let status = status(&self.look(&command).await);
            !["Pending", "InProgress", "Delayed", "Cancelling"].contains(&status.as_str())
        })
        .await;
        self.look(&command).await
    }

    /// The output of a script that succeeds.
    async fn output(&self, script: &str) -> String {
        let found = self.run(script, 60).await;
        assert_eq!(status(&found), "Success", "{script}: {found:?}");
        found.standard_output_content().unwrap_or_default().trim_end().to_owned()
    }
}

fn status(found: &GetCommandInvocationOutput) -> String {
    found.status().map(|status| status.as_str().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_as_root_on_the_machine() {
    let Some(world) = World::new("commands on machines of the sandbox").await else { return };
    let said = world
        .run("id -u; pwd; echo ${HOME-no home} $AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME\necho bad >&2; exit 3", 60)
        .await;
    assert_eq!((status(&said).as_str(), said.response_code()), ("Failed", 3));
    let expected = format!("0\n/usr/bin\nno home {} us-east-1\n", world.instance);
    assert_eq!(said.standard_output_content(), Some(expected.as_str()));
    assert_eq!(said.standard_error_content(), Some("bad\n"));
    assert_eq!(
        world.output("#!/bin/bash\necho ${BASH_VERSION:+bash} ${SSM_COMMAND_ID:+id}").await,
        "bash id"
    );
    let long = world.output("head -c 30000 /dev/zero | tr '\\0' x").await;
    assert_eq!(long.len(), 24_000);
    assert!(long.ends_with("---Output truncated---"));
    // Scripts and what they said stay on the disk, as the agent's log does.
    let traces = format!(
        "cd /var/lib/amazon/ssm/{}/document/orchestration; ls | wc -l; cat */*/*/stderr
         test -s /var/log/amazon/ssm/amazon-ssm-agent.log && echo log",
        world.instance
    );
    assert_eq!(world.output(&traces).await, "4\nbad\nlog");
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_through_reboots_and_are_killed() {
    let Some(world) = World::new("commands on machines of the sandbox").await else { return };
    let look = "cat /proc/sys/kernel/random/boot_id";
    let before = world.output(look).await;
    let again = format!("if [ -e /root/again ]; then {look}; else touch /root/again; exit 194; fi");
    let after = world.output(&again).await;
    assert!(after.len() == 36 && after != before, "{before} {after}");
    // Without the agent's knowledge it is the end of the script.
    let lost = world.run("reboot; exec sleep 50", 60).await;
    assert_eq!((status(&lost).as_str(), lost.response_code()), ("Failed", 137));
    assert!(world.is_connected().await, "it is told after the next boot");

    let late = world.run("echo early; sleep 971 & sleep 971", 5).await;
    assert_eq!((status(&late).as_str(), late.response_code()), ("TimedOut", 137));
    assert_eq!(late.status_details(), Some("Execution Timed Out"));
    assert_eq!(late.standard_output_content(), Some("early\n"));
    assert_eq!(world.output("pgrep -cx sleep; true").await, "0");

    let command = world.send("echo early; exec sleep 50", 60).await;
    world.until("it runs", || async { status(&world.look(&command).await) == "InProgress" }).await;
    assert_eq!(world.look(&command).await.standard_output_content(), Some(""));
    world.ssm.cancel_command().command_id(&command).send().await.unwrap();
    world.until("it ends", || async { status(&world.look(&command).await) == "Cancelled" }).await;

    let refused = world.run("true", 60);
    let stop = world.ec2.stop_instances().instance_ids(&world.instance).send();
    assert_eq!(status(&refused.await), "Success");
    stop.await.unwrap();
    world.until("the agent is gone", || async { !world.is_connected().await }).await;
    world.sandbox.stop().await;
}

/// Opens a session with one stream, reads so many bytes of it, and does something; then waits for
/// the reason of the end. There is nothing while the agent is away.
async fn converse<F: Future<Output = ()>>(
    world: &World,
    bytes: usize,
    then: impl FnOnce() -> F,
) -> (Vec<u8>, String) {
    let start = world.ssm.start_session().target(&world.instance);
    let Ok(started) = start.document_name("AWS-StartSSHSession").send().await else {
        return Default::default();
    };
    let url = started.stream_url().unwrap();
    let mut request = url.into_client_request().unwrap();
    let signature = "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/ssmmessages/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";
    request.headers_mut().insert("authorization", signature.parse().unwrap());
    request.headers_mut().insert("x-amz-date", "20250101T000000Z".parse().unwrap());
    let address = world.sandbox.endpoint_url();
    let stream = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await;
    let socket = tokio_tungstenite::client_async(request, stream.unwrap()).await.unwrap().0;
    let (mut sink, mut stream) = socket.split();
    let open = OpenDataChannel::new(started.token_value().unwrap(), Uuid::new_v4());
    let open = String::from_utf8(json(&open)).unwrap();
    sink.send(Message::text(open)).await.unwrap();
    let mut got = Vec::new();
    let mut then = Some(then);
    loop {
        let Message::Binary(frame) = stream.next().await.unwrap().unwrap() else { continue };
        let message = AgentMessage::decode(&frame).unwrap();
        match message.kind {
            MessageType::ChannelClosed => {
                let closed: ChannelClosed = serde_json::from_slice(&message.payload).unwrap();
                return (got, closed.output);
            }
            MessageType::OutputStreamData => {
                let acknowledge = Acknowledge::of(&message).message(Uuid::new_v4(), 1);
                sink.send(Message::Binary(acknowledge.encode().into())).await.unwrap();
            }
            _ => continue,
        }
        if message.payload_type == PayloadType::HANDSHAKE_REQUEST {
            let response = HandshakeResponse {
                client_version: "1.2.764.0".to_owned(),
                processed_client_actions: vec![ProcessedAction {
                    action_type: ACTION_SESSION_TYPE.to_owned(),
                    action_status: SUCCESS,
                    action_result: serde_json::Value::Null,
                    error: String::new(),
                }],
                errors: None,
            };
            let message = AgentMessage {
                kind: MessageType::InputStreamData,
                created: 1,
                sequence: 0,
                flags: 0,
                id: Uuid::new_v4(),
                payload_type: PayloadType::HANDSHAKE_RESPONSE,
                payload: json(&response),
            };
            sink.send(Message::Binary(message.encode().into())).await.unwrap();
        } else if message.payload_type == PayloadType::OUTPUT {
            got.extend(message.payload);
            if got.len() >= bytes
                && let Some(then) = then.take()
            {
                then().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_reaches_the_machines_ssh_server_until_it_reboots() {
    let Some(world) = World::new("sessions to machines of the sandbox").await else { return };
    let reboot = || async {
        world.ec2.reboot_instances().instance_ids(&world.instance).send().await.unwrap();
    };
    let (banner, reason) = converse(&world, 8, reboot).await;
    assert!(banner.starts_with(b"SSH-2.0-bake_sandbox"), "{}", String::from_utf8_lossy(&banner));
    // Which of the two is noticed first, the connection's end or the agent's, is open.
    let restarted = format!("The agent of {} was started again.", world.instance);
    assert!(reason.is_empty() || reason == restarted, "{reason}");
    let terminate = || async {
        world.ec2.terminate_instances().instance_ids(&world.instance).send().await.unwrap();
    };
    // The machine may still be on its way down.
    world
        .until("a session goes through again", || async {
            converse(&world, 8, terminate).await.0.starts_with(b"SSH-2.0-")
        })
        .await;
    world.until("the agent is gone", || async { !world.is_connected().await }).await;
    world.sandbox.stop().await;
}
