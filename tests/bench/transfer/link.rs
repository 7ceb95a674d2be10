//! Two network namespaces: a short link between them, and a long one.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The largest packet on the long link: what networks inside a region carry.
const LONG_PACKETS: &str = "9000";

/// A link, by the address of the server on it.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) round_trip: u32,
    pub(crate) address: &'static str,
}

/// The links.
pub(crate) const LINKS: [Link; 2] =
    [Link { round_trip: 0, address: "10.99.0.2" }, Link { round_trip: 20, address: "10.99.1.2" }];

/// The namespaces and what connects them; gone with the value.
pub(crate) struct Network {
    relay: Child,
}

/// The namespace of the clients.
pub(crate) const CLIENT: &str = "bake-bench-client";
/// The namespace of the server.
pub(crate) const SERVER: &str = "bake-bench-server";

fn ip(words: &str) -> bool {
    Command::new("ip").args(words.split(' ')).status().is_ok_and(|status| status.success())
}

fn must(words: &str) {
    assert!(ip(words), "ip {words}");
}

impl Network {
    /// Makes everything; takes root.
    pub(crate) fn make() -> Self {
        for name in [CLIENT, SERVER] {
            let stale = Path::new("/run/netns").join(name);
            if stale.exists() {
                must(&format!("netns del {name}"));
            }
            must(&format!("netns add {name}"));
            must(&format!("-n {name} link set lo up"));
        }
        must(&format!("link add bkb0 netns {CLIENT} type veth peer name bkb1 netns {SERVER}"));
        let relay = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/transfer/relay.py");
        let mut relay = Command::new("python3")
            .arg(relay)
            .args(["bkt0", "bkt1"])
            .arg(std::env::current_exe().expect("has a path"))
            .args(["--relay", &(LINKS[1].round_trip / 2).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        let said = relay.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut line).expect("read");
        assert_eq!(line, "ready\n", "the relay has its devices");
        for (name, device, tun, host) in [(CLIENT, "bkb0", "bkt0", 1), (SERVER, "bkb1", "bkt1", 2)]
        {
            must(&format!("link set {tun} netns {name}"));
            // Nothing may be lost while the relay has its turn at something else.
            must(&format!("-n {name} link set {tun} mtu {LONG_PACKETS} txqueuelen 100000"));
            must(&format!("-n {name} addr add 10.99.0.{host}/24 dev {device}"));
            must(&format!("-n {name} addr add 10.99.1.{host}/24 dev {tun}"));
            must(&format!("-n {name} link set {device} up"));
            must(&format!("-n {name} link set {tun} up"));
        }
        Self { relay }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.relay.stdin.take());
        drop(self.relay.wait());
        for name in [CLIENT, SERVER] {
            ip(&format!("netns del {name}"));
        }
    }
}
