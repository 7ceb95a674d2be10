//! What is taken from a lock, what is asked, and what is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::harness::{Asking, source};
use super::server::Server;
use crate::aws::OwnCloud;
use crate::diagnostic::{Style, render};
use crate::lookup::{PinnedLookUp, Resolver, Surroundings};
use crate::plan::Digest;
use crate::plan::lock::{Lock, Pin, Pinned, Pins, Scope};
use crate::sandbox::cloud::fake::{FakeHost, MemoryStore};
use crate::sandbox::service::{Options, Sandbox};
use crate::template::schema::Secret;

fn resolver(environment: &[(&str, &str)]) -> Resolver {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Resolver::new(Surroundings { environment, cloud: None })
}

/// The pins of all that was met.
fn lock(looking: &PinnedLookUp<'_>) -> Lock {
    let pins = looking.met().iter().map(|met| met.to_pin("a.pkr.hcl")).collect::<Result<_, _>>();
    Lock::new(pins.expect("everything can be pinned"))
}

fn pins(lock: Lock, strict: bool) -> Pins {
    Pins::new(lock, "a.pkr.hcl", strict, false)
}

/// What the first build starts from.
async fn found(looking: &PinnedLookUp<'_>, text: &str) -> Result<Json, String> {
    Ok(source(&Asking::new(text).settled(looking).await?[0]).clone())
}

/// A template whose build starts from what a page says.
fn of_page(name: &str, server: &Server) -> String {
    let url = &server.url;
    format!(
        r#"
data "http" "{name}" {{ url = "{url}/{name}" }}
source "vm" "app" {{ source = data.http.{name}.body }}
build {{ sources = ["vm.app"] }}
"#
    )
}

/// Answers with the path.
async fn web() -> Server {
    Server::start(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/large" => format!("200 OK\nX-Of: large\n\n{}", "x".repeat(20 << 10)),
            _ => format!("200 OK\nDate: today\nSet-Cookie: me\nX-Of: {path}\n\n[{path}]"),
        }
    })
    .await
}

#[tokio::test]
async fn a_small_download_is_kept_and_not_asked_for_again() {
    let server = web().await;
    let text = format!(
        r#"
data "http" "list" {{ url = "{}/list" }}
source "vm" "app" {{ source = "${{data.http.list.body}} ${{jsonencode(data.http.list.response_headers)}}" }}
build {{ sources = ["vm.app"] }}
"#,
        server.url
    );
    let resolver = resolver(&[]);
    let none = Pins::default();
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    let before = found(&looking, &text).await.expect("an answer");
    assert!(before.to_string().contains("Set-Cookie"), "{before}");
    assert!(looking.notices().is_empty(), "there is no lock");
    let lock = lock(&looking);
    let [Pin { name, answer: Pinned::Download { sha256, value: Some(_) }, .. }] = lock.pins()
    else {
        panic!("{lock:?}")
    };
    assert_eq!((name.as_str(), *sha256), ("data.http.list", Digest::of(b"[/list]")));
    let pins = pins(lock, true);
    let again = PinnedLookUp::new(&resolver, &pins, Scope::Nothing);
    let after = found(&again, &text).await.expect("an answer");
    assert_eq!(after, json!(r#"[/list] {"Content-Length":"7","X-Of":"/list"}"#));
    assert_eq!(server.requests().len(), 1);
    assert!(again.notices().is_empty());
    let updating = PinnedLookUp::new(&resolver, &pins, Scope::Named("data.http.list".to_owned()));
    let refused = found(&updating, &text).await.expect_err("strict pins");
    assert!(refused.contains("bake.lock has no pin for it"), "{refused}");
    let open = self::pins(pins.lock(), false);
    let updating = PinnedLookUp::new(&resolver, &open, Scope::All);
    assert_eq!(found(&updating, &text).await, Ok(before));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_large_download_must_be_the_one_that_was_pinned() {
    let server = web().await;
    let text = of_page("large", &server);
    let resolver = resolver(&[]);
    let none = Pins::default();
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    let before = found(&looking, &text).await;
    let lock = lock(&looking);
    assert!(lock.write().len() < 1000, "{}", lock.write());
    let good = pins(lock.clone(), true);
    assert_eq!(found(&PinnedLookUp::new(&resolver, &good, Scope::Nothing), &text).await, before);
    assert_eq!(server.requests().len(), 2, "it is fetched and compared");
    let changed = lock.pins().iter().cloned().map(|pin| Pin {
        answer: Pinned::Download { sha256: Digest::of(b"old"), value: None },
        ..pin
    });
    let changed = pins(Lock::new(changed.collect()), false);
    let looking = PinnedLookUp::new(&resolver, &changed, Scope::Nothing);
    let refused = found(&looking, &text).await.expect_err("changed");
    assert_snapshot!(refused.replace(&server.url, "URL"), @r#"
    error[lookup-failed]: `data.http.large`: it has changed since it was pinned: its sha256 is 9f7c43699b2162d78b1bd59765ff87b1f8d50836451d244478cfa4a6dc5d73f9, and bake.lock has cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4
     --> a.pkr.hcl:2:1
      |
    2 | data "http" "large" { url = "URL/large" }
      | ^^^^^^^^^^^^^^^^^^^
      |
      = help: `bake lock -update 'data.http.large'` looks again
    "#);
}

#[tokio::test]
async fn all_that_is_not_pinned_is_told_at_once() {
    let server = web().await;
    let text = format!(
        r#"
data "http" "one" {{ url = "{0}/one" }}
data "http" "two" {{ url = "{0}/two" }}
source "vm" "app" {{ source = "${{data.http.one.body}} ${{data.http.two.body}} ${{consul_key("port")}}" }}
build {{ sources = ["vm.app"] }}
"#,
        server.url
    );
    let resolver = resolver(&[]);
    let pins = pins(Lock::default(), true);
    let looking = PinnedLookUp::new(&resolver, &pins, Scope::Nothing);
    found(&looking, &text).await.expect_err("nothing is pinned");
    let refused: Vec<_> = looking.refusals().iter().map(|one| one.summary.clone()).collect();
    assert_snapshot!(refused.join("\n"), @"
    `consul_key(port)`: bake.lock has no pin for it
    `data.http.one`: bake.lock has no pin for it
    `data.http.two`: bake.lock has no pin for it
    ");
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn what_is_not_in_the_lock_is_looked_up_with_a_notice() {
    let server = web().await;
    let one = of_page("one", &server);
    let two = one.replace("/one", "/two");
    let resolver = resolver(&[]);
    let empty = pins(Lock::default(), false);
    let looking = PinnedLookUp::new(&resolver, &empty, Scope::Nothing);
    assert_eq!(found(&looking, &one).await, Ok(json!("[/one]")));
    let told = render(&looking.notices(), Style::default());
    assert!(told.contains("warning[not-pinned]: `data.http.one` is not pinned in bake.lock"));
    let other = pins(lock(&looking), false);
    let looking = PinnedLookUp::new(&resolver, &other, Scope::Nothing);
    assert_eq!(found(&looking, &two).await, Ok(json!("[/two]")));
    let told = render(&looking.notices(), Style::default());
    assert!(told.contains("something else was asked when `data.http.one` was pinned"), "{told}");
    assert!(looking.met()[0].stale);
}

#[tokio::test]
async fn a_secret_is_asked_for_in_the_version_that_is_pinned() {
    let server = Server::start(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let version = path.split_once("version=").map_or("9", |(_, version)| version);
        if path.contains("/plain") {
            return "200 OK\n\n{\"data\":{\"k\":\"hunter2\"}}".to_owned();
        }
        let answered = if version == "3" { "4" } else { version };
        format!(
            "200 OK\n\n{{\"data\":{{\"data\":{{\"k\":\"of version {version}\"}},\"metadata\":{{\"version\":{answered}}}}}}}"
        )
    })
    .await;
    let text = r#"
source "vm" "app" { note = vault("secret/data/app", "k") }
build { sources = ["vm.app"] }
"#;
    let secret = async |looking: &PinnedLookUp<'_>, text: &str| {
        let plans = Asking::new(text).settled(looking).await?;
        Ok::<_, String>(plans[0].builder.secrets.clone())
    };
    let resolver = resolver(&[("VAULT_ADDR", &server.url), ("VAULT_TOKEN", "t")]);
    let none = Pins::default();
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    let found = secret(&looking, text).await.expect("an answer");
    assert!(found.contains("of version 9"), "{found:?}");
    let lock = lock(&looking);
    let written = lock.write();
    assert!(written.contains("\"identity\": \"vault:secret/data/app#9\""), "{written}");
    assert!(written.contains("\"name\": \"vault(secret/data/app, k)\""), "{written}");
    assert!(!written.contains("of version"), "{written}");
    let at = |version: &str| {
        let pin = |pin: &Pin| Pin {
            answer: Pinned::Version(format!("vault:secret/data/app#{version}")),
            ..pin.clone()
        };
        pins(Lock::new(lock.pins().iter().map(pin).collect()), true)
    };
    let seven = at("7");
    let found = secret(&PinnedLookUp::new(&resolver, &seven, Scope::Nothing), text).await;
    assert!(found.expect("an answer").contains("of version 7"));
    assert!(server.requests()[1].starts_with("GET /v1/secret/data/app?version=7 "));
    let three = at("3");
    let refused = secret(&PinnedLookUp::new(&resolver, &three, Scope::Nothing), text).await;
    let refused = refused.expect_err("another version");
    assert!(refused.contains("it is `vault:secret/data/app#4`"), "{refused}");
    assert!(refused.contains("`bake lock -update 'vault(secret/data/app, k)'`"), "{refused}");

    let plain = text.replace("secret/data/app", "plain");
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    secret(&looking, &plain).await.expect("an answer");
    let reason = looking.met()[0].to_pin("a.pkr.hcl").expect_err("nothing to pin");
    assert_eq!(reason, "its engine keeps no versions");
    let hidden = r#"
variable "path" {
  default   = "secret/data/app"
  sensitive = true
}
source "vm" "app" { note = vault(var.path, "k") }
build { sources = ["vm.app"] }
"#;
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    secret(&looking, hidden).await.expect("an answer");
    let reason = looking.met()[0].to_pin("a.pkr.hcl").expect_err("nothing to tell it by");
    assert_eq!(reason, "what is asked depends on a secret");
}

#[tokio::test]
async fn a_secret_in_what_is_asked_is_not_in_the_lock() {
    let server = web().await;
    let text = format!(
        r#"
variable "token" {{
  default   = "hunter2"
  sensitive = true
}}
data "http" "list" {{
  url             = "{}/list"
  request_headers = {{ Authorization = "Bearer ${{var.token}}" }}
}}
source "vm" "app" {{ source = data.http.list.body }}
build {{ sources = ["vm.app"] }}
"#,
        server.url
    );
    let resolver = resolver(&[]);
    let none = Pins::default();
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    found(&looking, &text).await.expect("an answer");
    let written = lock(&looking).write();
    assert!(written.contains("var.token") && !written.contains("hunter2"), "{written}");
}

#[tokio::test]
async fn pins_of_a_cloud_are_of_one_region() {
    let (host, store) = (Arc::<FakeHost>::default(), Arc::<MemoryStore>::default());
    let started = Sandbox::start(Options::default(), host, store).await;
    let sandbox = started.unwrap_or_else(|error| panic!("{error}"));
    let cloud = OwnCloud { url: sandbox.endpoint_url(), access_key: Secret::new("key") };
    let resolver = Resolver::new(Surroundings { environment: BTreeMap::new(), cloud: Some(cloud) });
    let text = |region: &str| {
        format!(
            r#"
data "amazon-ami" "base" {{
  filters     = {{ name = "debian-12-amd64-*" }}
  owners      = ["136693071363"]
  most_recent = true
  region      = "{region}"
}}
data "amazon-parameterstore" "newest" {{
  name   = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
  region = "{region}"
}}
source "vm" "app" {{
  source = data.amazon-ami.base.id
  note   = data.amazon-parameterstore.newest.value
}}
build {{ sources = ["vm.app"] }}
"#
        )
    };
    let none = Pins::new(Lock::default(), "a.pkr.hcl", false, true);
    let looking = PinnedLookUp::new(&resolver, &none, Scope::Nothing);
    let before = found(&looking, &text("eu-west-1")).await;
    let lock = lock(&looking);
    let places: Vec<_> =
        lock.pins().iter().flat_map(|pin| &pin.place).map(ToString::to_string).collect();
    assert_eq!(places, ["eu-west-1 of the sandbox", "eu-west-1 of the sandbox"]);
    assert!(lock.write().contains("\"cloud\": \"sandbox\""));
    let pins = Pins::new(lock, "a.pkr.hcl", true, true);
    let looking = PinnedLookUp::new(&resolver, &pins, Scope::Nothing);
    assert_eq!(found(&looking, &text("eu-west-1")).await, before);
    assert_eq!((sandbox.calls()["DescribeImages"], sandbox.calls()["GetParameter"]), (1, 1));
    let looking = PinnedLookUp::new(&resolver, &pins, Scope::Nothing);
    let refused = found(&looking, &text("eu-west-2")).await.expect_err("another region");
    assert!(refused.contains("no pin for it in eu-west-2 of the sandbox"), "{refused}");
    sandbox.stop().await;
}
