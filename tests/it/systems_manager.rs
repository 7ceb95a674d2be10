//! bake's client of Systems Manager against the sandbox: sessions, commands without sshd, files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bake::aws::{Access, Bucket, Client, OwnCloud, RunInstance};
use bake::communicator::ssm::{self, PortForward, Settings, SsmOptions};
use bake::communicator::{Chunk, Command, Communicator, Dial, Download, Exit, Stdin, Upload};
use bake::event::{self, Emitter, Fact, Stream};
use bake::plan::Tree;
use bake::sandbox::machine::userland::UserlandHost;
use bake::sandbox::service::{Options, Sandbox};
use bake::sandbox::store::Store;
use bake::template::schema::Secret;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::root;

/// A sandbox in this process with one instance, and bake's own client.
struct World {
    sandbox: Sandbox,
    client: Arc<Client>,
    instance: String,
    directory: tempfile::TempDir,
}

impl World {
    /// `None` without root, where there is nothing to test.
    async fn new(options: Options) -> Option<Self> {
        if !root("Systems Manager with machines of the sandbox") {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let host = UserlandHost::with_program(store.clone(), env!("CARGO_BIN_EXE_bake")).unwrap();
        let sandbox = Sandbox::start(options, Arc::new(host), store).await.unwrap();
        let cloud = OwnCloud { url: sandbox.endpoint_url(), access_key: Secret::new("test") };
        let client = Arc::new(Client::connect(&Access::default().in_own(&cloud)).await.unwrap());
        let run = RunInstance {
            image_id: "ami-0c55b159cbfafe1f0".to_owned(),
            instance_type: "t3.micro".to_owned(),
            client_token: "once".to_owned(),
            instance_profile: Some("any".to_owned()),
            shutdown_behavior: "stop".to_owned(),
            ..RunInstance::default()
        };
        let instance = client.run_instance(&run).await.unwrap().id;
        Some(Self { sandbox, client, instance, directory })
    }

    async fn connect(&self) -> ssm::Ssm {
        self.connect_with(event::channel().0).await
    }

    async fn connect_with(&self, events: Emitter) -> ssm::Ssm {
        let (commands, sessions) = (self.client.clone(), self.client.clone());
        let options = SsmOptions::default();
        let cancel = CancellationToken::new();
        let connecting = ssm::connect(&self.instance, commands, sessions, options, events, cancel);
        connecting.await.unwrap()
    }
}

async fn exec(way: &dyn Communicator, command: Command) -> (Exit, String) {
    let (output, mut chunks) = mpsc::channel::<Chunk>(4);
    let collecting = async {
        let mut out = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            if chunk.stream == Stream::Stdout {
                out.extend(chunk.bytes);
            }
        }
        String::from_utf8(out).unwrap()
    };
    let both = async { tokio::join!(way.exec(command, output), collecting) };
    let (exit, out) = timeout(Duration::from_secs(120), both).await.unwrap();
    (exit.unwrap(), out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_files_need_no_sshd() {
    let Some(world) = World::new(Options::default()).await else { return };
    let way = world.connect().await;
    let (exit, out) = exec(&way, Command::new("id -u; echo err >&2; exit 194")).await;
    assert_eq!(exit, Exit::Code(194));
    assert_eq!(out, "0\n");
    let (_, out) = exec(&way, Command::new("seq 1 50000")).await;
    assert_eq!(out.lines().count(), 50_000);
    let stdin = Stdin::Bytes(b"echo from a script; exit 3\n"[..].into());
    let (exit, out) = exec(&way, Command { stdin, ..Command::new("sh") }).await;
    assert_eq!((exit, out.as_str()), (Exit::Code(3), "from a script\n"));

    there_and_back(&way, world.directory.path(), 300_000).await;

    // A restart in the middle is a disconnection, and the next command runs after it.
    let boot = Command::new("cat /proc/sys/kernel/random/boot_id");
    let before = exec(&way, boot.clone()).await.1;
    let (exit, _) = exec(&way, Command::new("echo going; reboot; exec sleep 60")).await;
    assert!(matches!(exit, Exit::Disconnected { .. }), "{exit:?}");
    let after = exec(&way, boot).await.1;
    assert_ne!(before, after);
    way.disconnect().await;
    world.sandbox.stop().await;
}

/// Bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Sends a file, fetches it, and compares.
async fn there_and_back(way: &dyn Communicator, directory: &std::path::Path, length: usize) {
    let bytes = noise(length);
    let upload = Upload {
        tree: Tree::of_bytes(bytes.clone(), 0o640),
        name: "data".to_owned(),
        destination: "/srv/here/".to_owned(),
        contents_only: false,
    };
    way.upload(&upload, &|_| {}).await.unwrap();
    let back = directory.join("back");
    let download = Download {
        source: "/srv/here".to_owned(),
        destination: back.clone(),
        into_directory: true,
    };
    way.download(&download, &|_| {}).await.unwrap();
    assert!(std::fs::read(back.join("here/data")).unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_and_three_broken_connections_lose_nothing() {
    let all = std::env::var_os("BAKE_TEST_ALL").is_some();
    let length = if all { 100_000_000 } else { 2_000_000 };
    let cut = format!("DataChannel:3:cut={}", length / 5);
    let faults =
        [&cut, "DataChannel:*:lose=1%", "DataChannel:*:duplicate=1%", "DataChannel:*:reorder=1%"];
    let faults = faults.map(|rule| rule.parse().unwrap()).to_vec();
    let options = Options { faults, ..Options::default() };
    let Some(world) = World::new(options).await else { return };
    let way = world.connect().await;
    there_and_back(&way, world.directory.path(), length).await;
    way.disconnect().await;
    let calls = world.sandbox.calls();
    assert!(calls["ResumeSession"] >= 3, "{calls:?}");
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_of_a_minute_loses_nothing() {
    if std::env::var_os("BAKE_TEST_ALL").is_none() {
        return;
    }
    let faults = vec!["DataChannel:#1:stall=60s@1M".parse().unwrap()];
    let options = Options { faults, ..Options::default() };
    let Some(world) = World::new(options).await else { return };
    let way = world.connect().await;
    there_and_back(&way, world.directory.path(), 2_000_000).await;
    way.disconnect().await;
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_leads_to_sshd() {
    let Some(world) = World::new(Options::default()).await else { return };
    let cancel = CancellationToken::new();
    let tunnel =
        PortForward::new(world.client.clone(), &world.instance, 22, Settings::default(), cancel);
    let mut banners = Vec::new();
    for _ in 0..3 {
        let mut stream = BufReader::new(tunnel.dial().await.unwrap());
        let mut line = String::new();
        timeout(Duration::from_secs(20), stream.read_line(&mut line)).await.unwrap().unwrap();
        banners.push(line);
    }
    assert!(banners.iter().all(|banner| banner.starts_with("SSH-2.0-")), "{banners:?}");
    tunnel.close().await;
    let calls = world.sandbox.calls();
    assert_eq!((calls["DataChannel"], calls["TerminateSession"]), (1, 1), "{calls:?}");
    world.sandbox.stop().await;
}

/// A sandbox in which no session can be started.
fn without_sessions() -> Options {
    let fault =
        "StartSession:*:error=AccessDeniedException/not authorized to perform: ssm:StartSession";
    Options { faults: vec![fault.parse().unwrap()], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_command_alone_does_it_all() {
    let Some(world) = World::new(without_sessions()).await else { return };
    let (emitter, mut events) = event::channel();
    let way = world.connect_with(emitter).await;
    let told = std::iter::from_fn(|| events.try_recv().ok());
    let warnings = told.filter_map(|event| match event.fact {
        Fact::Warning { text } => Some(text),
        _ => None,
    });
    let notices = warnings.collect::<Vec<_>>().join("\n");
    assert!(notices.contains("Run Command alone"), "{notices}");
    assert!(notices.contains("allow the IAM action `ssm:StartSession`"), "{notices}");
    let (exit, out) = exec(&way, Command::new("id -u; echo err >&2; exit 194")).await;
    assert_eq!((exit, out.as_str()), (Exit::Code(194), "0\n"));
    assert_eq!(exec(&way, Command::new("exit 137")).await.0, Exit::Code(137));
    let (_, out) = exec(&way, Command::new("seq 1 20000")).await;
    assert_eq!(out.lines().count(), 20_000);
    there_and_back(&way, world.directory.path(), 100_000).await;
    let boot = Command::new("cat /proc/sys/kernel/random/boot_id");
    let before = exec(&way, boot.clone()).await.1;
    let (exit, _) = exec(&way, Command::new("echo going; reboot; exec sleep 60")).await;
    assert!(matches!(exit, Exit::Disconnected { .. }), "{exit:?}");
    let after = exec(&way, boot).await.1;
    assert_ne!(before, after);
    let left = Command::new("ls -d /var/tmp/.bake* | wc -l");
    assert_eq!(exec(&way, left.clone()).await.1, "1\n");
    way.disconnect().await;
    // Whoever comes next finds only its own.
    let way = world.connect().await;
    assert_eq!(exec(&way, left).await.1, "1\n");
    way.disconnect().await;
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_files_go_through_a_bucket_which_is_empty_afterwards() {
    for options in [Options::default(), without_sessions()] {
        let Some(world) = World::new(options).await else { return };
        let bucket = Bucket::new(&world.client, "artifacts", "of/builds").unwrap();
        let way = world.connect().await.through(Arc::new(bucket));
        there_and_back(&way, world.directory.path(), 5_000_000).await;
        let calls = world.sandbox.calls();
        assert_eq!((calls["PutObject"], calls["GetObject"]), (2, 2), "{calls:?}");
        assert_eq!(world.sandbox.objects(), 0);
        // Nothing small does.
        there_and_back(&way, world.directory.path(), 50_000).await;
        assert_eq!(world.sandbox.calls()["PutObject"], 2);
        let left = Command::new("ls -d /var/tmp/.bake* | wc -l");
        assert_eq!(exec(&way, left).await.1, "1\n");
        way.disconnect().await;
        world.sandbox.stop().await;
    }
}

/// What an upload of 2 MB through a bucket fails with, with its hints.
async fn refused(bucket: &str, fault: &str) -> Option<String> {
    let faults = vec![fault.parse().unwrap()];
    let world = World::new(Options { faults, ..Options::default() }).await?;
    let bucket = Bucket::new(&world.client, bucket, "").unwrap();
    let way = world.connect().await.through(Arc::new(bucket));
    let upload = Upload {
        tree: Tree::of_bytes(noise(2_000_000), 0o640),
        name: "data".to_owned(),
        destination: "/srv/data".to_owned(),
        contents_only: false,
    };
    let error = way.upload(&upload, &|_| {}).await.unwrap_err();
    way.disconnect().await;
    assert_eq!(world.sandbox.objects(), 0);
    let filtered = [&[error.to_string()][..], &error.hints()].concat().join("\n");
    let text = filtered
        .replace(&world.instance, "i-[id]")
        .replace(&world.sandbox.endpoint_url(), "[endpoint]");
    world.sandbox.stop().await;
    let ids = regex::Regex::new("bake-[0-9a-f]{32}| \\(request id [^)]*\\)").unwrap();
    Some(ids.replace_all(&text, "").into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_cannot_be_used_is_told() {
    let denied = "error=AccessDenied/Access Denied";
    let Some(put) = refused("artifacts", &format!("PutObject:*:{denied}")).await else { return };
    insta::assert_snapshot!(put, @"
    cannot move large files on `i-[id]` through Systems Manager: PutObject of `s3://artifacts/` failed at [endpoint] (us-east-1): AccessDenied: Access Denied
    allow the IAM action `s3:PutObject` to these credentials
    ");
    let get = refused("artifacts", &format!("GetObject:*:{denied}")).await.unwrap();
    insta::assert_snapshot!(get, @"
    cannot upload to `/srv/data`: curl: (22) The requested URL returned error: 403; it could not be fetched from the bucket; the instance needs a way to S3 on port 443 (a gateway endpoint, or NAT)
    the instance fetches it with the rights of bake's own credentials: allow them `s3:GetObject` in `ssm_bucket`
    ");
    let missing = refused("missing", "ListCommands:1:throttle").await.unwrap();
    insta::assert_snapshot!(missing, @"
    cannot move large files on `i-[id]` through Systems Manager: PutObject of `s3://missing/` failed at [endpoint] (us-east-1): NoSuchBucket: The specified bucket does not exist
    check the bucket's name (`ssm_bucket` in the template, `-records`): it must exist, and these credentials must be able to use it
    ");
}
