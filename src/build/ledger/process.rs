//! Whether the process that wrote a ledger still runs.

use std::fs;

use serde::{Deserialize, Serialize};

/// What tells a process from others of the same number: process ids are used again, on this machine
/// and on others that share its state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Name of the machine.
    pub host: String,
    /// Id of the machine's boot.
    pub boot: String,
    /// Its namespace of process ids: containers have their own.
    pub namespace: String,
    /// When it started, in ticks since the boot.
    pub start: u64,
}

/// What is known about the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It is, or was, somewhere else.
    Elsewhere,
}

impl Process {
    /// This process; `None` where there is no `/proc`.
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// A process of this machine that runs.
    fn of(pid: u32) -> Option<Self> {
        let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Some(Self {
            host: read("/proc/sys/kernel/hostname")?,
            boot: read("/proc/sys/kernel/random/boot_id")?,
            namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned(),
            start: start_of(&read(&format!("/proc/{pid}/stat"))?)?,
        })
    }

    /// Whether the process, of the number `pid`, still runs.
    pub fn life(&self, pid: u32) -> Life {
        match Self::current() {
            Some(here) => self.life_seen_from(&here, Self::of(pid).as_ref()),
            None => Life::Elsewhere,
        }
    }

    /// The same, told from the process that asks and from the one that has the number now.
    fn life_seen_from(&self, here: &Self, found: Option<&Self>) -> Life {
        if self.boot != here.boot {
            // Restarted since, or another machine.
            return if self.host == here.host { Life::Dead } else { Life::Elsewhere };
        }
        if self.namespace != here.namespace {
            return Life::Elsewhere;
        }
        match found {
            Some(found) if found.start == self.start => Life::Alive,
            _ => Life::Dead,
        }
    }
}

/// Field 22 of proc_pid_stat(5), of a process that has not ended: one that nobody waited for is still
/// listed. The name in the second may hold anything, also blanks and `)`.
fn start_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Whether there is a process of that number, for ledgers that say no more.
pub(super) fn exists(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(host: &str, boot: &str, namespace: &str, start: u64) -> Process {
        let [host, boot, namespace] = [host, boot, namespace].map(str::to_owned);
        Process { host, boot, namespace, start }
    }

    #[test]
    fn this_process_is_alive_and_one_of_another_start_is_not() {
        let mut current = Process::current().expect("there is /proc");
        assert_eq!(current.life(std::process::id()), Life::Alive);
        current.start += 1;
        assert_eq!(current.life(std::process::id()), Life::Dead, "a number that is used again");
        assert_eq!(current.life(u32::MAX), Life::Dead);
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_not_taken_for_dead() {
        let here = process("ci-1", "b1", "pid:[1]", 7);
        let there =
            |host, boot, namespace| process(host, boot, namespace, 5).life_seen_from(&here, None);
        assert_eq!(there("ci-1", "b1", "pid:[1]"), Life::Dead);
        assert_eq!(there("ci-1", "b0", "pid:[1]"), Life::Dead, "the machine was restarted");
        assert_eq!(there("ci-2", "b2", "pid:[1]"), Life::Elsewhere, "another machine");
        assert_eq!(there("x", "b1", "pid:[2]"), Life::Elsewhere, "another container");
    }

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        assert_eq!(start_of(stat), Some(98_765));
        assert_eq!(start_of(&stat.replace(") S", ") Z")), None, "it has ended");
        assert_eq!(start_of("12 (a"), None);
    }
}
