//! Sessions and commands of Systems Manager that do not come about.

use std::time::Duration;

use insta::assert_snapshot;

use super::{assert_nothing_left, told};
use crate::support::{Endpoint, Workspace, root, shell, template_with};

/// What is told of a build that is reached this way, at an endpoint with these options; and
/// nothing may be left there or here.
#[track_caller]
fn failure(way: &str, options: &[&str]) -> String {
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, options);
    let source = format!("source_ami = \"ami-12345678\"\n  {way}");
    let path = workspace.write("t.pkr.hcl", template_with(&source, &shell("echo hello")));
    let outcome = endpoint.build(&workspace, &[], &path).expect(1);
    assert!(outcome.elapsed < Duration::from_secs(30), "{:?}", outcome.elapsed);
    endpoint.assert_only_images();
    assert!(endpoint.images().is_empty());
    let text = told(&outcome, &[(workspace.path().to_str().expect("UTF-8"), "[directory]")]);
    endpoint.stop();
    assert_nothing_left(&workspace);
    // What comes before is that of every build.
    let (_, text) = text.split_once("\nBuild '").expect("an end");
    format!("Build '{text}")
}

const SESSION: &str = "ssh_interface = \"session_manager\"\n  ssh_timeout = \"2s\"";
const SSM: &str = "communicator = \"ssm\"";
const EXPIRED: &str =
    "error=ExpiredTokenException/The security token included in the request is expired";

#[test]
fn an_agent_that_does_not_register() {
    if !root("building in the sandbox") {
        return;
    }
    assert_snapshot!(failure(SESSION, &["--latency", "agent=3600s"]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): TargetNotConnected: i-[id] is not connected. (request id [id]); the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443 ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): TargetNotConnected: i-[id] is not connected. (request id [id]); the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443 ([attempts])

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_session_that_is_refused() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = "StartSession:*:error=TargetNotConnected/i-0123456789abcdef0 is not connected.";
    assert_snapshot!(failure(SESSION, &["--fault", fault]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): TargetNotConnected: i-[id] is not connected. (request id [id]); the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443 ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): TargetNotConnected: i-[id] is not connected. (request id [id]); the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443 ([attempts])

    ==> Builds finished but no artifacts were created.
    ");
    let fault = "StartSession:*:error=AccessDeniedException/User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:StartSession on resource: y";
    assert_snapshot!(failure(SESSION, &["--fault", fault]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:StartSession on resource: y (request id [id]); allow the IAM action `ssm:StartSession` to these credentials ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:StartSession on resource: y (request id [id]); allow the IAM action `ssm:StartSession` to these credentials ([attempts])

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_token_that_has_expired() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = format!("StartSession:*:{EXPIRED}");
    assert_snapshot!(failure(SESSION, &["--fault", &fault]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): ExpiredTokenException: The security token included in the request is expired (request id [id]); the credentials have expired: fetch new ones (for SSO: `aws sso login`) ([attempts])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    no session to i-[id] (Session Manager): StartSession of `i-[id]` failed at [endpoint] (us-east-1): ExpiredTokenException: The security token included in the request is expired (request id [id]); the credentials have expired: fetch new ones (for SSO: `aws sso login`) ([attempts])

    ==> Builds finished but no artifacts were created.
    ");
    let fault = format!("SendCommand:*:{EXPIRED}");
    assert_snapshot!(failure(SSM, &["--fault", &fault]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    cannot run a command on `i-[id]` through Systems Manager: SendCommand of `i-[id]` failed at [endpoint] (us-east-1): ExpiredTokenException: The security token included in the request is expired (request id [id])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    cannot run a command on `i-[id]` through Systems Manager: SendCommand of `i-[id]` failed at [endpoint] (us-east-1): ExpiredTokenException: The security token included in the request is expired (request id [id])
        hint: the credentials have expired: fetch new ones (for SSO: `aws sso login`)

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_command_that_may_not_be_sent() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = "SendCommand:*:error=AccessDeniedException/User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:SendCommand on resource: y";
    assert_snapshot!(failure(SSM, &["--fault", fault]), @"
    Build 'amazon-ebs.t' errored after [time]: cannot connect to the instance
    cannot run a command on `i-[id]` through Systems Manager: SendCommand of `i-[id]` failed at [endpoint] (us-east-1): AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:SendCommand on resource: y (request id [id])

    ==> Wait completed after [time]

    ==> Some builds didn't complete successfully and had errors:
    --> amazon-ebs.t: cannot connect to the instance
    cannot run a command on `i-[id]` through Systems Manager: SendCommand of `i-[id]` failed at [endpoint] (us-east-1): AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:SendCommand on resource: y (request id [id])
        hint: allow the IAM action `ssm:SendCommand` to these credentials

    ==> Builds finished but no artifacts were created.
    ");
}
