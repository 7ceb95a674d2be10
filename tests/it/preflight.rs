//! What would fail late is refused early, and nothing is made by then.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};

use crate::support::{
    Endpoint, Outcome, Relay, Running, Workspace, root, shell, template, template_with,
};

/// The calls that changed something.
fn changes(relay: &Relay) -> Vec<String> {
    let reads = ["Describe", "Get", "DryRun"];
    let mut actions = relay.actions();
    actions.retain(|action| !reads.iter().any(|start| action.starts_with(start)));
    actions.sort();
    actions
}

/// How often each thing was only tried.
fn dry_runs(relay: &Relay) -> Vec<String> {
    let actions = relay.actions();
    let mut asked: Vec<_> = actions
        .iter()
        .filter_map(|action| action.strip_prefix("DryRun"))
        .map(str::to_owned)
        .collect();
    asked.sort();
    asked
}

/// Builds a template; `change` is the last to touch the command.
fn build(
    workspace: &Workspace,
    endpoint: &Endpoint,
    text: &str,
    change: impl FnOnce(&mut Command),
) -> (Outcome, Relay) {
    let relay = Relay::to(endpoint.url());
    let mut command = workspace.command(["build"]);
    command.arg(workspace.write("t.pkr.hcl", text));
    let mut command = endpoint.used_by(command);
    command.env("AWS_ENDPOINT_URL", relay.url());
    change(&mut command);
    (Running::start(command).finish(), relay)
}

#[track_caller]
fn assert_said(outcome: &Outcome, texts: &[&str]) {
    for text in texts {
        assert!(outcome.stdout.contains(text), "no `{text}` in\n{}", outcome.stdout);
    }
}

#[test]
fn a_launch_that_is_not_allowed_makes_nothing_but_the_lease() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--fault", "RunInstances:*:unauthorized"]);
    let (outcome, relay) = build(&workspace, &endpoint, &template(&shell("true")), |_| {});
    let outcome = outcome.expect(1);
    assert_said(
        &outcome,
        &[
            "arn:aws:iam::123456789012:user/sandbox may not call `ec2:RunInstances`, which launches the instance: UnauthorizedOperation: ",
            "hint: allow the IAM action `ec2:RunInstances` to these credentials",
            "hint: docs/permissions.md has a policy with all that a build needs",
        ],
    );
    assert_eq!(changes(&relay), ["DeleteKeyPair", "ImportKeyPair"], "the lease");
    assert_eq!(endpoint.instances(), []);
    endpoint.assert_only_images();
}

#[test]
fn a_refusal_about_a_group_that_stands_in_does_not_count() {
    if !root("building in the sandbox") {
        return;
    }
    let denied = "DryRunRunInstances:*:error=UnauthorizedOperation/You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:123456789012:security-group/sg-1 because no identity-based policy allows the ec2:RunInstances action";
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--fault", denied]);
    let (outcome, relay) = build(&workspace, &endpoint, &template(&shell("true")), |_| {});
    outcome.expect(0);
    let asked = [
        "CreateImage",
        "CreateSecurityGroup",
        // Whether dry runs are known here.
        "DeleteKeyPair",
        "ImportKeyPair",
        "RunInstances",
        "StopInstances",
        "TerminateInstances",
    ];
    assert_eq!(dry_runs(&relay), asked, "each is asked once");
    endpoint.assert_only_images();
}

#[test]
fn an_image_that_may_not_be_made_ends_the_build_before_provisioning() {
    if !root("building in the sandbox") {
        return;
    }
    for action in ["CreateImage", "StopInstances"] {
        let workspace = Workspace::new();
        let endpoint =
            Endpoint::start(&workspace, &["--fault", &format!("{action}:*:unauthorized")]);
        let text = template(&shell("echo provisioned"));
        let (outcome, relay) = build(&workspace, &endpoint, &text, |_| {});
        let outcome = outcome.expect(1);
        assert_said(
            &outcome,
            &[&format!("may not call `ec2:{action}`, which "), "Terminated instance"],
        );
        assert!(!outcome.stdout.contains("provisioned"), "{}", outcome.stdout);
        assert!(!changes(&relay).contains(&action.to_owned()));
        endpoint.assert_only_images();
    }
}

#[test]
fn what_dry_runs_do_not_say_stops_nothing() {
    if !root("building in the sandbox") {
        return;
    }
    let faults = ["DryRun*:*:throttle", "DryRun*:*:drop", "DryRun*:*:cut", "GetServiceQuota:*:cut"];
    for fault in faults {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &["--fault", fault]);
        let (outcome, _) = build(&workspace, &endpoint, &template(&shell("true")), |_| {});
        outcome.expect(0);
        endpoint.assert_only_images();
    }
}

#[test]
fn a_quota_without_room_is_told_before_anything_is_made() {
    if !root("building in the sandbox") {
        return;
    }
    let (kind, text) = match std::env::consts::ARCH {
        "aarch64" => ("m6g.16xlarge", "`m6g.16xlarge` needs 64 vCPUs, but 256 of the 256"),
        _ => ("m5.16xlarge", "`m5.16xlarge` needs 64 vCPUs, but 256 of the 256"),
    };
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let configuration = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint.url())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .build();
    let run = Client::from_conf(configuration).run_instances();
    let run = run.image_id("ami-12345678").instance_type(kind.into()).min_count(4).max_count(4);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run.send()).expect("there is room for four");

    let template = template(&shell("true")).replace("t3.micro", kind);
    let (outcome, relay) = build(&workspace, &endpoint, &template, |_| {});
    let outcome = outcome.expect(1);
    assert_said(
        &outcome,
        &[
            text,
            "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` (L-1216C47A)",
            "--quota-code L-1216C47A --desired-value 320",
            "t.pkr.hcl:2:",
        ],
    );
    assert_eq!(changes(&relay), [""; 0]);
    assert_eq!(endpoint.instances().len(), 4, "they are somebody else's");
}

#[test]
fn a_quota_that_is_met_only_at_the_launch_is_named() {
    if !root("building in the sandbox") {
        return;
    }
    let fault = "RunInstances:*:error=VcpuLimitExceeded/You have requested more vCPU capacity than your current vCPU limit of 5 allows";
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &["--fault", fault]);
    let (outcome, _) = build(&workspace, &endpoint, &template(&shell("true")), |_| {});
    let outcome = outcome.expect(1);
    assert_said(&outcome, &["limit of 5 allows", "(L-1216C47A)", "--quota-code L-1216C47A"]);
    endpoint.assert_only_images();
}

#[expect(clippy::disallowed_methods, reason = "bake itself goes by the clock here")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Makes a `credential_process` that gives keys which expire at a time.
fn expiring(workspace: &Workspace, at: SystemTime) -> impl FnOnce(&mut Command) {
    let at = jiff::Timestamp::try_from(at).expect("a time").strftime("%Y-%m-%dT%H:%M:%SZ");
    let script = format!(
        "#!/bin/sh\necho '{{\"Version\": 1, \"AccessKeyId\": \"AKIDEXAMPLE\", \"SecretAccessKey\": \"secret\", \"SessionToken\": \"token\", \"Expiration\": \"{at}\"}}'\n"
    );
    let script = workspace.write("process", script);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("make executable");
    let settings = format!("[default]\ncredential_process = {}\n", script.display());
    workspace.write("home/.aws/config", settings);
    |command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    }
}

#[test]
fn credentials_that_have_expired_are_refused_before_anything_is_made() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let text = template(&shell("true"));
    let past = expiring(&workspace, now() - Duration::from_secs(60));
    let (outcome, relay) = build(&workspace, &endpoint, &text, past);
    assert_said(
        &outcome.expect(1),
        &["the credentials expired at ", "hint: fetch new credentials"],
    );
    assert_eq!(changes(&relay), [""; 0]);

    let near = now() + Duration::from_secs(150);
    let told = jiff::Timestamp::try_from(near).expect("a time").to_string();
    let keys = move |command: &mut Command| {
        command.env("AWS_CREDENTIAL_EXPIRATION", told);
    };
    let (outcome, relay) = build(&workspace, &endpoint, &text, keys);
    assert_said(
        &outcome.expect(1),
        &["the credentials expire at ", "in 2 minutes: a build takes longer"],
    );
    assert_eq!(changes(&relay), [""; 0]);
}

#[test]
fn credentials_that_expire_before_the_deadline_are_told() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let minutes = |count: u64| now() + Duration::from_secs(count * 60 + 30);
    let near = expiring(&workspace, minutes(10));
    let (outcome, _) = build(&workspace, &endpoint, &template(&shell("true")), near);
    let warning = "in 10 minutes: unless `credential_process` has others by then";
    assert_said(&outcome.expect(0), &[warning]);

    // Keys in the environment have to last as long as the build may.
    for (lifetime, is_told) in [("6h", true), ("30m", false)] {
        let told = jiff::Timestamp::try_from(minutes(50)).expect("a time").to_string();
        let text = template(&shell(&format!("echo {lifetime}")));
        let (outcome, _) = build(&workspace, &endpoint, &text, |command| {
            command.args(["-lifetime", lifetime]).env("AWS_CREDENTIAL_EXPIRATION", told);
        });
        let outcome = outcome.expect(0);
        let warned = outcome.stdout.contains("in 50 minutes: a build that takes longer");
        assert_eq!(warned, is_told, "{lifetime}: {}", outcome.stdout);
    }
}

#[test]
fn a_name_that_is_taken_is_refused_before_anything_is_made() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let text = |script: &str| {
        let options = "source_ami = \"ami-12345678\"\n  ami_name = \"taken\"";
        template_with(options, &shell(script))
    };
    build(&workspace, &endpoint, &text("true"), |_| {}).0.expect(0);
    let (outcome, relay) = build(&workspace, &endpoint, &text("echo other"), |_| {});
    assert_said(&outcome.expect(1), &["the name `taken` is taken by ami-"]);
    assert_eq!(changes(&relay), [""; 0]);
    assert_eq!(dry_runs(&relay), [""; 0]);
}

/// A file system without room, unmounted at the end.
struct Full<'a>(&'a Workspace);

impl<'a> Full<'a> {
    fn mount(workspace: &'a Workspace) -> Self {
        let directory = workspace.path().join("state");
        fs::create_dir_all(&directory).expect("make a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(directory);
        assert!(mount.status().expect("start mount").success());
        Self(workspace)
    }
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(self.0.path().join("state"));
        assert!(unmount.status().expect("start umount").success());
    }
}

#[test]
fn a_full_disk_is_told_before_the_cloud_is_asked_anything() {
    if !root("mounting") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let _full = Full::mount(&workspace);
    let (outcome, relay) = build(&workspace, &endpoint, &template(&shell("true")), |_| {});
    let outcome = outcome.expect(1);
    assert!(outcome.stderr.contains("KiB are free there"), "{}", outcome.stderr);
    assert_eq!(relay.actions(), [""; 0]);
}
