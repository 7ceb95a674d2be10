//! What is measured, and how each program does it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::link::CLIENT;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// What is called so among the sources goes to the server.
    Files(&'static str),
    /// So many inline shell steps.
    Steps(usize),
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
}

/// All rows.
pub(crate) const CASES: [Case; 6] = [
    Case { name: "one file of 1 GiB", work: Work::Files("one") },
    Case { name: "5,000 files of 4 KiB in a folder", work: Work::Files("flat") },
    Case { name: "5,000 files of 4 KiB in 50 folders", work: Work::Files("folders") },
    Case { name: "200 files of 1 MiB", work: Work::Files("medium") },
    Case { name: "20 inline shell steps", work: Work::Steps(20) },
    Case { name: "100 inline shell steps", work: Work::Steps(100) },
];

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    Bake,
    TarOverSsh,
    Scp,
    Sftp,
    Packer,
}

/// All columns.
pub(crate) const PROGRAMS: [Program; 5] =
    [Program::Bake, Program::TarOverSsh, Program::Scp, Program::Sftp, Program::Packer];

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bake => "bake",
            Self::TarOverSsh => "tar | ssh tar",
            Self::Scp => "scp",
            Self::Sftp => "sftp",
            Self::Packer => "Packer",
        }
    }

    /// Whether it is known to take minutes.
    pub(crate) fn takes_minutes(self, work: Work, round_trip: u32) -> bool {
        let one_by_one = matches!(self, Self::Scp | Self::Sftp | Self::Packer);
        round_trip > 0
            && match work {
                Work::Files("flat") => one_by_one,
                Work::Files("folders") => matches!(self, Self::Scp | Self::Sftp),
                Work::Files(_) | Work::Steps(_) => false,
            }
    }
}

/// Where everything is, on this machine and (the file system is the same) on the server.
pub(crate) struct Places {
    /// Sources.
    pub(crate) source: PathBuf,
    /// Where uploads go.
    pub(crate) target: PathBuf,
    /// Everything else.
    pub(crate) folder: PathBuf,
    /// The user's private key.
    pub(crate) key: PathBuf,
}

impl Places {
    /// Makes the files that are sent: noise, which nothing can pack.
    pub(crate) fn fill(&self) {
        let make = |path: PathBuf, bytes: u64| {
            fs::create_dir_all(path.parent().expect("has a parent")).expect("make a directory");
            let mut noise = File::open("/dev/urandom").expect("open").take(bytes);
            io::copy(&mut noise, &mut File::create(path).expect("create")).expect("write");
        };
        make(self.source.join("one"), 1 << 30);
        for n in 0..5000 {
            make(self.source.join(format!("flat/{n}")), 4 << 10);
            make(self.source.join(format!("folders/{}/{n}", n % 50)), 4 << 10);
        }
        for n in 0..200 {
            make(self.source.join(format!("medium/{n}")), 1 << 20);
        }
    }

    /// Removes what the last run has sent.
    pub(crate) fn clear(&self) {
        drop(fs::remove_dir_all(&self.target));
        fs::create_dir_all(&self.target).expect("make a directory");
    }

    /// Whether everything has arrived, by count and size.
    pub(crate) fn arrived(&self, work: Work) -> bool {
        match work {
            Work::Files(name) => {
                let (source, target) = (self.source.join(name), self.target.join(name));
                totals(&source) == totals(&target)
            }
            Work::Steps(_) => true,
        }
    }

    /// The template of a case, for bake and Packer.
    pub(crate) fn template(&self, address: &str, work: Work) -> PathBuf {
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        let provisioners = match work {
            Work::Files(name) => format!(
                r#"{{"type": "file", "source": {}, "destination": {}}}"#,
                quoted(&self.source.join(name)),
                quoted(&self.target.join(name)),
            ),
            Work::Steps(count) => (0..count)
                .map(|n| format!(r#"{{"type": "shell", "inline": ["echo step {n}"]}}"#))
                .collect::<Vec<_>>()
                .join(",\n"),
        };
        let text = format!(
            r#"{{
"builders": [{{"type": "null", "ssh_host": "{address}", "ssh_username": "root", "ssh_private_key_file": {}}}],
"provisioners": [
{provisioners}
]
}}
"#,
            quoted(&self.key)
        );
        let path = self.folder.join("template.json");
        fs::write(&path, text).expect("write");
        path
    }

    /// The command of a program; `None` where it cannot do the work.
    pub(crate) fn command(
        &self,
        program: Program,
        address: &str,
        work: Work,
        library: bool,
    ) -> Option<Command> {
        let ssh = format!(
            "-q -F none -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            self.key.display()
        );
        let (source, target) = (self.source.display(), self.target.display());
        let text = match (program, work) {
            (Program::TarOverSsh, Work::Files(name)) => format!(
                "tar -C {source} -cf - {name} | ssh {ssh} root@{address} tar -C {target} -xf -"
            ),
            (Program::Scp, Work::Files(name)) => {
                format!("scp -r {ssh} {source}/{name} root@{address}:{target}/{name}")
            }
            (Program::Sftp, Work::Files(name)) => {
                let made = if name == "one" { "" } else { "mkdir {name}\n" };
                let made = made.replace("{name}", name);
                format!(
                    "printf 'cd {target}\n{made}put -r {source}/{name}\n' | sftp {ssh} -b - root@{address}"
                )
            }
            (Program::TarOverSsh | Program::Scp | Program::Sftp, Work::Steps(_)) => return None,
            (Program::Packer, work) => {
                let template = self.template(address, work);
                format!("exec timeout 900 packer build {}", template.display())
            }
            (Program::Bake, work) => {
                let template = self.template(address, work);
                if library {
                    let this = std::env::current_exe().expect("has a path");
                    format!("exec {} --child {}", this.display(), template.display())
                } else {
                    format!("exec {} build {}", env!("CARGO_BIN_EXE_bake"), template.display())
                }
            }
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", CLIENT, "sh", "-c", &text]);
        command.env("CHECKPOINT_DISABLE", "1").env("HOME", &self.folder);
        command.env("BAKE_BENCH_ADDRESS", address).env("BAKE_BENCH_KEY", &self.key);
        Some(command)
    }
}

/// Number and bytes of all files below a path.
fn totals(path: &Path) -> (u64, u64) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return (0, 0) };
    if !metadata.is_dir() {
        return (1, metadata.len());
    }
    let inside = fs::read_dir(path).expect("list").map(|one| totals(&one.expect("list").path()));
    inside.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}
