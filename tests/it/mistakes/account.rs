//! Accounts and endpoints that cannot be used.

use std::process::Command;

use super::refusal::{Mistake, with_options};
use crate::support::{Endpoint, Running, Workspace, root};

fn plain() -> Mistake {
    Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", with_options(""))
}

/// Runs it without the credentials that it would have.
#[track_caller]
fn error_of(mistake: &Mistake, change: impl FnOnce(&mut Command)) -> String {
    // Nothing listens there.
    let endpoint = "http://127.0.0.1:9";
    let mut command = mistake.command(endpoint);
    change(&mut command);
    let outcome = Running::start(command).finish().expect(1);
    mistake.error_in(&outcome, endpoint)
}

#[test]
fn no_credentials() {
    insta::assert_snapshot!(
        error_of(&plain(), |command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        }),
        @"
    --> amazon-ebs.web: GetCallerIdentity failed at ENDPOINT (us-east-1): the credential provider was not enabled: no credentials found in chain. Attempted:
      Environment: the credential provider was not enabled: environment variable not set
      Profile: the credential provider was not enabled
      WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
      EcsContainer: the credential provider was not enabled: ECS provider not configured
      Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
        hint: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws sso login`, or use `profile` in the template

    ==> Builds finished but no artifacts were created.
    "
    );
}

#[test]
fn no_region() {
    insta::assert_snapshot!(error_of(&plain(), |command| { command.env_remove("AWS_REGION"); }), @"
    --> amazon-ebs.web: no AWS region is known
        hint: set `region` in the template, AWS_REGION, or `region` in the profile

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_profile_that_does_not_exist() {
    let mistake = Mistake::build(&["web.pkr.hcl"])
        .file("web.pkr.hcl", with_options(r#"  profile       = "nobodys""#));
    insta::assert_snapshot!(
        error_of(&mistake, |command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        }),
        @"
    --> amazon-ebs.web: GetCallerIdentity failed at ENDPOINT (us-east-1): the credential provider was not enabled: no credentials found in chain. Attempted:
      Environment: the credential provider was not enabled: environment variable not set
      Profile: the credential provider was not enabled
      WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
      EcsContainer: the credential provider was not enabled: ECS provider not configured
      Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
        hint: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws sso login`, or use `profile` in the template

    ==> Builds finished but no artifacts were created.
    "
    );
}

#[test]
fn an_endpoint_where_nothing_listens() {
    let mistake =
        Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", with_options("  max_retries   = 1"));
    insta::assert_snapshot!(error_of(&mistake, |_| {}), @"
    --> amazon-ebs.web: GetCallerIdentity failed at ENDPOINT (us-east-1): client error (Connect): tcp connect error: Connection refused (os error 111)
        hint: is something listening at ENDPOINT? it comes from AWS_ENDPOINT_URL, the profile or the template

    ==> Builds finished but no artifacts were created.
    ");
}

/// What is said when every call is answered with this error.
#[track_caller]
fn answered(fault: &str) -> String {
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &["--fault", fault]);
    plain().denied_by(&cloud)
}

#[test]
fn credentials_that_are_denied_or_have_expired() {
    if !root("faults of the sandbox") {
        return;
    }
    insta::assert_snapshot!(answered("GetCallerIdentity:*:error=InvalidClientTokenId/The security token included in the request is invalid."), @"
    --> amazon-ebs.web: GetCallerIdentity failed at ENDPOINT (us-east-1): InvalidClientTokenId: The security token included in the request is invalid. (request id ID)
        hint: are the keys right and is region `us-east-1` enabled for the account? a wrong clock on this machine gives this error too

    ==> Builds finished but no artifacts were created.
    ");
    insta::assert_snapshot!(answered("GetCallerIdentity:*:error=ExpiredToken/The security token included in the request is expired"), @"
    --> amazon-ebs.web: GetCallerIdentity failed at ENDPOINT (us-east-1): ExpiredToken: The security token included in the request is expired (request id ID)
        hint: the credentials have expired: fetch new ones (for SSO: `aws sso login`)

    ==> Builds finished but no artifacts were created.
    ");
    insta::assert_snapshot!(answered("DescribeImages:*:unauthorized"), @"
    --> amazon-ebs.web: DescribeImages of `ami-12345678` failed at ENDPOINT (us-east-1): UnauthorizedOperation: You are not authorized to perform this operation. (request id ID)
        hint: allow the IAM action `ec2:DescribeImages` to these credentials

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn the_sandbox_without_root() {
    if !root("giving up root") {
        return;
    }
    let workspace = Workspace::new();
    let template = workspace.write("web.pkr.hcl", with_options(""));
    // bake itself must be within nobody's reach, and its home too.
    let program = workspace.path().join("bake");
    let here = env!("CARGO_BIN_EXE_bake");
    std::fs::hard_link(here, &program)
        .or_else(|_| std::fs::copy(here, &program).map(drop))
        .expect("copy bake");
    let home = workspace.path().join("nobody");
    std::fs::create_dir(&home).expect("make a home");
    let all = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("permit");
    };
    all(workspace.path());
    all(&home);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["build", "--sandbox"])
        .arg(&template)
        .env_clear()
        .env("HOME", &home)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let outcome = Running::start(command).finish().expect(1);
    assert_eq!(outcome.stdout, "");
    let said = outcome.stderr.replace(workspace.path().to_str().expect("UTF-8"), "HERE");
    insta::assert_snapshot!(said, @"
    error: this host cannot run sandbox instances: making namespaces with the host's root as their base needs root
      = help: sudo HERE/bake build --sandbox HERE/web.pkr.hcl
    ");
}
