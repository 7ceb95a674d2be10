//! A virtual environment with the peers that are written in Python.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed. The versions are pinned: these tests are about bake, not about news.
const REQUIREMENTS: &[&str] = &["moto[server,ec2]==5.2.5", "awscli==1.46.2", "pyspnego==0.12.4"];

/// The programs of the virtual environment. It is made by the first test that wants it, and used
/// by all runs until the requirements change.
pub(super) fn programs() -> PathBuf {
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("`target`").join("peers");
    fs::create_dir_all(&peers).expect("make a directory");
    // Tests of other processes may want it at the same time.
    let lock = File::create(peers.join("lock")).expect("make a lock file");
    lock.lock().expect("lock");
    let environment = peers.join("python");
    let stamp = environment.join("requirements");
    let wanted = REQUIREMENTS.join("\n");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        if environment.exists() {
            fs::remove_dir_all(&environment).expect("remove the old environment");
        }
        let mut make = Command::new("python3");
        run(make.args(["-m", "venv"]).arg(&environment), "Debian's package is `python3-venv`");
        let mut install = Command::new(environment.join("bin/pip"));
        run(install.args(["install", "--quiet"]).args(REQUIREMENTS), "is PyPI within reach?");
        fs::write(&stamp, wanted).expect("write the stamp");
    }
    environment.join("bin")
}

#[track_caller]
fn run(command: &mut Command, hint: &str) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error} ({hint})"));
    assert!(status.success(), "{command:?} failed ({hint})");
}
