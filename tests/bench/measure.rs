//! Runs a program several times.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What takes longer is run only once for each figure.
const SLOW: Duration = Duration::from_secs(10);

/// What running a program costs.
pub(crate) struct Figures {
    pub(crate) median: Duration,
    /// Bytes.
    pub(crate) peak: u64,
    pub(crate) succeeded: bool,
}

/// Runs the program to its end: once to warm up, `runs` times for its time, a few for its memory.
pub(crate) fn measure(runs: usize, command: impl Fn() -> Command) -> Figures {
    let quiet = || {
        let mut command = command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let started = Instant::now();
    let succeeded = quiet().status().expect("start").success();
    let is_slow = started.elapsed() > SLOW;
    let mut times: Vec<_> = (0..if is_slow { 1 } else { runs })
        .map(|_| {
            let mut command = quiet();
            let started = Instant::now();
            command.status().expect("start");
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let repeats = if is_slow { 1 } else { 3 };
    let peak = (0..repeats).map(|_| peak(quiet())).max().unwrap_or_default();
    Figures { median: times[times.len() / 2], peak, succeeded }
}

/// The largest resident size that was seen, of the process and all below it.
fn peak(mut command: Command) -> u64 {
    let mut child = command.spawn().expect("start");
    let mut seen = BTreeMap::new();
    while child.try_wait().expect("wait").is_none() {
        look(child.id(), &mut seen);
    }
    seen.values().sum()
}

/// Notes the high-water marks of a process and its children.
fn look(id: u32, seen: &mut BTreeMap<u32, u64>) {
    // One that ends meanwhile reads as empty.
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mark = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    if let Some(mark) = mark {
        seen.insert(id, mark * 1024);
    }
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        look(child.parse().expect("a process id"), seen);
    }
}
