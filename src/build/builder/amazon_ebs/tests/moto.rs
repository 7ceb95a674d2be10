//! A whole run against moto, an EC2 of other people's making, up to the connection.
//!
//! Skipped without a `moto_server` in PATH, or where BAKE_MOTO_SERVER says.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::super::run;
use super::support::{HASH, World, access, image_id, plain, texts};
use crate::aws::{Client, Filter, ImageQuery};

struct Moto {
    url: String,
    _process: Child,
}

impl Moto {
    async fn start() -> Option<Self> {
        let program = std::env::var_os("BAKE_MOTO_SERVER").unwrap_or("moto_server".into());
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("has an address").port();
        drop(free);
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(Self { url: format!("http://127.0.0.1:{port}"), _process: process });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto_server does not listen");
    }
}

/// Nothing temporary is left in moto.
async fn assert_empty(client: &Client) {
    let alive = Filter {
        name: "instance-state-name".to_owned(),
        values: ["pending", "running", "stopping", "stopped"].map(ToOwned::to_owned).to_vec(),
    };
    assert_eq!(client.describe_instances(&[], &[alive]).await.expect("answers"), []);
    let groups = client.describe_security_groups(&[], &[]).await.expect("answers");
    assert!(groups.iter().all(|group| group.name == "default"), "{groups:?}");
    assert_eq!(client.describe_volumes(&[], &[]).await.expect("answers"), []);
}

#[tokio::test]
async fn a_build_against_moto_ends_with_a_tagged_image_and_is_then_reused() {
    let Some(moto) = Moto::start().await else {
        #[expect(clippy::print_stderr, reason = "says why nothing was tested")]
        {
            eprintln!("skipped: no moto_server");
        }
        return;
    };
    let client = Client::connect(&access(&moto.url)).await.expect("has a region");
    let query = ImageQuery {
        owners: vec!["amazon".to_owned()],
        filters: vec![
            Filter::new("architecture", "x86_64"),
            Filter::new("root-device-type", "ebs"),
        ],
        ..ImageQuery::default()
    };
    let source = client.describe_images(&query).await.expect("answers").remove(0).id;
    let build = plain(&moto.url, &source);

    let world = World::new();
    let outcome = run(&build, &texts(), &world.context).await;
    let id = image_id(&outcome);
    assert_eq!(outcome.left, []);
    assert!(world.context.ledger.close().await.expect("in memory"), "the ledger is settled");
    let image = client.image(&id).await.expect("answers").expect("exists");
    assert_eq!(image.name, "app-0123456789ab");
    assert_eq!(image.tags.get("bake:image-hash").map(String::as_str), Some(HASH));
    assert_eq!(image.tags.get("Team").map(String::as_str), Some("images"));
    assert_eq!(image.tags.get("Stage").map(String::as_str), Some("test"));
    assert_empty(&client).await;

    let world = World::new();
    let outcome = run(&build, &texts(), &world.context).await;
    assert!(outcome.result.as_ref().is_ok_and(|artifact| artifact.reused));
    assert_eq!(image_id(&outcome), id);

    let mut world = World::new();
    world.context.force = true;
    let outcome = run(&build, &texts(), &world.context).await;
    assert_ne!(image_id(&outcome), id);
    assert!(client.image(&id).await.expect("answers").is_none(), "the old one is replaced");
    assert_empty(&client).await;
}
