//! The AWS CLI against `bake sandbox serve`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use super::python;
use crate::support::{Endpoint, Workspace, all_suites, repository, root};

struct AwsCli<'a> {
    program: PathBuf,
    endpoint: &'a Endpoint,
    workspace: &'a Workspace,
}

impl AwsCli<'_> {
    /// Runs it with arguments that are separated by spaces.
    fn run(&self, arguments: &str) -> Output {
        Command::new(&self.program)
            .args(arguments.split(' '))
            .args(["--endpoint-url", self.endpoint.url(), "--output", "json"])
            .current_dir(self.workspace.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.workspace.path())
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "sandbox")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .output()
            .expect("start aws")
    }

    /// The answer of a call that works.
    #[track_caller]
    fn answer(&self, arguments: &str) -> Value {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws {arguments}: {errors}");
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The message of a call that does not.
    #[track_caller]
    fn refusal(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "aws {arguments} works");
        String::from_utf8(output.stderr).expect("UTF-8").trim().to_owned()
    }
}

/// A tag in the CLI's JSON.
fn tag<'a>(tags: &'a Value, key: &str) -> Option<&'a str> {
    let tags = tags.as_array()?;
    tags.iter().find(|tag| tag["Key"] == key).and_then(|tag| tag["Value"].as_str())
}

#[test]
fn the_aws_cli_lists_a_built_image_with_its_tags() {
    if !all_suites("the AWS CLI against the sandbox") || !root("a build in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let template = repository().join("templates/quickstart.pkr.hcl");
    let built = endpoint.build(&workspace, &[], &template).expect(0);

    let aws = AwsCli {
        program: python::programs().join("aws"),
        endpoint: &endpoint,
        workspace: &workspace,
    };
    let answer = aws.answer("ec2 describe-images --owners self");
    let images = answer["Images"].as_array().expect("a list");
    assert_eq!(images.len(), 1, "{answer}");
    let image = &images[0];
    assert_eq!(image["ImageId"], built.image());
    assert_eq!(image["State"], "available");
    assert_eq!(image["Name"], format!("quickstart-{}", &built.hash()[..12]));
    assert_eq!(tag(&image["Tags"], "bake:image-hash"), Some(built.hash().as_str()));
    assert_eq!(tag(&image["Tags"], "Name"), Some("quickstart"));
    assert!(tag(&image["Tags"], "Source").is_some_and(|name| name.starts_with("debian-12-amd64-")));

    let by_hash = format!(
        "ec2 describe-images --filters Name=tag:bake:image-hash,Values={} --query Images[].ImageId",
        built.hash()
    );
    assert_eq!(aws.answer(&by_hash), serde_json::json!([built.image()]));
    drop(endpoint);
    workspace.assert_nothing_runs();
}

#[test]
fn the_aws_cli_leads_an_instance_and_a_key_through_their_lives() {
    if !all_suites("the AWS CLI against the sandbox") || !root("instances in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let aws = AwsCli {
        program: python::programs().join("aws"),
        endpoint: &endpoint,
        workspace: &workspace,
    };

    let caller = aws.answer("sts get-caller-identity");
    assert_eq!(caller["Account"], "123456789012");
    let parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let answer = aws.answer(&format!("ssm get-parameter --name {parameter}"));
    let source = answer["Parameter"]["Value"].as_str().expect("an image id").to_owned();
    assert!(source.starts_with("ami-"), "{answer}");

    let key = workspace.path().join("key");
    let mut make = Command::new("ssh-keygen");
    let made = make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("start ssh-keygen").success());
    aws.answer("ec2 import-key-pair --key-name mine --public-key-material fileb://key.pub");
    let keys = aws.answer("ec2 describe-key-pairs --key-names mine --include-public-key");
    assert_eq!(keys["KeyPairs"][0]["KeyType"], "ed25519");
    let public = fs::read_to_string(key.with_extension("pub")).expect("public key");
    let listed = keys["KeyPairs"][0]["PublicKey"].as_str().expect("a public key");
    assert_eq!(listed.split(' ').nth(1), public.split(' ').nth(1));

    let launched = aws.answer(&format!(
        "ec2 run-instances --image-id {source} --instance-type t3.micro --key-name mine \
         --tag-specifications ResourceType=instance,Tags=[{{Key=Name,Value=cli}}]"
    ));
    let id = launched["Instances"][0]["InstanceId"].as_str().expect("an id").to_owned();
    aws.answer(&format!("ec2 wait instance-running --instance-ids {id}"));
    let found = aws.answer(&format!("ec2 describe-instances --instance-ids {id}"));
    let instance = &found["Reservations"][0]["Instances"][0];
    assert_eq!(instance["State"]["Name"], "running");
    assert_eq!(instance["ImageId"], source);
    assert_eq!(tag(&instance["Tags"], "Name"), Some("cli"));
    assert!(instance["PublicIpAddress"].is_string(), "{instance}");

    aws.answer(&format!("ec2 create-tags --resources {id} --tags Key=Team,Value=images"));
    let tags = aws.answer(&format!("ec2 describe-tags --filters Name=resource-id,Values={id}"));
    assert_eq!(tag(&tags["Tags"], "Team"), Some("images"));

    let stopping = aws.answer(&format!("ec2 stop-instances --instance-ids {id}"));
    assert_eq!(stopping["StoppingInstances"][0]["PreviousState"]["Name"], "running");
    aws.answer(&format!("ec2 wait instance-stopped --instance-ids {id}"));
    aws.answer(&format!("ec2 terminate-instances --instance-ids {id}"));
    aws.answer(&format!("ec2 wait instance-terminated --instance-ids {id}"));
    aws.answer("ec2 delete-key-pair --key-name mine");

    insta::assert_snapshot!(aws.refusal("ec2 describe-key-pairs --key-names mine"), @"An error occurred (InvalidKeyPair.NotFound) when calling the DescribeKeyPairs operation: The key pair 'mine' does not exist");
    insta::assert_snapshot!(aws.refusal("ec2 describe-images --image-ids web"), @r#"An error occurred (InvalidAMIID.Malformed) when calling the DescribeImages operation: Invalid id: "web" (expecting "ami-...")"#);
    insta::assert_snapshot!(
        aws.refusal("ec2 describe-instances --instance-ids i-0123456789abcdef0"),
        @"An error occurred (InvalidInstanceID.NotFound) when calling the DescribeInstances operation: The instance ID 'i-0123456789abcdef0' does not exist"
    );
    insta::assert_snapshot!(
        aws.refusal("ec2 describe-images --owners self --dry-run"),
        @"An error occurred (DryRunOperation) when calling the DescribeImages operation: Request would have succeeded, but DryRun flag is set."
    );
    endpoint.assert_only_images();
    drop(endpoint);
    workspace.assert_nothing_runs();
}

#[test]
fn the_aws_cli_runs_a_command_on_an_instance_with_a_profile_of_its_own() {
    if !all_suites("the AWS CLI against the sandbox") || !root("instances in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let aws = AwsCli {
        program: python::programs().join("aws"),
        endpoint: &endpoint,
        workspace: &workspace,
    };
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    fs::write(workspace.path().join("trust.json"), trust).expect("write a policy");
    let core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";
    let role = aws
        .answer("iam create-role --role-name cli --assume-role-policy-document file://trust.json");
    assert_eq!(role["Role"]["Arn"], "arn:aws:iam::123456789012:role/cli");
    assert_eq!(role["Role"]["AssumeRolePolicyDocument"]["Version"], "2012-10-17");
    aws.answer(&format!("iam attach-role-policy --role-name cli --policy-arn {core}"));
    aws.answer("iam create-instance-profile --instance-profile-name cli");
    aws.answer("iam add-role-to-instance-profile --instance-profile-name cli --role-name cli");
    aws.answer("iam wait instance-profile-exists --instance-profile-name cli");

    let launched = aws.answer(
        "ec2 run-instances --image-id ami-0c55b159cbfafe1f0 --instance-type t3.micro \
         --iam-instance-profile Name=cli",
    );
    let id = launched["Instances"][0]["InstanceId"].as_str().expect("an id").to_owned();
    aws.answer(&format!("ec2 wait instance-running --instance-ids {id}"));
    let agents = aws.answer(&format!(
        "ssm describe-instance-information --filters Key=InstanceIds,Values={id}"
    ));
    assert_eq!(agents["InstanceInformationList"][0]["PingStatus"], "Online", "{agents}");
    let status = aws.answer(&format!("ssm get-connection-status --target {id}"));
    assert_eq!(status["Status"], "connected");
    let sent = aws.answer(&format!(
        "ssm send-command --document-name AWS-RunShellScript --instance-ids {id} \
         --parameters commands=whoami"
    ));
    let command = sent["Command"]["CommandId"].as_str().expect("an id").to_owned();
    aws.answer(&format!("ssm wait command-executed --command-id {command} --instance-id {id}"));
    let found = aws
        .answer(&format!("ssm get-command-invocation --command-id {command} --instance-id {id}"));
    assert_eq!(found["Status"], "Success", "{found}");
    assert_eq!(found["StandardOutputContent"], "root\n");
    let listed =
        aws.answer(&format!("ssm list-command-invocations --command-id {command} --details"));
    assert_eq!(listed["CommandInvocations"][0]["CommandPlugins"][0]["Output"], "root\n");

    let conflict = aws.refusal("iam delete-role --role-name cli");
    insta::assert_snapshot!(conflict, @"An error occurred (DeleteConflict) when calling the DeleteRole operation: Cannot delete entity, must remove roles from instance profile first.");
    aws.answer(&format!("ec2 terminate-instances --instance-ids {id}"));
    aws.answer(&format!("ec2 wait instance-terminated --instance-ids {id}"));
    aws.answer("iam remove-role-from-instance-profile --instance-profile-name cli --role-name cli");
    aws.answer("iam delete-instance-profile --instance-profile-name cli");
    aws.answer(&format!("iam detach-role-policy --role-name cli --policy-arn {core}"));
    aws.answer("iam delete-role --role-name cli");
    endpoint.assert_only_images();
    drop(endpoint);
    workspace.assert_nothing_runs();
}
