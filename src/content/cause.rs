//! Known noise: why two builds of the same inputs differ at a path.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// Why a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The machine's own id.
    MachineId,
    /// SSH host keys.
    HostKey,
    /// What a random generator starts from.
    RandomSeed,
    /// Keys that let the build log in.
    AuthorizedKey,
    /// The journal of systemd.
    Journal,
    /// Logs, log-in records among them.
    Log,
    /// The cache of `ldconfig`.
    LoaderCache,
    /// Lists and caches of package managers, font and manual caches, those of users.
    Cache,
    /// What package managers note of what they did and when.
    PackageDatabase,
    /// Python's compiled files, which name the time of their source.
    Bytecode,
    /// State of cloud-init.
    CloudInit,
    /// What users typed.
    History,
    /// Addresses and other state of the network.
    Network,
    /// When something ran last.
    Schedule,
    /// Temporary files.
    Temporary,
    /// Hashes of passwords: each has a salt of its own.
    PasswordSalt,
    /// Keys, certificates and the like, in PEM.
    KeyMaterial,
    /// Dates in the bytes.
    Timestamp,
    /// The same lines in another order: of a locale, a hash table, a directory.
    Order,
    /// None that is known.
    Unknown,
}

impl Cause {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::MachineId => "machine id",
            Self::HostKey => "SSH host key",
            Self::RandomSeed => "random seed",
            Self::AuthorizedKey => "key for logging in",
            Self::Journal => "journal",
            Self::Log => "log",
            Self::LoaderCache => "ldconfig cache",
            Self::Cache => "cache",
            Self::PackageDatabase => "package database",
            Self::Bytecode => "compiled Python",
            Self::CloudInit => "cloud-init state",
            Self::History => "shell history",
            Self::Network => "network state",
            Self::Schedule => "schedule",
            Self::Temporary => "temporary file",
            Self::PasswordSalt => "salt of a password",
            Self::KeyMaterial => "key or certificate",
            Self::Timestamp => "date in the content",
            Self::Order => "order of lines",
            Self::Unknown => "unknown",
        }
    }
}

impl Cause {
    /// Whether `-normalize` is made to remove it. Of package databases that is true of some parts
    /// only.
    pub fn is_removable(self) -> bool {
        match self {
            Self::PasswordSalt
            | Self::KeyMaterial
            | Self::Timestamp
            | Self::Order
            | Self::Unknown => false,
            Self::MachineId
            | Self::HostKey
            | Self::RandomSeed
            | Self::AuthorizedKey
            | Self::Journal
            | Self::Log
            | Self::LoaderCache
            | Self::Cache
            | Self::PackageDatabase
            | Self::Bytecode
            | Self::CloudInit
            | Self::History
            | Self::Network
            | Self::Schedule
            | Self::Temporary => true,
        }
    }
}

/// Patterns of paths; the first that fits counts.
const PATHS: &[(&str, Cause)] = &[
    (r"^etc/machine-id$|^var/lib/dbus/machine-id$", Cause::MachineId),
    (r"^etc/ssh/ssh_host_[^/]*$", Cause::HostKey),
    (r"^etc/g?shadow-?$", Cause::PasswordSalt),
    (r"(^|/)random-seed$|^var/lib/systemd/credential\.secret$", Cause::RandomSeed),
    (r"/\.ssh/authorized_keys2?$", Cause::AuthorizedKey),
    (r"^var/log/journal(/|$)", Cause::Journal),
    (r"^var/log/", Cause::Log),
    (r"^var/cache/ldconfig/|^etc/ld\.so\.cache$", Cause::LoaderCache),
    (r"^var/lib/cloud(/|$)", Cause::CloudInit),
    (
        r"^var/lib/dpkg/|^var/lib/rpm/|^usr/lib/sysimage/|^var/lib/(dnf|yum)/|^var/cache/debconf/|^var/lib/apt/(extended_states|periodic)|^lib/apk/db/",
        Cause::PackageDatabase,
    ),
    (r"^var/lib/apt/lists/|^var/cache/|(^|/)\.cache/|^var/lib/[mp]locate/", Cause::Cache),
    (r"\.py[co]$", Cause::Bytecode),
    (r"/\.(bash_history|python_history|lesshst|viminfo|wget-hsts)$", Cause::History),
    (r"^var/lib/(dhcp|dhclient|dhcpcd|NetworkManager|systemd/network)/", Cause::Network),
    (
        r"^var/lib/systemd/(timers|timesync)/|^var/lib/logrotate|^var/spool/anacron/",
        Cause::Schedule,
    ),
    (r"^(var/)?tmp/", Cause::Temporary),
];

static COMPILED: LazyLock<Vec<(Regex, Cause)>> = LazyLock::new(|| {
    let compile = |pattern: &str| Regex::new(pattern).expect("a pattern of this file is sound");
    PATHS.iter().map(|(pattern, cause)| (compile(pattern), *cause)).collect()
});

/// What a path says of the cause, relative as in a [`FileTree`](super::FileTree).
pub fn of_path(path: &str) -> Option<Cause> {
    COMPILED.iter().find(|(pattern, _)| pattern.is_match(path.as_bytes())).map(|(_, cause)| *cause)
}

/// Dates as programs write them: ISO 8601 and its short forms, `date` and RFC 2822, syslog, and
/// seconds (or milliseconds, …) since 1970 of this and the next decades.
static DATES: LazyLock<Regex> = LazyLock::new(|| {
    let months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
    let pattern = [
        r"\d{4}-\d{2}-\d{2}([T _]\d{2}[:.-]?\d{2}([:.-]?\d{2}([.,]\d+)?)?)?( ?(Z|UTC|[+-]\d{2}:?\d{2}))?",
        r"\d{4}/\d{2}/\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?",
        &format!(
            r"((Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(({months}) +\d{{1,2}}|\d{{1,2}} ({months}))[ ,]+(\d{{4}} +)?\d{{2}}:\d{{2}}:\d{{2}}( (AM|PM))?( ([A-Z]{{2,5}}|[+-]\d{{4}}))?( \d{{4}})?"
        ),
        r"\b20\d{6}([T-]?\d{4}(\d{2})?Z?)?\b",
        r"\b(1[6-9]|[2-4]\d)\d{8}(\.?\d{3}){0,3}\b",
        r"\d{2}:\d{2}:\d{2}([.,]\d+)?",
    ]
    .join("|");
    Regex::new(&format!("(?-u){pattern}")).expect("the pattern is sound")
});

/// What the bytes of both files say of the cause.
pub fn of_bytes(first: &[u8], second: &[u8]) -> Option<Cause> {
    let without = |bytes: &[u8]| DATES.replace_all(bytes, &b"<date>"[..]).into_owned();
    if without(first) == without(second) || (gzip(first).is_some() && gzip(first) == gzip(second)) {
        return Some(Cause::Timestamp);
    }
    if [first, second].iter().all(|bytes| bytes.starts_with(b"-----BEGIN ")) {
        return Some(Cause::KeyMaterial);
    }
    let lines = |bytes: &[u8]| {
        let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines
    };
    (first.len() == second.len() && lines(first) == lines(second)).then_some(Cause::Order)
}

/// A gzip member without the time in its header.
fn gzip(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (magic, rest) = bytes.split_at_checked(4)?;
    magic.starts_with(&[0x1f, 0x8b, 8]).then_some((magic, rest.get(4..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_their_cause() {
        for (path, cause) in [
            ("etc/machine-id", Some(Cause::MachineId)),
            ("etc/machine-info", None),
            ("etc/ssh/ssh_host_ed25519_key.pub", Some(Cause::HostKey)),
            ("etc/ssh/sshd_config", None),
            ("etc/shadow", Some(Cause::PasswordSalt)),
            ("etc/gshadow-", Some(Cause::PasswordSalt)),
            ("etc/shadowsocks", None),
            ("var/lib/systemd/random-seed", Some(Cause::RandomSeed)),
            ("home/admin/.ssh/authorized_keys", Some(Cause::AuthorizedKey)),
            ("var/log/journal/0123/system.journal", Some(Cause::Journal)),
            ("var/log/dpkg.log", Some(Cause::Log)),
            ("var/cache/ldconfig/aux-cache", Some(Cause::LoaderCache)),
            ("var/cache/apt/pkgcache.bin", Some(Cause::Cache)),
            ("var/cache/debconf/config.dat-old", Some(Cause::PackageDatabase)),
            ("root/.cache/pip/http/x", Some(Cause::Cache)),
            ("var/lib/rpm/rpmdb.sqlite", Some(Cause::PackageDatabase)),
            ("opt/app/__pycache__/app.cpython-312.pyc", Some(Cause::Bytecode)),
            ("var/lib/cloud/data/instance-id", Some(Cause::CloudInit)),
            ("root/.bash_history", Some(Cause::History)),
            ("var/tmp/x", Some(Cause::Temporary)),
            ("opt/tmp/x", None),
            ("opt/app/version", None),
        ] {
            assert_eq!(of_path(path), cause, "{path}");
        }
    }

    #[test]
    fn dates_in_the_bytes_are_found() {
        for (first, second) in [
            ("built 2026-11-22T01:02:03Z by x", "built 2026-11-23T09:00:00Z by x"),
            ("built 2026-11-22 01:02:03.123 +0100", "built 2026-11-22 01:02:04.5 +0100"),
            ("Sun Nov 22 01:02:03 UTC 2026\n", "Mon Nov  2 11:12:13 UTC 2027\n"),
            ("Sun, 22 Nov 2026 01:02:03 +0000", "Mon, 23 Nov 2026 01:02:04 +0000"),
            ("Nov 22 01:02:03 host x", "Nov 22 01:02:09 host x"),
            ("t=1763773323", "t=1763773399"),
            ("t=1763773323.123456", "t=1763773399.654321"),
            ("release-20261122T010203Z", "release-20261123T010203Z"),
            ("\u{1f}\u{0}at 01:02:03\u{0}", "\u{1f}\u{0}at 01:02:04\u{0}"),
        ] {
            let found = of_bytes(first.as_bytes(), second.as_bytes());
            assert_eq!(found, Some(Cause::Timestamp), "{first}");
        }
        let gzip = |time: u8| [0x1f, 0x8b, 8, 0, time, 1, 1, 1, 0, 3, 9, 9, 9];
        assert_eq!(of_bytes(&gzip(1), &gzip(2)), Some(Cause::Timestamp));
    }

    #[test]
    fn other_bytes_are_no_dates() {
        let of = |first: &str, second: &str| of_bytes(first.as_bytes(), second.as_bytes());
        assert_eq!(of("b\na\nc\n", "a\nb\nc\n"), Some(Cause::Order));
        assert_eq!(of("b\na\n", "a\na\n"), None);
        let pem = |text: &str| format!("-----BEGIN PRIVATE KEY-----\n{text}\n");
        assert_eq!(of(&pem("MIIa"), &pem("MIIb")), Some(Cause::KeyMaterial));
        assert_eq!(of(&pem("MIIa"), "none"), None);
        assert_eq!(of("id=12345", "id=54321"), None);
        assert_eq!(of("2026-11-22 x", "2026-11-23 y"), None);
        assert_eq!(of("seed 9f3c", "seed 00aa"), None);
    }
}
