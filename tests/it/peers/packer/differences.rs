//! Where the two differ, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::repository;

const FILE: &str = "fixtures/peers/packer-differences.txt";

/// The known differences of one kind, with their reasons: `KIND SUBJECT` in one line, the reason
/// indented below it.
pub(super) fn known(kind: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository().join(FILE)).expect("read the differences");
    let mut all: Vec<(&str, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            all.push((line, String::new()));
        } else if let Some((_, reason)) = all.last_mut() {
            reason.push_str(line.trim());
        }
    }
    all.into_iter()
        .filter_map(|(line, reason)| {
            let subject = line.strip_prefix(kind)?.strip_prefix(' ')?;
            assert!(!reason.is_empty(), "no reason is given for: {line}");
            Some((subject.to_owned(), reason))
        })
        .collect()
}

/// Fails unless what was found, by subject with a description, is what is known.
#[track_caller]
pub(super) fn assert_known(kind: &str, found: &BTreeMap<String, String>) {
    let known: BTreeSet<String> = known(kind).into_keys().collect();
    let new: Vec<_> = found
        .iter()
        .filter(|(subject, _)| !known.contains(*subject))
        .map(|(subject, text)| format!("{kind} {subject}\n{text}"))
        .collect();
    let gone: Vec<_> = known.iter().filter(|subject| !found.contains_key(*subject)).collect();
    assert!(new.is_empty(), "not in {FILE}:\n\n{}", new.join("\n"));
    assert!(gone.is_empty(), "in {FILE}, but no difference any more: {gone:#?}");
}
