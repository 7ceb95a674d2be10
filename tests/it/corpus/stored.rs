//! Stored forms beside the templates.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

use super::case::{self, Case};

/// Set to write what bake does now in place of what is stored. Then read the difference.
const UPDATE: &str = "BAKE_UPDATE_CORPUS";

fn updates() -> bool {
    std::env::var_os(UPDATE).is_some()
}

/// What differs from the stored form, or nothing.
pub(super) fn compare(case: &Case, text: &str) -> Option<String> {
    let path = case.stored();
    let stored = fs::read_to_string(&path).unwrap_or_default();
    if stored == text {
        return None;
    }
    if updates() {
        fs::write(&path, text).expect("write the stored form");
        return None;
    }
    Some(format!(
        "{} is not as stored ({UPDATE}=1 stores it):\n{}",
        case.name(),
        difference(&stored, text)
    ))
}

/// The lines between a common beginning and a common end.
fn difference(old: &str, new: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    old.drain(..same);
    new.drain(..same);
    while let (Some(one), Some(other)) = (old.last(), new.last())
        && one == other
    {
        old.pop();
        new.pop();
    }
    let removed = old.iter().map(|line| format!("- {line}\n"));
    removed.chain(new.iter().map(|line| format!("+ {line}\n"))).collect()
}

/// Stored forms and arguments of templates that are not there.
pub(super) fn strays() -> Vec<String> {
    let known: BTreeSet<PathBuf> = case::all()
        .iter()
        .flat_map(|case| {
            [case.stored(), repository().join(format!("{}.args", case.template.display()))]
        })
        .collect();
    let mut found = Vec::new();
    stray_files(&repository().join(case::ROOT), &known, &mut found);
    found
}

fn stray_files(directory: &Path, known: &BTreeSet<PathBuf>, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            stray_files(&path, known, found);
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !["evaluated", "diagnostics", "args"].contains(&ending) || known.contains(&path) {
            continue;
        }
        if updates() && ending != "args" {
            fs::remove_file(&path).expect("remove what belongs to no template");
        } else {
            found.push(format!("{} belongs to no template", path.display()));
        }
    }
}
