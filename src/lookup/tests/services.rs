//! HTTP, Vault and Consul, each by a server of our own.

use std::collections::BTreeMap;

use serde_json::json;

use super::server::Server;
use crate::lookup::{LookUp as _, Resolver, Surroundings};
use crate::template::lookup::{Answer, Question};
use crate::value::to_json;

fn resolver(environment: &[(&str, &str)]) -> Resolver {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Resolver::new(Surroundings { environment, cloud: None })
}

/// The answer as JSON, or the message of a refusal with its hints.
async fn ask(
    resolver: &Resolver,
    kind: &str,
    request: serde_json::Value,
) -> Result<serde_json::Value, String> {
    match resolver.look_up(&Question::new(kind, &request)).await {
        Answer::Found { value, .. } => Ok(to_json(&value).expect("known")),
        Answer::Refused(refusal) => {
            Err([&[refusal.message][..], &refusal.hints].concat().join("\n"))
        }
    }
}

#[tokio::test]
async fn http_gives_body_and_headers() {
    let server = Server::start(|request| {
        let (line, body) = (request.lines().next().unwrap_or_default(), request.lines().last());
        match line.split(' ').nth(1) {
            Some("/gone?token=hunter2") => "404 Not Found\n\n".to_owned(),
            Some("/moved") => "302 Found\nLocation: /there\n\n".to_owned(),
            _ => format!("200 OK\nX-Two: a\nX-Two: b\n\n{line} {}", body.unwrap_or_default()),
        }
    })
    .await;
    let resolver = resolver(&[]);
    let request = |path: &str, method: &str, body: Option<&str>| {
        let url = format!("{}{path}", server.url);
        json!({ "url": url, "method": method, "headers": { "X-Key": "k" }, "body": body })
    };
    let found = ask(&resolver, "http", request("/a?q=1", "POST", Some("sent"))).await;
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found["body"], "POST /a?q=1 HTTP/1.1 sent");
    assert_eq!(found["url"], format!("{}/a?q=1", server.url));
    assert_eq!(found["request_headers"]["X-Two"], "a, b");
    assert_eq!(found["request_headers"], found["response_headers"]);
    assert!(server.requests()[0].to_lowercase().contains("x-key: k"));

    let found = ask(&resolver, "http", request("/moved", "GET", None)).await;
    assert!(found.unwrap_or_default()["body"].to_string().contains("/there"), "follows");

    let refused = ask(&resolver, "http", request("/gone?token=hunter2", "GET", None)).await;
    let message = format!("{}/gone answers 404 Not Found", server.url);
    assert_eq!(refused, Err(message));
    let closed = json!({ "url": "http://u:hunter2@127.0.0.1:1/", "method": "GET", "headers": {} });
    let refused = ask(&resolver, "http", closed).await.expect_err("nobody listens");
    assert!(refused.starts_with("http://127.0.0.1:1/ cannot be read"), "{refused}");
    assert!(refused.contains("can this machine reach it") && !refused.contains("hunter2"));
}

#[tokio::test]
async fn vault_has_two_versions_of_secrets() {
    let server = Server::start(|request| {
        let found = match request.split(' ').nth(1) {
            Some("/v1/secret/data/app") => {
                r#"{"data":{"data":{"password":"new","port":5432},"metadata":{"version":3}}}"#
            }
            Some("/v1/kv/app") => r#"{"data":{"password":"old"}}"#,
            Some("/v1/secret/app") => return "404 Not Found\n\n{\"errors\":[]}".to_owned(),
            _ => return "403 Forbidden\n\n{\"errors\":[\"permission denied\"]}".to_owned(),
        };
        format!("200 OK\nContent-Type: application/json\n\n{found}")
    })
    .await;
    let resolver = resolver(&[
        ("VAULT_ADDR", &server.url),
        ("VAULT_TOKEN", "t0ken"),
        ("VAULT_NAMESPACE", "team"),
    ]);
    let vault = |path: &str, key: &str| json!({ "path": path, "key": key });
    assert_eq!(
        ask(&resolver, "vault", vault("secret/data/app", "password")).await,
        Ok(json!("new"))
    );
    assert_eq!(ask(&resolver, "vault", vault("/secret/data/app", "port")).await, Ok(json!("5432")));
    assert_eq!(ask(&resolver, "vault", vault("kv/app", "password")).await, Ok(json!("old")));
    let request = server.requests().first().cloned().unwrap_or_default().to_lowercase();
    assert!(
        request.contains("x-vault-token: t0ken") && request.contains("x-vault-namespace: team")
    );
    assert_eq!(
        ask(&resolver, "vault", vault("kv/app", "pasword")).await,
        Err("the secret `kv/app` has no key `pasword`\nit has `password`".to_owned())
    );
    let refused = ask(&resolver, "vault", vault("secret/app", "password")).await;
    assert!(
        refused.clone().is_err_and(|error| error.contains("`data/` after the mount")),
        "{refused:?}"
    );
    let refused = ask(&resolver, "vault", vault("other", "x")).await;
    assert!(refused.clone().is_err_and(|error| error.contains("permission denied")), "{refused:?}");
    let question = Question::new("vault", &vault("secret/data/app", "password"));
    let Answer::Found { identity, .. } = resolver.look_up(&question).await else { panic!("found") };
    assert_eq!(identity.as_deref(), Some("vault:secret/data/app#3"));

    let without = super::services::resolver(&[("VAULT_ADDR", &server.url)]);
    let refused = ask(&without, "vault", vault("a", "b")).await;
    assert!(refused.is_err_and(|error| error.starts_with("VAULT_TOKEN is not set")));
}

#[tokio::test]
async fn consul_gives_what_is_not_empty() {
    let server = Server::start(|request| match request.split(' ').nth(1) {
        Some("/v1/kv/app/region?raw") => "200 OK\n\neu-west-1".to_owned(),
        Some("/v1/kv/empty?raw") => "200 OK\n\n".to_owned(),
        Some("/v1/kv/denied?raw") => "403 Forbidden\n\n".to_owned(),
        _ => "404 Not Found\n\n".to_owned(),
    })
    .await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let resolver = resolver(&[("CONSUL_HTTP_ADDR", &address), ("CONSUL_HTTP_TOKEN", "t0ken")]);
    let key = |key: &str| json!({ "key": key });
    assert_eq!(ask(&resolver, "consul_key", key("app/region")).await, Ok(json!("eu-west-1")));
    let request = server.requests().first().cloned().unwrap_or_default().to_lowercase();
    assert!(request.contains("x-consul-token: t0ken"), "{request}");
    let refusals = BTreeMap::from([
        ("empty", "the value of `empty` is empty"),
        ("denied", "refuses to read `denied`"),
        ("gone", "has no key `gone`"),
    ]);
    for (name, message) in refusals {
        let refused = ask(&resolver, "consul_key", key(name)).await.expect_err(name);
        assert!(refused.contains(message), "{refused}");
    }
}
