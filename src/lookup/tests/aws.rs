//! AWS: the sandbox's endpoint for images and parameters, a server of our own for secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::harness::Asking;
use super::server::Server;
use crate::aws::OwnCloud;
use crate::lookup::{LookUp as _, Resolver, Surroundings};
use crate::sandbox::cloud::fake::{FakeHost, MemoryStore};
use crate::sandbox::service::{Options, Sandbox};
use crate::template::lookup::{Answer, Question};
use crate::template::schema::Secret;
use crate::value::to_json;

fn resolver(url: &str) -> Resolver {
    let cloud = OwnCloud { url: url.to_owned(), access_key: Secret::new("key") };
    Resolver::new(Surroundings { environment: BTreeMap::new(), cloud: Some(cloud) })
}

async fn sandbox() -> Sandbox {
    let (host, store) = (Arc::<FakeHost>::default(), Arc::<MemoryStore>::default());
    let started = Sandbox::start(Options::default(), host, store).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn images_and_parameters_are_found() {
    let sandbox = sandbox().await;
    let text = r#"
data "amazon-ami" "base" {
  filters     = { name = "debian-12-amd64-*" }
  owners      = ["136693071363"]
  most_recent = true
}
data "amazon-parameterstore" "newest" {
  name            = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
  with_decryption = true
}
source "vm" "app" {
  source = data.amazon-ami.base.id
  note   = jsonencode([data.amazon-ami.base, data.amazon-parameterstore.newest.version])
}
source "vm" "secret" { source = data.amazon-parameterstore.newest.value }
build { sources = ["vm.app", "vm.secret"] }
"#;
    let resolver = resolver(&sandbox.endpoint_url());
    let plans = Asking::new(text).settled(&resolver).await;
    let plans = plans.unwrap_or_else(|error| panic!("{error}"));
    let id = plans[0].builder.hashed["source"].as_str().expect("an id");
    assert!(id.starts_with("ami-"), "{id}");
    let newest = plans[1].builder.secrets.iter().next().expect("sensitive");
    assert!(newest.starts_with("ami-") && newest != id, "{newest}");
    assert_eq!(sandbox.calls()["DescribeImages"], 1);
    assert_eq!(sandbox.calls()["GetParameter"], 1);
    // What stands for the value in the hash is its version.
    let form = plans[1].builder.hashed["source"].to_string();
    assert!(form.contains("al2023-ami-kernel-default-x86_64#1") && !form.contains(newest.as_str()));
    sandbox.stop().await;
}

#[tokio::test]
async fn images_are_refused_as_the_builder_refuses_them() {
    let sandbox = sandbox().await;
    let resolver = resolver(&sandbox.endpoint_url());
    let text = |name: &str| {
        format!(
            r#"
data "amazon-ami" "base" {{
  filters = {{ name = "{name}" }}
  owners  = ["136693071363"]
}}
source "vm" "app" {{ source = data.amazon-ami.base.id }}
build {{ sources = ["vm.app"] }}
"#
        )
    };
    let refused = Asking::new(&text("nothing-*")).settled(&resolver).await.expect_err("no image");
    insta::assert_snapshot!(refused, @r#"
    error[lookup-failed]: `data.amazon-ami.base`: no image in us-east-1 matches name = nothing-*, owners = 136693071363
     --> a.pkr.hcl:2:1
      |
    2 | data "amazon-ami" "base" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: check the name pattern, the owners and the region
      = help: deprecated images are left out without `include_deprecated = true`
    "#);
    let refused = Asking::new(&text("debian-12-*")).settled(&resolver).await.expect_err("several");
    assert!(refused.contains("images match: ami-"), "{refused}");
    assert!(refused.contains("`most_recent = true` takes the newest"), "{refused}");
    let text = text("debian-12-*").replace("  owners", "  mfa_code = \"123456\"\n  owners");
    let refused = Asking::new(&text).settled(&resolver).await.expect_err("not supported");
    assert!(
        refused.contains("`data.amazon-ami.base`: `mfa_code` is not supported yet"),
        "{refused}"
    );
    let call = json!({ "name": "app", "key": null });
    let question = Question::new("aws_secretsmanager", &call);
    let Answer::Refused(refusal) = resolver.look_up(&question).await else { panic!("refused") };
    assert_eq!(
        refusal.message,
        "there is no secret `app` in us-east-1: The sandbox keeps no secrets; pass the value in \
         as a sensitive variable."
    );
    let missing = json!({ "access": {
        "without_metadata_service": true
    }, "name": "/no/such", "decrypted": false });
    let question = Question::new("amazon-parameterstore", &missing);
    let Answer::Refused(refusal) = resolver.look_up(&question).await else { panic!("refused") };
    assert_eq!(refusal.message, "there is no SSM parameter `/no/such` in us-east-1");
    sandbox.stop().await;
}

#[tokio::test]
async fn secrets_come_by_key_version_and_stage() {
    let server = Server::start(|request| {
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        let asked: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x";
        let found = match asked["SecretId"].as_str() {
            Some("app") => json!({
                "ARN": arn, "VersionId": "v1",
                "SecretString": "{\"password\":\"hunter2\",\"port\":5432}",
            }),
            Some("one") => {
                json!({ "ARN": arn, "VersionId": "v2", "SecretString": "{\"a\":\"only\"}" })
            }
            Some("binary") => json!({ "ARN": arn, "VersionId": "v3", "SecretBinary": "AAE=" }),
            _ => {
                let error = json!({
                    "__type": "ResourceNotFoundException",
                    "Message": "Secrets Manager can't find the specified secret.",
                });
                return format!(
                    "400 Bad Request\nContent-Type: application/x-amz-json-1.1\n\n{error}"
                );
            }
        };
        format!("200 OK\nContent-Type: application/x-amz-json-1.1\n\n{found}")
    })
    .await;
    let resolver = resolver(&server.url);
    let ask = async |kind: &str, request: serde_json::Value| match resolver
        .look_up(&Question::new(kind, &request))
        .await
    {
        Answer::Found { value, .. } => Ok(to_json(&value).expect("known")),
        Answer::Refused(refusal) => Err(refusal.message),
    };
    let data = |name: &str, key: Option<&str>| {
        let access = json!({ "without_metadata_service": true });
        json!({ "access": access, "name": name, "key": key, "version_stage": "AWSCURRENT" })
    };
    let found = ask("amazon-secretsmanager", data("app", Some("password"))).await;
    assert_eq!(
        found,
        Ok(json!({
            "value": "hunter2",
            "secret_string": "{\"password\":\"hunter2\",\"port\":5432}",
            "secret_binary": "",
            "version_id": "v1",
        }))
    );
    let request = server.requests()[0].clone();
    assert!(request.contains("secretsmanager.GetSecretValue"), "{request}");
    assert!(request.contains("\"VersionStage\":\"AWSCURRENT\""), "{request}");
    let found = ask("amazon-secretsmanager", data("app", None)).await.unwrap_or_default();
    assert_eq!(found["value"], json!(null), "which of them?");
    let found = ask("amazon-secretsmanager", data("binary", None)).await.unwrap_or_default();
    assert_eq!(found["secret_binary"], "AAE=");

    let call = |name: &str, key: Option<&str>| json!({ "name": name, "key": key });
    assert_eq!(ask("aws_secretsmanager", call("one", None)).await, Ok(json!("only")));
    assert_eq!(ask("aws_secretsmanager", call("app", Some("port"))).await, Ok(json!("5432")));
    assert_eq!(
        ask("aws_secretsmanager_raw", call("one", None)).await,
        Ok(json!("{\"a\":\"only\"}"))
    );
    assert_eq!(
        ask("aws_secretsmanager", call("gone", None)).await,
        Err("there is no secret `gone` in us-east-1: Secrets Manager can't find the specified secret."
            .to_owned())
    );
}
