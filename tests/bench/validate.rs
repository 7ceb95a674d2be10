//! How long `bake validate` takes and how much memory it needs, with Packer 1.6.6 beside it where
//! that is installed: `cargo bench` prints a table. Nothing is asserted, as machines differ.
//!
//! Wall time is the median of several runs. Peak memory is the resident high-water mark of the
//! process (of all its processes, for Packer), read often while it runs, in runs of its own.

mod measure;
mod template;

use std::path::{Path, PathBuf};
use std::process::Command;

use measure::{Figures, measure};

/// A template, and how often it is checked.
struct Subject {
    name: String,
    path: PathBuf,
    runs: usize,
    /// Whether Packer 1.6.6 is to check it, too.
    for_packer: bool,
}

fn main() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let subjects = subjects(directory.path());
    let packer = Command::new("packer").arg("version").output().is_ok();
    let mut lines = vec![[
        "template".to_owned(),
        "bake".to_owned(),
        "memory".to_owned(),
        "Packer".to_owned(),
        "memory".to_owned(),
        "ratio".to_owned(),
    ]];
    for subject in &subjects {
        let bake = measure(subject.runs, || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
            command.arg("validate").arg(&subject.path);
            command
        });
        let beside = (packer && subject.for_packer).then(|| {
            measure(subject.runs.min(5), || {
                let mut command = Command::new("timeout");
                command.args(["120", "packer", "validate"]).arg(&subject.path);
                command.env("CHECKPOINT_DISABLE", "1").env("HOME", directory.path());
                command
            })
        });
        lines.push(line(subject, &bake, beside.as_ref()));
    }
    print(&lines);
}

/// The template that users start with, and generated ones.
fn subjects(directory: &Path) -> Vec<Subject> {
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/quickstart.pkr.hcl");
    let old = directory.join("quickstart.pkr.hcl");
    let text = std::fs::read_to_string(&quickstart).expect("the quickstart template");
    std::fs::write(&old, template::for_old_packer(&text)).expect("write a template");
    let files = directory.join("quickstart");
    std::fs::create_dir(&files).expect("make a directory");
    std::fs::write(files.join("greet"), "#!/bin/sh\n").expect("write a file");

    let mut subjects = vec![
        Subject { name: "quickstart".into(), path: quickstart, runs: 21, for_packer: false },
        Subject {
            name: "quickstart, as 1.6.6 takes it".into(),
            path: old,
            runs: 21,
            for_packer: true,
        },
    ];
    for (builds, sources, steps, for_packer) in
        [(10, 1, 5, true), (100, 1, 5, true), (1_000, 1, 5, false), (1, 100, 50, false)]
    {
        let name = format!("{builds} builds of {sources} sources and {steps} provisioners");
        let path = directory.join(format!("{builds}-{sources}-{steps}.pkr.hcl"));
        std::fs::write(&path, template::generated(builds, sources, steps)).expect("write");
        subjects.push(Subject { name, path, runs: 5, for_packer });
    }
    subjects
}

fn line(subject: &Subject, bake: &Figures, packer: Option<&Figures>) -> [String; 6] {
    let time = |figures: &Figures| {
        let failed = if figures.succeeded { "" } else { " (refused)" };
        format!("{:.1} ms{failed}", figures.median.as_secs_f64() * 1e3)
    };
    let memory = |figures: &Figures| format!("{:.1} MB", figures.peak as f64 / 1e6);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        subject.name.clone(),
        time(bake),
        memory(bake),
        or_none(packer.map(time)),
        or_none(packer.map(memory)),
        or_none(packer.map(|packer| {
            format!("{:.1}x", packer.median.as_secs_f64() / bake.median.as_secs_f64())
        })),
    ]
}

#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn print(lines: &[[String; 6]]) {
    for line in lines {
        let [name, cells @ ..] = line;
        let cells: String = cells.iter().map(|cell| format!("{cell:>22}")).collect();
        println!("{name:<44}{cells}");
    }
}
