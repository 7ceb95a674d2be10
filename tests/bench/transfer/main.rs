//! How long it takes to move files and run steps over SSH, beside `scp`, `sftp`, `tar | ssh tar`
//! and Packer 1.6.6: `cargo bench --bench transfer` prints a table. Nothing is asserted, as
//! machines differ.
//!
//! Everything happens between two network namespaces of this machine, so it takes root. An OpenSSH
//! server is started in one of them; there is a veth pair for a round trip of nothing, and for one
//! of 20 ms two TUN devices between which a relay carries whole packets after a delay. Files are on
//! a tmpfs and hold noise.
//!
//! Each figure is the wall time of a whole process, from start to end with its log-in: the median
//! of three runs (one, when it takes longer than ten seconds), and the first one, where it took a
//! tenth longer. Memory is the resident high-water mark of the process and all its children on this
//! side.
//!
//! Arguments: `--all` measures what takes minutes, too; `--library` lets bake run through its
//! library even where `bake build` could; words choose rows by parts of their names, `0ms` and
//! `20ms` choose the link, `only=bake,tar` the programs.

mod case;
mod child;
mod link;
mod relay;
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use case::{CASES, Case, PROGRAMS, Places, Program};
use link::{LINKS, Link, Network};
use server::Server;

/// What takes longer is run only once.
const SLOW: Duration = Duration::from_secs(10);

/// Runs of each figure.
const RUNS: usize = 3;

/// The age that files have at least when they are sent.
const SETTLED: Duration = Duration::from_secs(5);

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What one program needs for one row.
struct Figures {
    median: Duration,
    first: Duration,
    peak: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, template] = arguments.as_slice()
        && flag == "--child"
    {
        child::run(&PathBuf::from(template));
        return;
    }
    if let [flag, delay] = arguments.as_slice()
        && flag == "--relay"
    {
        relay::carry(Duration::from_millis(delay.parse().expect("milliseconds")));
        return;
    }
    if !rustix::process::geteuid().is_root() {
        print("skipped: network namespaces take root");
        return;
    }
    let has = |word: &str| arguments.iter().any(|one| one == word);
    let only = arguments.iter().find_map(|one| one.strip_prefix("only="));
    let rows: Vec<&String> = arguments
        .iter()
        .filter(|one| !one.starts_with('-') && !one.ends_with("ms") && !one.starts_with("only="))
        .collect();

    let folder = tempfile::tempdir_in("/dev/shm").expect("a tmpfs");
    let network = Network::make();
    let server = Server::start(folder.path());
    let places = Places {
        source: folder.path().join("source"),
        target: folder.path().join("target"),
        folder: folder.path().to_path_buf(),
        key: server.key(),
    };
    places.fill();
    // Files that have just changed are special to bake, which remembers digests of the others.
    let filled = Instant::now();
    while filled.elapsed() < SETTLED {
        std::thread::park_timeout(SETTLED.saturating_sub(filled.elapsed()));
    }
    let library = has("--library") || !null_builder_runs(&places);
    if library {
        print("bake runs through its library");
    }
    let packer = Command::new("packer").arg("version").output().is_ok();
    for link in LINKS {
        let chosen = format!("{}ms", link.round_trip);
        if arguments.iter().any(|one| one.ends_with("ms")) && !has(&chosen) {
            continue;
        }
        print(&format!("\nround trip {} ms", link.round_trip));
        for case in CASES {
            if !rows.is_empty() && !rows.iter().any(|word| case.name.contains(*word)) {
                continue;
            }
            let figures: Vec<_> = PROGRAMS
                .into_iter()
                .filter(|program| *program != Program::Packer || packer)
                .filter(|program| {
                    let name = program.name().to_lowercase();
                    only.is_none_or(|only| only.split(',').any(|word| name.contains(word)))
                })
                .filter(|program| {
                    has("--all") || !program.takes_minutes(case.work, link.round_trip)
                })
                .filter_map(|program| {
                    Some((program, measure(&places, program, link, case, library)?))
                })
                .collect();
            row(case, &figures);
        }
    }
    drop((server, network));
}

/// Whether `bake build` can run steps on a machine that is there.
fn null_builder_runs(places: &Places) -> bool {
    let work = case::Work::Steps(1);
    let Some(mut command) = places.command(Program::Bake, LINKS[0].address, work, false) else {
        return false;
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn measure(
    places: &Places,
    program: Program,
    link: Link,
    case: Case,
    library: bool,
) -> Option<Figures> {
    let mut times = Vec::new();
    let mut peak = 0;
    for _ in 0..RUNS {
        places.clear();
        let mut command = places.command(program, link.address, case.work, library)?;
        let log = std::fs::File::create(places.folder.join("output")).expect("create");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("clone")).stderr(log);
        let started = Instant::now();
        let mut child = command.spawn().expect("start");
        let mut seen = BTreeMap::new();
        let status = loop {
            if let Some(status) = child.try_wait().expect("wait") {
                break status;
            }
            look(child.id(), &mut seen);
            std::thread::park_timeout(LOOK);
        };
        let time = started.elapsed();
        if !status.success() || !places.arrived(case.work) {
            let said = std::fs::read_to_string(places.folder.join("output")).unwrap_or_default();
            let tail: Vec<_> = said.lines().rev().take(5).collect();
            print(&format!("{} failed at {}: {tail:?}", program.name(), case.name));
            return None;
        }
        times.push(time);
        peak = peak.max(seen.values().sum());
        if time > SLOW {
            break;
        }
    }
    let first = *times.first()?;
    times.sort_unstable();
    Some(Figures { median: *times.get(times.len() / 2)?, first, peak })
}

/// Notes the high-water marks of a process and its children.
fn look(id: u32, seen: &mut BTreeMap<u32, u64>) {
    // One that ends meanwhile reads as empty.
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mark = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    if let Some(mark) = mark {
        seen.insert(id, mark * 1024);
    }
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let children = std::fs::read_to_string(thread.path().join("children"));
        for child in children.unwrap_or_default().split_whitespace() {
            look(child.parse().expect("a process id"), seen);
        }
    }
}

/// A row: each program's time, its memory, and how many times bake's time that is.
fn row(case: Case, figures: &[(Program, Figures)]) {
    let bake = figures.iter().find(|(program, _)| *program == Program::Bake);
    let cells: Vec<_> = figures
        .iter()
        .map(|(program, one)| {
            let ratio = bake
                .map_or(f64::NAN, |(_, bake)| one.median.as_secs_f64() / bake.median.as_secs_f64());
            let first = match one.first {
                first if first > one.median.mul_f64(1.1) => {
                    format!(", first {:.2} s", first.as_secs_f64())
                }
                _ => String::new(),
            };
            format!(
                "{} {:.2} s ({ratio:.1}x, {:.0} MB{first})",
                program.name(),
                one.median.as_secs_f64(),
                one.peak as f64 / 1e6
            )
        })
        .collect();
    print(&format!("{:<36}{}", case.name, cells.join("  ")));
}

#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn print(line: &str) {
    println!("{line}");
}
