//! Machines end to end: launched as root from the host's own root, used over SSH.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bake::sandbox::machine::userland::UserlandHost;
use bake::sandbox::machine::{Ended, Host, Machine, MachineSpec, RootFs, Task, TaskFile};
use bake::sandbox::store::{ImageRecord, Store};
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Sig, client};
use tokio_util::sync::CancellationToken;

/// A store of its own, a host over it and a key.
struct World {
    directory: tempfile::TempDir,
    store: Store,
    host: UserlandHost,
    key: Arc<PrivateKey>,
}

impl World {
    /// `None` without root, where there is nothing to test.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let host = host(&store);
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        Some(Self { directory, store, host, key: Arc::new(key) })
    }

    fn spec(&self, id: &str) -> MachineSpec {
        MachineSpec {
            id: id.to_owned(),
            hostname: "ip-10-1-2-3".to_owned(),
            root: RootFs { base: "host".to_owned(), layers: Vec::new() },
            authorized_keys: vec![self.key.public_key().to_openssh().unwrap()],
            users: vec!["ec2-user".to_owned()],
            make_unknown_users: false,
            user_data: None,
        }
    }

    async fn launch(&self, id: &str) -> Arc<dyn Machine> {
        self.host.launch(self.spec(id)).await.unwrap()
    }

    async fn connect(&self, machine: &Arc<dyn Machine>, user: &str) -> Client {
        Client::connect(machine, user, &self.key).await.expect("the key is accepted")
    }
}

fn host(store: &Store) -> UserlandHost {
    UserlandHost::with_program(store.clone(), env!("CARGO_BIN_EXE_bake")).unwrap()
}

struct AnyServer;

impl client::Handler for AnyServer {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

struct Client(client::Handle<AnyServer>);

/// How a command ended, and what it wrote.
#[derive(Debug, Default)]
struct Output {
    code: Option<u32>,
    signal: Option<String>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}: {}", String::from_utf8_lossy(&self.stderr));
        std::str::from_utf8(&self.stdout).unwrap().trim_end()
    }
}

impl Client {
    async fn connect(
        machine: &Arc<dyn Machine>,
        user: &str,
        key: &Arc<PrivateKey>,
    ) -> Option<Self> {
        let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
        let mut handle = client::connect(config, machine.ssh_address(), AnyServer).await.unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
        let accepted = handle.authenticate_publickey(user, key).await.unwrap().success();
        accepted.then_some(Self(handle))
    }

    async fn run(&self, command: &str) -> Output {
        self.run_with(command, b"").await
    }

    async fn run_with(&self, command: &str, input: &[u8]) -> Output {
        let channel = self.0.channel_open_session().await.unwrap();
        channel.exec(true, command).await.unwrap();
        let (mut reader, writer) = channel.split();
        let input = input.to_vec();
        let send = async {
            // A command may end without reading what it is sent.
            let _sent: Result<(), _> = writer.data_bytes(input).await;
            let _sent: Result<(), _> = writer.eof().await;
        };
        let receive = async {
            let mut output = Output::default();
            while let Some(message) = reader.wait().await {
                match message {
                    ChannelMsg::Data { data } => output.stdout.extend_from_slice(&data),
                    ChannelMsg::ExtendedData { data, .. } => output.stderr.extend_from_slice(&data),
                    ChannelMsg::ExitStatus { exit_status } => output.code = Some(exit_status),
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        output.signal = Some(format!("{signal_name:?}"));
                    }
                    _ => {}
                }
            }
            output
        };
        futures::future::join(send, receive).await.1
    }
}

/// Names and sizes of what an instance must not change.
fn host_state() -> (Vec<u8>, BTreeSet<PathBuf>, Vec<u8>) {
    let list = |path: &str| {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let files = ["/", "/etc", "/opt", "/usr/bin", "/usr/local/bin", "/home", "/root"];
    let mut mounts = std::fs::read("/proc/self/mounts").unwrap();
    mounts.extend(std::fs::read("/proc/self/uid_map").unwrap());
    (std::fs::read("/etc/passwd").unwrap(), files.into_iter().flat_map(list).collect(), mounts)
}

/// Processes whose command line names the path.
fn processes_of(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains("__sandbox") && line.contains(path))
        .collect()
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn commands_run_as_on_a_real_machine() {
    let Some(world) = World::new() else { return };
    let before = host_state();
    let machine = world.launch("i-commands").await;
    let ssh = world.connect(&machine, "ec2-user").await;

    assert_eq!(ssh.run("exit 7").await.code, Some(7));
    assert_eq!(ssh.run("kill -TERM $$").await.signal.as_deref(), Some("TERM"));
    assert_eq!(
        ssh.run("hostname; pwd; id -un").await.text(),
        "ip-10-1-2-3\n/home/ec2-user\nec2-user"
    );
    let output = ssh.run("echo out; echo err >&2").await;
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));

    assert_eq!(ssh.run("sudo id -u; sudo -n -E sh -c 'exit 0'").await.text(), "0");
    assert_eq!(ssh.run("sudo -u nobody id -un").await.text(), "nobody");
    assert_eq!(ssh.run("sudo sh -c 'exit 5'").await.code, Some(5));
    assert_eq!(ssh.run_with("sudo -S tee /etc/made-inside", b"content").await.text(), "content");
    assert_eq!(ssh.run("sudo useradd -m inside && id -un inside").await.text(), "inside");
    assert_eq!(ssh.run("sudo -u inside sudo -n true").await.code, Some(1), "no administrator");
    // What belongs to the host's owner is not there.
    assert_eq!(ssh.run("sudo ls -A /root /tmp /mnt").await.text(), "/mnt:\n\n/root:\n\n/tmp:");
    // Its root has the host root's user id, and still cannot write kernel settings.
    for attempt in [
        "echo 60 >/proc/sys/vm/swappiness",
        "umount /proc/sys && echo 60 >/proc/sys/vm/swappiness",
        "mount -o remount,rw /proc/sys && echo 60 >/proc/sys/vm/swappiness",
        "mount -t proc proc /mnt && echo 60 >/mnt/sys/vm/swappiness",
        "unshare -m umount /proc/sys",
        "mount -o remount,rw /sys",
        "mknod /root/sda b 8 0",
    ] {
        let output = ssh.run(&format!("sudo sh -c '{attempt}'")).await;
        assert_ne!(output.code, Some(0), "{attempt}");
    }
    assert_eq!(ssh.run("sudo hostname renamed; hostname").await.text(), "renamed");

    // Both directions at once, more than all buffers hold.
    let big: Vec<u8> = (0u32..4_000_000).flat_map(u32::to_le_bytes).collect();
    let output = ssh.run_with("cat", &big).await;
    assert!(output.stdout == big, "{} of {} bytes came back", output.stdout.len(), big.len());
    // A program that reads late must not hold up others on the connection.
    let output = ssh.run_with("head -c 9000000 /dev/zero; cat >/dev/null", &big).await;
    assert_eq!(output.stdout.len(), 9_000_000);

    let stranger = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    assert!(Client::connect(&machine, "ec2-user", &Arc::new(stranger)).await.is_none());
    assert!(Client::connect(&machine, "unknown", &world.key).await.is_none());

    machine.terminate().await.unwrap();
    drop(machine);
    assert_eq!(std::fs::read_dir(world.store.root().join("instances")).unwrap().count(), 0);
    assert!(processes_of(world.directory.path()).is_empty());
    assert!(host_state() == before, "the host is as it was");
}

#[tokio::test]
async fn terminals_signals_and_hang_up() {
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-terminal").await;
    let ssh = world.connect(&machine, "ec2-user").await;

    let mut channel = ssh.0.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm-256color", 101, 37, 0, 0, &[]).await.unwrap();
    channel.exec(true, "stty size; echo $TERM; test -t 0 && read line; stty size").await.unwrap();
    let mut text = Vec::new();
    let mut resized = false;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            text.extend_from_slice(&data);
        }
        if !resized && String::from_utf8_lossy(&text).contains("xterm-256color") {
            resized = true;
            channel.window_change(80, 24, 0, 0).await.unwrap();
            channel.data_bytes(&b"\n"[..]).await.unwrap();
        }
    }
    assert_eq!(
        String::from_utf8_lossy(&text).replace('\r', "").trim(),
        "37 101\nxterm-256color\n\n24 80"
    );

    let mut channel = ssh.0.channel_open_session().await.unwrap();
    channel
        .exec(true, "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done")
        .await
        .unwrap();
    let mut code = None;
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { .. } => channel.signal(Sig::USR1).await.unwrap(),
            ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
            _ => {}
        }
    }
    assert_eq!(code, Some(9));

    // The client goes away while a command runs.
    let other = world.connect(&machine, "ec2-user").await;
    let mut channel = other.0.channel_open_session().await.unwrap();
    channel.exec(true, "echo ready; exec sleep 987").await.unwrap();
    while !matches!(channel.wait().await, Some(ChannelMsg::Data { .. })) {}
    assert_eq!(ssh.run("pgrep -cx sleep").await.text(), "1");
    drop((channel, other));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while ssh.run("pgrep -x sleep").await.code == Some(0) {
        assert!(tokio::time::Instant::now() < deadline, "the command was not hung up");
    }
}

#[tokio::test]
async fn files_go_over_sftp_with_the_users_rights() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-sftp").await;
    let ssh = world.connect(&machine, "ec2-user").await;
    let channel = ssh.0.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let sftp = russh_sftp::client::SftpSession::new(channel.into_stream()).await.unwrap();
    let content: Vec<u8> = (0u32..700_000).flat_map(u32::to_le_bytes).collect();
    let mut file = sftp.create("up.bin").await.unwrap();
    file.write_all(&content).await.unwrap();
    file.shutdown().await.unwrap();
    let mut back = Vec::new();
    sftp.open("/home/ec2-user/up.bin").await.unwrap().read_to_end(&mut back).await.unwrap();
    assert!(back == content);
    assert_eq!(sftp.canonicalize(".").await.unwrap(), "/home/ec2-user");
    assert!(sftp.create("/etc/not-allowed").await.is_err());
    assert!(sftp.read_dir("/root").await.is_err());
    sftp.create_dir("d").await.unwrap();
    sftp.rename("up.bin", "d/moved").await.unwrap();
    let names: Vec<_> = sftp.read_dir("d").await.unwrap().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["moved"]);
    assert_eq!(ssh.run("stat -c '%U %a %s' d/moved").await.text(), "ec2-user 644 2800000");
}

#[tokio::test]
async fn an_image_shows_what_was_written_and_removed() {
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-first").await;
    let ssh = world.connect(&machine, "ec2-user").await;
    let script = "set -e
        echo one > /opt/one
        ln /opt/one /opt/same
        printf x > /usr/local/bin/tool; chmod 4751 /usr/local/bin/tool
        rm /etc/debconf.conf /etc/os-release
        rm -rf /etc/apt; mkdir /etc/apt; echo only > /etc/apt/only
        mv /etc/issue /etc/issue.moved
        echo gone > /tmp/gone; echo gone > /run/gone; mknod /opt/pipe p";
    assert_eq!(ssh.run_with("sudo sh", script.as_bytes()).await.text(), "");

    machine.stop().await.unwrap();
    assert!(!machine.is_running());
    assert_eq!(machine.ended().await, Ended::Asked);
    assert!(processes_of(world.directory.path()).is_empty(), "stop leaves no process");
    assert!(tokio::net::TcpStream::connect(machine.ssh_address()).await.is_err());
    let digest = machine.capture().await.unwrap();
    assert_eq!(digest, machine.capture().await.unwrap(), "the same content, the same digest");

    machine.start().await.unwrap();
    let ssh = world.connect(&machine, "ec2-user").await;
    assert_eq!(ssh.run("cat /opt/one").await.text(), "one");
    assert_eq!(digest, machine.capture().await.unwrap(), "a boot leaves no trace in an image");

    let mut spec = world.spec("i-second");
    spec.root.layers = vec![digest.clone()];
    let second = world.host.launch(spec).await.unwrap();
    let ssh = world.connect(&second, "ec2-user").await;
    let look = "cat /opt/one; stat -c '%a %h' /usr/local/bin/tool /opt/one; ls -A /etc/apt /tmp; \
                ls -d /etc/debconf.conf /etc/os-release /etc/issue /run/gone 2>/dev/null; \
                test -p /opt/pipe && test -e /etc/issue.moved && echo there";
    assert_eq!(ssh.run(look).await.text(), "one\n4751 1\n644 2\n/etc/apt:\nonly\n\n/tmp:\nthere");
    ssh.run("sudo rm /opt/one; sudo sh -c 'echo two > /opt/two'").await.text();
    let upper = second.capture().await.unwrap();

    let record = |id: &str, layers: &[&String]| ImageRecord {
        id: id.to_owned(),
        root: RootFs {
            base: "host".to_owned(),
            layers: layers.iter().map(|layer| (*layer).clone()).collect(),
        },
        details: serde_json::json!({ "name": id }),
    };
    world.store.save_image(&record("ami-1", &[&digest])).unwrap();
    world.store.save_image(&record("ami-2", &[&digest, &upper])).unwrap();
    assert_eq!(world.store.images().unwrap().len(), 2);

    let mut spec = world.spec("i-third");
    spec.root.layers = vec![digest.clone(), upper.clone()];
    let third = world.host.launch(spec).await.unwrap();
    let ssh = world.connect(&third, "ec2-user").await;
    assert_eq!(
        ssh.run("ls /opt/one /opt/same /opt/two 2>/dev/null; true").await.text(),
        "/opt/same\n/opt/two"
    );

    world.store.remove_image("ami-2").unwrap();
    assert!(world.store.layer(&upper).is_ok(), "a machine stands on it");
    third.terminate().await.unwrap();
    second.terminate().await.unwrap();
    machine.terminate().await.unwrap();
    assert!(machine.start().await.is_err());
    world.store.save_image(&record("ami-3", &[])).unwrap();
    world.store.remove_image("ami-3").unwrap();
    assert!(world.store.layer(&upper).is_err());
    assert!(world.store.layer(&digest).is_ok(), "ami-1 names it");
    world.store.remove_image("ami-1").unwrap();
    assert!(world.store.layer(&digest).is_err());
    assert!(world.store.save_image(&record("ami-4", &[&digest])).is_err());
}

#[tokio::test]
async fn first_boot_happens_once_and_power_commands_work() {
    let Some(world) = World::new() else { return };
    let mut spec = world.spec("i-power");
    spec.make_unknown_users = true;
    spec.user_data = Some(b"#!/bin/sh\necho from user data; id -u >> /root/boots\n".to_vec());
    let machine = world.host.launch(spec).await.unwrap();
    let ssh = world.connect(&machine, "guest").await;
    assert_eq!(ssh.run("id -un; sudo id -u").await.text(), "guest\n0");
    let console = || String::from_utf8(machine.console_output()).unwrap();
    let waited = "cloud-init status --wait; test -e /var/lib/cloud/instance/boot-finished";
    assert_eq!(ssh.run(waited).await.text(), "status: done");
    assert!(console().contains("from user data"), "{}", console());

    // A guest that boots again is the same machine at the same address.
    ssh.run("sudo touch /opt/kept; sudo reboot").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while console().matches("bake: booting").count() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "{}", console());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut again = None;
    while again.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "{}", console());
        if tokio::net::TcpStream::connect(machine.ssh_address()).await.is_ok() {
            again = Client::connect(&machine, "ec2-user", &world.key).await;
        }
    }
    let ssh = again.unwrap();
    assert!(machine.is_running());
    assert_eq!(ssh.run("ls /opt/kept; sudo cat /root/boots").await.text(), "/opt/kept\n0");

    ssh.run("sudo shutdown -h now").await;
    assert_eq!(machine.ended().await, Ended::PoweredOff);
    machine.reboot().await.unwrap();
    let ssh = world.connect(&machine, "ec2-user").await;
    assert_eq!(ssh.run("true").await.code, Some(0));
    machine.stop().await.unwrap();
    machine.stop().await.unwrap();
    assert_eq!(console().matches("from user data").count(), 1);
}

impl World {
    /// Connects again to a machine that boots for the `boots`th time.
    async fn reconnect(&self, machine: &Arc<dyn Machine>, boots: u64) -> Client {
        let mut seen = machine.boots();
        let booted = seen.wait_for(|now| now.up && now.count >= boots);
        tokio::time::timeout(Duration::from_secs(20), booted).await.unwrap().unwrap();
        self.connect(machine, "ec2-user").await
    }
}

#[tokio::test]
async fn each_boot_has_an_id_of_its_own() {
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-boots").await;
    let other = world.launch("i-other").await;
    let look = "cat /proc/sys/kernel/random/boot_id";
    let host = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let mut ids = BTreeSet::from([host.trim().to_owned()]);
    let ssh = world.connect(&other, "ec2-user").await;
    ids.insert(ssh.run(look).await.text().to_owned());
    let mut ssh = world.connect(&machine, "ec2-user").await;
    assert_eq!(ssh.run("sudo umount /proc/sys/kernel/random/boot_id").await.code, Some(32));
    for (boot, command) in (2..).zip([
        "reboot",
        "shutdown -r now",
        "systemctl reboot",
        "systemctl --no-wall reboot -f",
    ]) {
        ids.insert(ssh.run(look).await.text().to_owned());
        assert!(machine.boots().borrow().count < boot);
        ssh.run(&format!("sudo {command}; sleep 60")).await;
        ssh = world.reconnect(&machine, boot).await;
        let uptime = ssh.run("cut -d. -f1 /proc/uptime").await.text().parse::<u64>().unwrap();
        assert!(uptime < 30, "{command}: up for {uptime} s");
    }
    ids.insert(ssh.run(look).await.text().to_owned());
    // The host, the other machine, and five boots.
    assert_eq!(ids.len(), 7, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    assert_eq!(ssh.run("systemctl reboot").await.code, Some(1), "not without sudo");
    ssh.run("sudo systemctl poweroff").await;
    assert_eq!(machine.ended().await, Ended::PoweredOff);
}

#[tokio::test]
async fn a_task_runs_as_root_without_a_log_in() {
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-tasks").await;
    let task = |script: &str| Task {
        files: vec![TaskFile {
            path: "/var/lib/agent/script".into(),
            mode: 0o700,
            content: script.to_owned(),
        }],
        program: ["/bin/sh", "-c", "/var/lib/agent/script"].map(str::to_owned).to_vec(),
        directory: "/usr/bin".into(),
        environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        stdout: "/var/lib/agent/stdout".into(),
        stderr: "/var/lib/agent/stderr".into(),
        head: 100,
    };
    let never = CancellationToken::new();
    let run = |script: &str| machine.run(task(script), never.clone());
    let end = run("id -u; pwd; hostname; echo e >&2; exit 7").await.unwrap();
    assert_eq!(end.code, Some(7));
    assert_eq!(end.stdout, "0\n/usr/bin\nip-10-1-2-3\n");
    assert_eq!(end.stderr, "e\n");
    let end = run("head -c 1000 /dev/zero | tr '\\0' x").await.unwrap();
    assert_eq!(end.stdout, "x".repeat(100), "the head of this run");
    let ssh = world.connect(&machine, "ec2-user").await;
    let look = "sudo cat /var/lib/agent/stdout | wc -c; sudo stat -c %a /var/lib/agent";
    assert_eq!(ssh.run(look).await.text(), "1023\n700");

    let kill = CancellationToken::new();
    let running = machine.run(task("sleep 983 & sleep 983"), kill.clone());
    let killed = async {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while ssh.run("pgrep -cx sleep").await.code != Some(0) {
            assert!(tokio::time::Instant::now() < deadline, "the task does not run");
        }
        kill.cancel();
    };
    let (end, ()) = futures::future::join(running, killed).await;
    assert_eq!(end.unwrap().code, None);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while ssh.run("pgrep -x sleep").await.code != Some(1) {
        assert!(tokio::time::Instant::now() < deadline, "some of the group is left");
    }

    let end = run("/usr/sbin/reboot; exec sleep 60").await.unwrap();
    assert!(end.code.is_none() && end.going_down, "{end:?}");
    world.reconnect(&machine, 2).await;
    machine.stop().await.unwrap();
    assert!(machine.run(task("true"), never.clone()).await.is_err());
}

#[tokio::test]
async fn a_connection_has_ten_sessions_and_tunnels_both_ways() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Some(world) = World::new() else { return };
    let machine = world.launch("i-tunnels").await;
    let ssh = world.connect(&machine, "ec2-user").await;
    for _ in 0..25 {
        assert_eq!(ssh.run("true").await.code, Some(0), "sessions that ended do not count");
    }
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(ssh.0.channel_open_session().await.unwrap());
    }
    assert!(ssh.0.channel_open_session().await.is_err(), "the eleventh");
    for channel in open {
        channel.close().await.unwrap();
    }

    // To the client: its own service, by a port of the machine.
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect(config, machine.ssh_address(), Forwarded).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::clone(&world.key), None);
    assert!(handle.authenticate_publickey("ec2-user", key).await.unwrap().success());
    let port = handle.tcpip_forward("localhost", 0).await.unwrap();
    let port = u16::try_from(port).unwrap();
    let talk = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo question >&3; cat <&3");
    let answer = ssh.run(&format!("bash -c '{talk}'")).await;
    assert_eq!(answer.text(), "got question");
    handle.cancel_tcpip_forward("localhost", u32::from(port)).await.unwrap();
    wait_until("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err())
        .await;

    // To the machine: its SSH server, by itself.
    let address = machine.ssh_address();
    let (ip, number) = (address.ip().to_string(), u32::from(address.port()));
    let channel = ssh.0.channel_open_direct_tcpip(ip, number, "127.0.0.1", 1).await.unwrap();
    let mut stream = channel.into_stream();
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    stream.shutdown().await.unwrap();
}

/// A client whose forwarded port answers a line.
struct Forwarded;

impl client::Handler for Forwarded {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: russh::Channel<client::Msg>,
        address: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
        assert_eq!(address, "localhost", "as it was asked for");
        reply.accept().await;
        tokio::spawn(async move {
            let mut stream = BufReader::new(channel.into_stream());
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            stream.write_all(format!("got {line}").as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        Ok(())
    }
}

#[tokio::test]
async fn an_imported_directory_is_a_base() {
    let Some(world) = World::new() else { return };
    // A root file system small enough for a test: this host's shell and what it needs.
    let root = world.directory.path().join("root");
    for part in ["bin", "etc", "usr/bin"] {
        std::fs::create_dir_all(root.join(part)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    std::fs::write(root.join("etc/os-release"), "ID=tiny\nPRETTY_NAME=\"Tiny 1\"\n").unwrap();
    for program in ["/bin/sh", "/usr/bin/id", "/bin/cat"] {
        let listed = std::process::Command::new("ldd").arg(program).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain([program]) {
            let target = root.join(file.trim_start_matches('/'));
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(file, target).unwrap();
        }
    }
    let base = world.store.import("tiny", &root).unwrap();
    assert_eq!((base.os_id.as_str(), base.os_name.as_str()), ("tiny", "Tiny 1"));
    assert!(world.store.bases().unwrap().contains(&base));
    let mut spec = world.spec("i-tiny");
    spec.root.base = "tiny".to_owned();
    let machine = world.host.launch(spec).await.unwrap();
    let ssh = world.connect(&machine, "ec2-user").await;
    assert_eq!(
        ssh.run("id -u; cat /etc/os-release").await.text(),
        "1000\nID=tiny\nPRETTY_NAME=\"Tiny 1\""
    );
    assert!(world.store.remove_base("tiny").is_err(), "an instance runs on it");
    machine.terminate().await.unwrap();
    world.store.remove_base("tiny").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_boot_side_by_side() {
    let Some(world) = World::new() else { return };
    let launches = (0..6).map(|n| world.launch_owned(format!("i-many-{n}")));
    let machines = futures::future::join_all(launches).await;
    let addresses: BTreeSet<_> = machines.iter().map(|machine| machine.ssh_address()).collect();
    assert_eq!(addresses.len(), machines.len());
    for machine in &machines {
        let ssh = world.connect(machine, "ec2-user").await;
        assert_eq!(ssh.run("sudo id -u").await.text(), "0");
    }
    // Without a word to any of them.
    drop(machines);
    assert!(processes_of(world.directory.path()).is_empty());
    assert_eq!(std::fs::read_dir(world.store.root().join("instances")).unwrap().count(), 0);
}

impl World {
    async fn launch_owned(&self, id: String) -> Arc<dyn Machine> {
        self.launch(&id).await
    }
}

/// Where the process of the next test finds its store.
const HOLDER: &str = "BAKE_TEST_HOLDER_STORE";

#[tokio::test]
#[ignore = "run by a_killed_bake_leaves_no_process as a process of its own"]
async fn hold_a_machine_until_killed() {
    let Some(path) = std::env::var_os(HOLDER) else { return };
    let store = Store::open(path).unwrap();
    let host = host(&store);
    let spec = MachineSpec {
        id: "i-held".to_owned(),
        hostname: "held".to_owned(),
        root: RootFs { base: "host".to_owned(), layers: Vec::new() },
        authorized_keys: Vec::new(),
        users: Vec::new(),
        make_unknown_users: false,
        user_data: Some(b"#!/bin/sh\nsetsid sleep 986 & exec sleep 986\n".to_vec()),
    };
    let machine = host.launch(spec).await.unwrap();
    while !String::from_utf8_lossy(&machine.console_output()).contains("user data runs") {
        tokio::task::yield_now().await;
    }
    std::fs::write(store.root().join("held"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_bake_leaves_no_process() {
    let Some(world) = World::new() else { return };
    let before = host_state();
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "machine::hold_a_machine_until_killed"])
        .env(HOLDER, world.store.root())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let held = world.store.root().join("held");
    wait_until("the machine is up", || held.exists()).await;
    assert!(!processes_of(world.directory.path()).is_empty());
    let instance = world.store.root().join("instances/i-held");
    drop(host(&world.store));
    assert!(instance.exists(), "its owner lives");

    holder.kill().unwrap();
    holder.wait().unwrap();
    wait_until("no process is left", || processes_of(world.directory.path()).is_empty()).await;
    let sleeping = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\0986\0")
        })
    };
    wait_until("its children are gone too", || !sleeping()).await;
    assert!(instance.exists());
    drop(host(&world.store));
    assert!(!instance.exists(), "the next bake cleans up");
    assert!(host_state() == before, "no mount and no file is left");
}
