//! Whole builds against moto, with OpenSSH as the instance.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Image, InstanceStateName, Tag};
use base64::Engine as _;

use super::python;
use crate::support::openssh::{OpenSsh, await_port, free_port, user};
use crate::support::{Outcome, Relay, Running, Workspace, all_suites, repository};

/// A moto that ends with the value, and eyes for what is in it.
struct Moto {
    process: Child,
    url: String,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Moto {
    fn start() -> Self {
        let port = free_port();
        let process = Command::new(python::programs().join("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start moto_server");
        let url = format!("http://127.0.0.1:{port}");
        let configuration = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let moto = Self { process, url, runtime, client: Client::from_conf(configuration) };
        await_port(port, "moto");
        moto
    }

    fn image(&self, id: &str) -> Image {
        let ask = self.client.describe_images().image_ids(id).send();
        let images = self.runtime.block_on(ask).expect("describe images").images().to_vec();
        images.into_iter().next().unwrap_or_else(|| panic!("moto has no image {id}"))
    }

    fn own_images(&self) -> usize {
        let ask = self.client.describe_images().owners("self").send();
        self.runtime.block_on(ask).expect("describe images").images().len()
    }

    fn instance_states(&self) -> Vec<InstanceStateName> {
        let ask = self.client.describe_instances().send();
        let answer = self.runtime.block_on(ask).expect("describe instances");
        let instances = answer.reservations().iter().flat_map(|one| one.instances());
        instances.filter_map(|one| one.state()?.name().cloned()).collect()
    }

    /// Fails the test unless `launches` instances were there once, and only images are now.
    #[track_caller]
    fn assert_only_images(&self, launches: usize) {
        assert_eq!(self.instance_states(), vec![InstanceStateName::Terminated; launches]);
        let keys = self.runtime.block_on(self.client.describe_key_pairs().send());
        let keys = keys.expect("describe key pairs");
        assert!(keys.key_pairs().is_empty(), "a key pair is left: {keys:?}");
        let groups = self.runtime.block_on(self.client.describe_security_groups().send());
        for group in groups.expect("describe security groups").security_groups() {
            assert_eq!(group.group_name(), Some("default"), "a group is left: {group:?}");
        }
        let volumes = self.runtime.block_on(self.client.describe_volumes().send());
        let volumes = volumes.expect("describe volumes");
        assert!(volumes.volumes().is_empty(), "a volume is left: {volumes:?}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[track_caller]
fn tag<'a>(image: &'a Image, key: &str) -> &'a str {
    let found = image.tags().iter().find(|tag| tag.key() == Some(key));
    found.and_then(Tag::value).unwrap_or_else(|| panic!("no tag {key} on {image:?}"))
}

/// bake against an endpoint, as against AWS: nothing but the environment says where it is.
fn build(workspace: &Workspace, endpoint: &str, template: &Path, variables: &[String]) -> Outcome {
    let mut command = workspace.command(["build"]);
    for variable in variables {
        command.args(["-var", variable]);
    }
    command
        .arg(template)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    Running::start(command).finish()
}

#[test]
fn an_hcl_template_builds_against_moto_with_a_key_of_the_users_own() {
    if !all_suites("a build against moto from HCL") {
        return;
    }
    let (moto, instance, workspace) = (Moto::start(), OpenSsh::start(), Workspace::new());
    let template = repository().join("fixtures/peers/moto.pkr.hcl");
    let target = instance.directory().join("app");
    let variables = [
        format!("host_port={}", instance.port()),
        format!("key={}", instance.user_key().display()),
        format!("user={}", user()),
        format!("target={}", target.display()),
    ];
    let first = build(&workspace, &moto.url, &template, &variables).expect(0);

    let image = moto.image(&first.image());
    assert_eq!(tag(&image, "bake:image-hash"), first.hash());
    assert_eq!(tag(&image, "Team"), "images");
    assert_eq!(tag(&image, "Stage"), "build", "run tags are on the image too");
    assert!(tag(&image, "Base").starts_with("amzn2-ami-hvm-"), "{image:?}");
    assert!(image.name().is_some_and(|name| name.starts_with("moto-")), "{image:?}");
    moto.assert_only_images(1);

    assert_eq!(fs::read(target.join("greet")).expect("uploaded"), b"#!/bin/sh\necho greetings\n");
    assert!(first.lines_of("amazon-ebs.moto").contains(&"greetings moto"), "{}", first.stdout);
    let written = fs::read_to_string(target.join("conf/written")).expect("written by a step");
    assert_eq!(written, "by a step\n");

    let second = build(&workspace, &moto.url, &template, &variables).expect(0);
    assert_eq!(second.image(), first.image());
    assert!(second.stdout.contains("AMIs were reused:"), "{}", second.stdout);
    assert_eq!(moto.own_images(), 1);
    moto.assert_only_images(1);
}

#[test]
fn a_legacy_template_builds_against_moto_with_a_temporary_key() {
    if !all_suites("a build against moto from legacy JSON") {
        return;
    }
    let (moto, instance, workspace) = (Moto::start(), OpenSsh::start(), Workspace::new());
    // EC2 puts the public key of a key pair into the instance; here, that is for us to do.
    let authorized_keys = instance.authorized_keys();
    let relay = Relay::looking(&moto.url, move |request| {
        if let Some(key) = imported_key(request) {
            fs::write(&authorized_keys, key).expect("let the key in");
        }
    });
    let template = repository().join("fixtures/peers/moto.json");
    let target = instance.directory().join("motd");
    let variables = [
        format!("host_port={}", instance.port()),
        format!("user={}", user()),
        format!("target={}", target.display()),
    ];
    let first = build(&workspace, &relay.url(), &template, &variables).expect(0);

    let image = moto.image(&first.image());
    assert_eq!(tag(&image, "bake:image-hash"), first.hash());
    assert_eq!(tag(&image, "Team"), "images");
    assert!(relay.actions().contains(&"ImportKeyPair".to_owned()), "{:?}", relay.actions());
    moto.assert_only_images(1);
    let uploaded = fs::read(repository().join("fixtures/legacy/scripts/motd")).expect("fixture");
    assert_eq!(fs::read(&target).expect("uploaded"), uploaded);
    assert!(first.lines_of("amazon-ebs").contains(&"hello from moto"), "{}", first.stdout);

    let second = build(&workspace, &relay.url(), &template, &variables).expect(0);
    assert_eq!(second.image(), first.image());
    moto.assert_only_images(1);
}

/// The public key in a request for ImportKeyPair, once it is there as a whole.
fn imported_key(requests: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(requests).ok()?;
    let (head, body) = text.split_at(text.rfind("Action=ImportKeyPair&")?);
    let head = head.to_ascii_lowercase();
    let (_, length) = head.rsplit_once("content-length: ")?;
    let body = body.get(..length.lines().next()?.parse().ok()?)?;
    let mut parameters = body.split('&');
    let material = parameters.find_map(|one| one.strip_prefix("PublicKeyMaterial="))?;
    let base64 = percent_encoding::percent_decode_str(material).decode_utf8().ok()?;
    base64::engine::general_purpose::STANDARD.decode(base64.as_bytes()).ok()
}

#[test]
fn data_sources_are_looked_up_in_moto() {
    if !all_suites("data sources against moto") {
        return;
    }
    let (moto, workspace) = (Moto::start(), Workspace::new());
    let put = async {
        let configuration = aws_sdk_ssm::Config::builder()
            .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
            .region(aws_sdk_ssm::config::Region::new("us-east-1"))
            .endpoint_url(&moto.url)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let parameters = aws_sdk_ssm::Client::from_conf(configuration);
        let put = parameters.put_parameter().name("/app/version").value("7");
        put.r#type(aws_sdk_ssm::types::ParameterType::SecureString).send().await.expect("put");
        let configuration = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::latest())
            .region(aws_sdk_secretsmanager::config::Region::new("us-east-1"))
            .endpoint_url(&moto.url)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let secrets = aws_sdk_secretsmanager::Client::from_conf(configuration);
        let create = secrets.create_secret().name("app");
        create.secret_string("{\"password\":\"hunter2\"}").send().await.expect("create");
    };
    moto.runtime.block_on(put);
    let template = workspace.write(
        "t.pkr.hcl",
        r#"
data "amazon-ami" "base" {
  filters     = { name = "*" }
  owners      = ["amazon"]
  most_recent = true
}
data "amazon-parameterstore" "version" {
  name            = "/app/version"
  with_decryption = true
}
data "amazon-secretsmanager" "app" { name = "app" }
locals {
  right = data.amazon-parameterstore.version.value == "7" && data.amazon-secretsmanager.app.value == aws_secretsmanager("app", "password")
}
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = local.right ? data.amazon-ami.base.id : null
}
build { sources = ["source.amazon-ebs.t"] }
"#,
    );
    let mut command = workspace.command(["validate", "-evaluate-datasources"]);
    command
        .arg(template)
        .env("AWS_ENDPOINT_URL", &moto.url)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let outcome = Running::start(command).finish().expect(0);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("The configuration is valid.\n", "")
    );
}
