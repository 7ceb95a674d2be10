//! What people read when Systems Manager cannot be used, from the service's answer to the text.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Access, Client, StaticCredentials};
use crate::communicator::Dial as _;
use crate::communicator::ssm::{self, CommandTiming, PortForward, Settings, SsmOptions};
use crate::event;

/// Answers each action always in the same way.
#[derive(Clone, Debug, Default)]
struct Fixed {
    answers: Arc<HashMap<&'static str, (u16, Value)>>,
    /// EC2's state of the instance.
    state: &'static str,
}

impl HttpConnector for Fixed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let (status, body) = match target.strip_prefix("AmazonSSM.") {
            Some(action) => match self.answers.get(action) {
                Some((status, answer)) => (*status, answer.to_string()),
                None => panic!("nobody thought of {action}"),
            },
            None => (
                200,
                format!(
                    "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><instanceState><code>48</code><name>{}</name></instanceState></item></instancesSet></item></reservationSet></DescribeInstancesResponse>",
                    self.state
                ),
            ),
        };
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(response))
    }
}

async fn client(answers: &[(&'static str, (u16, Value))], state: &'static str) -> Arc<Client> {
    let fixed = Fixed { answers: Arc::new(answers.iter().cloned().collect()), state };
    let access = Access {
        region: Some("eu-west-1".to_owned()),
        credentials: Some(StaticCredentials {
            access_key: "AKID".to_owned(),
            secret_key: "unused".to_owned(),
            token: None,
        }),
        max_retries: Some(1),
        http: Some(http_client_fn(move |_, _| SharedHttpConnector::new(fixed.clone()))),
        ..Access::default()
    };
    Arc::new(Client::connect(&access).await.unwrap())
}

/// Nothing is waited for.
const SETTINGS: Settings = Settings {
    payload: 1024,
    rate: 900,
    handshake: Duration::from_secs(1),
    ping: Duration::from_secs(1),
    silence: Duration::from_secs(1),
    resume: Duration::from_secs(1),
    ready: Duration::ZERO,
    goodbye: Duration::from_secs(1),
};

/// The text and hints with which connecting fails.
async fn refusal(answers: &[(&'static str, (u16, Value))], state: &'static str) -> String {
    let client = client(answers, state).await;
    let options = SsmOptions { settings: SETTINGS, timing: CommandTiming::default() };
    let (events, cancel) = (event::channel().0, CancellationToken::new());
    let connecting = ssm::connect("i-1", client.clone(), client, options, events, cancel);
    let error = connecting.await.unwrap_err();
    [&[error.to_string()][..], &error.hints()].concat().join("\n")
}

/// The text with which a session fails.
async fn no_session(code: &str, message: &str) -> String {
    let answer = ("StartSession", failure(code, message));
    let client = client(&[answer], "running").await;
    let cancel = CancellationToken::new();
    let tunnel = PortForward::new(client, "i-1", 22, SETTINGS, cancel);
    tunnel.dial().await.err().unwrap().reason
}

fn failure(code: &str, message: &str) -> (u16, Value) {
    (400, json!({ "__type": code, "message": message }))
}

fn agents(found: &[&str]) -> (u16, Value) {
    let list: Vec<_> = found
        .iter()
        .map(|ping| json!({ "InstanceId": "i-1", "PingStatus": ping, "PlatformType": "Linux" }))
        .collect();
    (200, json!({ "InstanceInformationList": list }))
}

#[tokio::test]
async fn an_agent_that_is_not_there() {
    let text = refusal(&[("DescribeInstanceInformation", agents(&[]))], "running").await;
    insta::assert_snapshot!(text, @"
    cannot run a command on `i-1` through Systems Manager: its agent has not registered
    the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443
    ");
    let lost = agents(&["ConnectionLost"]);
    let text = refusal(&[("DescribeInstanceInformation", lost)], "running").await;
    insta::assert_snapshot!(text, @"
    cannot run a command on `i-1` through Systems Manager: its agent is ConnectionLost
    the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443
    ");
}

#[tokio::test]
async fn an_instance_that_has_ended() {
    let text = refusal(&[("DescribeInstanceInformation", agents(&[]))], "terminated").await;
    insta::assert_snapshot!(text, @"
    cannot run a command on `i-1` through Systems Manager: the instance is `terminated`
    somebody or something has ended it while the build ran: its shutdown behaviour is `terminate`, so a shutdown from inside does that, too
    ");
    let answers = [
        ("DescribeInstanceInformation", agents(&["Online"])),
        ("SendCommand", failure("InvalidInstanceId", "Instances not in a valid state")),
    ];
    let text = refusal(&answers, "shutting-down").await;
    insta::assert_snapshot!(text, @"
    cannot run a command on `i-1` through Systems Manager: the instance is `shutting-down`
    somebody or something has ended it while the build ran: its shutdown behaviour is `terminate`, so a shutdown from inside does that, too
    ");
}

#[tokio::test]
async fn credentials_that_have_expired() {
    let expired =
        failure("ExpiredTokenException", "The security token included in the request is expired");
    let text = refusal(&[("DescribeInstanceInformation", expired)], "running").await;
    insta::assert_snapshot!(text, @"
    cannot run a command on `i-1` through Systems Manager: DescribeInstanceInformation of `i-1` failed in eu-west-1: ExpiredTokenException: The security token included in the request is expired
    the credentials have expired: fetch new ones (for SSO: `aws sso login`)
    ");
}

#[tokio::test]
async fn no_right_to_send_commands() {
    let denied = "User: arn:aws:iam::1:user/me is not authorized to perform: ssm:SendCommand on resource: arn:aws:ec2:eu-west-1:1:instance/i-1";
    let answers = [
        ("DescribeInstanceInformation", agents(&["Online"])),
        ("SendCommand", failure("AccessDeniedException", denied)),
    ];
    insta::assert_snapshot!(refusal(&answers, "running").await, @"
    cannot run a command on `i-1` through Systems Manager: SendCommand of `i-1` failed in eu-west-1: AccessDeniedException: User: arn:aws:iam::1:user/me is not authorized to perform: ssm:SendCommand on resource: arn:aws:ec2:eu-west-1:1:instance/i-1
    allow the IAM action `ssm:SendCommand` to these credentials
    ");
}

#[tokio::test]
async fn no_session_to_be_had() {
    let text = no_session("TargetNotConnected", "i-1 is not connected.").await;
    insta::assert_snapshot!(text, @"StartSession of `i-1` failed in eu-west-1: TargetNotConnected: i-1 is not connected.; the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443");
    let denied = "User: arn:aws:iam::1:user/me is not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:eu-west-1:1:instance/i-1";
    let text = no_session("AccessDeniedException", denied).await;
    insta::assert_snapshot!(text, @"StartSession of `i-1` failed in eu-west-1: AccessDeniedException: User: arn:aws:iam::1:user/me is not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:eu-west-1:1:instance/i-1; allow the IAM action `ssm:StartSession` to these credentials");
    let text = no_session("ExpiredTokenException", "The security token is expired").await;
    insta::assert_snapshot!(text, @"StartSession of `i-1` failed in eu-west-1: ExpiredTokenException: The security token is expired; the credentials have expired: fetch new ones (for SSO: `aws sso login`)");
}
